//! Frames to be sent. A server's frame is a header of at most ten bytes in front of a payload that
//! may be shared by many receivers; a client's frame is copied, because it must be masked.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Opcode, apply_mask};

/// The longest header that a server sends.
pub const SERVER_HEADER_MAX: usize = 10;
/// The longest header that a client sends: four bytes of mask more.
pub const CLIENT_HEADER_MAX: usize = 14;
/// The longest reason of a close frame: 125 bytes less the code (RFC 6455 §5.5).
const CLOSE_REASON_MAX: usize = 123;

/// The bytes in front of a payload.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    bytes: [u8; CLIENT_HEADER_MAX],
    len: u8,
}

impl Header {
    /// The header of a final frame with `payload_len` bytes; `mask` exactly when we are the client.
    #[must_use]
    pub fn new(opcode: Opcode, payload_len: usize, mask: Option<[u8; 4]>) -> Self {
        let mut bytes = [0; CLIENT_HEADER_MAX];
        bytes[0] = 0x80 | opcode as u8;
        let mask_bit = if mask.is_some() { 0x80 } else { 0 };
        let mut len: u8 = 2;
        match (u8::try_from(payload_len), u16::try_from(payload_len)) {
            (Ok(short @ 0..=125), _) => bytes[1] = mask_bit | short,
            (_, Ok(medium)) => {
                bytes[1] = mask_bit | 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                len = 4;
            }
            _ => {
                bytes[1] = mask_bit | 127;
                bytes[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
                len = 10;
            }
        }
        if let Some(mask) = mask {
            let at = usize::from(len);
            bytes[at..at + 4].copy_from_slice(&mask);
            len += 4;
        }
        Self { bytes, len }
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Appends one final frame whose payload is the concatenation of `parts`; masked (in the copy) when
/// there is a `mask`, which must be unpredictable and new for every frame (RFC 6455 §5.3).
pub fn put_frame(out: &mut BytesMut, opcode: Opcode, parts: &[&[u8]], mask: Option<[u8; 4]>) {
    let payload_len = parts.iter().map(|part| part.len()).sum();
    let header = Header::new(opcode, payload_len, mask);
    out.reserve(usize::from(header.len) + payload_len);
    out.put_slice(header.as_ref());
    let payload_at = out.len();
    for part in parts {
        out.put_slice(part);
    }
    if let Some(mask) = mask {
        apply_mask(&mut out[payload_at..], mask, 0);
    }
}

/// Appends one final frame whose payload `write` appends: for a payload that is made on the way out
/// and whose length is known only then. `mask` as in [`put_frame`].
pub fn put_frame_with(
    out: &mut BytesMut,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    write: impl FnOnce(&mut BytesMut),
) {
    let header_at = out.len();
    out.put_bytes(0, CLIENT_HEADER_MAX);
    let written_at = out.len();
    write(out);
    let written_end = out.len();
    let header = Header::new(opcode, written_end - written_at, mask);
    // Moving a few hundred bytes by a few costs less than a buffer of their own.
    let payload_at = header_at + usize::from(header.len);
    out.copy_within(written_at..written_end, payload_at);
    out.truncate(payload_at + (written_end - written_at));
    out[header_at..payload_at].copy_from_slice(header.as_ref());
    if let Some(mask) = mask {
        apply_mask(&mut out[payload_at..], mask, 0);
    }
}

/// The payload of a close frame. A reason that is too long is cut at a character.
#[must_use]
pub fn close_payload(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_MAX)];
    let mut payload = BytesMut::with_capacity(2 + reason.len());
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    payload.freeze()
}
