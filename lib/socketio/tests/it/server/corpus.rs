//! The seeds of the fuzzer, well-formed and malformed, through the codecs and through a live server.
//!
//! A file's name says what must come of it: `good_…` is read, `bad_…` is refused. The first `bad_`
//! that passes, and the first `good_` that does not, is a change of the protocol.

use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;
use trialogue_socketio::Outgoing;
use trialogue_socketio::engine::Payload;
use trialogue_socketio::packet::{Decoder, PacketError, PacketLimits};
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, Server, ServerConfig, Socket,
};
use trialogue_socketio::ws::{self, Opcode, Role, put_frame};

use super::Served;
use super::wire::{MASK, Wire, http, open_polling};
use crate::peer::SOON;

/// Packets in one polling body, as the fuzz target has it.
const PACKETS_MAX: usize = 1_024;
/// Pieces of a session's input, and what the first byte of a piece makes of it.
const PIECE: u8 = 0xff;
const RAW: u8 = 0xfe;
const BINARY: u8 = 0xfd;
const PING: u8 = 0xfc;

/// The files of a fuzz target by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 20, "the corpus {} is gone", folder.display());
    files
}

/// Every seed must be read or refused as its name says.
fn judge(target: &str, read: impl Fn(&str, &[u8]) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for (name, input) in corpus(target) {
        let result = read(&name, &input);
        if result.is_ok() == name.starts_with("bad_") {
            wrong.push((name, result));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn decode_packet(input: &[u8]) -> Result<(), PacketError> {
    let mut decoder = Decoder::default();
    let mut complete = decoder.text(input, &PacketLimits::default())?.is_some();
    while !complete {
        complete = decoder.binary(Bytes::from_static(b"attachment"))?.is_some();
    }
    Ok(())
}

#[test]
fn every_packet_is_read_or_refused() {
    judge("socketio_packet", |_, input| decode_packet(input).map_err(|error| error.to_string()));
}

#[test]
fn every_polling_payload_is_read_or_refused() {
    judge("engine_payload", |_, input| {
        let items: Result<Vec<_>, _> = Payload::new(input, PACKETS_MAX).collect();
        items.map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn every_run_of_frames_is_read_or_refused_whole_and_byte_by_byte() {
    let limits = ws::Limits { message_bytes_max: 256, fragments_max: 8 };
    judge("websocket_frames", |name, input| {
        let role = if name.contains("_client_") { Role::Server } else { Role::Client };
        let read = |step: usize| {
            let (mut decoder, mut buffer) = (ws::Decoder::new(role, limits), BytesMut::new());
            for piece in input.chunks(step) {
                buffer.extend_from_slice(piece);
                while decoder.decode(&mut buffer)?.is_some() {}
            }
            Ok::<_, ws::FrameError>(())
        };
        assert_eq!(read(1).is_ok(), read(input.len()).is_ok(), "{name}");
        read(input.len()).map_err(|error| error.to_string())
    });
}

/// Echoes to its room and acknowledges.
struct Echo;

impl Handler for Echo {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        Ok(())
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        socket.join("room");
        while let Some(mut event) = events.recv().await {
            let args = event.args().clone();
            let _closed = event.ack_args(&args);
            if let Ok(back) = Outgoing::raw(event.name(), args.json()) {
                socket.namespace().emit("room", &back.attachments(args.attachments().to_vec()));
            }
        }
    }
}

/// What a seed sends on a websocket, as the fuzz target has it.
fn frames_of(input: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    for (number, piece) in input.split(|byte| *byte == PIECE).enumerate() {
        let mut put = |opcode, payload| put_frame(&mut out, opcode, &[payload], Some(MASK));
        match piece.split_first() {
            Some((&BINARY, bytes)) => put(Opcode::Binary, bytes),
            Some((&PING, bytes)) => put(Opcode::Ping, bytes),
            Some((&RAW, raw)) => out.extend_from_slice(raw),
            _ if number == 0 => put(Opcode::Text, b"40"),
            _ => put(Opcode::Text, piece),
        }
    }
    out
}

#[tokio::test]
async fn every_session_ends_and_leaves_nothing_behind() {
    let builder = Server::builder(ServerConfig::default()).namespace(&["/", "/a"], Echo);
    let served = Served::new(builder).await;
    for (name, input) in corpus("socketio_session") {
        let mut wire = Wire::open(served.address).await;
        wire.bytes(&frames_of(&input)).await;
        if name.starts_with("bad_") {
            // Without a word more from us.
            let closed = timeout(SOON / 2, wire.until_closed()).await;
            assert!(closed.is_ok(), "{name} was not refused");
        }
        drop(wire);

        let sid = open_polling(served.address).await;
        let query = format!("EIO=4&transport=polling&sid={sid}");
        let (status, _) = http(served.address, "POST", &query, &input).await;
        assert!(status == 200 || status == 400, "{name}: {status}");
        http(served.address, "POST", &query, "1").await;
        assert_eq!(http(served.address, "POST", &query, "3").await.0, 400, "{name}");
    }
    served.until_empty().await;
}
