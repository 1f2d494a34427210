//! Every verb that speaks to a server, at one that is silent and at one that is not there: one table
//! of exit codes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use trialogue_client::Dialect;
use trialogue_client::journal::FileJournal;
use trialogue_client::outbox::{Draft, Record};
use trialogue_client::profile::{Profiles, Saved};
use trialogue_protocol::{ChatId, MessageType, Role, TokenPair, User, UserId};
use url::Url;

use crate::binary::{run, trialogue};
use crate::house;

const CHAT: &str = "00000000-0000-7000-8000-000000000001";
const NAMES: [&str; 4] = ["--first-name", "Amna", "--last-name", "Khan"];

/// Verbs that ask no server, judge one by a table of their own (SCENARIOS §10), or stay whatever the
/// server does, as the clients for people.
const OTHERS: [&str; 26] = [
    "chat",
    "shell",
    "load",
    "worker",
    "compare",
    "merge",
    "baseline",
    "fmt",
    "new",
    "record",
    "preflight",
    "report",
    "trace",
    "completions",
    "db",
    "demo",
    "run",
    "check",
    "conform",
    "schema",
    "man",
    "serve",
    "config",
    "migrate",
    "user",
    "token",
];

/// A verb, its exit codes at a silent server and at none, and the words for them of `--json`.
struct Row(&'static [&'static str], (i32, &'static str), (i32, &'static str));

const TIME: (i32, &str) = (6, "time");
const NO_CONNECTION: (i32, &str) = (5, "no_connection");
const KEPT: (i32, &str) = (75, "left_in_outbox");
/// Says what it has found, and which of it is worst.
const DOCTOR: (i32, &str) = (6, "doctor");

fn table() -> Vec<Row> {
    let mut rows = vec![
        Row(&["login", "amna@example.org"], TIME, NO_CONNECTION),
        Row(&["logout"], TIME, NO_CONNECTION),
        // These keep trying, as they do after any loss of the connection.
        Row(&["read", CHAT], TIME, TIME),
        Row(&["listen"], TIME, TIME),
        Row(&["listen", CHAT], TIME, TIME),
        Row(&["send", CHAT, "hello"], KEPT, KEPT),
        Row(&["outbox", "--flush"], KEPT, KEPT),
        Row(&["doctor"], DOCTOR, (5, "doctor")),
    ];
    let plain: [&[&str]; 21] = [
        &[
            "register",
            "a@example.org",
            "--role",
            "customer",
            NAMES[0],
            NAMES[1],
            NAMES[2],
            NAMES[3],
        ],
        &["whoami"],
        &["providers"],
        &["book", "--provider", "1"],
        &["jobs"],
        &["jobs", "show", "1"],
        &["jobs", "complete", "1"],
        &["jobs", "cancel", "1"],
        &["chats"],
        &["members", CHAT],
        &["history", CHAT],
        &["history", CHAT, "--all"],
        &["history", "0001"],
        &["dispute", CHAT, "why"],
        &["invites"],
        &["join", CHAT],
        &["resolve", CHAT, "so"],
        &["notifications"],
        &["notifications", "--all"],
        &["status"],
        &["health"],
    ];
    rows.extend(plain.map(|args| Row(args, TIME, NO_CONNECTION)));
    rows
}

/// A home in which somebody is signed in at this server, with a message that waits.
fn home(url: &Url) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let profile = Profiles::at(home.path().join("profiles")).profile("default".parse().unwrap());
    let user = User {
        id: UserId(1),
        email: None,
        first_name: "Amna".to_owned(),
        last_name: "Khan".to_owned(),
        role: Role::Customer,
        region: None,
        business_name: None,
    };
    let token = |name: &str| name.to_owned();
    let tokens = TokenPair { access_token: token("access"), refresh_token: token("refresh") };
    let (server, dialect) = (url.clone(), Dialect::Trialogue);
    profile.keep(&Saved { server, dialect, user: Some(user), tokens: Some(tokens) }).unwrap();
    let folder = profile.folder().join("outbox");
    let mut opened = FileJournal::open(&folder, &format!("{url} 1")).unwrap();
    let (id, chat): (_, ChatId) = ("m1".parse().unwrap(), CHAT.parse().unwrap());
    let draft = Draft { id, chat, text: "hello".to_owned(), kind: MessageType::Text };
    opened.journal.append(&[Record::Queued(draft)]).unwrap();
    home
}

fn check(url: &Url, args: &[&str], expect: (i32, &str)) {
    let home = home(url);
    let mut command = trialogue();
    command.env("TRIALOGUE_DATA_DIR", home.path()).env("TRIALOGUE_PASSWORD", "correct horse");
    command.args(["--json", "--timeout", "500ms"]).args(args);
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(expect.0), "{args:?} at {url}: {ran}");
    let last = ran.stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(last).expect("a line of JSON");
    assert_eq!(error["error"]["code"], expect.1, "{args:?} at {url}: {ran}");
    if args == ["logout"] {
        assert!(!tokens_are_kept(home.path()), "{args:?} at {url} keeps the tokens");
    }
}

fn tokens_are_kept(home: &Path) -> bool {
    let file: PathBuf = home.join("profiles/default/account.json");
    std::fs::read_to_string(file).unwrap().contains("refresh")
}

#[test]
fn a_server_that_is_silent_or_not_there_ends_every_verb_with_the_same_codes() {
    // Callers are taken by the system and heard by nobody.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = |of: &TcpListener| -> Url {
        format!("http://{}/", of.local_addr().unwrap()).parse().unwrap()
    };
    let (silent_url, gone_url) = (url(&silent), url(&gone));
    drop(gone);
    let rows = table();
    thread::scope(|scope| {
        // Some at a time: they wait more than they work.
        let running: Vec<_> = rows
            .chunks(rows.len().div_ceil(8))
            .map(|rows| {
                let (silent_url, gone_url) = (&silent_url, &gone_url);
                scope.spawn(move || {
                    for Row(args, silent, gone) in rows {
                        check(silent_url, args, *silent);
                        check(gone_url, args, *gone);
                    }
                })
            })
            .collect();
        for one in running {
            one.join().unwrap();
        }
    });
    let has_a_row = |verb: &str| rows.iter().any(|Row(args, ..)| args[0] == verb);
    let missing = house::verbs().into_iter().filter(|verb| !OTHERS.contains(&verb.as_str()));
    let missing: Vec<String> = missing.filter(|verb| !has_a_row(verb)).collect();
    assert_eq!(missing, Vec::<String>::new(), "what do these do at a silent server?");
}
