//! The life of a connection: heartbeat, every way to end, and what the other end sees of it.

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use trialogue_socketio::ws::{Message, Opcode, close_code};
use trialogue_socketio::{DisconnectReason, Outgoing};

use super::{NO_AUTH, closed, connected, connected_with, event, millis};
use crate::peer::{Peer, frame, soon, texts};

#[tokio::test]
async fn pings_are_answered_with_their_content() {
    let (_client, _socket, mut wire) = connected().await;
    wire.text("2").await;
    wire.expect("3").await;
    wire.text("2probe").await;
    wire.expect("3probe").await;
    wire.frame(Opcode::Ping, b"are you there").await;
    assert_eq!(wire.next().await, Some(Message::Pong(Bytes::from_static(b"are you there"))));
}

#[tokio::test]
async fn a_silent_server_is_noticed_and_a_pinging_one_is_not() {
    let peer = Peer::new().await;
    let handshake = r#"0{"sid":"e","upgrades":[],"pingInterval":100,"pingTimeout":100}"#;
    let (client, mut wire) = peer.connect_as(peer.config(), handshake).await;
    let serve = async {
        wire.expect("40").await;
        wire.text(r#"40{"sid":"s"}"#).await;
        // Five pings are longer than one interval and one timeout.
        for _ in 0..5 {
            tokio::time::sleep(millis(60)).await;
            wire.text("2").await;
            wire.expect("3").await;
        }
        tokio::time::Instant::now()
    };
    let (socket, last_ping) = tokio::join!(client.namespace("/", NO_AUTH), serve);
    assert_eq!(closed(&mut socket.unwrap()).await, DisconnectReason::PingTimeout);
    let silence = last_ping.elapsed();
    // Twice the promise, and something for a busy machine.
    assert!(silence >= millis(190) && silence < millis(400) + millis(1_000), "{silence:?}");
    assert_eq!(wire.next().await, None);
}

#[tokio::test]
async fn everything_that_came_is_received_before_the_end() {
    let (_client, mut socket, mut wire) = connected().await;
    wire.raw(&texts(&["42[\"a\"]", "42[\"b\"]"])).await;
    wire.close(close_code::SERVICE_RESTART).await;
    assert_eq!(event(&mut socket).await.name(), "a");
    assert_eq!(event(&mut socket).await.name(), "b");
    for _ in 0..2 {
        assert_eq!(closed(&mut socket).await, DisconnectReason::TransportClose);
    }
    assert_eq!(wire.closed_with().await, close_code::SERVICE_RESTART);
}

#[tokio::test]
async fn every_end_has_its_reason() {
    use DisconnectReason::{ServerDisconnect, TransportClose, TransportError};

    let (_client, mut socket, mut wire) = connected().await;
    wire.text("41").await;
    assert_eq!(closed(&mut socket).await, ServerDisconnect);

    let (client, mut socket, mut wire) = connected().await;
    wire.text("1").await;
    assert_eq!(closed(&mut socket).await, TransportClose);
    assert_eq!(soon(client.closed()).await, TransportClose);
    assert_eq!(wire.closed_with().await, close_code::NORMAL);

    let (_client, mut socket, wire) = connected().await;
    drop(wire);
    assert_eq!(closed(&mut socket).await, TransportClose);

    let (_client, mut socket, wire) = connected().await;
    wire.io.set_zero_linger().unwrap();
    drop(wire);
    assert_eq!(closed(&mut socket).await, TransportError);
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_is_told_so() {
    let text = |text: &str| frame(Opcode::Text, text.as_bytes()).to_vec();
    let oversized = frame(Opcode::Binary, &vec![0; 1024 * 1024 + 1]);
    for (bytes, code) in [
        (text("abc"), close_code::PROTOCOL),
        (text(""), close_code::PROTOCOL),
        (text("0{}"), close_code::PROTOCOL),
        (text("5"), close_code::PROTOCOL),
        (text("4"), close_code::PROTOCOL),
        (text("42{}"), close_code::PROTOCOL),
        (text("42[\"connect\"]"), close_code::PROTOCOL),
        (text("40/x,{}"), close_code::PROTOCOL),
        (text("451000000000-[\"a\"]"), close_code::PROTOCOL),
        (text("451-[\"a\",{\"_placeholder\":true,\"num\":99}]"), close_code::PROTOCOL),
        (frame(Opcode::Binary, b"unannounced").to_vec(), close_code::PROTOCOL),
        (b"\xC1\x00".to_vec(), close_code::PROTOCOL),
        (b"\x81\x80\0\0\0\0".to_vec(), close_code::PROTOCOL),
        (frame(Opcode::Text, b"42[\"\xFF\"]").to_vec(), close_code::INVALID_DATA),
        (oversized[..20].to_vec(), close_code::TOO_BIG),
    ] {
        let (_client, mut socket, mut wire) = connected().await;
        wire.raw(&bytes).await;
        assert_eq!(closed(&mut socket).await, DisconnectReason::Protocol, "{bytes:?}");
        assert_eq!(wire.closed_with().await, code, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_namespace_is_left_and_the_connection_stays() {
    let (client, mut socket, mut wire) = connected().await;
    socket.disconnect();
    assert_eq!(closed(&mut socket).await, DisconnectReason::ClientDisconnect);
    wire.expect("41").await;
    drop(socket);
    let serve = async {
        wire.expect("40").await;
        wire.text(r#"40{"sid":"again"}"#).await;
    };
    let (socket, ()) = tokio::join!(client.namespace("/", NO_AUTH), serve);
    assert_eq!(socket.unwrap().id(), "again");
}

#[tokio::test]
async fn a_close_sends_what_waits_first() {
    let (client, mut socket, mut wire) = connected().await;
    for number in 0..500 {
        socket.emit(&Outgoing::new("n", &number).unwrap()).unwrap();
    }
    client.close();
    assert_eq!(closed(&mut socket).await, DisconnectReason::Closed);
    assert!(socket.emit(&Outgoing::new("n", &1).unwrap()).is_err());
    for number in 0..500 {
        wire.expect(&format!("42[\"n\",{number}]")).await;
    }
    assert_eq!(wire.closed_with().await, close_code::NORMAL);
    wire.close(close_code::NORMAL).await;
    assert_eq!(wire.next().await, None);
}

#[tokio::test]
async fn an_abort_says_nothing() {
    let (_client, mut socket, mut wire) = connected().await;
    socket.abort();
    assert_eq!(closed(&mut socket).await, DisconnectReason::Closed);
    assert_eq!(wire.next().await, None);
}

#[tokio::test]
async fn the_connection_closes_with_its_last_handle() {
    let (client, socket, mut wire) = connected().await;
    let sender = socket.sender();
    drop(client);
    sender.emit(&Outgoing::new("still", &1).unwrap()).unwrap();
    wire.expect(r#"42["still",1]"#).await;
    drop(socket);
    wire.expect("41").await;
    assert_eq!(wire.closed_with().await, close_code::NORMAL);
    assert_eq!(sender.ended(), Some(DisconnectReason::ClientDisconnect));
}

#[tokio::test]
async fn heartbeats_are_not_missed_by_an_application_that_is_slow() {
    let peer = Peer::new().await;
    let mut config = peer.config();
    config.inbound_events_max = 2;
    let handshake = r#"0{"sid":"e","upgrades":[],"pingInterval":100,"pingTimeout":100}"#;
    let (client, mut wire) = peer.connect_as(config, handshake).await;
    let serve = async {
        wire.expect("40").await;
        wire.raw(&texts(&[r#"40{"sid":"s"}"#, "42[\"a\"]", "42[\"b\"]", "42[\"c\"]"])).await;
    };
    let (socket, ()) = tokio::join!(client.namespace("/", NO_AUTH), serve);
    let mut socket = socket.unwrap();
    // The inbox is full for longer than the server may be silent, and it never was.
    for _ in 0..6 {
        wire.text("2").await;
        tokio::time::sleep(millis(60)).await;
    }
    for name in ["a", "b", "c"] {
        assert_eq!(event(&mut socket).await.name(), name);
    }
    wire.expect("3").await;
}

#[tokio::test]
async fn a_message_cut_anywhere_is_read() {
    let (_client, mut socket, mut wire) = connected().await;
    let bytes = texts(&["42[\"h\u{e9}llo\",\"w\u{f6}rld\"]", "42[\"next\"]"]);
    for byte in &bytes {
        wire.io.write_u8(*byte).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(event(&mut socket).await.args().get::<String>(0).unwrap(), "w\u{f6}rld");
    assert_eq!(event(&mut socket).await.name(), "next");
}

#[tokio::test]
async fn clients_beyond_one_do_not_disturb_each_other() {
    let peer = Peer::new().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connected_with(&peer, peer.config()).await);
    }
    let (_client, mut socket, wire) = clients.swap_remove(7);
    drop(wire);
    assert_eq!(closed(&mut socket).await, DisconnectReason::TransportClose);
    for (_client, socket, wire) in &mut clients {
        wire.text("42[\"hello\"]").await;
        assert_eq!(event(socket).await.name(), "hello");
    }
}
