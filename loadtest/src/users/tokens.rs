//! Tokens that are newer than those that a run began with.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use trialogue_client::{Credentials, Rest};
use trialogue_protocol::{Login, TokenPair};

use super::{Person, Secret};

/// A token is renewed after so much of the time that it has left: well before a minute is left of
/// the usual quarter of an hour, when the server says that it is about to end.
const RENEWED_AFTER: f64 = 0.8;
/// Between two tries of a server that does not renew.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Renewals under way at once.
const AT_ONCE: usize = 16;

/// Knows the newest token by the one that it took the place of. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<HashMap<Arc<str>, Arc<str>>>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(***)")
    }
}

impl Tokens {
    /// The newest token of whoever had this one at the begin.
    #[must_use]
    pub fn newest(&self, first: &Arc<str>) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(first).unwrap_or(first).clone()
    }

    fn put(&self, first: &Arc<str>, newest: Arc<str>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(first.clone(), newest);
    }
}

/// Somebody whose token is kept fresh.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) rest: Rest,
    pub(super) person: Person,
    pub(super) first: Arc<str>,
}

/// Keeps tokens fresh for as long as it is polled.
#[derive(Debug)]
pub struct Renewal {
    pub(super) voices: Vec<Voice>,
    pub(super) secret: Option<Secret>,
    pub(super) tokens: Tokens,
}

impl Renewal {
    /// Of nobody yet; what is newer than a token is put there.
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self { voices: Vec::new(), secret: None, tokens }
    }

    /// Somebody who is signed in, and the token that the run begins with.
    pub(crate) fn watch(&mut self, rest: Rest, first: Arc<str>) {
        self.voices.push(Voice { rest, person: Person::default(), first });
    }

    /// How long the first token to end still lasts; none where tokens do not say.
    pub fn lasts(&self) -> Option<Duration> {
        self.voices.iter().filter_map(|voice| voice.rest.credentials().fresh_for()).min()
    }

    /// Renews each token in time; ends only when no token can be renewed. What cannot be renewed now
    /// is tried again.
    pub async fn keep(self) {
        let gate = &tokio::sync::Semaphore::new(AT_ONCE);
        let (secret, tokens) = (self.secret.as_ref(), &self.tokens);
        stream::iter(&self.voices)
            .for_each_concurrent(None, |voice| async move {
                while let Some(left) = voice.rest.credentials().fresh_for() {
                    tokio::time::sleep(left.mul_f64(RENEWED_AFTER).max(PAUSE_MIN)).await;
                    let Ok(_turn) = gate.acquire().await else { return };
                    match voice.renew(secret).await {
                        Ok(Some(newest)) => tokens.put(&voice.first, newest),
                        // A bare token ends when it ends.
                        Ok(None) => return,
                        Err(error) => tracing::warn!(%error, "a token could not be renewed"),
                    }
                }
            })
            .await;
    }
}

impl Voice {
    /// Nothing when there is nothing to renew it with.
    async fn renew(&self, secret: Option<&Secret>) -> Result<Option<Arc<str>>, String> {
        let credentials = self.rest.credentials();
        if let (Some(secret), true) = (secret, self.person.id.is_some()) {
            let token = secret.mint(&self.person)?;
            set(credentials, token)?;
        } else if credentials.renews() {
            let than = credentials.tokens();
            self.rest.refresh(than.as_ref()).await.map_err(|error| error.to_string())?;
        } else if !self.person.password.is_empty() {
            let Person { email, password, .. } = self.person.clone();
            let login = Login { email, password };
            self.rest.login(&login).await.map_err(|error| error.to_string())?;
        } else {
            return Ok(None);
        }
        Ok(credentials.tokens().map(|tokens| tokens.access_token.as_str().into()))
    }
}

/// Takes a bare token.
pub(super) fn set(credentials: &Credentials, access_token: String) -> Result<(), String> {
    let pair = TokenPair { access_token, refresh_token: String::new() };
    credentials.set(Some(&pair)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_is_longer_than_its_tokens_gets_newer_ones_again_and_again() {
        let url = "http://127.0.0.1:9".parse().unwrap();
        let http = trialogue_client::Http::new(trialogue_client::HttpConfig::new(url)).unwrap();
        let dialect = trialogue_client::Dialect::default();
        let rest = Rest::new(http, dialect, Credentials::in_memory(None));
        let secret = Secret::new(b"a secret of the owner").lasting(Duration::from_secs(3));
        let person = Person { id: Some(7), role: "customer".into(), ..Person::default() };
        set(rest.credentials(), secret.mint(&person).unwrap()).unwrap();
        let first: Arc<str> = rest.credentials().tokens().unwrap().access_token.as_str().into();
        let tokens = Tokens::default();
        let voices = vec![Voice { rest, person, first: first.clone() }];
        let renewal = Renewal { voices, secret: Some(secret), tokens: tokens.clone() };
        assert!(renewal.lasts().is_some_and(|left| left < Duration::from_secs(3)));
        let renewed = async {
            let mut known = first.clone();
            for _ in 0..3 {
                while tokens.newest(&first) == known {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                known = tokens.newest(&first);
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                () = renewal.keep() => panic!("it ended"),
                () = renewed => {}
            }
        });
        ended.await.expect("every three seconds another token");
    }

    #[test]
    fn the_newest_token_is_found_by_the_first() {
        let tokens = Tokens::default();
        let first: Arc<str> = "a".into();
        assert_eq!(&*tokens.newest(&first), "a");
        tokens.clone().put(&first, "b".into());
        tokens.put(&first, "c".into());
        assert_eq!(&*tokens.newest(&first), "c");
        assert!(!format!("{tokens:?}").contains('c'));
    }
}
