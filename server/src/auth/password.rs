//! Passwords: argon2id on a pool that bounds both cores and memory.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use trialogue_protocol::{ErrorCode, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

use super::AuthError;
use crate::error::Error;

/// OWASP's floor: KiB of memory, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Under `--open-registration`: tests and demos register many people and guard nobody.
const COST_CHEAP: (u32, u32, u32) = (64, 1, 1);
/// Hashes that may wait for a core; more are refused at once, or a flood of logins would make
/// everybody wait for minutes.
const WAITING_MAX: usize = 32;
/// Threads that hash when the machine does not say how many cores it has.
const THREADS_UNKNOWN: usize = 2;

/// Hashes and checks. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// Of a password that nobody has: checked for addresses that nobody has.
    dummy: String,
    cores: Semaphore,
    line: Semaphore,
    line_max: usize,
}

/// What a check has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The password is the one.
    pub is_right: bool,
    /// A hash with today's parameters, when the checked one has others.
    pub better_hash: Option<String>,
}

impl Passwords {
    /// Picks the cost and makes the dummy.
    ///
    /// # Errors
    ///
    /// [`AuthError::Cryptography`] when the system gives no random numbers.
    pub fn new(cheap: bool) -> Result<Self, AuthError> {
        let (memory, passes, lanes) = if cheap { COST_CHEAP } else { COST };
        let broken = |error: &dyn std::fmt::Display| AuthError::Cryptography(error.to_string());
        let params = Params::new(memory, passes, lanes, None).map_err(|e| broken(&e))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys: [u8; 32] = rand::random();
        let dummy = argon2.hash_password(&nobodys).map_err(|e| broken(&e))?.to_string();
        let cores = available_parallelism().map_or(THREADS_UNKNOWN, usize::from);
        Ok(Self(Arc::new(Inner {
            argon2,
            dummy,
            cores: Semaphore::new(cores),
            line: Semaphore::new(cores + WAITING_MAX),
            line_max: cores + WAITING_MAX,
        })))
    }

    /// A hash of `password`, with a salt of its own.
    ///
    /// # Errors
    ///
    /// `unavailable` when the line is full.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.run(move |inner| {
            inner.argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).ok()
        })
        .await?
        .ok_or_else(|| Error::new(ErrorCode::Internal, "internal error"))
    }

    /// Checks `password` against a hash, or, with the same work, against nobody's.
    ///
    /// # Errors
    ///
    /// `unavailable` when the line is full.
    pub async fn check(&self, password: String, hash: Option<String>) -> Result<Checked, Error> {
        self.run(move |inner| {
            let somebodys = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&inner.dummy);
            let Ok(parsed) = PasswordHash::new(hash) else {
                return Checked { is_right: false, better_hash: None };
            };
            let is_right =
                inner.argon2.verify_password(password.as_bytes(), &parsed).is_ok() && somebodys;
            let is_dated = Params::try_from(&parsed)
                .is_ok_and(|params| params.m_cost() < inner.argon2.params().m_cost());
            let better_hash = (is_right && is_dated)
                .then(|| inner.argon2.hash_password(password.as_bytes()).ok())
                .flatten()
                .map(|hash| hash.to_string());
            Checked { is_right, better_hash }
        })
        .await
    }

    /// How many are being hashed or wait for it.
    pub(crate) fn waiting(&self) -> usize {
        self.0.line_max - self.0.line.available_permits()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let busy = || Error::unavailable("too many passwords are being checked");
        let _in_line = self.0.line.try_acquire().map_err(|_| busy())?;
        let _core = self.0.cores.acquire().await.map_err(|_| busy())?;
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|error| {
            tracing::error!(%error, "hashing a password has panicked");
            Error::new(ErrorCode::Internal, "internal error")
        })
    }
}

/// Checks a new password: 8 to 128 characters, any of them (but NUL), no rules about their kinds.
///
/// # Errors
///
/// `bad_request` that names the field and the bound.
pub fn check_new(field: &'static str, password: &str) -> Result<(), Error> {
    let chars = password.chars().take(PASSWORD_CHARS_MAX + 1).count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        let bounds = format!("{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters");
        return Err(Error::field(field, format!("{field} does not have {bounds}")));
    }
    if password.contains('\0') {
        return Err(Error::field(field, format!("{field} contains a NUL character")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::new(true).unwrap();
        let hash = passwords.hash(" Pass wörd".to_owned()).await.unwrap();
        let check = async |text: &str, hash: Option<&String>| {
            passwords.check(text.to_owned(), hash.cloned()).await.unwrap().is_right
        };
        assert!(check(" Pass wörd", Some(&hash)).await);
        assert!(!check("Pass wörd", Some(&hash)).await, "blanks count");
        assert!(!check(" pass wörd", Some(&hash)).await, "case counts");
        assert!(!check(" Pass wörd", None).await, "nobody has nobody's password");
        assert!(!check("x", Some(&"not a hash".to_owned())).await);
        assert_ne!(hash, passwords.hash(" Pass wörd".to_owned()).await.unwrap(), "own salt");
    }

    #[tokio::test]
    async fn real_hashes_have_the_floor_and_replace_cheap_ones() {
        let real = Passwords::new(false).unwrap();
        let hash = real.hash("a password".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let cheap = Passwords::new(true).unwrap();
        let old = cheap.hash("a password".to_owned()).await.unwrap();
        let checked = real.check("a password".to_owned(), Some(old)).await.unwrap();
        assert!(checked.better_hash.is_some_and(|hash| hash.contains("m=19456")));
        let checked = real.check("a password".to_owned(), Some(hash)).await.unwrap();
        assert_eq!(checked, Checked { is_right: true, better_hash: None });
    }

    #[test]
    fn a_new_password_is_bounded_in_characters() {
        let check = |text: &str, expect: bool| {
            assert_eq!(check_new("password", text).is_ok(), expect, "{}", text.len());
        };
        check("1234567", false);
        check("12345678", true);
        check(&"é".repeat(128), true);
        check(&"é".repeat(129), false);
        check("1234567\0", false);
    }
}
