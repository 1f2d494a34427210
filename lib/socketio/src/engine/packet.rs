//! One Engine.IO packet as text. Binary messages have no text form on WebSocket and `b` in polling.

/// Why a text is no Engine.IO packet; the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnginePacketError {
    /// The text is empty or its first character is none of `0` to `6`.
    #[error("unknown engine packet type")]
    Type,
    /// The text is not UTF-8.
    #[error("the engine packet is not UTF-8")]
    Utf8,
    /// A packet that carries nothing came with content.
    #[error("the engine packet has content where none belongs")]
    Content,
    /// A binary message in a polling payload is not base64.
    #[error("the binary message is not base64")]
    Base64,
    /// A polling payload holds more packets than allowed.
    #[error("the payload holds too many packets")]
    TooMany,
}

/// A packet, borrowing its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnginePacket<'a> {
    /// `0`: the server's [`super::Handshake`] as JSON.
    Open(&'a str),
    /// `1`: the session ends.
    Close,
    /// `2`: heartbeat of the server, or `2probe` of a client that tries a transport.
    Ping(&'a str),
    /// `3`: the answer, with the content of the ping.
    Pong(&'a str),
    /// `4`: content for the layer above.
    Message(&'a str),
    /// `5`: the client has moved to this transport.
    Upgrade,
    /// `6`: nothing; releases a pending poll.
    Noop,
}

impl<'a> EnginePacket<'a> {
    /// Decodes one text packet.
    ///
    /// # Errors
    ///
    /// [`EnginePacketError`] when the text is none.
    pub fn decode(text: &'a [u8]) -> Result<Self, EnginePacketError> {
        let text = std::str::from_utf8(text).map_err(|_| EnginePacketError::Utf8)?;
        let (kind, content) = text.split_at_checked(1).ok_or(EnginePacketError::Type)?;
        let bare = |packet| {
            if content.is_empty() { Ok(packet) } else { Err(EnginePacketError::Content) }
        };
        match kind {
            "0" => Ok(Self::Open(content)),
            "1" => bare(Self::Close),
            "2" => Ok(Self::Ping(content)),
            "3" => Ok(Self::Pong(content)),
            "4" => Ok(Self::Message(content)),
            "5" => bare(Self::Upgrade),
            "6" => bare(Self::Noop),
            _ => Err(EnginePacketError::Type),
        }
    }

    /// The packet's type character and its content, which together are its text.
    #[must_use]
    pub fn parts(&self) -> (u8, &'a str) {
        match self {
            Self::Open(content) => (b'0', content),
            Self::Close => (b'1', ""),
            Self::Ping(content) => (b'2', content),
            Self::Pong(content) => (b'3', content),
            Self::Message(content) => (b'4', content),
            Self::Upgrade => (b'5', ""),
            Self::Noop => (b'6', ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_as_it_was_sent() {
        for text in ["0{}", "1", "2", "2probe", "3", "3probe", "4", "4hello", "4\u{e9}", "5", "6"] {
            let (kind, content) = EnginePacket::decode(text.as_bytes()).unwrap().parts();
            assert_eq!(format!("{}{content}", char::from(kind)), text);
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        use EnginePacketError::{Content, Type, Utf8};
        for (text, expect) in [
            (&b""[..], Type),
            (b"abc", Type),
            (b"7", Type),
            (b"-1", Type),
            ("\u{20ac}uro!!".as_bytes(), Type),
            (b"4\xe2\x82", Utf8),
            (b"1x", Content),
            (b"5x", Content),
            (b"6x", Content),
        ] {
            assert_eq!(EnginePacket::decode(text), Err(expect), "{text:?}");
        }
    }
}
