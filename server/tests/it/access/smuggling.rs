//! One request, one answer: nothing that a proxy in front might read as one request is answered as
//! two (D17 of RELIABILITY), and nothing but HTTP/1.1 is spoken (D18).

use super::raw::{exchange, host};
use crate::fixture::Fixture;

/// Behind every attack: answered only when the connection is still in step.
const LAST: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
/// What an attacker would have the server answer; it has an answer of its own, 404.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

/// The statuses of all answers.
fn statuses(answer: &str) -> Vec<u16> {
    answer
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, words)| answer[at + words.len()..].get(..3)?.parse().ok())
        .collect()
}

/// Attacks on the length of a body. `@` stands for the smuggled request and its length.
#[expect(clippy::too_many_lines, reason = "a table, a row for each trick")]
fn lengths() -> Vec<(&'static str, String)> {
    let (inside, chunk) =
        (SMUGGLED.len(), format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()));
    let end = "0\r\n\r\n";
    let both = inside + end.len();
    vec![
        (
            "length, then chunks",
            format!("content-length: {both}\r\ntransfer-encoding: chunked\r\n\r\n{end}{SMUGGLED}"),
        ),
        (
            "chunks, then length",
            format!("transfer-encoding: chunked\r\ncontent-length: {both}\r\n\r\n{end}{SMUGGLED}"),
        ),
        (
            "chunks, and a length that is too short",
            format!("content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"),
        ),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {inside}\r\n\r\n{SMUGGLED}")),
        ("two lengths in a line", format!("content-length: 0, {inside}\r\n\r\n{SMUGGLED}")),
        ("a length with a sign", format!("content-length: +{inside}\r\n\r\n{SMUGGLED}")),
        ("a negative length", format!("content-length: -1\r\n\r\n{SMUGGLED}")),
        ("a length in hexadecimal", format!("content-length: 0x{inside:x}\r\n\r\n{SMUGGLED}")),
        ("a length too long", format!("content-length: 99999999999999999999\r\n\r\n{SMUGGLED}")),
        ("an empty length", format!("content-length: \r\n\r\n{SMUGGLED}")),
        ("a blank before the colon", format!("content-length : {inside}\r\n\r\n{SMUGGLED}")),
        ("a folded length", format!("x-a: b\r\n content-length: {inside}\r\n\r\n{SMUGGLED}")),
        (
            "chunked twice",
            format!(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n{end}{SMUGGLED}"
            ),
        ),
        (
            "chunked and then identity",
            format!("transfer-encoding: chunked, identity\r\n\r\n{end}{SMUGGLED}"),
        ),
        ("identity", format!("transfer-encoding: identity\r\n\r\n{end}{SMUGGLED}")),
        ("nearly chunked", format!("transfer-encoding: xchunked\r\n\r\n{end}{SMUGGLED}")),
        ("chunked in quotes", format!("transfer-encoding: \"chunked\"\r\n\r\n{end}{SMUGGLED}")),
        (
            "chunked behind a tab",
            format!("transfer-encoding:\tchunked\r\ncontent-length: {both}\r\n\r\n{end}{SMUGGLED}"),
        ),
        (
            "chunked behind a control character",
            format!("transfer-encoding: \u{b}chunked\r\n\r\n{end}{SMUGGLED}"),
        ),
        (
            "chunked before a blank line of one LF",
            format!("transfer-encoding: chunked\r\n\n{end}{SMUGGLED}"),
        ),
        (
            "a chunk with an extension that holds a line",
            format!("transfer-encoding: chunked\r\n\r\n1;a=\"\n\r\n{end}{SMUGGLED}"),
        ),
        (
            "a chunk with a long extension",
            format!(
                "transfer-encoding: chunked\r\n\r\n1;{}\r\nx\r\n{end}{SMUGGLED}",
                "x".repeat(20_000)
            ),
        ),
        (
            "a chunk whose size overflows",
            format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n{end}{SMUGGLED}"),
        ),
        (
            "a chunk with a sign",
            format!("transfer-encoding: chunked\r\n\r\n+1\r\nx\r\n{end}{SMUGGLED}"),
        ),
        (
            "a chunk without its end",
            format!("transfer-encoding: chunked\r\n\r\n1\r\nxy\r\n{end}{SMUGGLED}"),
        ),
        (
            "trailers that are headers",
            format!(
                "transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: {inside}\r\n\r\n{SMUGGLED}"
            ),
        ),
    ]
}

