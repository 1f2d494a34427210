//! Group H of RELIABILITY §3.8 for the command line: a hostile server puts every payload into every
//! field that it has, and a real terminal's state machine reads what each verb prints.
//!
//! A list has an item for each payload. Where there is one thing only, its fields hold all payloads
//! behind one another: nothing that steers a terminal may come through, so none can hide another.

mod server;

use std::io::{BufRead, BufReader, Read as _};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use trialogue_client::sanitize::is_hazard;

use self::server::{CHAT, END, Mood, Server};
use crate::binary::{Ran, run, trialogue};

/// How long the last word of a listener may take on a loaded machine.
const WORD_MAX: Duration = Duration::from_secs(60);

/// Operating system commands: clipboard, title, links, images, notices, questions.
const OSC: [&str; 12] = [
    "52;c;cm0gLXJmIH4=",
    "0;title",
    "2;title",
    "8;;http://evil.example",
    "7;file:///etc",
    "133;A",
    "1337;File=inline=1:AAAA",
    "777;notify;a;b",
    "9;beep",
    "4;0;?",
    "10;?",
    "50;?",
];
/// Control sequences: erasing, the cursor, modes, and questions that are answered on stdin.
const CSI: [&str; 14] = [
    "2J", "6n", "c", ">c", "5n", "20t", "21t", "?1049l", "?1000h", "?2004l", "1;1H", "31m", "!p",
    "8A",
];
/// What else a terminal understands, and what reorders or hides text.
const OTHERS: [&str; 24] = [
    "\x1bc",
    "\x1b#8",
    "\x1b7\x1b8",
    "\x1b(0",
    "\x1bP$q\"p\x1b\\",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "\x1b_Ga=T;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\u{90}q\u{9c}",
    "\u{98}\u{9e}\u{9f}",
    "\x1b]unterminated",
    "over\rwritten",
    "back\x08\x08\x08space",
    "bell\x07 form\x0c feed\x0b vertical \x0e\x0f\x05",
    "\0nul",
    "del\x7f",
    "\u{202e}drowssap\u{202c}",
    "\u{2066}isolate\u{2069}",
    "line\u{2028}and\u{2029}paragraph",
    "\u{85}next",
    "\u{feff}mark",
    "\u{e0041}tag",
    "hi\u{85}\rSupport: your password?",
];

fn payloads() -> Vec<String> {
    let both = |[seven, eight]: [String; 2]| [seven, eight];
    let osc =
        OSC.iter().flat_map(|osc| both([format!("\x1b]{osc}\x07"), format!("\u{9d}{osc}\u{9c}")]));
    let csi = CSI.iter().flat_map(|csi| both([format!("\x1b[{csi}"), format!("\u{9b}{csi}")]));
    osc.chain(csi).chain(OTHERS.iter().map(|other| (*other).to_owned())).collect()
}

/// A terminal that must be made to do nothing but print and break lines.
#[derive(Default)]
struct Judge {
    steered: Vec<String>,
}

impl vte::Perform for Judge {
    fn execute(&mut self, byte: u8) {
        if byte != b'\n' {
            self.steered.push(format!("control {byte:#04x}"));
        }
    }

    fn csi_dispatch(&mut self, _: &vte::Params, _: &[u8], _: bool, action: char) {
        self.steered.push(format!("CSI {action}"));
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        self.steered.push(format!("ESC {byte:#04x}"));
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        self.steered.push(format!("OSC {params:?}"));
    }

    fn hook(&mut self, _: &vte::Params, _: &[u8], _: bool, action: char) {
        self.steered.push(format!("DCS {action}"));
    }

    fn print(&mut self, c: char) {
        // What no parser knows: text that is reordered or not seen.
        if is_hazard(c) {
            self.steered.push(format!("{c:?} printed"));
        }
    }
}

/// What a terminal was made to do by this output besides showing it.
fn steered(output: &str) -> Vec<String> {
    let (mut judge, mut parser) = (Judge::default(), vte::Parser::new());
    parser.advance(&mut judge, output.as_bytes());
    judge.steered
}

#[track_caller]
fn check_harmless(what: &str, ran: &Ran) {
    // The one thing of ours that is coloured.
    let stderr = ran.stderr.replace("\x1b[1m\x1b[31merror:\x1b[0m ", "error: ");
    for output in [&ran.stdout, &stderr] {
        assert_eq!(steered(output), [""; 0], "{what}: {output:?}");
        let forged = output.lines().find(|line| line.starts_with("Support:"));
        assert_eq!(forged, None, "{what}: {output}");
    }
}

/// Runs a verb at the hostile server.
fn at(server: &Server, words: &str, json: bool) -> std::process::Command {
    let mut command = trialogue();
    command.args(words.split(' ').map(|word| word.replace("CHAT", CHAT)));
    command.env("TRIALOGUE_SERVER", server.url()).env("TRIALOGUE_TOKEN", "not.a.token");
    command.env("TRIALOGUE_PASSWORD", "correct horse").env("TRIALOGUE_TIMEOUT", "20s");
    // As at a terminal: into a pipe sequences would be stripped, ours and theirs.
    command.env("TRIALOGUE_COLOR", "always");
    if json {
        command.arg("--json");
    }
    command
}

#[test]
fn every_payload_is_one() {
    let payloads = payloads();
    assert!(payloads.len() >= 70, "{}", payloads.len());
    for payload in payloads {
        // A string that is never closed does its harm to what comes after it.
        let closed = format!("{payload}\x07\x1b\\");
        assert_ne!(steered(&closed), [""; 0], "{payload:?}");
    }
}

