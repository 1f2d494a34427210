//! Long-polling and the upgrade, where a second request meets the first.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trialogue_socketio::DisconnectReason;
use trialogue_socketio::server::ServerConfig;

use super::wire::{Wire, frames, http, http_with, open_polling};
use super::{Bench, Joined, numbered};
use crate::peer::soon;

fn query(sid: &str) -> String {
    format!("EIO=4&transport=polling&sid={sid}")
}

/// A polling client that is connected to `/`.
async fn connect(bench: &mut Bench) -> (String, Joined) {
    let query = query(&open_polling(bench.served.address).await);
    let address = bench.served.address;
    assert_eq!(http(address, "POST", &query, "40").await, (200, "ok".to_owned()));
    let joined = bench.joined().await;
    let (status, body) = http(address, "GET", &query, "").await;
    assert!(status == 200 && body.starts_with("40{"), "{body}");
    (query, joined)
}

#[tokio::test]
async fn packets_wait_for_the_next_poll_and_come_in_one_payload() {
    let mut bench = Bench::new().await;
    let (query, Joined { socket, mut events, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    for number in 0..3 {
        socket.emit(&numbered(number)).unwrap();
    }
    let (status, body) = http(address, "GET", &query, "").await;
    assert_eq!((status, &body[..]), (200, "42[\"n\",0]\x1e42[\"n\",1]\x1e42[\"n\",2]"));
    let body = "42[\"a\"]\x1e451-[\"b\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID";
    assert_eq!(http(address, "POST", &query, body).await, (200, "ok".to_owned()));
    assert_eq!(soon(events.recv()).await.unwrap().name(), "a");
    assert_eq!(soon(events.recv()).await.unwrap().args().attachments()[0], &[1, 2, 3][..]);
}

#[tokio::test]
async fn a_poll_that_is_given_up_ends_the_session() {
    let mut bench = Bench::new().await;
    let (query, Joined { mut events, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    let poll = tokio::spawn({
        let query = query.clone();
        async move { http(address, "GET", &query, "").await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    poll.abort();
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::TransportError));
    assert_eq!(http(address, "GET", &query, "").await.0, 400);
}

#[tokio::test]
async fn a_body_is_answered_when_the_handler_has_room_for_it() {
    let mut bench = Bench::new().await;
    let (query, Joined { mut events, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    let body = vec!["42[\"n\"]"; 100].join("\x1e");
    let mut post = tokio::spawn({
        let query = query.clone();
        async move { http(address, "POST", &query, body).await }
    });
    let early = tokio::time::timeout(Duration::from_millis(100), &mut post).await;
    assert!(early.is_err(), "answered although 36 of 100 events have no place");
    for _ in 0..100 {
        soon(events.recv()).await.unwrap();
    }
    assert_eq!(soon(post).await.unwrap(), (200, "ok".to_owned()));
}

#[tokio::test]
async fn a_body_that_is_given_up_while_it_waits_ends_the_session() {
    let mut bench = Bench::new().await;
    let (query, Joined { mut events, socket, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    let post = tokio::spawn({
        let (query, body) = (query.clone(), vec!["42[\"n\"]"; 100].join("\x1e"));
        async move { http(address, "POST", &query, body).await }
    });
    soon(events.recv()).await.unwrap();
    post.abort();
    soon(socket.closed()).await;
    let mut taken = 1;
    while soon(events.recv()).await.is_some() {
        taken += 1;
    }
    // What was taken before is handed out, and the client knows that it does not know.
    assert!(taken >= 64, "{taken}");
    assert_eq!(events.reason(), Some(DisconnectReason::TransportError));
    assert_eq!(http(address, "POST", &query, "42[\"n\"]").await.0, 400);
}

#[tokio::test]
async fn bodies_are_limited_in_bytes_packets_and_number() {
    let mut bench = Bench::new().await;
    let address = bench.served.address;
    let (over, Joined { mut events, .. }) = connect(&mut bench).await;
    let large = format!("42[\"{}\"]", "x".repeat(65_536));
    assert_eq!(http(address, "POST", &over, &large).await.0, 413);
    // Nothing of it was taken: the session goes on.
    assert_eq!(http(address, "POST", &over, "42[\"small\"]").await.0, 200);
    assert_eq!(soon(events.recv()).await.unwrap().name(), "small");
    let flood = "3\x1e".repeat(20_000) + "3";
    assert_eq!(http(address, "POST", &over, flood).await.0, 400);
    assert!(soon(events.recv()).await.is_none());

    let (junk, _joined) = connect(&mut bench).await;
    assert_eq!(http(address, "POST", &junk, "b!!!!").await.0, 400);
    assert_eq!(http(address, "GET", &junk, "").await.0, 400);
    let (typed, _joined) = connect(&mut bench).await;
    let header = "Content-Type: application/octet-stream\r\n";
    assert_eq!(http_with(address, "POST", &typed, header, "42[\"a\"]").await.0, 400);
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_answered_in_time_and_an_endless_one_at_its_head() {
    let config = ServerConfig { body_timeout: Duration::from_millis(300), ..Default::default() };
    let mut bench = Bench::with(config).await;
    for (length, sent, status) in [(1_000, 100, "408"), (60 << 20, 0, "413")] {
        let (query, _side) = connect(&mut bench).await;
        let mut stream = TcpStream::connect(bench.served.address).await.unwrap();
        let head = format!(
            "POST /socket.io/?{query} HTTP/1.1\r\nHost: test\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), &vec![b'4'; sent]].concat()).await.unwrap();
        let mut answer = vec![0; 512];
        let read = soon(stream.read(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        // Nobody waits for the rest.
        assert_eq!(soon(stream.read(&mut [0; 512])).await.unwrap_or_default(), 0);
    }
    bench.serves_an_honest_client().await;
}

#[tokio::test]
async fn a_farewell_waits_for_the_next_poll() {
    let mut bench = Bench::new().await;
    let (query, Joined { socket, .. }) = connect(&mut bench).await;
    socket.emit(&numbered(1)).unwrap();
    socket.close(DisconnectReason::Closed);
    let (status, body) = http(bench.served.address, "GET", &query, "").await;
    assert_eq!((status, &body[..]), (200, "42[\"n\",1]\x1e1"));
    bench.served.until_empty().await;
}

#[tokio::test]
async fn what_waited_moves_to_the_websocket_in_order() {
    let mut bench = Bench::new().await;
    let (polling, Joined { socket, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    let query = polling.replace("transport=polling", "transport=websocket");
    let mut wire = Wire::upgrade(address, &query).await.unwrap();
    wire.text("2probe").await;
    wire.expect("3probe").await;
    for number in 0..10 {
        socket.emit(&numbered(number)).unwrap();
    }
    // The first event of the client comes in one piece with its move.
    wire.bytes(&frames(&["5", "42[\"after\"]"])).await;
    for number in 0..10 {
        wire.expect(&format!("42[\"n\",{number}]")).await;
    }
    assert_eq!(http(address, "GET", &polling, "").await.0, 400);
    assert_eq!(http(address, "POST", &polling, "42[\"a\"]").await.0, 400);
    let mut second = Wire::upgrade(address, &query).await.unwrap();
    assert_eq!(second.until_closed().await, Some(1008));
    socket.emit(&numbered(10)).unwrap();
    wire.expect("42[\"n\",10]").await;
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_session_where_it_was() {
    let upgrade_timeout = Duration::from_millis(200);
    let config = ServerConfig { upgrade_timeout, ..Default::default() };
    let mut bench = Bench::with(config).await;
    let (polling, Joined { socket, .. }) = connect(&mut bench).await;
    let address = bench.served.address;
    let query = polling.replace("transport=polling", "transport=websocket");
    // Wrong words, none at all, a reset, and a promise that is not kept.
    let mut wrong = Wire::upgrade(address, &query).await.unwrap();
    wrong.text("2prob").await;
    assert_eq!(wrong.until_closed().await, None);
    let mut silent = Wire::upgrade(address, &query).await.unwrap();
    assert_eq!(silent.until_closed().await, None);
    drop(Wire::upgrade(address, &query).await.unwrap());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut half = Wire::upgrade(address, &query).await.unwrap();
    half.text("2probe").await;
    half.expect("3probe").await;
    assert_eq!(half.until_closed().await, None);
    socket.emit(&numbered(1)).unwrap();
    assert_eq!(http(address, "GET", &polling, "").await, (200, "42[\"n\",1]".to_owned()));
}

#[tokio::test]
async fn a_late_request_finds_a_dead_session_dead() {
    let config = ServerConfig {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_millis(100),
        ..Default::default()
    };
    let mut bench = Bench::with(config).await;
    let (query, Joined { mut events, .. }) = connect(&mut bench).await;
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::PingTimeout));
    assert_eq!(http(bench.served.address, "GET", &query, "").await.0, 400);
}

#[tokio::test]
async fn a_poll_whose_connection_is_closed_before_it_is_read_still_ends_the_session() {
    let mut bench = Bench::new().await;
    let address = bench.served.address;
    for _ in 0..100 {
        let (query, Joined { mut events, .. }) = connect(&mut bench).await;
        let request = format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: test\r\n\r\n");
        let mut given_up = tokio::net::TcpStream::connect(address).await.unwrap();
        given_up.write_all(request.as_bytes()).await.unwrap();
        drop(given_up);
        assert_eq!(http(address, "GET", &query, "").await.0, 400);
        assert!(soon(events.recv()).await.is_none());
    }
}
