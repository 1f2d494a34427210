//! What operators may do, straight on the database and without a server: people, tokens for
//! testers, migrations.
//!
//! What may not happen here: SQL, printing, an access check. Whoever has the database's URL has all
//! the rights that there are.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use trialogue_protocol::{ErrorCode, JobId, Register, Role, UserId};
use uuid::Uuid;

use crate::auth::{self, Passwords, RefreshToken, SESSION_TTL, Tokens};
use crate::config::{Config, Secret};
use crate::error::Error;
use crate::flow::log_in;
use crate::secret;
use crate::store::{Migrated, NewUser, OpenError, RoleChange, Store, StoreConfig};

pub use crate::store::{Account, Filter};

/// Connections of an operator's verb: one for the statement, one that the store wants.
const CONNECTIONS: usize = 2;
/// Accounts of one page.
const PAGE: i64 = 500;
/// Sessions that one statement opens.
const SESSIONS_PER_STATEMENT: usize = 500;
/// Tokens that are minted at once, over all people: more than any load test of one machine needs.
pub const TOKENS_MAX: usize = 100_000;

/// A person, as an operator names one: the id or the e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// `7`.
    Id(UserId),
    /// `ada@example.org`.
    Email(String),
}

impl FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.contains('@') => Ok(Self::Email(text.to_owned())),
            Err(_) => Err("a person is named by id or e-mail address"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Email(email) => f.write_str(email),
        }
    }
}

/// A minted access token and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minted {
    /// The owner.
    pub user_id: UserId,
    /// The owner's address.
    pub email: String,
    /// The owner's role.
    pub role: Role,
    /// The token, valid for as long as was asked for.
    pub token: String,
}

/// Brings a database up to date.
///
/// # Errors
///
/// [`OpenError`]; no text of it carries the URL.
pub async fn migrate(url: &Secret) -> Result<Migrated, OpenError> {
    Store::migrate(&store_config(url)).await
}

fn store_config(url: &Secret) -> StoreConfig {
    // Who adds a user does not promise anybody that a message stays; `serve` checks that.
    let url = url.reveal().to_owned();
    StoreConfig { url, connections: CONNECTIONS, unsafe_durability: true }
}

/// An operator at work.
pub struct Operator {
    store: Store,
}

impl Operator {
    /// Reaches a database that is migrated.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; no text of it carries the URL.
    pub async fn attach(url: &Secret) -> Result<Self, OpenError> {
        Ok(Self { store: Store::attach(&store_config(url)).await? })
    }

    /// Makes an account of any role.
    ///
    /// # Errors
    ///
    /// `bad_request` names the field; `conflict` when the address has an account; `unavailable`,
    /// `outcome_unknown`.
    pub async fn add(&self, person: Register) -> Result<Account, Error> {
        let (email, details) = log_in::details_of(&person)?;
        let password_hash = hash("password", person.password).await?;
        let new = NewUser { email, password_hash, details };
        let id = self.store.add_user(new).await?.ok_or_else(taken)?;
        self.find(&Who::Id(id)).await
    }

