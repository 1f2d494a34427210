//! The incremental decoder: feed it the bytes as they come, take the messages out.

use bytes::{Buf, Bytes, BytesMut};

use super::utf8::Utf8Check;
use super::{CloseFrame, FrameError, Message, Opcode, Role, apply_mask};

/// The most that one control frame carries (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// What a peer may make us keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message in bytes, in one frame or in the sum of its fragments. A frame over it
    /// is refused at its header, before its payload is read.
    pub message_bytes_max: usize,
    /// The most fragments of one message: a message of a million one-byte fragments, or one that
    /// continues with empty ones for ever, costs us work without ever growing over the byte limit.
    pub fragments_max: u32,
}

impl Default for Limits {
    /// 64 KiB, in at most 1,024 fragments (64 bytes each when the message is full).
    fn default() -> Self {
        Self { message_bytes_max: 64 * 1024, fragments_max: 1_024 }
    }
}

/// Takes messages out of a byte stream. After an error it must not be used again.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    frame: Option<Frame>,
    /// The fragments of a message that has not ended yet.
    message: Option<Fragments>,
    utf8: Utf8Check,
}

/// A frame whose header was read; the buffer begins with its payload.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    len: usize,
    /// How many bytes of the payload have been unmasked and checked.
    done: usize,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    count: u32,
    data: BytesMut,
}

impl Decoder {
    /// A decoder for what reaches `role`, which is our own end.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self { role, limits, frame: None, message: None, utf8: Utf8Check::new() }
    }

    /// Takes the next message out of `buf`, or leaves an unfinished one there and answers `None`:
    /// read more and call again. Unfragmented payloads are split off `buf` without a copy.
    ///
    /// # Errors
    /// [`FrameError`], whose close code ends the connection.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Message>, FrameError> {
        loop {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.read_header(buf)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let Some(frame) = self.read_payload(frame, buf)? else { return Ok(None) };
            let payload = buf.split_to(frame.len);
            if let Some(message) = self.finish_frame(frame, payload)? {
                return Ok(Some(message));
            }
        }
    }

    /// True between messages: nothing of an unfinished one is kept, here or in the buffer.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.frame.is_none() && self.message.is_none()
    }

    fn read_header(&self, buf: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let &[first, second, ref rest @ ..] = &buf[..] else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(FrameError::BadOpcode(first & 0x0F))?;
        let fin = first & 0x80 != 0;
        let masked = second & 0x80 != 0;
        match (self.role, masked) {
            (Role::Server, false) => return Err(FrameError::Unmasked),
            (Role::Client, true) => return Err(FrameError::Masked),
            (Role::Server, true) | (Role::Client, false) => {}
        }
        let Some((len, len_bytes)) = read_length(second & 0x7F, rest)? else { return Ok(None) };
        let len = self.check_frame(opcode, fin, len)?;
        let header_len = 2 + len_bytes;
        let mask = match (masked, buf.get(header_len..header_len + 4)) {
            (false, _) => None,
            (true, None) => return Ok(None),
            (true, Some(mask)) => mask.try_into().ok(),
        };
        buf.advance(header_len + if masked { 4 } else { 0 });
        Ok(Some(Frame { opcode, fin, mask, len, done: 0 }))
    }

    /// May this frame come now, and is there room for it?
    fn check_frame(&self, opcode: Opcode, fin: bool, len: u64) -> Result<usize, FrameError> {
        let limit = self.limits.message_bytes_max;
        let too_long = FrameError::TooLong { limit };
        if opcode.is_control() {
            return match (fin, len) {
                (false, _) => Err(FrameError::FragmentedControl),
                (true, 0..=CONTROL_BYTES_MAX) => usize::try_from(len).map_err(|_| too_long),
                (true, _) => Err(FrameError::ControlTooLong),
            };
        }
        let kept = match (&self.message, opcode) {
            (None, Opcode::Continuation) => return Err(FrameError::UnexpectedContinuation),
            (Some(message), Opcode::Continuation) => {
                if message.count >= self.limits.fragments_max {
                    let limit = self.limits.fragments_max;
                    return Err(FrameError::TooManyFragments { limit });
                }
                message.data.len()
            }
            (Some(_), _) => return Err(FrameError::ExpectedContinuation),
            (None, _) => 0,
        };
        match usize::try_from(len) {
            Ok(len) if len <= limit.saturating_sub(kept) => Ok(len),
            _ => Err(too_long),
        }
    }

    /// Unmasks and checks what has come of the payload; the frame back when all of it has.
    fn read_payload(
        &mut self,
        mut frame: Frame,
        buf: &mut BytesMut,
    ) -> Result<Option<Frame>, FrameError> {
        let come = buf.len().min(frame.len);
        let fresh = &mut buf[frame.done..come];
        if let Some(mask) = frame.mask {
            apply_mask(fresh, mask, frame.done);
        }
        let is_text = match frame.opcode {
            Opcode::Text => true,
            Opcode::Continuation => self.message.as_ref().is_some_and(|message| message.is_text),
            Opcode::Binary | Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        };
        if is_text {
            self.utf8.feed(fresh)?;
            if frame.fin && come == frame.len {
                self.utf8.finish()?;
            }
        }
        frame.done = come;
        if come == frame.len {
            return Ok(Some(frame));
        }
        self.frame = Some(frame);
        Ok(None)
    }

    fn finish_frame(
        &mut self,
        frame: Frame,
        payload: BytesMut,
    ) -> Result<Option<Message>, FrameError> {
        let is_text = match frame.opcode {
            Opcode::Ping => return Ok(Some(Message::Ping(payload.freeze()))),
            Opcode::Pong => return Ok(Some(Message::Pong(payload.freeze()))),
            Opcode::Close => return read_close(payload.freeze()).map(Some),
            Opcode::Continuation => return Ok(self.finish_fragment(frame.fin, &payload)),
            Opcode::Text => true,
            Opcode::Binary => false,
        };
        if frame.fin {
            return Ok(Some(whole(is_text, payload)));
        }
        self.message = Some(Fragments { is_text, count: 1, data: payload });
        Ok(None)
    }

    fn finish_fragment(&mut self, fin: bool, payload: &BytesMut) -> Option<Message> {
        let mut message = self.message.take()?;
        message.count += 1;
        message.data.extend_from_slice(payload);
        if fin {
            return Some(whole(message.is_text, message.data));
        }
        self.message = Some(message);
        None
    }
}

