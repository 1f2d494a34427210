//! A websocket that its owner drives, against a scripted server.

use std::future::poll_fn;
use std::io::ErrorKind;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trialogue_socketio::client::{ConnectError, SCRATCH_BYTES, Wire, WireOpener, Written};
use trialogue_socketio::ws::{Opcode, put_frame};

use crate::peer::{self, HANDSHAKE, Peer, soon};

/// A wire and our end of it.
async fn opened() -> (Wire, peer::Wire<TcpStream>) {
    let peer = Peer::new().await;
    let opener = WireOpener::new(&peer.config()).unwrap();
    let (wire, ours) = tokio::join!(soon(opener.open()), async {
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
    let long = "y".repeat(70_000);
    let mut bytes = part(Opcode::Text, b"one", true);
    bytes.unsplit(part(Opcode::Text, "x".repeat(200).as_bytes(), true));
    bytes.unsplit(part(Opcode::Text, long.as_bytes(), true));
    bytes.unsplit(part(Opcode::Text, b"in ", false));
    bytes.unsplit(part(Opcode::Ping, b"between", true));
    bytes.unsplit(part(Opcode::Continuation, b"two", true));
    bytes.unsplit(part(Opcode::Binary, b"not told", true));
    bytes.unsplit(part(Opcode::Text, b"last", true));
    let write = async {
        for part in bytes.chunks(997) {
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
    let (opened, ()) = tokio::join!(soon(opener.open()), async {
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
