//! Refresh tokens: 256 bits, opaque, single use, stored as digests only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of a token.
const BYTES: usize = 32;
/// Characters of its base64 form without padding.
const CHARS: usize = 43;

/// A refresh token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// The first token of a session: 256 bits from the system's generator.
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>()))
    }

    /// The next one, from a MAC of 256 bits in base64.
    pub(super) fn of_mac(mac: String) -> Self {
        Self(mac)
    }

    /// A token as received: `None` for what cannot be one, before the database is asked.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (text.len() == CHARS && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The text, for its owner alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the database keeps.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_form() {
        let token = RefreshToken::random();
        assert_eq!(RefreshToken::parse(token.as_str()), Some(token.clone()));
        assert_ne!(token, RefreshToken::random());
        for wrong in ["", "x", &"x".repeat(44), &"é".repeat(22), &"=".repeat(43)] {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "RefreshToken(***)");
    }
}