    /// Accounts, in the order of their ids, page by page: those after `after`, and whether there
    /// may be more.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn list(
        &self,
        filter: Filter,
        after: Option<UserId>,
    ) -> Result<(Vec<Account>, bool), Error> {
        let after = after.unwrap_or(UserId(i64::MIN));
        let page = self.store.accounts(filter, after, PAGE).await?;
        let more = i64::try_from(page.len()).is_ok_and(|length| length == PAGE);
        Ok((page, more))
    }

    /// The account that is meant.
    ///
    /// # Errors
    ///
    /// `not_found`, `unavailable`.
    pub async fn find(&self, who: &Who) -> Result<Account, Error> {
        let found = match who {
            Who::Id(id) => self.store.account(Some(*id), None).await?,
            Who::Email(email) => self.store.account(None, Some(email)).await?,
        };
        found.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("nobody is {who}")))
    }

    /// Gives somebody another role; the sessions end. False when it was so before.
    ///
    /// An LSM leaves the chats of open disputes with the same commit, and for each of them another
    /// LSM of the region is asked in; without one the dispute waits for the next that comes. Who was
    /// a customer or provider stays in the chats of jobs that have ended, in the role of then.
    ///
    /// # Errors
    ///
    /// `conflict` names the jobs of a customer or provider that are open; `not_found`,
    /// `unavailable`, `outcome_unknown`.
    pub async fn set_role(&self, who: &Who, role: Role) -> Result<bool, Error> {
        let id = self.find(who).await?.user.id;
        match self.store.set_role(id, role).await? {
            RoleChange::Stored => Ok(true),
            RoleChange::Unchanged => Ok(false),
            RoleChange::OpenJobs { jobs, count } => {
                Err(Error::new(ErrorCode::Conflict, open_jobs(who, &jobs, count)))
            }
        }
    }

    /// Sets a password; the sessions end.
    ///
    /// # Errors
    ///
    /// `bad_request` for the password, `not_found`, `unavailable`, `outcome_unknown`.
    pub async fn set_password(&self, who: &Who, password: String) -> Result<bool, Error> {
        let id = self.find(who).await?.user.id;
        let hash = hash("password", password).await?;
        Ok(self.store.set_password(id, hash).await?)
    }

    /// Shuts an account, and then its sessions end; or opens it again. False when it was so before.
    /// The open disputes of an LSM that is shut go to others, as with another role.
    ///
    /// # Errors
    ///
    /// `not_found`, `unavailable`, `outcome_unknown`.
    pub async fn set_disabled(&self, who: &Who, disabled: bool) -> Result<bool, Error> {
        let id = self.find(who).await?.user.id;
        Ok(self.store.set_disabled(id, disabled).await?)
    }

    /// Access tokens for testers who own the secret, `count` for each of these people, every one of
    /// a session of its own that lives as long as the token.
    ///
    /// # Errors
    ///
    /// `bad_request` for a life over 30 days or over [`TOKENS_MAX`] tokens; `not_found`; `denied`
    /// for a disabled account; `unavailable`, `outcome_unknown`.
    pub async fn mint(
        &self,
        secret: &Secret,
        people: &[Who],
        count: usize,
        ttl: Duration,
    ) -> Result<Vec<Minted>, Error> {
        if ttl > SESSION_TTL || ttl < Duration::from_secs(1) {
            return Err(Error::field("ttl", "ttl is not 1 s to 30 days"));
        }
        if people.len().saturating_mul(count) > TOKENS_MAX {
            return Err(Error::field("count", format!("over {TOKENS_MAX} tokens")));
        }
        let tokens = Tokens::new(secret.reveal().as_bytes(), ttl)
            .map_err(|error| Error::field("secret", error.to_string()))?;
        let mut minted = Vec::new();
        for who in people {
            let Account { user, disabled_at, .. } = self.find(who).await?;
            if disabled_at.is_some() {
                return Err(Error::new(ErrorCode::Denied, format!("{who} is disabled")));
            }
            let email = user.email.unwrap_or_default();
            let sessions: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
            for some in sessions.chunks(SESSIONS_PER_STATEMENT) {
                let opened = some.iter().map(|id| (*id, RefreshToken::random().digest())).collect();
                self.store.open_sessions(user.id, opened, ttl).await?;
            }
            for session in sessions {
                let token = tokens.mint(user.id, &email, user.role, session)?;
                let email = email.clone();
                minted.push(Minted { user_id: user.id, email, role: user.role, token });
            }
        }
        Ok(minted)
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The secret of a server of this machine: told by variable or file, else the one that it keeps.
///
/// # Errors
///
/// [`crate::config::ConfigError`] when there is none, or it is too short.
pub fn secret_of(config: &Config) -> Result<Secret, crate::config::ConfigError> {
    secret::known(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

async fn hash(field: &'static str, password: String) -> Result<String, Error> {
    auth::check_new(field, &password)?;
    let passwords = Passwords::new(false)
        .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
    passwords.hash(password).await
}

/// Why somebody keeps the role: jobs that nobody else could complete or cancel.
fn open_jobs(who: &Who, named: &[JobId], count: i64) -> String {
    let jobs: Vec<_> = named.iter().map(JobId::to_string).collect();
    let others = usize::try_from(count).map_or(0, |count| count.saturating_sub(jobs.len()));
    let and = if others > 0 { format!(" and {others} more") } else { String::new() };
    format!("{who} has open jobs: {}{and}; complete or cancel them first", jobs.join(", "))
}

fn taken() -> Error {
    crate::policy::Refusal::EmailTaken.into()
}
