//! UTF-8 checked piece by piece: a character may be cut anywhere, a wrong byte is found at once.

use super::FrameError;

/// The beginning of a character whose rest has not come yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Utf8Check {
    pending: [u8; 4],
    pending_len: u8,
}

impl Utf8Check {
    pub(super) const fn new() -> Self {
        Self { pending: [0; 4], pending_len: 0 }
    }

    /// Takes the next piece of the text.
    ///
    /// # Errors
    /// [`FrameError::InvalidUtf8`] as soon as no continuation could make the text valid.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<(), FrameError> {
        while self.pending_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            let len = usize::from(self.pending_len);
            // A prefix that `from_utf8` calls incomplete has at most three bytes.
            self.pending[len] = byte;
            self.pending_len = match std::str::from_utf8(&self.pending[..=len]) {
                Ok(_) => 0,
                Err(error) if error.error_len().is_none() => self.pending_len + 1,
                Err(_) => return Err(FrameError::InvalidUtf8),
            };
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let tail = &piece[error.valid_up_to()..];
                self.pending[..tail.len()].copy_from_slice(tail);
                self.pending_len = u8::try_from(tail.len()).unwrap_or_default();
                Ok(())
            }
            Err(_) => Err(FrameError::InvalidUtf8),
        }
    }

    /// Ends the text and is ready for the next one.
    ///
    /// # Errors
    /// [`FrameError::InvalidUtf8`] when the text ends inside a character.
    pub(super) fn finish(&mut self) -> Result<(), FrameError> {
        match std::mem::take(&mut self.pending_len) {
            0 => Ok(()),
            _ => Err(FrameError::InvalidUtf8),
        }
    }
}
