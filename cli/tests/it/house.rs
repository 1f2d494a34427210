//! The house itself: who may use whom, what may not happen in which room, and how things are named
//! (HOUSE.md §2 to §5). A wall that the compiler cannot guard is guarded here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::{run, trialogue};

/// A crate's folder, the crates of ours that it may use, and what it must never use.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// HOUSE.md §2.
const IMPORTS: [Row; 11] = [
    ("lib/socketio", &[], &["axum", "sqlx", "clap"]),
    ("lib/protocol", &[], &["tokio", "axum", "sqlx", "hyper", "reqwest"]),
    ("lib/checker", &[], &["tokio", "axum", "sqlx", "hyper", "reqwest"]),
    ("lib/faults", &[], &["axum", "sqlx", "reqwest"]),
    ("lib/report", &[], &["axum", "sqlx", "hyper", "reqwest"]),
    ("lib/client", &["socketio", "protocol"], &["clap", "ratatui", "axum", "sqlx"]),
    ("server", &["socketio", "protocol"], &["ratatui"]),
    ("scenarios", &ENGINE, &["ratatui", "axum", "sqlx"]),
    ("loadtest", &LOADTEST, &["axum", "sqlx"]),
    ("tui", &["client", "protocol", "scenarios"], &["reqwest", "axum", "sqlx"]),
    ("cli", &ALL, &["axum", "sqlx"]),
];
const ENGINE: [&str; 6] = ["client", "socketio", "protocol", "checker", "faults", "report"];
const LOADTEST: [&str; 7] =
    ["client", "socketio", "protocol", "checker", "faults", "report", "scenarios"];
const ALL: [&str; 10] = [
    "client",
    "socketio",
    "protocol",
    "checker",
    "faults",
    "report",
    "scenarios",
    "loadtest",
    "server",
    "tui",
];
/// What a crate's tests may use besides.
const IMPORTS_OF_TESTS: [(&str, &[&str]); 1] = [("server", &["client", "checker"])];

/// TLS is rustls everywhere: these would need a C library of the machine.
const NOWHERE: [&str; 3] = ["openssl", "openssl-sys", "native-tls"];

/// Words that name nothing (HOUSE.md §4).
const EMPTY_WORDS: [&str; 7] = ["manager", "helper", "util", "utils", "common", "misc", "base"];

const LINES_MAX: usize = 400;
/// Longer files, each with its reason. A file that has become short must leave the list.
const LONG_FILES: [(&str, &str); 2] = [
    ("lib/protocol/src/events.rs", "the table of events, read side by side with the contract's"),
    ("lib/socketio/tests/it/client/polling.rs", "stories of one transport, told in one order"),
];

/// Rooms that decide: no waiting, no clock, no chance, no disk, no network (HOUSE.md §1.3).
const PURE_ROOMS: [&str; 23] = [
    "lib/protocol/src",
    "lib/socketio/src/packet",
    "lib/socketio/src/engine",
    "lib/socketio/src/json.rs",
    "lib/client/src/link",
    "lib/client/src/outbox",
    "lib/client/src/timeline",
    "lib/client/src/people",
    "lib/client/src/unread.rs",
    "lib/client/src/backup/shelf.rs",
    "lib/client/src/sanitize",
    "server/src/policy.rs",
    "tui/src/command.rs",
    "tui/src/edit.rs",
    "tui/src/keys",
    "tui/src/layout.rs",
    "tui/src/model",
    "tui/src/msg.rs",
    "tui/src/sheet.rs",
    "tui/src/text.rs",
    "tui/src/theme.rs",
    "tui/src/update",
    "tui/src/view",
];
const IMPURE: [&str; 13] = [
    "async ",
    ".await",
    "tokio::",
    "Instant::now",
    "SystemTime::now",
    "Utc::now",
    "rand::",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "reqwest::",
];

