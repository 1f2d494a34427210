//! Ids of sessions and sockets: 128 bits from the operating system's generator, never in order.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Characters of an id as text: 128 bits in base64url.
const ID_CHARS: usize = 22;

/// The id of an Engine.IO session. Whoever knows it can use the session over polling, so it is a
/// secret: it has no `Debug` that shows it and is never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(u128);

/// The id of a socket in a namespace (the `sid` of its CONNECT packet). It is a name, not a
/// secret, and independent of the session's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u128);

fn text(id: u128, out: &mut [u8; ID_CHARS]) -> &str {
    let written = URL_SAFE_NO_PAD.encode_slice(id.to_be_bytes(), out).unwrap_or(0);
    std::str::from_utf8(&out[..written]).unwrap_or_default()
}

impl SessionId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    /// Takes the id out of a query; anything that is not exactly an id is `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 18];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Some(Self(u128::from_be_bytes(*bytes.first_chunk()?))),
            _ => None,
        }
    }

    /// One of `among` numbers, the same for the same id and evenly spread.
    pub(super) fn spread(self, among: usize) -> usize {
        // The remainder is below `among`.
        (self.0 % among.max(1) as u128) as usize
    }

    pub(super) fn reveal(self) -> String {
        text(self.0, &mut [0; ID_CHARS]).to_owned()
    }
}

impl SocketId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(text(self.0, &mut [0; ID_CHARS]))
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SocketId({self})")
    }
}

/// Hashes ids by taking 64 of their bits: they are random already and no peer chooses them.
#[derive(Default)]
pub(super) struct IdHasher(u64);

pub(super) type IdHash = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        // The lower half of a random number is as random as the whole.
        self.0 = id as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_do_not_repeat_and_come_back_from_their_text() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let id = SessionId::random();
            let text = id.reveal();
            assert_eq!(text.len(), ID_CHARS);
            assert!(SessionId::parse(&text) == Some(id));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", "constructor", "__proto__", &"a".repeat(23), &"a".repeat(1000)] {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
        assert!(SessionId::parse(&format!("{}+", "A".repeat(21))).is_none());
    }
}
