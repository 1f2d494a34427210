//! How a verb fails that gets no answer, or none that it may have.

use std::net::TcpListener;

use super::{ELSEWHERE, acts, error_of, finish, names_of, verbs};
use crate::binary::{Ran, trialogue};

/// A chat that nobody has; a whole id, so that nothing is looked up first.
const CHAT: &str = "0190f3a2-1b2c-7def-8123-456789abcdef";

/// Verbs that ask a server, with the exit codes of one who is not signed in, of a server that is not
/// there, and of one that takes the connection and says nothing.
const ASKING: [(&str, i32, i32, &[i32]); 27] = [
    ("register a@example.org --role customer --first-name A --last-name B", 5, 5, &[5, 6]),
    ("login a@example.org", 5, 5, &[5, 6]),
    ("health", 5, 5, &[5, 6]),
    ("whoami", 3, 5, &[5, 6]),
    ("status", 5, 5, &[5, 6]),
    ("doctor", 5, 5, &[5, 6]),
    ("providers", 3, 5, &[5, 6]),
    ("book --provider 2", 3, 5, &[5, 6]),
    ("jobs", 3, 5, &[5, 6]),
    ("jobs show 1", 3, 5, &[5, 6]),
    ("jobs complete 1", 3, 5, &[5, 6]),
    ("jobs cancel 1", 3, 5, &[5, 6]),
    ("chats", 3, 5, &[5, 6]),
    ("members CHAT", 3, 5, &[5, 6]),
    ("history CHAT", 3, 5, &[5, 6]),
    ("history CHAT --all", 3, 5, &[5, 6]),
    // Without a profile there is no outbox that could keep it.
    ("send CHAT hello", 3, 6, &[6]),
    ("send abcdef hello", 3, 5, &[5, 6]),
    ("read CHAT", 3, 6, &[6]),
    ("listen --event new_message", 3, 6, &[6]),
    ("listen CHAT --count 1 --for 200ms --event new_message", 3, 6, &[6]),
    ("dispute CHAT it leaks", 3, 5, &[5, 6]),
    ("invites", 3, 5, &[5, 6]),
    ("join CHAT", 3, 5, &[5, 6]),
    ("resolve CHAT done", 3, 5, &[5, 6]),
    ("notifications", 3, 5, &[5, 6]),
    ("outbox", 3, 2, &[2]),
];

/// Runs a row of [`ASKING`] against whatever is at this address.
fn ask(row: &str, server: &str, token: Option<&str>) -> Ran {
    let data = tempfile::tempdir().unwrap();
    let mut command = trialogue();
    command.args(row.split(' ').map(|word| word.replace("CHAT", CHAT)));
    command.args(["--json", "--no-input", "--timeout", "300ms", "--server", server]);
    command.env("TRIALOGUE_DATA_DIR", data.path()).env("TRIALOGUE_PASSWORD", "correct horse");
    command.envs(token.map(|token| ("TRIALOGUE_TOKEN", token)));
    let ran = finish(&mut command);
    // What they could find out about the set-up these two say all the same.
    let says_all = row == "status" || row == "doctor";
    assert_eq!(ran.stdout.is_empty(), !says_all, "{row} {ran}");
    ran
}

#[test]
fn without_a_login_or_a_server_every_verb_fails_with_its_code_and_one_line() {
    for (row, signed_out, not_there, _) in ASKING {
        let ran = ask(row, "http://127.0.0.1:1", None);
        assert_eq!(ran.code, Some(signed_out), "{row} {ran}");
        let code = error_of(&ran);
        assert!(signed_out != 3 || code == "not_signed_in", "{row} {code}");
        let ran = ask(row, "http://127.0.0.1:1", Some("not.a.token"));
        assert_eq!(ran.code, Some(not_there), "{row} {ran}");
        error_of(&ran);
    }
    let elsewhere = ELSEWHERE.into_iter().map(|(verb, _)| verb);
    let local = ["logout", "check", "schema", "config", "man", "migrate", "user", "token"];
    let known = elsewhere.chain(local).map(str::to_owned);
    let covered = names_of(ASKING.into_iter().map(|(row, ..)| row.to_owned()).chain(known));
    let is_known =
        |path: &[String]| covered.contains(&path.join(" ")) || covered.contains(&path[0]);
    let missing: Vec<String> = verbs()
        .into_iter()
        .filter(|(path, help)| acts(help) && !is_known(path))
        .map(|(path, _)| path.join(" "))
        .collect();
    assert_eq!(missing, [""; 0], "verbs without a row");
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_timeout_by_every_verb() {
    // The system accepts; nobody reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    for (row, _, _, codes) in ASKING {
        let ran = ask(row, &server, Some("not.a.token"));
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{row} {ran}");
        error_of(&ran);
    }
}
