//! What a verb prints when all is well, and when nobody reads it.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use super::{ELSEWHERE, acts, finish, names_of, verbs};
use crate::binary::Ran;
use crate::story::Story;

/// What a verb prints with `--json`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Prints {
    /// One document, on one line.
    Document,
    /// An object per line.
    Lines,
    /// An object per line, each with a type and a time.
    Stream,
    /// One document on several lines: a file's text as it is.
    Text,
}
use Prints::{Document, Lines, Stream, Text};

/// Who does what with which answer, in this order; `CHAT` and `FOLDER` are put in.
const ROWS: [(&str, &str, Prints); 42] = [
    ("amir", "register amir@example.org --role customer --first-name A --last-name B", Document),
    ("amna", "login amna@example.org", Document),
    ("amna", "whoami", Document),
    ("amna", "status", Document),
    ("amna", "status -v", Document),
    ("amna", "doctor", Document),
    ("amna", "providers", Document),
    ("amna", "book --provider 2 --title Sink", Document),
    ("amna", "jobs", Document),
    ("amna", "jobs show 1", Document),
    ("amna", "chats", Document),
    ("amna", "chats --unread", Document),
    ("amna", "members CHAT", Document),
    ("amna", "send CHAT hello", Document),
    ("amna", "send CHAT --each-line", Lines),
    ("amna", "send CHAT -", Document),
    ("amna", "history CHAT", Document),
    ("amna", "history CHAT --before 2 --limit 1", Document),
    ("amna", "history CHAT --all", Lines),
    ("ravi", "listen CHAT --since 0 --count 3 --event new_message,link", Stream),
    ("ravi", "tail CHAT --since 0 --count 2", Stream),
    ("ravi", "listen --for 1ms", Stream),
    ("ravi", "outbox", Document),
    ("ravi", "outbox --flush", Document),
    ("ravi", "read CHAT --upto 1", Document),
    ("ravi", "read CHAT", Document),
    ("ravi", "notifications", Document),
    ("ravi", "notifications --all", Document),
    ("amna", "dispute CHAT it leaks", Document),
    ("lena", "invites", Document),
    ("lena", "join CHAT", Document),
    ("lena", "resolve CHAT done", Document),
    ("ravi", "jobs complete 1", Document),
    ("amna", "jobs cancel 2", Document),
    ("amna", "health", Document),
    ("amna", "check booking", Document),
    ("amna", "schema scenario", Text),
    ("amna", "config", Document),
    ("amna", "man FOLDER", Document),
    ("operator", "user list", Lines),
    ("operator", "migrate", Document),
    ("operator", "token mint --user 1", Lines),
];
/// Rows that come last, because nothing works after them.
const LAST_ROWS: [(&str, &str, Prints); 2] = [
    (
        "operator",
        "user add x@example.org --role lsm --first-name A --last-name B --region Lahore",
        Document,
    ),
    ("amna", "logout", Document),
];

/// Three people, and a chat of two of them about job 1; job 2 is there to be cancelled.
fn cast() -> (Story, String) {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.enter("lsm", "Lena", "Hart");
    let chat = story.book("amna", "2");
    (story, chat)
}

#[track_caller]
fn check_stdout(row: &str, ran: &Ran, prints: Prints) {
    let lines: Vec<&str> = ran.stdout.lines().collect();
    if prints == Text {
        assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{row} {ran}");
        return;
    }
    assert!(!lines.is_empty() || row.contains("--for"), "{row} {ran}");
    assert!(prints != Document || lines.len() == 1, "{row}: one document on one line: {ran}");
    assert!(ran.stdout.is_empty() || ran.stdout.ends_with('\n'), "{row} {ran}");
    for line in lines {
        let object: Value = serde_json::from_str(line).expect("JSON on every line");
        assert!(object.is_object(), "{row} {line}");
        if prints == Stream {
            assert!(object["type"].is_string() && object["time"].is_string(), "{row} {line}");
        }
    }
}

#[test]
fn with_json_every_verb_prints_one_document_or_lines_of_objects_and_nothing_else() {
    let (story, chat) = cast();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    std::fs::write(&input, "one\ntwo\n").unwrap();
    for (who, row, prints) in ROWS.into_iter().chain(LAST_ROWS) {
        let place = folder.path().to_string_lossy().into_owned();
        let put_in = |word: &str| word.replace("CHAT", &chat).replace("FOLDER", &place);
        let words: Vec<String> = row.split(' ').map(put_in).collect();
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.push("--json");
        let mut command = story.command(who, &args);
        if who == "operator" {
            command.env("DATABASE_URL", story.database_url()).env_remove("TRIALOGUE_DATA_DIR");
        }
        let ran = finish(command.stdin(std::fs::File::open(&input).unwrap()));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{row} {ran}");
        check_stdout(row, &ran, prints);
    }
    let rows = ROWS.into_iter().chain(LAST_ROWS).map(|(_, row, _)| row.to_owned());
    let elsewhere = ELSEWHERE.into_iter().map(|(verb, _)| verb.to_owned());
    let covered = names_of(rows.chain(elsewhere));
    let all: BTreeSet<String> =
        verbs().into_iter().filter(|(_, h)| acts(h)).map(|(path, _)| path.join(" ")).collect();
    let missing: Vec<&String> = all.difference(&covered).collect();
    assert_eq!(missing, Vec::<&String>::new(), "verbs without a row");
}

#[test]
fn a_reader_that_goes_away_ends_every_verb_quietly() {
    let (story, chat) = cast();
    story.command("amna", &["send", &chat, "hello"]).output().unwrap();
    let reading = [
        "whoami",
        "status",
        "doctor",
        "providers",
        "jobs",
        "jobs show 1",
        "chats",
        "members CHAT",
        "history CHAT",
        "history CHAT --all",
        "listen CHAT --since 0",
        "notifications",
        "check booking",
        "schema scenario",
        "config",
        "completions bash",
        "--help",
        "--version",
    ];
    for row in reading {
        for json in [&["--json"][..], &[]] {
            if row.starts_with("completions") && !json.is_empty() {
                continue;
            }
            let words: Vec<String> = row.split(' ').map(|w| w.replace("CHAT", &chat)).collect();
            let args: Vec<&str> = words.iter().map(String::as_str).collect();
            // Quiet: that a line comes up is talk, and may or may not be said before.
            let mut command = story.command("ravi", &[json, &["-q"], &args].concat());
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
            drop(command);
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            let code = child.wait().unwrap().code();
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{row} {json:?}");
        }
    }
}
