//! Frames as they lie in the queues: framed once for a transport, shared by all receivers.

use bytes::{BufMut, Bytes, BytesMut};

use crate::engine;
use crate::packet;
use crate::payload::Outgoing;
use crate::ws::{self, Header, Opcode, SERVER_HEADER_MAX};

/// The form of the frames of a session, by its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Packets of a polling payload, joined by U+001E.
    Polling,
    /// WebSocket frames, header included.
    Websocket,
}

/// Frames one Engine.IO message whose text (without the `4`) is written by `put`, followed by
/// binary messages.
pub(super) fn message(
    encoding: Encoding,
    attachments: &[Bytes],
    put: impl FnOnce(&mut BytesMut),
) -> Bytes {
    packet(encoding, attachments, |out| {
        out.put_u8(b'4');
        put(out);
    })
}

/// Frames one Engine.IO packet, type character included.
pub(super) fn packet(
    encoding: Encoding,
    attachments: &[Bytes],
    put: impl FnOnce(&mut BytesMut),
) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    match encoding {
        Encoding::Polling => {
            put(&mut out);
            for attachment in attachments {
                engine::put_separator(&mut out);
                engine::put_binary(&mut out, attachment);
            }
            out.freeze()
        }
        Encoding::Websocket => {
            // The header's length depends on the payload's: leave room for the longest.
            out.put_bytes(0, SERVER_HEADER_MAX);
            put(&mut out);
            let header = Header::new(Opcode::Text, out.len() - SERVER_HEADER_MAX, None);
            let start = SERVER_HEADER_MAX - header.as_ref().len();
            out[start..SERVER_HEADER_MAX].copy_from_slice(header.as_ref());
            for attachment in attachments {
                ws::put_frame(&mut out, Opcode::Binary, &[attachment], None);
            }
            out.freeze().slice(start..)
        }
    }
}

/// Frames a binary Engine.IO message.
pub(super) fn binary(encoding: Encoding, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes.len() + SERVER_HEADER_MAX);
    match encoding {
        Encoding::Polling => engine::put_binary(&mut out, bytes),
        Encoding::Websocket => ws::put_frame(&mut out, Opcode::Binary, &[bytes], None),
    }
    out.freeze()
}

/// A whole WebSocket frame that is not an Engine.IO packet: pong and close.
pub(super) fn control(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + SERVER_HEADER_MAX);
    ws::put_frame(&mut out, opcode, &[payload], None);
    out.freeze()
}

/// An Engine.IO packet of one character.
pub(super) fn bare(encoding: Encoding, kind: u8) -> Bytes {
    let (text, frame): (&'static [u8], &'static [u8]) = match kind {
        b'1' => (b"1", b"\x81\x011"),
        b'2' => (b"2", b"\x81\x012"),
        _ => (b"6", b"\x81\x016"),
    };
    Bytes::from_static(match encoding {
        Encoding::Polling => text,
        Encoding::Websocket => frame,
    })
}

/// What waited for a poll, for the websocket that replaces it.
pub(super) fn polling_to_websocket(packets: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(packets.len() + SERVER_HEADER_MAX);
    for text in packets.split(|byte| *byte == engine::SEPARATOR) {
        match engine::decode_binary(text) {
            Some(bytes) => ws::put_frame(&mut out, Opcode::Binary, &[&bytes], None),
            None => ws::put_frame(&mut out, Opcode::Text, &[text], None),
        }
    }
    out.freeze()
}

/// The frames of one event during a fan-out: made at most once per namespace path and transport.
pub(super) struct Frames<'a> {
    event: &'a Outgoing,
    made: Vec<(u8, Encoding, Bytes)>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(event: &'a Outgoing) -> Self {
        Self { event, made: Vec::new() }
    }

    pub(super) fn is_volatile(&self) -> bool {
        self.event.is_volatile()
    }

    /// The frame for a socket that is connected under `path`, the path with the number `index`.
    pub(super) fn get(&mut self, index: u8, path: &str, encoding: Encoding) -> Bytes {
        let made = self.made.iter().find(|(i, e, _)| (*i, *e) == (index, encoding));
        if let Some((_, _, frame)) = made {
            return frame.clone();
        }
        let frame = event(encoding, path, None, self.event);
        self.made.push((index, encoding, frame.clone()));
        frame
    }
}

/// Frames one event, with the id of the wanted acknowledgement if any.
pub(super) fn event(encoding: Encoding, path: &str, id: Option<u64>, event: &Outgoing) -> Bytes {
    message(encoding, event.binary(), |out| packet::encode_event(out, path, id, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_framed_once_per_path_and_transport() {
        let event = Outgoing::new("a", &1).unwrap();
        let mut frames = Frames::new(&event);
        let first = frames.get(0, "/chat", Encoding::Websocket);
        assert_eq!(first, &b"\x81\x0f42/chat,[\"a\",1]"[..]);
        let again = frames.get(0, "/chat", Encoding::Websocket);
        assert_eq!(first.as_ptr(), again.as_ptr());
        assert_eq!(frames.get(1, "/", Encoding::Websocket), &b"\x81\x0942[\"a\",1]"[..]);
        assert_eq!(frames.get(0, "/chat", Encoding::Polling), &b"42/chat,[\"a\",1]"[..]);
        assert_eq!(frames.made.len(), 3);
    }

    #[test]
    fn what_waited_for_a_poll_becomes_the_same_frames() {
        let attachments = vec![Bytes::from_static(&[1, 2, 3, 4]), Bytes::new()];
        let event = Outgoing::raw("a", "[]").unwrap().attachments(attachments);
        let polling = super::event(Encoding::Polling, "/", None, &event);
        assert_eq!(polling, &b"452-[\"a\"]\x1ebAQIDBA==\x1eb"[..]);
        let framed = super::event(Encoding::Websocket, "/", None, &event);
        assert_eq!(polling_to_websocket(&polling), framed);
        assert_eq!(
            polling_to_websocket(&bare(Encoding::Polling, b'2')),
            bare(Encoding::Websocket, b'2')
        );
    }

    #[test]
    fn long_payloads_get_long_headers() {
        for length in [125, 126, 65_535, 65_536] {
            let frame = packet(Encoding::Websocket, &[], |out| out.put_bytes(b'x', length));
            let header = Header::new(Opcode::Text, length, None);
            assert_eq!(&frame[..frame.len() - length], header.as_ref());
        }
    }
}
