//! Completions as a shell gets them: the script is loaded by a real one, which is asked.

use std::path::Path;
use std::process::Command;

use crate::binary::{run, trialogue};
use crate::story::Story;

/// Whether this machine has the shell; says so when it has not.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn has(shell: &str) -> bool {
    let found = Command::new(shell).arg("-c").arg("true").output().is_ok();
    if !found {
        eprintln!("skipped: there is no {shell} on this machine");
    }
    found
}

/// Profiles of these names in a data folder.
fn profiles(data: &Path, names: &[&str]) {
    use std::os::unix::fs::DirBuilderExt as _;
    for name in names {
        let folder = data.join("profiles").join(name);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        let account = folder.join("account.json");
        std::fs::write(&account, r#"{"server":"http://127.0.0.1:1/"}"#).unwrap();
    }
}

/// What bash has for the last of these words, sorted.
fn bash(data: &Path, words: &[&str]) -> Vec<String> {
    let program = trialogue().get_program().to_owned();
    // As readline calls it: the words, the place of the cursor, the word at it.
    let script = r#"
        set -u
        source <("$PROGRAM" completions bash)
        complete -p trialogue >&2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_trialogue trialogue "${COMP_WORDS[COMP_CWORD]}" "" 2>&1
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = trialogue();
    let environment: Vec<_> =
        command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
    let mut bash = Command::new("bash");
    for (name, value) in environment {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    command.arg("--version");
    bash.args(["--norc", "--noprofile", "-c", script, "bash", "trialogue"]).args(words);
    let ran = run(bash.env("PROGRAM", program).env("TRIALOGUE_DATA_DIR", data));
    assert!(ran.stderr.contains("-F _clap_complete_trialogue trialogue"), "{ran}");
    let mut lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn bash_completes_verbs_flags_profiles_and_events() {
    if !has("bash") {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    profiles(data.path(), &["amna", "amir", "ravi"]);
    let check = |words: &[&str], expect: &[&str]| {
        assert_eq!(bash(data.path(), words), expect, "{words:?}");
    };
    check(&["pro"], &["providers"]);
    check(&["jobs", "ca"], &["cancel"]);
    check(&["history", "--li"], &["--limit"]);
    check(&["--profile", "am"], &["amir", "amna"]);
    check(&["whoami", "--profile", "r"], &["ravi"]);
    check(&["--profile", "nobody"], &[""]);
    check(&["listen", "--event", "user_"], &["user_joined", "user_left", "user_typing"]);
    check(&["--color", "al"], &["always"]);
    check(&["completions", "ba"], &["bash"]);
    // Nothing is known of chats here, and nothing is said about it.
    check(&["history", "01"], &[""]);
    check(&["history", "not an id"], &[""]);
}

/// From the copy that the machine keeps of recent chats: the server is not asked.
#[test]
fn bash_completes_the_ids_of_chats_that_were_seen() {
    if !has("bash") {
        return;
    }
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    assert_eq!(story.run("ravi", &["chats"]).code, Some(0));
    story.kill_server();
    let data = story.data();
    for who in ["amna", "ravi"] {
        let check = |words: &[&str], expect: &str| {
            let words = [&["--profile", who], words].concat();
            assert_eq!(bash(&data, &words), [expect], "{words:?}");
        };
        check(&["history", &chat[..4]], &chat);
        // As `chats` shows it.
        check(&["send", &chat[chat.len() - 6..]], &chat);
        let all = bash(&data, &["--profile", who, "listen", ""]);
        assert!(all.contains(&chat), "{all:?}");
        check(&["history", "ffffffff"], "");
    }
    assert_eq!(bash(&data, &["--profile", "nobody", "history", &chat[..4]]), [""]);
    // What waits in the outbox is named there.
    let unsent = ["--timeout", "100ms", "send", &chat, "hello", "--id", "from-a-script-1"];
    assert_eq!(story.run("amna", &unsent).code, Some(75));
    let given_up = ["--profile", "amna", "outbox", "--discard", "from"];
    assert_eq!(bash(&data, &given_up), ["from-a-script-1"]);
    // What is forgotten at logout is not completed either.
    story.restart_server();
    assert_eq!(story.run("ravi", &["logout"]).code, Some(0));
    assert_eq!(bash(&data, &["--profile", "ravi", "history", &chat[..4]]), [""]);
}

#[test]
fn fish_completes_profiles() {
    if !has("fish") {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    profiles(data.path(), &["amna", "amir", "ravi"]);
    let program = trialogue().get_program().to_owned();
    let mut fish = Command::new("fish");
    let script = "$PROGRAM completions fish | source; complete -C 'trialogue --profile am'";
    fish.args(["--no-config", "-c", script]).env("PROGRAM", program);
    let ran = run(fish.env("TRIALOGUE_DATA_DIR", data.path()));
    let mut names: Vec<&str> = ran.stdout.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["amir", "amna"], "{ran}");
}

#[test]
fn zsh_loads_the_script_and_knows_for_what_it_is() {
    if !has("zsh") {
        return;
    }
    let program = trialogue().get_program().to_owned();
    let script = "autoload -U compinit; compinit -u -D; source <($PROGRAM completions zsh)
        print -- $_comps[trialogue]";
    let mut zsh = Command::new("zsh");
    let ran = run(zsh.args(["-f", "-c", script]).env("PROGRAM", program));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert!(ran.stdout.contains("_clap_dynamic_completer_trialogue"), "{ran}");
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(trialogue().args(["completions", shell]));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(ran.stdout.contains("TRIALOGUE_COMPLETE"), "{shell}: {ran}");
    }
}

#[test]
fn a_shell_that_nobody_knows_gets_nothing() {
    let ran = run(trialogue().args(["--", "trialogue", ""]).env("TRIALOGUE_COMPLETE", "tcsh"));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
}
