//! The bounds on what unauthenticated clients hold, and who may come at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use trialogue_socketio::DisconnectReason;
use trialogue_socketio::server::ServerConfig;

use super::wire::{Wire, http, http_with, open_polling, raw_http};
use super::{Bench, CLOSED_WITHIN};
use crate::peer::soon;

const OPEN: &str = "EIO=4&transport=polling";

#[tokio::test]
async fn open_handshakes_are_counted_per_address_and_given_back() {
    let config = ServerConfig { unclaimed_per_address_max: 3, ..Default::default() };
    let mut bench = Bench::with(config).await;
    let address = bench.served.address;
    let (claimed, _joined) = bench.connect().await;
    let _one = Wire::open(address).await;
    let two = Wire::open(address).await;
    let sid = open_polling(address).await;
    assert_eq!(http(address, "GET", OPEN, "").await.0, 429);
    let refused = Wire::upgrade(address, "EIO=4&transport=websocket").await.err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after"), "{refused}");
    // An upgrade is not a new session.
    let upgrade = format!("EIO=4&transport=websocket&sid={sid}");
    assert!(Wire::upgrade(address, &upgrade).await.is_ok());
    drop(two);
    soon(async {
        while http(address, "GET", OPEN, "").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(claimed);
}

#[tokio::test]
async fn twenty_thousand_handshakes_hold_no_more_than_the_limit() {
    let config = ServerConfig { unclaimed_max: 40, ..Default::default() };
    let bench = Bench::with(config).await;
    for _ in 0..200 {
        let status = http(bench.served.address, "GET", OPEN, "").await.0;
        assert!(status == 200 || status == 503, "{status}");
    }
    assert_eq!(bench.served.server.sessions(), 40);
}

#[tokio::test]
async fn clients_that_never_connect_are_closed_on_every_transport() {
    let connect_timeout = Duration::from_millis(300);
    let mut bench = Bench::with(ServerConfig { connect_timeout, ..Default::default() }).await;
    let address = bench.served.address;
    let begun = Instant::now();
    let mut silent = Wire::open(address).await;
    let sid = open_polling(address).await;
    let (mut connected, side) = bench.connect().await;
    assert_eq!(silent.until_closed().await, Some(1008));
    assert!(begun.elapsed() >= connect_timeout && begun.elapsed() < CLOSED_WITHIN);
    let poll = format!("{OPEN}&sid={sid}");
    let (status, body) = http(address, "GET", &poll, "").await;
    assert!(status == 400 || body == "1", "{status} {body}");
    side.socket.emit(&super::numbered(1)).unwrap();
    connected.expect("42[\"n\",1]").await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed_and_a_living_one_stays() {
    let config = ServerConfig {
        ping_interval: Duration::from_millis(200),
        ping_timeout: Duration::from_millis(200),
        ..Default::default()
    };
    let mut bench = Bench::with(config).await;
    let (mut dead, mut dead_side) = bench.connect().await;
    let (mut alive, alive_side) = bench.connect().await;
    // Unasked pongs keep nobody alive.
    for _ in 0..50 {
        dead.text("3").await;
    }
    let living = tokio::spawn(async move { alive.next_text().await });
    let begun = Instant::now();
    assert!(soon(dead_side.events.recv()).await.is_none());
    assert_eq!(dead_side.events.reason(), Some(DisconnectReason::PingTimeout));
    assert!(begun.elapsed() < CLOSED_WITHIN);
    dead.until_closed().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    alive_side.socket.emit(&super::numbered(1)).unwrap();
    assert_eq!(soon(living).await.unwrap(), "42[\"n\",1]");
}

#[tokio::test]
async fn origins_are_judged_on_polling_and_websocket_alike() {
    let origin = |headers: &::http::HeaderMap| {
        let mut origins = headers.get_all("origin").iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(one), None) => one == "https://allowed.example",
            _ => false,
        }
    };
    let config = ServerConfig { origin: Some(Arc::new(origin)), ..Default::default() };
    let bench = Bench::with(config).await;
    let address = bench.served.address;
    for (headers, allowed) in [
        ("", true),
        ("Origin: https://allowed.example\r\n", true),
        ("Origin: https://allowed.example.evil.com\r\n", false),
        ("Origin: https://evil-allowed.example\r\n", false),
        ("Origin: http://allowed.example\r\n", false),
        ("Origin: https://allowed.example:8443\r\n", false),
        ("Origin: null\r\n", false),
        ("Origin: https://allowed.example\r\nOrigin: https://evil.com\r\n", false),
    ] {
        let status = http_with(address, "GET", OPEN, headers, "").await.0;
        assert_eq!(status, if allowed { 200 } else { 403 }, "{headers}");
        let query = "EIO=4&transport=websocket";
        let upgraded = Wire::upgrade_with(address, query, headers).await;
        assert_eq!(upgraded.is_ok(), allowed, "{headers}");
        let preflight = http_with(address, "OPTIONS", OPEN, headers, "").await.0;
        assert_eq!(preflight, if allowed { 204 } else { 403 }, "{headers}");
    }
    let header = "Origin: https://allowed.example\r\n";
    let answer = raw_http(address, "GET", OPEN, header, b"").await;
    assert!(answer.contains("access-control-allow-origin: https://allowed.example\r\n"));
    assert!(answer.contains("vary: Origin\r\n"));
}

#[tokio::test]
async fn a_transport_that_is_off_is_unknown() {
    let bench = Bench::with(ServerConfig { polling: false, ..Default::default() }).await;
    assert_eq!(http(bench.served.address, "GET", OPEN, "").await.0, 400);
    let bench = Bench::with(ServerConfig { websocket: false, ..Default::default() }).await;
    assert!(Wire::upgrade(bench.served.address, "EIO=4&transport=websocket").await.is_err());
    let (_, body) = http(bench.served.address, "GET", OPEN, "").await;
    assert!(body.contains("\"upgrades\":[]"), "{body}");
}
