//! A client that does not read is cut alone, with a reason, and costs no memory afterwards.

use std::time::{Duration, Instant};

use serde_json::json;
use trialogue_socketio::server::ServerConfig;
use trialogue_socketio::{DisconnectReason, Outgoing};

use super::wire::open_polling;
use super::{Bench, CLOSED_WITHIN, numbered};
use crate::peer::soon;

/// A frame that soon fills every buffer of the kernel.
fn large(number: usize) -> Outgoing {
    Outgoing::new("n", &json!([number, "x".repeat(8 << 10)])).unwrap()
}

#[tokio::test]
async fn a_stalled_member_is_cut_and_the_others_get_everything() {
    const EVENTS: usize = 2_000;
    let mut bench = Bench::new().await;
    let (_stalled, mut stalled_side) = bench.connect().await;
    let (mut reader, reader_side) = bench.connect().await;
    stalled_side.socket.join("room");
    reader_side.socket.join("room");
    let namespace = bench.served.server.namespace("/").unwrap();
    let reading = tokio::spawn(async move {
        for number in 0..EVENTS {
            reader.expect_start(&format!("42[\"n\",[{number},\"")).await;
        }
        reader
    });
    for number in 0..EVENTS {
        let sent = namespace.emit("room", &large(number));
        assert!(sent >= 1, "the reader was cut at {number}");
        // What the reader can take in a millisecond is far over what is sent.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(soon(stalled_side.events.recv()).await.is_none());
    assert_eq!(stalled_side.events.reason(), Some(DisconnectReason::Slow));
    let _reader = soon(reading).await.unwrap();
    assert_eq!(namespace.room_len("room"), 1);
}

#[tokio::test]
async fn frames_that_wait_only_for_their_task_do_not_count_as_a_slow_client() {
    let mut bench = Bench::new().await;
    let (mut wire, side) = bench.connect().await;
    // Twenty times the limit of frames, without a chance for the connection to write.
    for number in 0..5_000 {
        side.socket.emit(&numbered(number)).unwrap();
    }
    for number in 0..5_000 {
        wire.expect(&format!("42[\"n\",{number}]")).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_cut_before_its_queue_is_full() {
    let stall_timeout = Duration::from_millis(300);
    let config = ServerConfig {
        stall_timeout,
        queue_frames_max: usize::MAX,
        queue_bytes_max: 64 << 20,
        ..Default::default()
    };
    let mut bench = Bench::with(config).await;
    let (_wire, mut side) = bench.connect().await;
    let begun = Instant::now();
    for number in 0..2_000 {
        side.socket.emit(&large(number)).unwrap();
    }
    assert!(soon(side.events.recv()).await.is_none());
    assert_eq!(side.events.reason(), Some(DisconnectReason::Slow));
    assert!(begun.elapsed() >= stall_timeout && begun.elapsed() < CLOSED_WITHIN);
    bench.served.until_empty().await;
}

#[tokio::test]
async fn a_polling_client_that_stops_polling_is_cut() {
    let config = ServerConfig { stall_timeout: Duration::from_millis(300), ..Default::default() };
    let mut bench = Bench::with(config).await;
    let address = bench.served.address;
    let sid = open_polling(address).await;
    let query = format!("EIO=4&transport=polling&sid={sid}");
    assert_eq!(super::wire::http(address, "POST", &query, "40").await, (200, "ok".to_owned()));
    let mut side = bench.joined().await;
    // The answer to CONNECT waits; nobody polls.
    assert!(soon(side.events.recv()).await.is_none());
    assert_eq!(side.events.reason(), Some(DisconnectReason::Slow));
    assert_eq!(super::wire::http(address, "GET", &query, "").await.0, 400);
}

#[tokio::test]
async fn a_volatile_event_is_left_out_while_many_others_wait_and_only_then() {
    let mut bench = Bench::new().await;
    let (mut wire, side) = bench.connect().await;
    // A few wait for the writer's turn with everybody who reads.
    for n in 1..=16 {
        side.socket.emit(&numbered(n).volatile()).unwrap();
    }
    side.socket.emit(&numbered(17).volatile()).unwrap();
    side.socket.emit(&numbered(18)).unwrap();
    for n in (1..=16).chain([18]) {
        wire.expect(&format!("42[\"n\",{n}]")).await;
    }
    side.socket.emit(&numbered(19).volatile()).unwrap();
    wire.expect("42[\"n\",19]").await;
}