/// Something that may be written in these rooms only: what, where it is looked for, the rooms.
type Kept = (&'static [&'static str], &'static str, &'static [&'static str]);

const KEPT: [Kept; 6] = [
    // A database error has to become an answer somewhere, so `error` may name its type.
    (&["sqlx::query", "query_as(", "query_scalar(", "raw_sql("], "", &DATABASE_ROOMS),
    (&[".emit(", ".emit_except(", ".emit_split("], "server/src", &["server/src/publish"]),
    // Every route has a row in the table that the document and the tests are made from.
    (&[".route(", "Router::new("], "server/src/http", &["server/src/http/mod.rs"]),
    (&["println!(", "print!("], "cli/src", &["cli/src/out.rs"]),
    (&["chat", "dispute", "customer", "lsm"], "lib/socketio/src", &[]),
    (&["chat", "socketio", "namespace"], "lib/faults/src", &[]),
];
const DATABASE_ROOMS: [&str; 2] = ["server/src/store", "server/src/embedded"];

/// A source file of ours: its path from the root and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether it is inside a room, a folder or a file, with or without its `.rs`.
    fn is_in(&self, room: &str) -> bool {
        let rest = self.path.strip_prefix(room);
        rest.is_some_and(|rest| ["", ".rs"].contains(&rest) || rest.starts_with('/'))
    }

    fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| ["tests", "tests.rs", "benches", "examples"].contains(&part))
    }

    /// Numbered lines of the code itself: without comments, and without the tests at its end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered
            .take_while(|(_, line)| *line != "mod tests {")
            .map(|(number, line)| (number, line.split("//").next().unwrap_or(line)))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file of the workspace.
fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = IMPORTS.iter().map(|(folder, ..)| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(found.len() > 50, "the sources are not where they are looked for");
    found
}

#[track_caller]
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// What a dependency breaks, in words.
fn import_fault(folder: &str, dependency: &str, of_tests: bool) -> Option<String> {
    let Some((_, allowed, never)) = IMPORTS.iter().find(|(row, ..)| *row == folder) else {
        return Some(format!("{folder} has no row in the table of imports"));
    };
    if let Some(own) = dependency.strip_prefix("trialogue-") {
        let more = IMPORTS_OF_TESTS.iter().find(|(row, _)| of_tests && *row == folder);
        // A crate names itself to give its own tests a feature.
        let itself = of_tests && folder.ends_with(own);
        let more = more.is_some_and(|(_, more)| more.contains(&own));
        let fine = allowed.contains(&own) || more || itself;
        return (!fine).then(|| format!("{folder} may not use {own}"));
    }
    let banned = !of_tests && never.contains(&dependency);
    banned.then(|| format!("{folder} must never use {dependency}"))
}

#[test]
fn crates_use_only_whom_the_table_of_imports_names() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output = command.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut broken = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
        let folder = folder.to_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            broken.extend(import_fault(folder, name, dependency["kind"] == "dev"));
        }
    }
    assert_none("arrows that the table of imports does not know", &broken);

    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let named = |name: &&&str| lock.contains(&format!("name = \"{name}\"\n"));
    let found: Vec<String> = NOWHERE.iter().filter(named).map(ToString::to_string).collect();
    assert_none("crates that may be nowhere in the tree", &found);
}

#[test]
fn an_arrow_against_the_table_is_seen() {
    assert!(import_fault("server", "trialogue-client", false).is_some());
    assert!(import_fault("server", "trialogue-client", true).is_none());
    assert!(import_fault("lib/protocol", "tokio", false).is_some());
    assert!(import_fault("lib/protocol", "serde", false).is_none());
    assert!(import_fault("attic", "serde", false).is_some());
}

#[test]
fn every_file_says_what_it_is_and_is_short_or_has_a_reason() {
    let mut broken = Vec::new();
    let mut reasons: BTreeSet<&str> = LONG_FILES.iter().map(|(path, _)| *path).collect();
    for source in sources() {
        if !source.text.starts_with("//!") {
            broken.push(format!("{} does not begin with `//!`", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX && !reasons.remove(source.path.as_str()) {
            broken.push(format!("{} has {lines} lines and no reason in the list", source.path));
        }
    }
    let unneeded = reasons.into_iter().map(|path| format!("{path} is not long: off the list"));
    broken.extend(unneeded);
    assert_none("files", &broken);
}

/// The empty word in the name that a line of code declares.
fn empty_word(line: &str) -> Option<&'static str> {
    // Before the first quote: a text declares nothing.
    let words: Vec<&str> = line.split('"').next()?.split_whitespace().collect();
    let keywords =
        ["fn", "struct", "enum", "trait", "mod", "type", "const", "static", "macro_rules!"];
    let name = words.windows(2).find(|pair| keywords.contains(&pair[0])).map(|pair| pair[1])?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    empty_part(&name[..end])
}

/// The empty word among the parts of a name in either case.
fn empty_part(name: &str) -> Option<&'static str> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && before.is_lowercase()) {
            parts.push(String::new());
        }
        if letter != '_' {
            parts.last_mut().unwrap().extend(letter.to_lowercase());
        }
        before = letter;
    }
    EMPTY_WORDS.into_iter().find(|word| parts.iter().any(|part| part == word))
}

