//! What a script may rely on, of every verb there is: help, one document or lines of objects, one
//! line of error, exit codes, time limits, pipes that close, colours, and no secret in an argument.
//!
//! The verbs are taken from the help texts, so one that is added fails here until it has its rows.

mod done;
mod failed;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Ran, run, trialogue};

/// A verb that has not ended by then hangs: the longest limit that any of these has is 1 s.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// Verbs that no row below runs, and who does.
const ELSEWHERE: [(&str, &str); 27] = [
    ("serve", "story.rs: every story has one; its stream begins with a ready line"),
    ("demo", "demo.rs"),
    ("run", "scenarios.rs"),
    ("conform", "conform.rs"),
    ("preflight", "targets.rs"),
    ("record", "recording.rs"),
    ("fmt", "filing.rs"),
    ("new", "filing.rs"),
    ("report", "filing.rs"),
    ("trace view", "filing.rs"),
    ("load", "loading.rs"),
    ("worker", "workers.rs: it stays until it is told to go"),
    ("compare", "loading.rs"),
    ("merge", "plans.rs"),
    ("baseline check", "plans.rs"),
    ("baseline update", "plans.rs"),
    ("chat", "chat.rs: it takes the whole terminal"),
    ("shell", "chat.rs: what it says is for reading, and has no --json"),
    ("config init", "chat.rs"),
    ("db url", "db.rs"),
    ("db stop", "db.rs"),
    ("db reset", "db.rs"),
    ("user role", "operating.rs"),
    ("user password", "operating.rs"),
    ("user disable", "operating.rs"),
    ("user enable", "operating.rs"),
    ("completions", "completing.rs: a script, which has no --json"),
];

/// The words below `Commands:` in a help text.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let words = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    words.filter(|word| *word != "help").map(str::to_owned).collect()
}

/// Every verb with every verb below it, as words, and its help.
fn verbs() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let ran = run(trialogue().args(&path).arg("--help"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{path:?}");
        assert!(ran.stdout.contains("Usage: trialogue"), "{path:?} {ran}");
        let more = below(&ran.stdout);
        open.extend(more.iter().map(|word| [&path[..], std::slice::from_ref(word)].concat()));
        if !path.is_empty() {
            found.push((path, ran.stdout));
        }
    }
    assert!(found.len() > 35, "{}", found.len());
    found
}

/// A verb that does something itself, instead of only having verbs below it.
fn acts(help: &str) -> bool {
    below(help).is_empty() || help.contains("[COMMAND]")
}

fn names_of(rows: impl Iterator<Item = String>) -> BTreeSet<String> {
    let verbs: BTreeSet<String> = verbs().into_iter().map(|(path, _)| path.join(" ")).collect();
    rows.map(|row| {
        let words: Vec<&str> = row.split(' ').collect();
        let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        if verbs.contains(&two) { two } else { words[0].to_owned() }
    })
    .collect()
}

/// Runs to its end; a verb that hangs is killed and fails the test.
fn finish(command: &mut Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + HANGS_AFTER;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > by {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap().into()
}

/// The one line that an error is with `--json`; answers its code.
#[track_caller]
fn error_of(ran: &Ran) -> String {
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
    let error: Value = serde_json::from_str(&ran.stderr).expect("a line of JSON");
    let (code, message) = (&error["error"]["code"], &error["error"]["message"]);
    assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{ran}");
    code.as_str().expect("a code").to_owned()
}

#[test]
fn every_verb_has_help_and_a_man_page_and_refuses_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(trialogue().arg("man").arg(folder.path())).code, Some(0));
    for (path, help) in verbs() {
        let page = folder.path().join(format!("trialogue-{}.1", path.join("-")));
        assert!(page.is_file(), "{page:?} is missing");
        let short = run(trialogue().args(&path).arg("-h"));
        assert_eq!((short.code, short.stderr.as_str()), (Some(0), ""), "{path:?}");
        let about = help.lines().next().unwrap_or_default();
        assert!(about.len() > 5 && !about.ends_with('.'), "{path:?}: {about:?}");
        let ran = run(trialogue().args(&path).args(["--json", "--no-such-flag"]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{path:?} {ran}");
        assert_eq!(error_of(&ran), "usage", "{path:?}");
        assert!(ran.stderr.contains("--no-such-flag"), "{ran}");
    }
}

/// H9: everybody on the machine sees the arguments of a process.
#[test]
fn no_flag_of_any_verb_takes_a_secret() {
    for (path, help) in verbs() {
        for line in help.lines().map(str::trim).filter(|line| line.starts_with('-')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let flag =
                words.iter().find(|word| word.starts_with("--")).copied().unwrap_or_default();
            let takes_value = words.iter().any(|word| word.starts_with('<'));
            let name = flag.trim_start_matches('-');
            let hides = ["password", "token", "secret"].iter().any(|word| name.contains(word));
            // Where it is is no secret; and `serve` refuses the other (configuring.rs).
            let known = ["-file", "-env"].iter().any(|end| name.ends_with(end));
            let known = known || name == "jwt-secret";
            assert!(!(hides && takes_value) || known, "{path:?} {line}");
        }
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let check = |args: &[&str], environment: &[(&str, &str)], colours: bool| {
        let mut command = trialogue();
        command.args(["whoami", "--server", "http://127.0.0.1:1"]).args(args);
        let data = tempfile::tempdir().unwrap();
        command.env("TRIALOGUE_DATA_DIR", data.path()).envs(environment.iter().copied());
        let ran = run(&mut command);
        assert_eq!(ran.stderr.contains('\u{1b}'), colours, "{args:?} {environment:?} {ran}");
    };
    check(&[], &[], false);
    check(&["--color", "always"], &[], true);
    check(&["--color", "always"], &[("NO_COLOR", "1")], true);
    check(&["--color", "auto"], &[("CLICOLOR_FORCE", "1")], true);
    check(&["--color", "auto"], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false);
    check(&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false);
    check(&["--color", "always", "--json"], &[], false);
}
