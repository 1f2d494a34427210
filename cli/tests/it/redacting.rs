//! Secrets are shown nowhere, though a server throws them back: not in failures, drawings, reports
//! and journals, however they were cut or written.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::binary::{run, trialogue};

/// Of each secret a part that nobody could have hidden by chance.
const PARTS: &[&str] = &[
    "horse",
    "staple",
    "token-of-ann",
    "eyJhbGci",
    "cookie-monster",
    "api-key-literal",
    "inline-word",
    "with space",
    "with+space",
    "with%20space",
    "battery",
];

const ECHOED: &str = "scenario: 1
name: t
secrets: [CODE, kept]
vars: { kept: battery-correct }
actors: { ann: { role: customer, user: ann@example.test, password: \"${env.ANN_PW}\" } }
steps:
  - as: ann
    post: { path: /session, json: { password: \"${env.ANN_PW}\" } }
    save: { bearer: $.accessToken }
  - id: echoed
    as: ann
    get:
      path: /echo
      query: { key: \"${env.CODE}\", word: \"${kept}\" }
      headers:
        Authorization: Bearer ${bearer}
        Cookie: sid=cookie-monster-1; theme=dark-side
        X-Api-Key: api-key-literal-7
    expect: { json: { echo: nothing } }
always:
  - as: ann
    post: { path: \"/echo/${kept}\", json: { deep: [{ password: inline-word-9 }], pin: \"${env.CODE}\" } }
    note: \"${env.ANN_PW}\"
    expect: { status: 201 }
  - { as: ann, login: true }
";

/// Answers whatever is asked with the request itself, but for a token at `/session`.
fn echo(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).unwrap_or_default();
    let echo = format!("{head}{}", String::from_utf8_lossy(&body));
    let (status, json) = if head.starts_with("POST /session") {
        ("200 OK", serde_json::json!({"accessToken": "eyJhbGci.token-of-ann.sig"}))
    } else if head.starts_with("POST /auth/login") {
        ("401 No", serde_json::json!({"error": "unauthorized", "message": echo}))
    } else {
        ("200 OK", serde_json::json!({"message": echo.clone(), "echo": echo}))
    };
    let json = json.to_string();
    let length = json.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
    let head = format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n");
    // Whoever has gone away misses nothing.
    _ = stream.write_all(format!("{head}{json}").as_bytes());
}

#[test]
fn what_a_server_throws_back_is_shown_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || echo(&listener));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.scn.yaml"), ECHOED).unwrap();
    let reports = "junit=o.xml,json=o.json,tap=o.tap,md=o.md,html=o.html,github";
    let play = |more: &[&str]| {
        let mut command = trialogue();
        command.current_dir(folder.path()).env("LC_ALL", "C").args(["run", "t.scn.yaml"]);
        command.env("ANN_PW", "horse \"staple\" 9").env("CODE", "code+with space");
        run(command.args(["--target", &url, "--trace", "on"]).args(more))
    };
    let mut shown = String::new();
    for more in
        [&["--report", reports][..], &["--diagram=mermaid"], &["--diagram=svg"], &["--json"]]
    {
        let ran = play(more);
        assert_eq!(ran.code, Some(1), "{ran}");
        shown += &format!("{ran}\n");
    }
    assert!(shown.contains("echoed"), "{shown}");
    for file in ["o.xml", "o.json", "o.tap", "o.md", "o.html", "trialogue-traces/t.trace.ndjson"] {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.contains("/echo"), "{file} tells nothing: {text}");
        assert!(text.contains("***"), "{file} hides nothing: {text}");
        shown += &format!("{file}:\n{text}\n");
    }
    for part in PARTS {
        let at = shown.find(part);
        let around = at.map(|at| {
            let from = (0..=at.saturating_sub(300)).rev().find(|at| shown.is_char_boundary(*at));
            &shown[from.unwrap_or(0)..at + part.len()]
        });
        assert_eq!(around, None, "{part} is shown");
    }
}
