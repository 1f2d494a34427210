//! Who somebody is: access tokens, refresh tokens, passwords (CONTRACT §1, RELIABILITY §2.12).
//!
//! What may not happen here: a decision about a chat, or about a role, that a token's word is taken
//! for. A token names a user and a session; what they may do is asked of the database each time.

mod password;
mod refresh;
mod tokens;

use std::time::Duration;

pub use password::{Checked, Passwords, check_new};
pub use refresh::RefreshToken;
pub use tokens::{Claims, Tokens};

/// Shortest secret for HS256, in bytes.
pub const SECRET_BYTES_MIN: usize = 32;
/// Absolute life of a session.
pub const SESSION_TTL: Duration = Duration::from_hours(24 * 30);
/// A refresh token that is used again within this time gets the same successor: its first answer
/// may have been lost on the way.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

/// How to know people.
#[derive(Clone)]
pub struct AuthConfig {
    /// Signs access tokens; at least [`SECRET_BYTES_MIN`] bytes. Never printed.
    pub secret: Vec<u8>,
    /// Life of an access token, in whole seconds.
    pub access_ttl: Duration,
    /// `--open-registration`: LSMs may register, hashing is cheap. For tests and demos.
    pub open_registration: bool,
}

/// Why nobody can be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Too short to sign with.
    #[error("the JWT secret has {0} bytes, at least {SECRET_BYTES_MIN} are needed")]
    SecretTooShort(usize),
    /// The cryptography of this machine does not work.
    #[error("cannot use the cryptography of this machine: {0}")]
    Cryptography(String),
}

/// Everything that knows people. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    /// Access and refresh tokens.
    pub tokens: Tokens,
    /// Hashing, on a bounded pool.
    pub passwords: Passwords,
    /// LSMs may register.
    pub open_registration: bool,
}

impl Auth {
    /// Checks the secret, derives keys, and hashes once, so that a login for an unknown address can
    /// be made to cost what any other costs.
    ///
    /// # Errors
    ///
    /// [`AuthError`]; no text of it carries the secret.
    pub fn new(config: &AuthConfig) -> Result<Self, AuthError> {
        Ok(Self {
            tokens: Tokens::new(&config.secret, config.access_ttl)?,
            passwords: Passwords::new(config.open_registration)?,
            open_registration: config.open_registration,
        })
    }
}
