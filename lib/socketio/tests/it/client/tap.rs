//! A tap is told of every packet, with its size, in the order of the wire.

use bytes::Bytes;
use std::sync::{Arc, Mutex};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{ClientConfig, Passed, Tap, Way};
use trialogue_socketio::ws::{Message, Opcode};

use super::{closed, connected_with, event};
use crate::peer::{HANDSHAKE, Peer};

/// A tap, and what it was told of each connection: `number transport way bytes text`.
pub(super) fn tap() -> (Tap, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let way = |way| if way == Way::In { "in" } else { "out" };
    let tap = Tap::new(move |tapped| {
        let what = match tapped.what {
            Passed::Packet(to, packet) => {
                let (kind, content) = packet.parts();
                format!("{} {} {}{content}", way(to), tapped.bytes(), char::from(kind))
            }
            Passed::Binary(to, data) => {
                format!("{} {} {:?}", way(to), tapped.bytes(), Bytes::copy_from_slice(data))
            }
            Passed::End(reason) => format!("end {} {reason}", tapped.bytes()),
        };
        let line = format!("{} {:?} {what}", tapped.connection, tapped.transport);
        log.lock().unwrap().push(line);
    });
    (tap, told)
}

#[tokio::test]
async fn a_tap_is_told_of_every_packet_in_order_with_its_size() {
    let (tap, told) = tap();
    let peer = Peer::new().await;
    let tapped = || ClientConfig { tap: Some(tap.clone()), ..peer.config() };
    let (_client, mut socket, mut wire) = connected_with(&peer, tapped()).await;
    wire.text("2").await;
    wire.expect("3").await;
    let place = r#"[{"_placeholder":true,"num":0}]"#;
    let sent = Outgoing::raw("b", place).unwrap().attachments(vec![Bytes::from_static(&[1, 2])]);
    socket.emit(&sent).unwrap();
    wire.expect(r#"451-["b",{"_placeholder":true,"num":0}]"#).await;
    assert_eq!(wire.next().await, Some(Message::Binary(Bytes::from_static(&[1, 2]))));
    wire.text(r#"451-7["é",{"_placeholder":true,"num":0}]"#).await;
    wire.frame(Opcode::Binary, &[9]).await;
    event(&mut socket).await.ack(&1).unwrap();
    wire.expect("437[1]").await;
    wire.text("41").await;
    closed(&mut socket).await;
    drop(wire);
    soon_told(&told, "end").await;
    // The next connection of the same tap is another one.
    let (second, mut wire) = peer.connect(tapped()).await;
    second.close();
    wire.closed_with().await;
    drop(wire);
    let open = format!("Websocket in {} {HANDSHAKE}", HANDSHAKE.len());
    let expect = [
        &format!("1 {open}"),
        "1 Websocket out 2 40",
        r#"1 Websocket in 14 40{"sid":"s1"}"#,
        "1 Websocket in 1 2",
        "1 Websocket out 1 3",
        r#"1 Websocket out 39 451-["b",{"_placeholder":true,"num":0}]"#,
        r#"1 Websocket out 2 b"\x01\x02""#,
        r#"1 Websocket in 41 451-7["é",{"_placeholder":true,"num":0}]"#,
        r#"1 Websocket in 1 b"\t""#,
        "1 Websocket out 6 437[1]",
        "1 Websocket in 2 41",
        "1 Websocket end 0 transport_close",
        &format!("2 {open}"),
        "2 Websocket end 0 client_disconnect",
    ];
    assert_eq!(told.lock().unwrap()[..], expect);
}

/// Until the last thing told is of that kind.
pub(super) async fn soon_told(told: &Mutex<Vec<String>>, what: &str) {
    let is_told = || told.lock().unwrap().last().is_some_and(|line| line.contains(what));
    crate::peer::soon(async {
        while !is_told() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
