//! RFC 6455 framing for both roles, without IO: bytes in, messages out; messages in, bytes out.
//!
//! ```text
//! socket -> BytesMut -> Decoder::decode -> Message          Header::new / put_frame -> socket
//! ```
//!
//! What a peer may send is bounded before anything is kept for it: a frame that is too long is
//! refused when its header is read, a message may have only so many fragments, and text is checked
//! while it arrives. No extension is ever negotiated, so there is no compression to abuse.

mod decode;
mod encode;
mod error;
mod handshake;
mod mask;
mod utf8;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, Limits};
pub use encode::{
    CLIENT_HEADER_MAX, Header, SERVER_HEADER_MAX, close_payload, put_frame, put_frame_with,
};
pub use error::FrameError;
pub use handshake::{
    HandshakeError, accept_key, check_answer, check_request, is_client_key, new_key,
};
pub use mask::apply_mask;

use bytes::Bytes;

/// Which end of the connection we are: a client masks what it sends, a server must not
/// (RFC 6455 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We opened the connection: we receive unmasked frames.
    Client,
    /// We accepted the connection: we receive masked frames.
    Server,
}

/// What a frame carries (RFC 6455 §5.2). The other eleven values are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a message.
    Continuation = 0x0,
    /// UTF-8 text.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The last frame of this end.
    Close = 0x8,
    /// To be answered by a pong with the same payload.
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 0xA,
}

impl Opcode {
    /// Control frames are never fragmented and carry at most 125 bytes (RFC 6455 §5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }
}

/// A whole message or a control frame, as received.
///
/// The payload shares the buffer it was read into unless the message came in fragments: keeping a
/// small payload for long keeps that buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; the bytes are valid UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
    /// To be answered by a pong with exactly these bytes.
    Ping(Bytes),
    /// May be ignored.
    Pong(Bytes),
    /// The peer closes; answer with the same code, then end the connection.
    Close(Option<CloseFrame>),
}

/// The code and the reason of a close frame (RFC 6455 §7.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// 1000..=1003, 1007..=1014 or 3000..=4999.
    pub code: u16,
    /// At most 123 bytes of valid UTF-8.
    pub reason: Bytes,
}

/// Close codes that this crate sends (RFC 6455 §7.4.1).
pub mod close_code {
    /// The work is done.
    pub const NORMAL: u16 = 1000;
    /// This end goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the framing rules.
    pub const PROTOCOL: u16 = 1002;
    /// Text that is not UTF-8.
    pub const INVALID_DATA: u16 = 1007;
    /// The peer broke a rule of ours.
    pub const POLICY: u16 = 1008;
    /// Over a size limit.
    pub const TOO_BIG: u16 = 1009;
    /// The service restarts: come back.
    pub const SERVICE_RESTART: u16 = 1012;
}
