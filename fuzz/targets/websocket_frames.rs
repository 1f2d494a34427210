//! Frames give the same messages however the bytes are cut, for both roles; nothing panics.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use trialogue_socketio::ws::{Decoder, FrameError, Limits, Message, Role};

const LIMITS: Limits = Limits { message_bytes_max: 256, fragments_max: 8 };

/// All messages, and the error that ended them.
fn messages(role: Role, input: &[u8], step: usize) -> (Vec<Message>, Option<FrameError>) {
    let mut decoder = Decoder::new(role, LIMITS);
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fuzz_target!(|input: &[u8]| {
    for role in [Role::Server, Role::Client] {
        let whole = messages(role, input, input.len().max(1));
        let bytes = messages(role, input, 1);
        let pieces = messages(role, input, 7);
        assert_eq!(whole.0, bytes.0);
        assert_eq!(whole.0, pieces.0);
        // Text that is wrong may be found earlier in pieces, but it is found.
        assert_eq!(whole.1.is_some(), bytes.1.is_some());
    }
});
