//! The body of a polling request or answer: packets joined by U+001E, binary ones as `b` + base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

use super::{EnginePacket, EnginePacketError};

/// Stands between two packets of a payload.
pub const SEPARATOR: u8 = 0x1e;

/// One entry of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadItem<'a> {
    /// A text packet.
    Text(EnginePacket<'a>),
    /// A binary message.
    Binary(Bytes),
}

/// The packets of a payload, decoded one at a time; bounded by the length of the body and by
/// the number of packets.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    rest: Option<&'a [u8]>,
    packets_left: usize,
}

impl<'a> Payload<'a> {
    /// Splits a body that may hold at most `packets_max` packets.
    #[must_use]
    pub fn new(body: &'a [u8], packets_max: usize) -> Self {
        Self { rest: Some(body), packets_left: packets_max }
    }

    /// What has not been decoded yet, and how many packets it may hold: where to go on later.
    #[must_use]
    pub fn rest(&self) -> Option<(&'a [u8], usize)> {
        self.rest.map(|rest| (rest, self.packets_left))
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<PayloadItem<'a>, EnginePacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let Some(left) = self.packets_left.checked_sub(1) else {
            self.rest = None;
            return Some(Err(EnginePacketError::TooMany));
        };
        self.packets_left = left;
        let text = match memchr::memchr(SEPARATOR, rest) {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                &rest[..at]
            }
            None => {
                self.rest = None;
                rest
            }
        };
        let item = match text.first() {
            Some(b'b') => {
                decode_binary(text).map(PayloadItem::Binary).ok_or(EnginePacketError::Base64)
            }
            _ => EnginePacket::decode(text).map(PayloadItem::Text),
        };
        if item.is_err() {
            self.rest = None;
        }
        Some(item)
    }
}

/// The bytes of a binary message in a payload, `b` included; `None` when it is none.
#[must_use]
pub fn decode_binary(text: &[u8]) -> Option<Bytes> {
    STANDARD.decode(text.strip_prefix(b"b")?).ok().map(Bytes::from)
}

/// Appends the separator when `out` already holds a packet.
pub fn put_separator(out: &mut BytesMut) {
    if !out.is_empty() {
        out.put_u8(SEPARATOR);
    }
}

/// Appends a binary message as `b` and base64.
pub fn put_binary(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u8(b'b');
    let start = out.len();
    // Base64 writes four characters for each three bytes begun.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(body: &[u8]) -> Result<Vec<PayloadItem<'_>>, EnginePacketError> {
        Payload::new(body, 100).collect()
    }

    #[test]
    fn a_payload_is_split_at_the_separator() {
        use EnginePacket::Message;
        let items = all(b"4hello\x1ebAQIDBA==\x1e4").unwrap();
        let binary = PayloadItem::Binary(Bytes::from_static(&[1, 2, 3, 4]));
        let text = |content| PayloadItem::Text(Message(content));
        assert_eq!(items, [text("hello"), binary, text("")]);
    }

    #[test]
    fn a_wrong_packet_ends_the_payload() {
        for (body, expect) in [
            (&b""[..], EnginePacketError::Type),
            (b"abc", EnginePacketError::Type),
            (b"4a\x1e\x1e4b", EnginePacketError::Type),
            (b"4a\x1e", EnginePacketError::Type),
            (b"b!!!!", EnginePacketError::Base64),
            (b"bAQIDBA", EnginePacketError::Base64),
            (b"4\xff", EnginePacketError::Utf8),
        ] {
            assert_eq!(all(body), Err(expect), "{body:?}");
        }
        let flood = [&b"4"[..]; 101].join(&SEPARATOR);
        assert_eq!(all(&flood), Err(EnginePacketError::TooMany));
        assert_eq!(Payload::new(&flood, 100).filter(Result::is_err).count(), 1);
    }

    proptest! {
        #[test]
        fn a_payload_comes_back_as_it_was_sent(
            messages in proptest::collection::vec(
                prop_oneof![
                    "[^\u{1e}]{0,20}".prop_map(Ok),
                    proptest::collection::vec(any::<u8>(), 0..20).prop_map(Err),
                ],
                1..20,
            ),
        ) {
            let mut body = BytesMut::new();
            for message in &messages {
                put_separator(&mut body);
                match message {
                    Ok(text) => body.extend_from_slice(format!("4{text}").as_bytes()),
                    Err(bytes) => put_binary(&mut body, bytes),
                }
            }
            let items = all(&body).unwrap();
            prop_assert_eq!(items.len(), messages.len());
            for (item, message) in items.iter().zip(&messages) {
                match (item, message) {
                    (PayloadItem::Text(EnginePacket::Message(came)), Ok(sent)) => {
                        prop_assert_eq!(came, sent);
                    }
                    (PayloadItem::Binary(came), Err(sent)) => prop_assert_eq!(&came[..], &sent[..]),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }

        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _verdict = all(&body);
        }
    }
}
