//! A session that its owner drives, against a scripted server.

use std::future::poll_fn;
use std::io::ErrorKind;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trialogue_socketio::client::{
    ConnectError, SCRATCH_BYTES, Transport, Transports, Wire, WireOpener, Written,
};
use trialogue_socketio::ws::{Opcode, put_frame};

use super::polling::{HttpPeer, OPEN, Request};
use crate::peer::{self, HANDSHAKE, Peer, soon};

/// A wire and our end of it.
async fn opened() -> (Wire, peer::Wire<TcpStream>) {
    let peer = Peer::new().await;
    let opener = WireOpener::new(&peer.config()).unwrap();
    let (wire, ours) = tokio::join!(soon(opener.open(Transports::Websocket)), async {
        let mut ours = peer::Wire::accept(peer.accept().await).await;
        ours.text(HANDSHAKE).await;
        ours
    });
    (wire.unwrap(), ours)
}

/// Texts up to this one, or how it ended before.
async fn until(wire: &mut Wire, last: &str) -> Result<Vec<String>, ErrorKind> {
    let mut scratch = vec![0; SCRATCH_BYTES];
    let mut texts = Vec::new();
    let read = poll_fn(|cx| {
        let ended = wire.poll_texts(cx, &mut scratch, &mut |text, _| {
            texts.push(String::from_utf8_lossy(text).into_owned());
        });
        match ended {
            std::task::Poll::Ready(error) => std::task::Poll::Ready(Err(error.kind())),
            _ if texts.iter().any(|text| text == last) => std::task::Poll::Ready(Ok(())),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    });
    soon(read).await.map(|()| texts)
}

fn part(opcode: Opcode, payload: &[u8], is_final: bool) -> BytesMut {
    let mut out = BytesMut::new();
    put_frame(&mut out, opcode, &[payload], None);
    if !is_final {
        out[0] &= 0x7f;
    }
    out
}

#[tokio::test]
async fn texts_of_any_length_come_in_order_however_they_are_cut() {
    let (mut wire, mut ours) = opened().await;
    // Longer than what all wires share, too.
    let long = "y".repeat(700_000);
    let mut bytes = part(Opcode::Text, b"one", true);
    bytes.unsplit(part(Opcode::Text, "x".repeat(200).as_bytes(), true));
    bytes.unsplit(part(Opcode::Text, long.as_bytes(), true));
    bytes.unsplit(part(Opcode::Text, b"in ", false));
    bytes.unsplit(part(Opcode::Ping, b"between", true));
    bytes.unsplit(part(Opcode::Continuation, b"two", true));
    bytes.unsplit(part(Opcode::Binary, b"not told", true));
    bytes.unsplit(part(Opcode::Text, b"last", true));
    let write = async {
        for part in bytes.chunks(9_973) {
            ours.io.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (texts, ()) = tokio::join!(until(&mut wire, "last"), write);
    assert_eq!(texts.unwrap(), [HANDSHAKE, "one", &"x".repeat(200), &long, "in two", "last"]);
}

#[tokio::test]
async fn pings_are_answered_and_sends_arrive() {
    let (mut wire, mut ours) = opened().await;
    ours.text("2").await;
    ours.text("now").await;
    assert_eq!(until(&mut wire, "now").await.unwrap(), [HANDSHAKE, "now"]);
    ours.expect("3").await;
    assert_eq!(wire.send(b"40/chat,").unwrap(), Written::All);
    ours.expect("40/chat,").await;
    // More than the system keeps for somebody who does not read.
    let big = "z".repeat(60_000);
    let mut sent = 0;
    let waits = loop {
        sent += 1;
        if let Written::Waits(bytes) = wire.send(big.as_bytes()).unwrap() {
            break bytes;
        }
    };
    assert_eq!(wire.unsent(), waits);
    let read = async {
        for _ in 0..sent {
            ours.expect(&big).await;
        }
        ours.text("enough").await;
    };
    let (texts, ()) = tokio::join!(until(&mut wire, "enough"), read);
    assert_eq!((texts.unwrap(), wire.unsent()), (vec!["enough".to_owned()], 0));
}

#[tokio::test]
async fn an_end_is_told_and_so_is_nonsense() {
    let check = async |bytes: BytesMut, expect| {
        let (mut wire, mut ours) = opened().await;
        ours.io.write_all(&bytes).await.unwrap();
        assert_eq!(until(&mut wire, "never").await, Err(expect));
    };
    check(part(Opcode::Close, b"", true), ErrorKind::ConnectionAborted).await;
    let mut inside = part(Opcode::Text, b"a", false);
    inside.unsplit(part(Opcode::Text, b"b", true));
    check(inside, ErrorKind::InvalidData).await;
    let mut endless = BytesMut::new();
    for _ in 0..5 {
        endless.unsplit(part(Opcode::Text, &[b'x'; 65_536], true));
    }
    // A frame that says to be longer than any that is taken.
    endless[2..10].copy_from_slice(&u64::MAX.to_be_bytes());
    check(endless, ErrorKind::InvalidData).await;
    let (mut wire, ours) = opened().await;
    drop(ours);
    assert_eq!(until(&mut wire, "never").await, Err(ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn who_answers_no_handshake_is_no_server() {
    let peer = Peer::new().await;
    let opener = WireOpener::new(&peer.config()).unwrap();
    let (opened, ()) = tokio::join!(soon(opener.open(Transports::Websocket)), async {
        let mut stream = peer.accept().await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    });
    assert!(matches!(opened, Err(ConnectError::Http { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_wire_that_is_killed_ends_in_a_reset_and_not_in_a_good_bye() {
    let (mut wire, mut ours) = opened().await;
    until(&mut wire, HANDSHAKE).await.unwrap();
    wire.kill();
    let ended = soon(ours.io.read(&mut [0; 8])).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

/// A wire whose handshake was answered.
async fn polled(peer: &mut HttpPeer, by: Transports) -> Wire {
    let opener = WireOpener::new(&peer.config(by)).unwrap();
    let answer = async { peer.next("GET").await.ok(OPEN).await };
    tokio::join!(soon(opener.open(by)), answer).0.unwrap()
}

#[tokio::test]
async fn over_polling_the_same_texts_come_and_go() {
    let mut peer = HttpPeer::new().await;
    let mut wire = polled(&mut peer, Transports::Polling).await;
    // The answer to the first is awaited, and bodies of over 100 bytes are not taken.
    let (a, b) = ("4".repeat(40), "5".repeat(200));
    for text in [&a, &a, &a, &b] {
        assert!(wire.send(text.as_bytes()).is_ok());
    }
    let serve = async {
        let (get, mut post) = peer.both().await;
        let mut bodies = Vec::new();
        loop {
            bodies.push(post.body.clone());
            post.ok("ok").await;
            if bodies.len() == 3 {
                break;
            }
            post = peer.next("POST").await;
        }
        get.ok("2\u{1e}6\u{1e}bAQID\u{1e}40{}\u{1e}42[\"n\"]").await;
        let (get, post) = peer.both().await;
        assert_eq!(post.body, "3");
        post.ok("ok").await;
        get.ok("last").await;
        (bodies, peer.next("GET").await)
    };
    let (texts, (bodies, get)) = tokio::join!(until(&mut wire, "last"), serve);
    assert_eq!(texts.unwrap(), [OPEN, "40{}", "42[\"n\"]", "last"]);
    assert_eq!(bodies, [a.clone(), format!("{a}\u{1e}{a}"), b]);
    assert_eq!((wire.transport(), wire.unsent()), (Transport::Polling, 0));
    get.ok("1").await;
    assert_eq!(until(&mut wire, "never").await, Err(ErrorKind::ConnectionAborted));
}

#[tokio::test]
async fn a_session_that_moves_says_what_is_left_on_its_websocket() {
    let mut peer = HttpPeer::new().await;
    let mut wire = polled(&mut peer, Transports::PollingUpgrade).await;
    let serve = async {
        let (one, two) = peer.both().await;
        let is_poll = |request: &Request| request.target.contains("polling");
        let (get, probe) = if is_poll(&one) { (one, two) } else { (two, one) };
        let mut ours = probe.upgrade().await;
        ours.expect("2probe").await;
        ours.text("3probe").await;
        (get, ours)
    };
    // Nothing ends the poll meanwhile: it goes on until then.
    let (get, mut ours) = tokio::select! {
        served = serve => served,
        ended = until(&mut wire, "never") => panic!("{ended:?}"),
    };
    let moved = async {
        get.ok("42[\"before\"]").await;
        ours.expect("5").await;
        ours.expect("42[\"after\"]").await;
        ours.text("42[\"last\"]").await;
    };
    let read = async {
        // The probe's answer is seen before anything is said.
        let texts = until(&mut wire, "42[\"before\"]").await.unwrap();
        wire.send(b"42[\"after\"]").unwrap();
        (texts, until(&mut wire, "42[\"last\"]").await.unwrap())
    };
    let ((before, after), ()) = tokio::join!(read, moved);
    assert_eq!(before, ["42[\"before\"]"]);
    assert_eq!((after, wire.transport()), (vec!["42[\"last\"]".to_owned()], Transport::Websocket));
}

#[tokio::test]
async fn a_poll_that_is_killed_ends_in_a_reset() {
    let mut peer = HttpPeer::new().await;
    let mut wire = polled(&mut peer, Transports::Polling).await;
    let get = tokio::select! {
        get = peer.next("GET") => get,
        ended = until(&mut wire, "never") => panic!("{ended:?}"),
    };
    wire.kill();
    let mut tcp = get.tcp;
    let ended = soon(tcp.read(&mut [0; 8])).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn who_floods_and_does_not_read_costs_a_bounded_amount() {
    let (mut wire, ours) = opened().await;
    let (reading, mut writing) = ours.io.into_split();
    let mut pings = BytesMut::new();
    (0..10_000).for_each(|_| pings.unsplit(part(Opcode::Ping, &[b'p'; 125], true)));
    let flood = async { while writing.write_all(&pings).await.is_ok() {} };
    let ended = tokio::select! {
        ended = until(&mut wire, "never") => ended,
        () = flood => panic!("it ended by itself"),
    };
    assert_eq!(ended, Err(ErrorKind::TimedOut));
    assert!(wire.unsent() < 5 << 20, "{}", wire.unsent());
    drop(reading);
}
