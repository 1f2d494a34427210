//! Sessions: a login opens a family of refresh tokens, of which only digests are stored.

use std::time::Duration;

use sqlx::Row;
use trialogue_protocol::{Role, UserId};
use uuid::Uuid;

use super::people::{email_key, region_key};
use super::rows::word;
use super::{PersonDetails, Store, StoreError};

/// A new session: its id, the digest of its first refresh token, its life.
#[derive(Debug, Clone)]
pub struct SessionTokens {
    /// The `sid` of its access tokens.
    pub session: Uuid,
    /// SHA-256 of the refresh token.
    pub refresh_hash: [u8; 32],
    /// Absolute life; refreshing does not prolong it.
    pub ttl: Duration,
}

/// A registration, checked by the caller.
#[derive(Clone)]
pub struct NewUser {
    /// As typed, without the blanks around it.
    pub email: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// The rest.
    pub details: PersonDetails,
}

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// Its successor is valid: new, or the same again within the grace.
    Next {
        /// The session.
        session: Uuid,
        /// Its owner.
        user_id: UserId,
        /// As what, now.
        role: Role,
        /// E-mail address, for the token.
        email: String,
    },
    /// It was used again after the grace: the session is ended.
    Reused {
        /// The session.
        session: Uuid,
        /// Its owner.
        user_id: UserId,
    },
    /// Unknown, or of a session that is over.
    Refused,
}

impl Store {
    /// Stores a person and opens a session; `None` when the e-mail address is taken.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn register_user(
        &self,
        user: NewUser,
        tokens: SessionTokens,
    ) -> Result<Option<UserId>, StoreError> {
        let sql = "select verdict, user_id
                   from register_user($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sql)
                    .bind(&user.email)
                    .bind(email_key(&user.email))
                    .bind(&user.password_hash)
                    .bind(&user.details.first_name)
                    .bind(&user.details.last_name)
                    .bind(user.details.role.as_str())
                    .bind(&user.details.region)
                    .bind(region_key(user.details.region.as_deref()))
                    .bind(&user.details.business_name)
                    .bind(tokens.session)
                    .bind(tokens.refresh_hash)
                    .bind(tokens.ttl)
                    .fetch_one(connection)
                    .await?;
                Ok(row.try_get::<Option<i64>, _>("user_id")?.map(UserId))
            })
        })
        .await
    }

    /// Opens a session for a password that was checked against `checked_hash`; false when that is
    /// no longer the user's hash, or the user was disabled meanwhile. `better_hash` replaces it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_session(
        &self,
        user: UserId,
        checked_hash: String,
        better_hash: Option<String>,
        tokens: SessionTokens,
    ) -> Result<bool, StoreError> {
        let sql = "select open_session($1, $2, $3, $4, $5, $6)";
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar(sql)
                    .bind(user.0)
                    .bind(checked_hash)
                    .bind(better_hash)
                    .bind(tokens.session)
                    .bind(tokens.refresh_hash)
                    .bind(tokens.ttl)
                    .fetch_one(connection)
                    .await
            })
        })
        .await
    }

    /// Exchanges a refresh token for the successor that the caller has derived from it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn refresh_session(
        &self,
        hash: [u8; 32],
        successor_hash: [u8; 32],
        grace: Duration,
    ) -> Result<Refreshed, StoreError> {
        let sql = "select verdict, session_id, user_id, role, email
                   from refresh_session($1, $2, $3)";
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sql)
                    .bind(hash)
                    .bind(successor_hash)
                    .bind(grace)
                    .fetch_one(connection)
                    .await?;
                let verdict: &str = row.try_get("verdict")?;
                if verdict == "refused" {
                    return Ok(Refreshed::Refused);
                }
                let session = row.try_get("session_id")?;
                let user_id = UserId(row.try_get("user_id")?);
                Ok(match verdict {
                    "reused" => Refreshed::Reused { session, user_id },
                    _ => Refreshed::Next {
                        session,
                        user_id,
                        role: word(&row, "role")?,
                        email: row.try_get("email")?,
                    },
                })
            })
        })
        .await
    }

    /// Ends a session; true when it was alive.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_session(&self, user: UserId, session: Uuid) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar("select end_session($1, $2)")
                    .bind(user.0)
                    .bind(session)
                    .fetch_one(connection)
                    .await
            })
        })
        .await
    }

    /// Sets a new password and ends the user's other sessions; false when `checked_hash` is no
    /// longer the user's hash or the session is over.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn change_password(
        &self,
        user: UserId,
        session: Uuid,
        checked_hash: String,
        new_hash: String,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar("select change_password($1, $2, $3, $4)")
                    .bind(user.0)
                    .bind(session)
                    .bind(checked_hash)
                    .bind(new_hash)
                    .fetch_one(connection)
                    .await
            })
        })
        .await
    }
}
