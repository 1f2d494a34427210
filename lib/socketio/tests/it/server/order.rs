//! What one side sends, the other gets once and in order, whatever happens in between.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use trialogue_socketio::client::{
    Client, ClientConfig, Received, SCRATCH_BYTES, Transport, Transports, Wire as Lean, WireOpener,
};
use trialogue_socketio::server::ServerConfig;

use super::wire::{Wire, frames};
use super::{Bench, Joined, numbered};
use crate::peer::soon;

#[tokio::test]
async fn a_handler_that_waits_gets_the_events_in_their_order() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { mut events, .. }) = bench.connect().await;
    let texts: Vec<_> = (0..2_000).map(|number| format!("42[\"n\",{number}]")).collect();
    wire.bytes(&frames(&texts)).await;
    for number in 0..2_000_usize {
        let event = soon(events.recv()).await.unwrap();
        assert_eq!(event.args().get::<usize>(0).unwrap(), number);
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_is_ahead_of_its_handler_is_slowed_down_and_loses_nothing() {
    const EVENTS: usize = 50_000;
    let config = ServerConfig {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_secs(1),
        ..Default::default()
    };
    let mut bench = Bench::with(config).await;
    let (mut wire, Joined { mut events, socket, .. }) = bench.connect().await;
    let writer = tokio::spawn(async move {
        let padding = "x".repeat(100);
        for first in (0..EVENTS).step_by(1_000) {
            let mut texts: Vec<_> = (first..first + 1_000)
                .map(|number| format!("42[\"n\",{number},\"{padding}\"]"))
                .collect();
            // Answers to the pings that have come meanwhile.
            texts.push("3".to_owned());
            wire.bytes(&frames(&texts)).await;
        }
        wire
    });
    // Long enough for a heartbeat to fail that does not know that nobody reads the pongs.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!writer.is_finished(), "more than 5 MB were taken from a client without a reader");
    for number in 0..EVENTS {
        let Some(event) = soon(events.recv()).await else {
            panic!("closed at {number}: {:?}", events.reason());
        };
        assert_eq!(event.args().get::<usize>(0).unwrap(), number);
    }
    let mut wire = soon(writer).await.unwrap();
    assert!(socket.is_connected());
    socket.emit(&numbered(1)).unwrap();
    wire.expect("42[\"n\",1]").await;
}

#[tokio::test]
async fn the_move_from_polling_to_websocket_keeps_the_order_of_both_directions() {
    const EVENTS: usize = 3_000;
    for round in 0..5 {
        let mut bench = Bench::new().await;
        let url = format!("http://{}", bench.served.address).parse().unwrap();
        let mut config = ClientConfig::new(url);
        config.transports = Transports::PollingUpgrade;
        let client = soon(Client::connect(config)).await.unwrap();
        let (namespace, joined) =
            tokio::join!(soon(client.namespace::<()>("/", None)), bench.joined());
        let (mut namespace, Joined { socket, mut events, .. }) = (namespace.unwrap(), joined);
        let down = tokio::spawn(async move {
            for number in 0..EVENTS {
                socket.emit(&numbered(number)).unwrap();
                if number % 100 == 99 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            socket
        });
        let sender = namespace.sender();
        let up = tokio::spawn(async move {
            for number in 0..EVENTS {
                sender.emit(&numbered(number)).unwrap();
                if number % 100 == 99 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        let seen_up = tokio::spawn(async move {
            for number in 0..EVENTS {
                let event = soon(events.recv()).await.unwrap();
                assert_eq!(event.args().get::<usize>(0).unwrap(), number, "round {round}");
            }
        });
        for number in 0..EVENTS {
            match soon(namespace.recv()).await {
                Received::Event(event) => {
                    assert_eq!(event.args().get::<usize>(0).unwrap(), number, "round {round}");
                }
                Received::Closed(reason) => panic!("closed: {reason}"),
            }
        }
        soon(seen_up).await.unwrap();
        soon(up).await.unwrap();
        drop(soon(down).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_read_in_one_piece_or_byte_by_byte_is_the_same() {
    let mut bench = Bench::new().await;
    let mut wire = Wire::open(bench.served.address).await;
    let texts = [
        "40".to_owned(),
        "42[\"a\",\"\u{e9}\u{1f600}\"]".to_owned(),
        format!("42[\"b\",\"{}\"]", "y".repeat(300)),
    ];
    for byte in frames(&texts).iter() {
        wire.bytes(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    let Joined { mut events, .. } = bench.joined().await;
    let first = soon(events.recv()).await.unwrap();
    assert_eq!(first.args().get::<String>(0).unwrap(), "\u{e9}\u{1f600}");
    let second = soon(events.recv()).await.unwrap();
    assert_eq!(second.args().get::<String>(0).unwrap().len(), 300);
}

/// Says back each event as it came, until the wire travels on this.
async fn echo(wire: &mut Lean, seen: &mut Vec<String>, until: Option<Transport>) {
    let mut scratch = vec![0; SCRATCH_BYTES];
    poll_fn(|cx| {
        let told = seen.len();
        let ended = wire.poll_texts(cx, &mut scratch, &mut |text, _| {
            if text.starts_with(b"42") {
                seen.push(String::from_utf8_lossy(text).into_owned());
            }
        });
        assert!(ended.is_pending(), "{ended:?}");
        for text in &seen[told..] {
            wire.send(text.as_bytes()).unwrap();
        }
        if until == Some(wire.transport()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_wire_is_told_all_and_tells_all_in_order_over_every_transport() {
    const EVENTS: usize = 400;
    for by in [Transports::Websocket, Transports::Polling, Transports::PollingUpgrade] {
        let mut bench = Bench::new().await;
        let url = format!("http://{}", bench.served.address).parse().unwrap();
        let opener = WireOpener::new(&ClientConfig::new(url)).unwrap();
        let mut wire = soon(opener.open(by)).await.unwrap();
        wire.send(b"40").unwrap();
        let serving = async {
            let Joined { socket, mut events, .. } = bench.joined().await;
            for first in (0..EVENTS).step_by(10) {
                (first..first + 10).for_each(|number| socket.emit(&numbered(number)).unwrap());
                for number in first..first + 10 {
                    let event = soon(events.recv()).await.unwrap();
                    assert_eq!(event.args().get::<usize>(0).unwrap(), number, "{by:?}");
                }
            }
        };
        let mut seen = Vec::new();
        tokio::select! {
            () = serving => {}
            () = echo(&mut wire, &mut seen, None) => {}
        }
        let last = match by {
            Transports::Polling => Transport::Polling,
            Transports::Websocket | Transports::PollingUpgrade => Transport::Websocket,
        };
        soon(echo(&mut wire, &mut seen, Some(last))).await;
        let all: Vec<_> = (0..EVENTS).map(|number| format!("42[\"n\",{number}]")).collect();
        assert_eq!(seen, all, "{by:?}");
    }
}
