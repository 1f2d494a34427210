//! What a peer can do wrong in a frame, and the close code that says so.

use super::close_code;

/// A broken frame. The connection cannot be read any further: send [`FrameError::close_code`] and
/// end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A reserved bit is set, though no extension was negotiated.
    #[error("reserved bits set")]
    ReservedBits,
    /// An opcode that the standard does not define.
    #[error("unknown opcode {0:#x}")]
    BadOpcode(u8),
    /// A control frame without the final bit.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame over 125 bytes.
    #[error("control frame over 125 bytes")]
    ControlTooLong,
    /// A frame of a client came without a mask.
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A frame of a server came with a mask.
    #[error("masked frame from a server")]
    Masked,
    /// A continuation without a message to continue.
    #[error("continuation of nothing")]
    UnexpectedContinuation,
    /// A new message before the last one ended.
    #[error("new message inside a fragmented one")]
    ExpectedContinuation,
    /// A length of 2^63 or more.
    #[error("frame length with the high bit set")]
    LengthHighBit,
    /// A length in more bytes than it needs.
    #[error("frame length not in its shortest form")]
    LengthNotMinimal,
    /// A message over the limit, in one frame or in the sum of its fragments.
    #[error("message over {limit} bytes")]
    TooLong {
        /// [`super::Limits::message_bytes_max`].
        limit: usize,
    },
    /// A message in too many fragments.
    #[error("message in over {limit} fragments")]
    TooManyFragments {
        /// [`super::Limits::fragments_max`].
        limit: u32,
    },
    /// Text, or a close reason, that is not UTF-8.
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// A close frame of one byte.
    #[error("close frame with half a code")]
    HalfCloseCode,
    /// A close code that must not be sent.
    #[error("invalid close code {0}")]
    BadCloseCode(u16),
}

impl FrameError {
    /// The code to close the connection with: 1002, 1007 or 1009.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::TooLong { .. } | Self::TooManyFragments { .. } => close_code::TOO_BIG,
            Self::InvalidUtf8 => close_code::INVALID_DATA,
            Self::ReservedBits
            | Self::BadOpcode(_)
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::Unmasked
            | Self::Masked
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::LengthHighBit
            | Self::LengthNotMinimal
            | Self::HalfCloseCode
            | Self::BadCloseCode(_) => close_code::PROTOCOL,
        }
    }
}