#[test]
fn no_name_is_an_empty_word() {
    let mut broken = Vec::new();
    for source in sources() {
        for part in source.path.trim_end_matches(".rs").split(['/', '-']) {
            if let Some(word) = empty_part(part) {
                broken.push(format!("{} is called {word}", source.path));
            }
        }
        for (number, line) in source.code() {
            if let Some(word) = empty_word(line) {
                broken.push(format!("{}:{number} names something {word}", source.path));
            }
        }
    }
    assert_none("names that name nothing", &broken);
}

#[test]
fn an_empty_word_is_seen_in_either_case_and_only_whole() {
    let check = |line, expect: Option<&str>| assert_eq!(empty_word(line), expect, "{line}");
    check("pub(crate) struct RoomManager<T> {", Some("manager"));
    check("    async fn parse_utils(&self) {", Some("utils"));
    check("const BASE: u8 = 1;", Some("base"));
    check("fn database_of(rebased: bool) {", None);
    check("    let helper = 1;", None);
}

/// The first thing on a line that only a shell may do.
fn impurity(line: &str) -> Option<&'static str> {
    let longer = |c: char| c.is_alphanumeric() || c == '_';
    let ends = |word: &str, at: usize| !line[at + word.len()..].starts_with(longer);
    let open = |word: &str| !word.ends_with(longer);
    IMPURE
        .into_iter()
        .find(|word| line.match_indices(word).any(|(at, _)| open(word) || ends(word, at)))
}

#[test]
fn rooms_that_decide_do_not_wait_look_at_a_clock_or_touch_the_world() {
    let sources = sources();
    let mut broken = Vec::new();
    for room in PURE_ROOMS {
        let files = sources.iter().filter(|source| source.is_in(room) && !source.is_test());
        let mut any = false;
        for source in files {
            any = true;
            for (number, line) in source.code() {
                if let Some(word) = impurity(line) {
                    broken.push(format!("{}:{number} has `{}`", source.path, word.trim()));
                }
            }
        }
        if !any {
            broken.push(format!("{room} is nowhere: the list of pure rooms is out of date"));
        }
    }
    assert_none("impure deciders", &broken);
    assert_eq!(impurity("let now = Instant::now();"), Some("Instant::now"));
    assert_eq!(impurity("fn handle(&mut self, now: Instant)"), None);
    assert_eq!(impurity("if self.awaited {"), None);
    assert_eq!(impurity("    answer.await?;"), Some(".await"));
}

/// Whether a line has `word`, not as a part of a longer one.
fn has(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_plain = word.chars().all(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !is_plain || !(inside(before) || inside(after))
    })
}

#[test]
fn sql_events_prints_and_chat_words_stay_in_their_rooms() {
    let mut broken = BTreeSet::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (words, within, rooms) in KEPT {
            let outside = !rooms.iter().any(|room| source.is_in(room));
            if !outside || !source.path.starts_with(within) {
                continue;
            }
            for (number, line) in source.code() {
                if let Some(word) = words.iter().find(|word| has(line, word)) {
                    broken.insert(format!("{}:{number} has `{word}`", source.path));
                }
            }
        }
    }
    assert_none("things outside their room", &broken.into_iter().collect::<Vec<_>>());
    assert!(has("a customer joins", "customer") && !has("customers", "customer"));
    assert!(has("self.room.emit(&frame)", ".emit("));
}

/// The verbs as `--help` lists them.
pub(crate) fn verbs() -> Vec<String> {
    let help = run(trialogue().arg("--help")).stdout;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let verbs: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() > 10, "{verbs:?}");
    verbs
}

/// Whether a text shows a verb as code: `` `verb` ``, `trialogue verb` or `-- verb`.
fn shows(text: &str, verb: &str) -> bool {
    let whole = |at: usize| !text[at..].starts_with(|c: char| c.is_alphanumeric() || c == '-');
    ["`", "trialogue ", "-- "].iter().any(|before| {
        let shown = format!("{before}{verb}");
        text.match_indices(&shown).any(|(at, _)| whole(at + shown.len()))
    })
}

#[test]
fn every_verb_has_a_line_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let missing: Vec<String> = verbs().into_iter().filter(|verb| !shows(&readme, verb)).collect();
    assert_none("verbs that the README does not know", &missing);
    assert!(shows("`db url`", "db") && !shows("a `database`, read it", "read"));
}