#[tokio::test]
async fn a_body_of_doubtful_length_never_hides_a_request() {
    let server = Fixture::start().await;
    let host = host(&server);
    for (what, rest) in lengths() {
        let request = format!("POST /auth/logout HTTP/1.1\r\nhost: {host}\r\n{rest}{LAST}");
        let answer = exchange(&server, request.as_bytes()).await;
        let found = statuses(&answer);
        assert!(!found.contains(&404), "{what}: the smuggled request was answered: {answer}");
        assert!((1..=2).contains(&found.len()), "{what}: {answer}");
        assert!([400, 401, 413, 431].contains(&found[0]), "{what}: {answer}");
    }
    // What is in order stays in step: two requests, two answers.
    let body = "{\"refreshToken\":\"x\"}";
    let first = format!(
        "POST /auth/refresh HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(&server, format!("{first}{first}{LAST}").as_bytes()).await;
    assert_eq!(statuses(&answer), [401, 401, 200], "{answer}");
    // A body in chunks is read, and ends its connection.
    let chunked = format!(
        "POST /auth/refresh HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = exchange(&server, format!("{chunked}{LAST}").as_bytes()).await;
    assert_eq!(statuses(&answer), [401], "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_broken_head_is_one_refusal_or_one_request() {
    let server = Fixture::start().await;
    let long = "x".repeat(20_000);
    let many = "x-a: b\r\n".repeat(100);
    for (what, request, expect) in [
        ("bare line feeds", "GET /health/live HTTP/1.1\nhost: x\n\n".to_owned(), vec![200, 400]),
        ("a bare carriage return", "GET /health/live HTTP/1.1\rhost: x\r\r".to_owned(), vec![400]),
        (
            "an absolute form",
            "GET http://evil.example/health/live HTTP/1.1\r\nhost: x\r\n\r\n".into(),
            vec![200, 400],
        ),
        ("a NUL in a header", "GET /health/live HTTP/1.1\r\nx: a\0b\r\n\r\n".into(), vec![400]),
        ("a NUL in the path", "GET /health/live\0 HTTP/1.1\r\nhost: x\r\n\r\n".into(), vec![400]),
        ("a blank in the path", "GET /health /live HTTP/1.1\r\nhost: x\r\n\r\n".into(), vec![400]),
        ("a header without a name", "GET /health/live HTTP/1.1\r\n: x\r\n\r\n".into(), vec![400]),
        ("a header without a colon", "GET /health/live HTTP/1.1\r\nhost\r\n\r\n".into(), vec![400]),
        ("a folded header", "GET /health/live HTTP/1.1\r\nx: a\r\n b\r\n\r\n".into(), vec![400]),
        ("no version", "GET /health/live\r\n\r\n".into(), vec![400]),
        ("version 0.9", "GET /health/live HTTP/0.9\r\n\r\n".into(), vec![400]),
        ("version 1.2", "GET /health/live HTTP/1.2\r\n\r\n".into(), vec![400]),
        ("version 2.0", "GET /health/live HTTP/2.0\r\nhost: x\r\n\r\n".into(), vec![400]),
        ("no request at all", "\r\n\r\n\0\0\0\0\r\n\r\n".into(), vec![400]),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".into(), vec![400]),
        ("a long path", format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), vec![414, 431]),
        ("a long header", format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n"), vec![431]),
        ("many headers", format!("GET / HTTP/1.1\r\n{many}\r\n"), vec![431]),
    ] {
        let answer = exchange(&server, format!("{request}{LAST}").as_bytes()).await;
        let found = statuses(&answer);
        assert!(found.len() <= 2, "{what}: {answer}");
        let first = found.first().copied().unwrap_or_default();
        assert!(expect.contains(&first), "{what}: {answer}");
        assert!(first == 200 || found.len() == 1, "{what}: goes on after a refusal: {answer}");
    }
}

#[tokio::test]
async fn http_2_is_not_spoken_and_not_upgraded_to() {
    let server = Fixture::start().await;
    // The preface, and an empty SETTINGS frame.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = exchange(&server, preface).await;
    assert!(
        answer.is_empty() || statuses(&answer) == [400],
        "neither closed nor refused: {answer}"
    );
    let upgrade = format!(
        "GET /health/live HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade, HTTP2-Settings\r\n\
         upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n{LAST}",
        host(&server)
    );
    let answer = exchange(&server, upgrade.as_bytes()).await;
    assert_eq!(statuses(&answer), [200, 200], "served as if it had not asked: {answer}");
}
