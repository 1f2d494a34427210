//! The tokens of one account, shared by everything that speaks for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::sync::Semaphore;
use trialogue_protocol::{Role, TokenPair, UserId};

use crate::error::Error;

/// Where tokens outlive the process, and where another process may have put newer ones.
pub trait TokenKeeper: Send + Sync {
    /// What is kept now; `None` when nothing is, or it cannot be read.
    fn load(&self) -> Option<TokenPair>;
    /// Keeps these (`None`: forgets), at once and safely.
    ///
    /// # Errors
    /// [`Error::Storage`] with a sentence that says what to do.
    fn keep(&self, tokens: Option<&TokenPair>) -> Result<(), Error>;
}

/// The tokens of one account. Cheap to clone; all clones see the same tokens.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Mutex<Option<Arc<TokenPair>>>,
    keeper: Option<Box<dyn TokenKeeper>>,
    /// One refresh at a time: the server takes the second use of one refresh token, after 10 s,
    /// as theft (CONTRACT §1).
    refresh_gate: Semaphore,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::in_memory(None)
    }
}

impl Credentials {
    /// Tokens that live as long as the process.
    pub fn in_memory(tokens: Option<TokenPair>) -> Self {
        Self::of(tokens, None)
    }

    /// Tokens that are kept; starts with what is kept now.
    pub fn kept(keeper: impl TokenKeeper + 'static) -> Self {
        Self::of(keeper.load(), Some(Box::new(keeper)))
    }

    fn of(tokens: Option<TokenPair>, keeper: Option<Box<dyn TokenKeeper>>) -> Self {
        let tokens = Mutex::new(tokens.map(Arc::new));
        let inner = Inner { tokens, keeper, refresh_gate: Semaphore::new(1) };
        Self { inner: Arc::new(inner) }
    }

    /// The newest tokens.
    pub fn tokens(&self) -> Option<Arc<TokenPair>> {
        self.lock().clone()
    }

    /// How long the access token may still be used, less a margin for the way; `None`: not known.
    pub fn fresh_for(&self) -> Option<Duration> {
        let tokens = self.tokens()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        fresh_for(&tokens.access_token, now)
    }

    /// Whose the access token is, as it says itself; nothing without one, or when it does not
    /// say. Read, not verified: for what a face shows, never for what anybody may do.
    pub fn whose(&self) -> Option<Whose> {
        serde_json::from_slice(&claims(&self.tokens()?.access_token)?).ok()
    }

