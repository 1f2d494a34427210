//! Access tokens: JWT, HS256 and nothing else, every claim required and checked.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use serde::{Deserialize, Serialize};
use trialogue_protocol::{ErrorCode, Role, UserId};
use uuid::Uuid;

use super::refresh::RefreshToken;
use super::{AuthError, SECRET_BYTES_MIN};
use crate::error::Error;

/// Who makes our tokens, and for whom: a token of another deployment that happens to share the
/// secret is still not ours.
const ISSUER: &str = "trialogue";
const AUDIENCE: &str = "trialogue";
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(5);
/// Longest token that is looked at: ours have a third of it.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// What a valid token says. The role in it is for clients; nothing here reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub user_id: UserId,
    /// The session that it belongs to.
    pub session: Uuid,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// The payload on the wire. Times are whole seconds: a float or a string is refused.
#[derive(Serialize, Deserialize)]
struct Payload {
    sub: i64,
    email: String,
    role: Role,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
    iss: String,
    aud: String,
    sid: Uuid,
}

/// Makes and checks tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Keys>);

struct Keys {
    sign: EncodingKey,
    verify: DecodingKey,
    validation: Validation,
    /// Derives refresh tokens from their predecessors; not the key that signs.
    succeed: EncodingKey,
    access_ttl: Duration,
}

impl Tokens {
    /// Derives the keys.
    ///
    /// # Errors
    ///
    /// [`AuthError::SecretTooShort`].
    pub fn new(secret: &[u8], access_ttl: Duration) -> Result<Self, AuthError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(AuthError::SecretTooShort(secret.len()));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // `sub` is a number, which this list does not know; the payload's type requires it.
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
        let sign = EncodingKey::from_secret(secret);
        let derived = jsonwebtoken::crypto::sign(b"refresh tokens, v1", &sign, Algorithm::HS256)
            .map_err(|error| AuthError::Cryptography(error.to_string()))?;
        Ok(Self(Arc::new(Keys {
            verify: DecodingKey::from_secret(secret),
            succeed: EncodingKey::from_secret(derived.as_bytes()),
            sign,
            validation,
            access_ttl,
        })))
    }

    /// A token for a session, from now on.
    ///
    /// # Errors
    ///
    /// `internal` when signing fails.
    pub fn mint(
        &self,
        user: UserId,
        email: &str,
        role: Role,
        session: Uuid,
    ) -> Result<String, Error> {
        self.mint_at(Utc::now(), user, email, role, session)
    }

    fn mint_at(
        &self,
        now: DateTime<Utc>,
        user: UserId,
        email: &str,
        role: Role,
        session: Uuid,
    ) -> Result<String, Error> {
        let iat = now.timestamp();
        let ttl = i64::try_from(self.0.access_ttl.as_secs().max(1)).unwrap_or(i64::MAX / 2);
        let payload = Payload {
            sub: user.0,
            email: email.to_owned(),
            role,
            iat,
            nbf: iat,
            exp: iat.saturating_add(ttl),
            jti: Uuid::new_v4(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sid: session,
        };
        encode(&Header::new(Algorithm::HS256), &payload, &self.0.sign).map_err(|error| {
            tracing::error!(%error, "cannot sign a token");
            Error::new(ErrorCode::Internal, "internal error")
        })
    }

    /// Checks a token: signature, every claim, time. That its session lives is asked of the store.
    ///
    /// # Errors
    ///
    /// `token_expired` for one that was ours; `unauthenticated` for anything else.
    pub fn verify(&self, token: &str) -> Result<Claims, Error> {
        let refused = || Error::new(ErrorCode::Unauthenticated, "the access token is not valid");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused());
        }
        let data =
            decode::<Payload>(token, &self.0.verify, &self.0.validation).map_err(|error| {
                match error.kind() {
                    ErrorKind::ExpiredSignature => {
                        Error::new(ErrorCode::TokenExpired, "the access token has expired")
                    }
                    _ => refused(),
                }
            })?;
        let (header, payload) = (data.header, data.claims);
        // A header that points elsewhere for keys or rules is not one of ours (RFC 8725).
        let plain = header.jku.is_none()
            && header.jwk.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.crit.is_none();
        let latest = Utc::now().timestamp() + i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
        if !plain || payload.iat > latest || payload.iat > payload.exp {
            return Err(refused());
        }
        Ok(Claims {
            user_id: UserId(payload.sub),
            session: payload.sid,
            expires_at: DateTime::from_timestamp(payload.exp, 0).ok_or_else(refused)?,
        })
    }

    /// The refresh token that follows `token`: always the same one, and known to nobody without our
    /// key, so that it can be answered again although only its digest is stored.
    ///
    /// # Errors
    ///
    /// `internal` when the cryptography fails.
    pub fn successor(&self, token: &RefreshToken) -> Result<RefreshToken, Error> {
        let bytes = token.as_str().as_bytes();
        let mac = jsonwebtoken::crypto::sign(bytes, &self.0.succeed, Algorithm::HS256);
        mac.map(RefreshToken::of_mac).map_err(|error| {
            tracing::error!(%error, "cannot derive a refresh token");
            Error::new(ErrorCode::Internal, "internal error")
        })
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
