//! What operators do to people, straight on the database. Whoever loses rights loses the sessions
//! with the same commit, and every server hears of it within 2 s by `endings`. Whoever can settle no
//! dispute any more is out of it with that, and somebody else is asked: triggers of the database
//! see to it (`0012_moved_disputes.sql`).

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{JobId, Role, Timestamp, User, UserId};
use uuid::Uuid;

use super::people::{email_key, region_key};
use super::rows::{moment, moment_if_any, word};
use super::{NewUser, Store, StoreError};

/// An account as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its last socket went.
    pub last_seen: Option<Timestamp>,
    /// Since when it may not log in.
    pub disabled_at: Option<Timestamp>,
}

/// Which accounts are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this role.
    pub role: Option<Role>,
    /// Only disabled ones, or only others.
    pub disabled: Option<bool>,
}

/// What became of another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleChange {
    /// The person has it, and no session any more.
    Stored,
    /// It was so before, or there is no such person.
    Unchanged,
    /// A customer or provider of jobs that nobody else could end.
    OpenJobs {
        /// The first ten of them.
        jobs: Vec<JobId>,
        /// How many there are.
        count: i64,
    },
}

/// Open jobs that a refusal names.
const OPEN_JOBS_NAMED: i32 = 10;

macro_rules! accounts_where {
    ($condition:literal) => {
        concat!(
            "select id, email, first_name, last_name, role, region, business_name, created_at,
                    last_seen_at, disabled_at
             from users where ",
            $condition
        )
    };
}

const ADD: &str = "
    insert into users
        (email, email_key, password_hash, first_name, last_name, role, region, region_key,
         business_name)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (email_key) do nothing
    returning id";

/// Ends what the change of `changed` has taken the ground from.
macro_rules! ending_sessions {
    ($change:literal) => {
        concat!(
            "with changed as (",
            $change,
            " returning id
             ), ended as (
                update sessions s set ended_at = clock_timestamp() from changed c
                where s.user_id = c.id and s.ended_at is null
             ), told as (
                insert into endings (user_id) select id from changed
             )
             select count(*) > 0 from changed"
        )
    };
}

const SET_PASSWORD: &str = ending_sessions!("update users set password_hash = $2 where id = $1");
const DISABLE: &str = ending_sessions!(
    "update users set disabled_at = clock_timestamp() where id = $1 and disabled_at is null"
);
const ENABLE: &str = "
    with changed as (
        update users set disabled_at = null where id = $1 and disabled_at is not null returning id
    )
    select count(*) > 0 from changed";

const OPEN_SESSIONS: &str = "
    with opened as (
        insert into sessions (id, user_id, expires_at)
        select s.id, $1, now() + $4 from unnest($2::uuid[]) as s (id)
        returning id
    )
    insert into refresh_tokens (hash, session_id)
    select t.hash, t.id from unnest($2::uuid[], $3::bytea[]) as t (id, hash)";

impl Store {
    /// Stores a person without a session; `None` when the e-mail address is taken.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn add_user(&self, user: NewUser) -> Result<Option<UserId>, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let id: Option<i64> = sqlx::query_scalar(ADD)
                    .bind(&user.email)
                    .bind(email_key(&user.email))
                    .bind(&user.password_hash)
                    .bind(&user.details.first_name)
                    .bind(&user.details.last_name)
                    .bind(user.details.role.as_str())
                    .bind(&user.details.region)
                    .bind(region_key(user.details.region.as_deref()))
                    .bind(&user.details.business_name)
                    .fetch_optional(connection)
                    .await?;
                Ok(id.map(UserId))
            })
        })
        .await
    }

    /// Accounts after the id `after`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn accounts(
        &self,
        filter: Filter,
        after: UserId,
        limit: i64,
    ) -> Result<Vec<Account>, StoreError> {
        let sql = accounts_where!(
            "id > $1 and ($2::text is null or role = $2)
                and ($3::boolean is null or (disabled_at is not null) = $3)
             order by id limit $4"
        );
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(sql)
                    .bind(after.0)
                    .bind(filter.role.map(Role::as_str))
                    .bind(filter.disabled)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(account_of)
                    .collect()
            })
        })
        .await
    }

    /// The account with this id, or, without one, with this e-mail address.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn account(
        &self,
        id: Option<UserId>,
        email: Option<&str>,
    ) -> Result<Option<Account>, StoreError> {
        let sql = accounts_where!("id = $1 or $1 is null and email_key = $2");
        let key = email.map(email_key);
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sql)
                    .bind(id.map(|id| id.0))
                    .bind(key)
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(account_of).transpose()
            })
        })
        .await
    }

    /// Gives a person another role and ends the sessions, unless jobs of the person are open.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_role(&self, user: UserId, role: Role) -> Result<RoleChange, StoreError> {
        let sql = "select verdict, job_ids, jobs_open from set_role($1, $2, $3)";
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sql)
                    .bind(user.0)
                    .bind(role.as_str())
                    .bind(OPEN_JOBS_NAMED)
                    .fetch_one(connection)
                    .await?;
                Ok(match row.try_get::<&str, _>("verdict")? {
                    "stored" => RoleChange::Stored,
                    "open_jobs" => {
                        let ids: Vec<i64> = row.try_get("job_ids")?;
                        let jobs = ids.into_iter().map(JobId).collect();
                        RoleChange::OpenJobs { jobs, count: row.try_get("jobs_open")? }
                    }
                    _ => RoleChange::Unchanged,
                })
            })
        })
        .await
    }

    /// Sets a password and ends the sessions; false when there is no such person.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_password(&self, user: UserId, hash: String) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar(SET_PASSWORD).bind(user.0).bind(hash).fetch_one(connection).await
            })
        })
        .await
    }

    /// Shuts an account and ends its sessions, or opens it again; false when it was so before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_disabled(&self, user: UserId, disabled: bool) -> Result<bool, StoreError> {
        let sql = if disabled { DISABLE } else { ENABLE };
        self.write(move |connection| {
            Box::pin(
                async move { sqlx::query_scalar(sql).bind(user.0).fetch_one(connection).await },
            )
        })
        .await
    }

    /// Opens sessions of a person whom nobody has asked for a password; each with the digest of a
    /// refresh token that is given to nobody.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_sessions(
        &self,
        user: UserId,
        sessions: Vec<(Uuid, [u8; 32])>,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let (ids, hashes): (Vec<Uuid>, Vec<Vec<u8>>) =
            sessions.into_iter().map(|(id, hash)| (id, hash.to_vec())).unzip();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(OPEN_SESSIONS)
                    .bind(user.0)
                    .bind(ids)
                    .bind(hashes)
                    .bind(ttl)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

fn account_of(row: &PgRow) -> sqlx::Result<Account> {
    Ok(Account {
        user: User {
            id: UserId(row.try_get("id")?),
            email: Some(row.try_get("email")?),
            first_name: row.try_get("first_name")?,
            last_name: row.try_get("last_name")?,
            role: word(row, "role")?,
            region: row.try_get("region")?,
            business_name: row.try_get("business_name")?,
        },
        created_at: moment(row, "created_at")?,
        last_seen: moment_if_any(row, "last_seen_at")?,
        disabled_at: moment_if_any(row, "disabled_at")?,
    })
}
