//! WebSocket framing (RFC 6455) by the groups of the Autobahn suite: 1 frames, 2 pings, 3 reserved
//! bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 closing, 10 automatic fragments.
//!
//! Every case runs against the decoder in both roles, whole, in pieces and byte by byte, and against
//! a live server that echoes plain Engine.IO messages. Text begins with `4` for that reason: it is
//! then a message to both. The suite itself runs in `interop/autobahn`.

mod cases;

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use trialogue_socketio::server::{RawHandler, RawMessages, RawSocket, Server, ServerConfig};
use trialogue_socketio::ws::{Decoder, Limits, Message, Opcode, Role, put_frame};

use self::cases::{Case, FIN, TEXT, cases, text};
use crate::server::Served;
use crate::server::wire::{MASK, Wire};

fn wire(frames: &[(u8, Vec<u8>)], mask: Option<[u8; 4]>) -> BytesMut {
    let mut out = BytesMut::new();
    for (first, payload) in frames {
        let at = out.len();
        put_frame(&mut out, Opcode::Text, &[payload], mask);
        out[at] = *first;
    }
    out
}

/// What the decoder makes of the bytes in pieces of `step`, up to a close or an error.
fn decoded(role: Role, bytes: &[u8], step: usize) -> (Vec<Message>, Option<u16>) {
    let mut decoder = Decoder::new(role, Limits::default());
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(Message::Close(close))) => {
                    return (messages, Some(close.map_or(1000, |close| close.code)));
                }
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error.close_code())),
            }
        }
    }
    (messages, None)
}

#[test]
fn the_decoder_passes_every_case_in_both_roles_however_it_is_cut() {
    for case in cases() {
        for (role, mask) in [(Role::Server, Some(MASK)), (Role::Client, None)] {
            let bytes = wire(&case.frames, mask);
            for step in [bytes.len(), 997, 7, 1] {
                let (messages, closed) = decoded(role, &bytes, step);
                assert_eq!(messages, case.messages, "{} as {role:?} in {step}s", case.id);
                assert_eq!(closed, case.closed, "{} as {role:?} in {step}s", case.id);
            }
        }
    }
}

/// Sends every message back.
struct Echo;

impl RawHandler for Echo {
    async fn run(&self, socket: RawSocket, mut messages: RawMessages) {
        while let Some(message) = messages.recv().await {
            let _closed = socket.send(&message);
        }
    }
}

/// What must come of a message from a server that echoes.
fn answer(message: &Message) -> Option<Message> {
    match message {
        Message::Ping(payload) => Some(Message::Pong(payload.clone())),
        Message::Pong(_) => None,
        echoed => Some(echoed.clone()),
    }
}

/// Sends the case in pieces of `step`; the answers, and the code of the close frame behind them.
async fn tried(address: SocketAddr, case: &Case, step: usize) -> (Vec<Message>, Option<u16>) {
    let mut bytes = wire(&case.frames, Some(MASK));
    if case.closed.is_none() {
        // Its echo says that all has been answered and that the connection lives.
        bytes.extend_from_slice(&wire(&[(FIN | TEXT, b"4alive".to_vec())], Some(MASK)));
    }
    let mut wire = Wire::open(address).await;
    wire.stream.set_nodelay(true).unwrap();
    for piece in bytes.chunks(step) {
        if wire.stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    loop {
        match wire.next().await {
            Some(Message::Close(close)) => return (answers, close.map(|close| close.code)),
            Some(message) if message == text(b"4alive") => return (answers, None),
            Some(message) => answers.push(message),
            None => panic!("{}: closed without a word after {answers:?}", case.id),
        }
    }
}

#[tokio::test]
async fn a_live_server_passes_every_case_in_one_piece_and_in_many() {
    let served = Served::new(Server::builder(ServerConfig::default()).raw(Echo)).await;
    for case in cases() {
        let length = wire(&case.frames, Some(MASK)).len();
        for step in [usize::MAX, length.div_ceil(9)] {
            let (mut came, closed) = tried(served.address, &case, step).await;
            assert_eq!(closed, case.closed, "{}", case.id);
            let mut answers: Vec<Message> = case.messages.iter().filter_map(answer).collect();
            if closed.is_some() {
                // A connection that ends does not wait for what its handler would still say.
                answers.retain(|answer| came.contains(answer));
            }
            // A pong does not wait for the handler either.
            let is_pong = |message: &Message| matches!(message, Message::Pong(_));
            came.sort_by_key(is_pong);
            answers.sort_by_key(is_pong);
            assert_eq!(came, answers, "{}", case.id);
        }
    }
    served.until_empty().await;
}