#[test]
fn no_field_of_any_list_steers_a_terminal() {
    let server = Server::start(Mood::Lists, payloads());
    for verb in [
        "chats",
        "jobs",
        "providers",
        "members CHAT",
        "history CHAT",
        "history CHAT --all",
        "invites",
        "notifications",
    ] {
        let ran = run(&mut at(&server, verb, false));
        assert_eq!(ran.code, Some(0), "{verb} {ran}");
        check_harmless(verb, &ran);
        let rows = ran.stdout.lines().count();
        assert!(rows >= server.payloads(), "{verb} shows {rows} lines");
        let ran = run(&mut at(&server, verb, true));
        assert_eq!(ran.code, Some(0), "{verb} {ran}");
        check_harmless(verb, &ran);
        // Escaped, not changed: a program gets what was said.
        let documents: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let texts = texts(&Value::Array(documents));
        for payload in payloads() {
            assert!(texts.iter().any(|text| text.contains(&payload)), "{verb} {payload:?}");
        }
    }
}

/// Every text in a document.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => {
            fields.iter().flat_map(|(k, v)| [vec![k.clone()], texts(v)].concat()).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

const ONE_THING: [&str; 17] = [
    "register a@example.org --role customer --first-name A --last-name B",
    "login a@example.org",
    "whoami",
    "status",
    "status -v",
    "doctor",
    "health",
    "book --provider 2 --title Sink",
    "jobs show 1",
    "jobs complete 1",
    "send CHAT hello",
    "read CHAT",
    "dispute CHAT it leaks",
    "join CHAT",
    "resolve CHAT done",
    "notifications --all",
    "logout",
];

#[test]
fn no_field_of_any_one_thing_steers_a_terminal() {
    let server = Server::start(Mood::OneThing, payloads());
    for verb in ONE_THING {
        for json in [false, true] {
            let data = tempfile::tempdir().unwrap();
            let ran = run(at(&server, verb, json).env("TRIALOGUE_DATA_DIR", data.path()));
            assert!(ran.code.is_some(), "{verb} {ran}");
            check_harmless(verb, &ran);
            let works = ran.code == Some(0);
            assert!(works, "{verb} {ran}");
        }
    }
}

#[test]
fn no_error_of_the_server_steers_a_terminal() {
    for mood in [Mood::Refuses, Mood::RefusesOddly, Mood::Garbles] {
        let server = Server::start(mood, payloads());
        for verb in ONE_THING.into_iter().chain(["chats", "history CHAT", "history CHAT --all"]) {
            for json in [false, true] {
                let mut command = at(&server, verb, json);
                let ran = run(command.env("TRIALOGUE_TIMEOUT", "500ms"));
                check_harmless(verb, &ran);
                assert!(ran.code.is_some_and(|code| code <= 6), "{verb} {ran}");
            }
        }
    }
}

#[test]
fn no_event_of_the_server_steers_a_terminal() {
    for json in [false, true] {
        let server = Server::start(Mood::Lists, payloads());
        let mut command = at(&server, "listen CHAT --since 0", json);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, heard) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        let mut stdout = String::new();
        while !stdout.contains(END) {
            stdout.push_str(&heard.recv_timeout(WORD_MAX).expect("it hears the end"));
            stdout.push('\n');
        }
        child.kill().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        child.wait().unwrap();
        let ran = Ran { stdout, stderr, code: None };
        check_harmless("listen", &ran);
        assert!(ran.stdout.lines().count() > 2 * server.payloads(), "{ran}");
    }
}

/// What was said and is not stored yet, arguments, and files that somebody else wrote.
#[test]
fn what_lies_on_this_machine_does_not_steer_the_terminal_either() {
    let server = Server::start(Mood::OneThing, payloads());
    let home = tempfile::tempdir().unwrap();
    let all: String = payloads().concat().replace('\0', "");
    let here = |words: &[&str]| {
        let mut command = trialogue();
        command.args(words).env("TRIALOGUE_SERVER", server.url()).env("TRIALOGUE_COLOR", "always");
        command.env("TRIALOGUE_PASSWORD", "correct horse").current_dir(home.path());
        run(command.env("TRIALOGUE_DATA_DIR", home.path()).env("TRIALOGUE_TIMEOUT", "1s"))
    };
    assert_eq!(here(&["login", "a@example.org"]).code, Some(0));
    // Nobody is there to store it.
    let nowhere = ["--server", "http://127.0.0.1:1"];
    let waits = here(&["send", CHAT, &all]);
    check_harmless("send", &waits);
    check_harmless("outbox", &here(&["outbox"]));
    // A folder's name, and the escapes of YAML that become the same.
    let name = "evil\x1b]0;x\x07\u{9b}2J\u{202e}";
    let file =
        "name: \"a\u{202e}b\"\n\"\\e]0;x\\a\\u009b2J\\u202e\": 1\nsteps:\n  - {\"\\e[2J\": 1}\n";
    std::fs::write(home.path().join("evil.scn.yaml"), file).unwrap();
    for json in ["--json", "--no-input"] {
        for words in [
            &["check", "evil.scn.yaml"][..],
            &["check", &all],
            &["whoami", &all],
            &["man", name],
            &["man", &all],
            &["history", &all],
            &["--profile", &all, "whoami"],
            &["completions", &all],
            &["send", CHAT, "--id", &all, "x"],
            &["login", &all],
            &["book", "--provider", &all],
        ] {
            let ran = here(&[&[json][..], &nowhere, words].concat());
            check_harmless(&format!("{:?}", &words[..1]), &ran);
        }
    }
}