fn whole(is_text: bool, payload: BytesMut) -> Message {
    if is_text { Message::Text(payload.freeze()) } else { Message::Binary(payload.freeze()) }
}

/// The payload length and how many bytes stood for it besides the seven bits; `None`: read more.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    match short {
        126 => {
            let Some(bytes) = rest.first_chunk::<2>() else { return Ok(None) };
            match u64::from(u16::from_be_bytes(*bytes)) {
                0..=125 => Err(FrameError::LengthNotMinimal),
                len => Ok(Some((len, 2))),
            }
        }
        127 => {
            let Some(bytes) = rest.first_chunk::<8>() else { return Ok(None) };
            match u64::from_be_bytes(*bytes) {
                0..=0xFFFF => Err(FrameError::LengthNotMinimal),
                len if len >> 63 != 0 => Err(FrameError::LengthHighBit),
                len => Ok(Some((len, 8))),
            }
        }
        len => Ok(Some((u64::from(len), 0))),
    }
}

fn read_close(mut payload: Bytes) -> Result<Message, FrameError> {
    match payload.len() {
        0 => return Ok(Message::Close(None)),
        1 => return Err(FrameError::HalfCloseCode),
        _ => {}
    }
    let code = payload.get_u16();
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(FrameError::BadCloseCode(code));
    }
    if std::str::from_utf8(&payload).is_err() {
        return Err(FrameError::InvalidUtf8);
    }
    Ok(Message::Close(Some(CloseFrame { code, reason: payload })))
}
