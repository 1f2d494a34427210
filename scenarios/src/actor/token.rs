//! What is done to an actor's token on purpose.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use trialogue_client::{Credentials, Rest};
use trialogue_protocol::TokenPair;

use super::{Actor, Reply, Wrong};
use crate::FailureKind;
use crate::file::TokenVerb;

/// How long ago an expired token ended, in seconds: over every leeway that a server may grant.
const EXPIRED_AGO_S: i64 = 60;
/// Asked with a token that has ended.
const WHO_AM_I: &str = "/auth/me";
/// How long a connection may still live whose token is exchanged for one that ends, in seconds. A
/// token ends at a whole second, so up to one of these is over already; the rest is for a server
/// that is busy: it must take the token while it lives.
const LIVE_FOR_S: i64 = 3;

impl Actor {
    /// Makes the token end, or ends its session from elsewhere. `json` is empty.
    pub async fn token(&self, verb: TokenVerb, secret: Option<&str>) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let missing = || Wrong::new("a token", format!("{} has not logged in", self.name));
        let tokens = self.rest.credentials().tokens().ok_or_else(missing)?;
        match verb {
            TokenVerb::Revoke => {
                // As another device with the same session would: this one is told nothing.
                let (http, dialect) = (self.rest.http().clone(), self.rest.dialect());
                let elsewhere = Credentials::in_memory(Some((*tokens).clone()));
                let done = Rest::new(http, dialect, elsewhere).logout().await;
                done.map_err(|error| Wrong::new("the session ended", error.to_string()))?;
            }
            TokenVerb::Expire => self.expire(&tokens, secret).await?,
        }
        Ok(Reply { sent, at: self.clock.now(), ..Reply::default() })
    }

    async fn expire(&self, tokens: &TokenPair, secret: Option<&str>) -> Result<(), Wrong> {
        let Some(secret) = secret else {
            let wrong = Wrong::new("a server that the runner started", "an unknown token secret");
            return Err(wrong.of(FailureKind::Unimplemented));
        };
        let wrong = |got: String| Wrong::new("a token that can be made to expire", got);
        let ended = aged(&tokens.access_token, secret, -EXPIRED_AGO_S).map_err(wrong)?;
        if self.is_online() {
            // The connection ends with the token that it was last given.
            let short = aged(&tokens.access_token, secret, LIVE_FOR_S).map_err(wrong)?;
            self.secrets.add(&short);
            let reply = self.emit("refresh_auth", &json!({ "token": short }), true).await?;
            if let Some(error) = reply.error {
                return Err(wrong(error.to_string()).of(FailureKind::Refused));
            }
        }
        self.secrets.add(&ended);
        self.is_refused(&ended).await?;
        let refresh_token = tokens.refresh_token.clone();
        let tokens = TokenPair { access_token: ended, refresh_token };
        let set = self.rest.credentials().set(Some(&tokens));
        set.map_err(|error| wrong(error.to_string()))
    }
}

impl Actor {
    /// A token that has ended opens nothing, where nobody renews it.
    async fn is_refused(&self, ended: &str) -> Result<(), Wrong> {
        let (access_token, refresh_token) = (ended.to_owned(), String::new());
        let ended = Credentials::in_memory(Some(TokenPair { access_token, refresh_token }));
        let rest = Rest::new(self.rest.http().clone(), self.rest.dialect(), ended);
        let expected = format!("`GET {WHO_AM_I}` refused with a token that has ended");
        match rest.raw("GET", WHO_AM_I, None).await {
            Ok((401, _)) => Ok(()),
            Ok((status, _)) => {
                Err(Wrong::new(expected, format!("status {status}: it is still served")))
            }
            Err(error) => Err(Wrong::new(expected, error.to_string())),
        }
    }
}

/// The same token with another end, so many seconds from now. The error is a sentence.
fn aged(token: &str, secret: &str, seconds: i64) -> Result<String, String> {
    let odd = || "it is no token of the kind that this server gives".to_owned();
    let claims = token.split('.').nth(1).ok_or_else(odd)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).map_err(|_| odd())?;
    let mut claims: Value = serde_json::from_slice(&claims).map_err(|_| odd())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let end = now.saturating_add(seconds);
    let begin = end.min(now).saturating_sub(EXPIRED_AGO_S);
    for (name, time) in [("iat", begin), ("nbf", begin), ("exp", end)] {
        claims[name] = json!(time);
    }
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|error| error.to_string())
}