    /// When the access token ends, as it says itself; `None`: not known.
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        let tokens = self.tokens()?;
        let claims = claims(&tokens.access_token)?;
        let Times { exp, .. } = serde_json::from_slice(&claims).ok()?;
        // A cast of a float saturates, and what is no date is `None` here.
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a date fit")]
        DateTime::from_timestamp_millis((exp * 1_000.0) as i64)
    }

    /// Whether the access token is renewed without a word from the user.
    pub fn renews(&self) -> bool {
        self.tokens().is_some_and(|tokens| !tokens.refresh_token.is_empty())
    }

    /// Takes and keeps new tokens.
    ///
    /// # Errors
    /// [`Error::Storage`]: they are in use, but the next process will not have them.
    pub fn set(&self, tokens: Option<&TokenPair>) -> Result<(), Error> {
        *self.lock() = tokens.cloned().map(Arc::new);
        match &self.inner.keeper {
            Some(keeper) => keeper.keep(tokens),
            None => Ok(()),
        }
    }

    /// Runs `refresh` with the newest refresh token, alone, unless tokens newer than `than` are
    /// there already: then those are the answer.
    ///
    /// # Errors
    /// Those of `refresh`; [`Error::LoginNeeded`] without a refresh token.
    pub(crate) async fn refreshed<F>(
        &self,
        than: Option<&Arc<TokenPair>>,
        refresh: impl FnOnce(Arc<TokenPair>) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<TokenPair, Error>>,
    {
        // Never closed; its holders have time limits of their own.
        let _alone = self.inner.refresh_gate.acquire().await.map_err(|_| Error::Closed)?;
        let mine = self.tokens();
        if let (Some(mine), Some(than)) = (&mine, than)
            && !Arc::ptr_eq(mine, than)
        {
            return Ok(());
        }
        let kept = self.inner.keeper.as_ref().and_then(|k| k.load()).map(Arc::new);
        if let Some(kept) = kept
            && mine.as_ref().is_some_and(|mine| **mine != *kept)
        {
            // Another process of this account was faster.
            *self.lock() = Some(kept);
            return Ok(());
        }
        let Some(mine) = mine.filter(|t| !t.refresh_token.is_empty()) else {
            return Err(Error::LoginNeeded("there is no refresh token".to_owned()));
        };
        let fresh = refresh(mine).await?;
        // In use even if the disk is full: the old ones are dead.
        if let Err(error) = self.set(Some(&fresh)) {
            tracing::warn!(%error, "tokens are not kept");
        }
        Ok(())
    }

    /// Never held over an await: see the return type.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<TokenPair>>> {
        self.inner.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who an access token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Whose {
    /// The user's id.
    #[serde(rename = "sub")]
    pub user: UserId,
    /// As what they signed in.
    pub role: Role,
}

/// The JSON in the middle of a JWT.
fn claims(token: &str) -> Option<Vec<u8>> {
    let claims = token.split('.').nth(1)?;
    BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()
}

/// Times of a JWT, in Unix seconds. Read, not verified: only the server can do that.
#[derive(Deserialize)]
struct Times {
    exp: f64,
    iat: Option<f64>,
}

/// Longest margin before `exp` (60 s): a refresh and a reconnect fit.
const MARGIN_MAX_S: f64 = 60.0;

/// Longest freshness that is believed (a year): a sum with any clock stays a time.
const FRESH_MAX_S: f64 = 365.0 * 86_400.0;

fn fresh_for(token: &str, now: Duration) -> Option<Duration> {
    let Times { exp, iat } = serde_json::from_slice(&claims(token)?).ok()?;
    // Short-lived tokens get a short margin, or they would never count as fresh.
    let lifetime = iat.map_or(f64::INFINITY, |iat| (exp - iat).max(0.0));
    let left = exp - now.as_secs_f64() - MARGIN_MAX_S.min(lifetime / 5.0);
    Some(Duration::from_secs_f64(left.clamp(0.0, FRESH_MAX_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("x.{}.y", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    fn pair(n: &str) -> TokenPair {
        TokenPair { access_token: format!("a{n}"), refresh_token: format!("r{n}") }
    }

    #[test]
    fn freshness_is_read_from_the_token_and_garbage_is_not_known() {
        let check = |claims: &str, expect: Option<u64>| {
            let got = fresh_for(&token(claims), Duration::from_secs(1_000));
            assert_eq!(got, expect.map(Duration::from_secs), "{claims}");
        };
        check(r#"{"iat":1000,"exp":1900}"#, Some(840));
        check(r#"{"exp":1900}"#, Some(840));
        check(r#"{"iat":1000,"exp":1010}"#, Some(8));
        check(r#"{"iat":0,"exp":900}"#, Some(0));
        check(r#"{"iat":1,"exp":1e300}"#, Some(365 * 86_400));
        check(r#"{"exp":"soon"}"#, None);
        let pair = TokenPair { access_token: token(r#"{"exp":1900.5}"#), ..pair("1") };
        let ends_at = Credentials::in_memory(Some(pair)).ends_at();
        assert_eq!(ends_at.map(|at| at.timestamp_millis()), Some(1_900_500));
        check("{}", None);
        assert_eq!(fresh_for("", Duration::ZERO), None);
        assert_eq!(fresh_for("a.%%%.c", Duration::ZERO), None);
    }

    #[test]
    fn whose_a_token_is_it_says_itself() {
        let check = |claims: &str, expect: Option<(i64, Role)>| {
            let access_token = token(claims);
            let pair = TokenPair { access_token, refresh_token: String::new() };
            let whose = Credentials::in_memory(Some(pair)).whose();
            assert_eq!(whose.map(|w| (w.user.0, w.role)), expect, "{claims}");
        };
        let lsm = r#"{"sub":7,"role":"local_service_manager","email":"a@b"}"#;
        check(lsm, Some((7, Role::Lsm)));
        check(r#"{"sub":"7","role":"customer"}"#, None);
        check(r#"{"sub":7,"role":"admin"}"#, None);
        assert_eq!(Credentials::default().whose(), None);
    }

    #[tokio::test]
    async fn two_refreshes_at_once_are_one() {
        let credentials = Credentials::in_memory(Some(pair("1")));
        let old = credentials.tokens();
        let refresh = |_| async { Ok(pair("2")) };
        let never = |_| async { Err(Error::Garbled("asked twice".to_owned())) };
        let (a, b) = tokio::join!(
            credentials.refreshed(old.as_ref(), refresh),
            credentials.refreshed(old.as_ref(), never)
        );
        assert_eq!((a, b), (Ok(()), Ok(())));
        assert_eq!(*credentials.tokens().unwrap(), pair("2"));
    }

    #[tokio::test]
    async fn tokens_that_another_process_fetched_are_taken_instead_of_refreshing() {
        struct Shelf(Arc<Mutex<Option<TokenPair>>>);
        impl TokenKeeper for Shelf {
            fn load(&self) -> Option<TokenPair> {
                self.0.lock().unwrap().clone()
            }
            fn keep(&self, tokens: Option<&TokenPair>) -> Result<(), Error> {
                *self.0.lock().unwrap() = tokens.cloned();
                Ok(())
            }
        }
        let shelf = Arc::new(Mutex::new(Some(pair("1"))));
        let credentials = Credentials::kept(Shelf(Arc::clone(&shelf)));
        let old = credentials.tokens();
        *shelf.lock().unwrap() = Some(pair("2"));
        let never = |_| async { Err(Error::Garbled("asked".to_owned())) };
        assert_eq!(credentials.refreshed(old.as_ref(), never).await, Ok(()));
        assert_eq!(*credentials.tokens().unwrap(), pair("2"));
        let old = credentials.tokens();
        credentials.refreshed(old.as_ref(), |_| async { Ok(pair("3")) }).await.unwrap();
        assert_eq!(*shelf.lock().unwrap(), Some(pair("3")));
    }

    #[test]
    fn tokens_do_not_show_in_debug_output() {
        let credentials = Credentials::in_memory(Some(pair("secret")));
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
