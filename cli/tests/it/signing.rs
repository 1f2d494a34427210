//! Signing in over what is in the way, and what is said of a sign-in that is over.

use std::fs;

use serde_json::Value;

use crate::binary::run;
use crate::story::Story;

#[test]
fn a_damaged_account_is_replaced_by_a_login_and_put_aside() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let file = story.folder("amna").join("account.json");
    let whole = fs::read(&file).unwrap();
    for json in [false, true] {
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let ran = story.run("amna", &["whoami"]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("sign in again"), "{ran}");
        // No server is guessed: a password goes there.
        let mut command = story.command("amna", &["login", "amna@example.org"]);
        let ran = run(command.env_remove("TRIALOGUE_SERVER"));
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("say --server"), "{ran}");

        let login = ["--json", "login", "amna@example.org"];
        let ran = story.run("amna", if json { &login } else { &login[1..] });
        assert_eq!(ran.code, Some(0), "{ran}");
        let aside = if json {
            let told: Value = serde_json::from_str(&ran.stdout).unwrap();
            told["putAside"].as_str().unwrap().to_owned()
        } else {
            let line = ran.stderr.lines().next().unwrap();
            line.strip_prefix("the account that was here was damaged and is now ")
                .unwrap()
                .to_owned()
        };
        assert_eq!(fs::read(aside).unwrap(), whole[..whole.len() / 2]);
        assert_eq!(story.run("amna", &["whoami"]).code, Some(0));
    }
    let ran = story.run("amna", &["--json", "login", "amna@example.org"]);
    assert!(!ran.stdout.contains("putAside"), "{ran}");
}

#[test]
fn a_token_that_is_over_is_told_of_once() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    for args in [&["read", &chat][..], &["send", &chat, "hello"], &["listen", &chat]] {
        let ran = run(story.command("amna", args).env("TRIALOGUE_TOKEN", "no such token"));
        assert_eq!(ran.code, Some(3), "{ran}");
        assert_eq!(ran.stderr.matches("not signed in").count(), 1, "{ran}");
    }
}
