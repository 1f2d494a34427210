//! Jobs: booking one makes its chat, ending one may close it.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{ChatId, Job, JobId, JobStatus, Notification, UserId};
use uuid::Uuid;

use super::rows::{moment, moment_if_any, notices, word};
use super::{Store, StoreError};

/// A booking, checked by the caller.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Who books.
    pub customer_id: UserId,
    /// Who is to do it.
    pub provider_id: UserId,
    /// Short name.
    pub title: Option<String>,
    /// What is to be done.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// When.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// For how much.
    pub budget: Option<f64>,
    /// `Idempotency-Key`, and a digest of everything above.
    pub key: Option<(String, [u8; 32])>,
}

/// What became of a booking.
#[derive(Debug, Clone, PartialEq)]
pub enum Booking {
    /// Job, chat, members and notification are stored; without the notification when the same key
    /// had stored them before.
    Booked {
        /// The job.
        job_id: JobId,
        /// Its chat.
        chat_id: ChatId,
        /// What the provider is told.
        notices: Vec<Notification>,
    },
    /// The key was used for another booking.
    KeyConflict,
    /// Not an active customer.
    Denied,
    /// No such active provider.
    NoProvider,
}

/// What became of ending a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It has the status that was asked for, now or before.
    Done {
        /// Its chat.
        chat_id: ChatId,
        /// What the others are told; nothing when it was so before.
        notices: Vec<Notification>,
    },
    /// It ended otherwise.
    Conflict,
    /// Not the caller's to end, or no such job.
    Denied,
}

macro_rules! jobs_of_a_person {
    ($tail:literal) => {
        concat!(
            "select j.id, c.id as chat_id, j.customer_id, j.provider_id, j.title, j.description,
                    j.location, j.scheduled_at, j.budget, j.status, j.created_at
             from chat_members m
             join users u on u.id = m.user_id and u.disabled_at is null
             join chats c on c.id = m.chat_id
             join jobs j on j.id = c.job_id
             where m.user_id = $1 and m.removed_at is null ",
            $tail
        )
    };
}

const JOB: &str = jobs_of_a_person!("and j.id = $2");
const JOBS: &str = jobs_of_a_person!("and j.id < $2 order by j.id desc limit $3");

impl Store {
    /// Stores a job, its chat, the two members and the provider's notification, all or none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn book_job(&self, job: NewJob) -> Result<Booking, StoreError> {
        let sql = "select verdict, job_id, chat_id, notices
                   from book_job($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        self.write(move |connection| {
            Box::pin(async move {
                let (key, digest) = job.key.unzip();
                let row = sqlx::query(sql)
                    .bind(job.customer_id.0)
                    .bind(job.provider_id.0)
                    .bind(job.title)
                    .bind(job.description)
                    .bind(job.location)
                    .bind(job.scheduled_at)
                    .bind(job.budget)
                    .bind(key)
                    .bind(digest)
                    .fetch_one(connection)
                    .await?;
                Ok(match row.try_get::<&str, _>("verdict")? {
                    "stored" | "duplicate" => Booking::Booked {
                        job_id: JobId(row.try_get("job_id")?),
                        chat_id: ChatId(row.try_get("chat_id")?),
                        notices: notices(&row)?,
                    },
                    "conflict" => Booking::KeyConflict,
                    "no_provider" => Booking::NoProvider,
                    _ => Booking::Denied,
                })
            })
        })
        .await
    }

    /// Completes (as its provider) or cancels (as its customer) a job; cancelling closes the chat.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_job(
        &self,
        user: UserId,
        job: JobId,
        status: JobStatus,
    ) -> Result<Ended, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("select verdict, chat_id, notices from end_job($1, $2, $3)")
                    .bind(user.0)
                    .bind(job.0)
                    .bind(status.as_str())
                    .fetch_one(connection)
                    .await?;
                Ok(match row.try_get::<&str, _>("verdict")? {
                    "stored" | "unchanged" => Ended::Done {
                        chat_id: ChatId(row.try_get("chat_id")?),
                        notices: notices(&row)?,
                    },
                    "conflict" => Ended::Conflict,
                    _ => Ended::Denied,
                })
            })
        })
        .await
    }

    /// A job of a chat that the person is in.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn job(&self, user: UserId, job: JobId) -> Result<Option<Job>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row =
                    sqlx::query(JOB).bind(user.0).bind(job.0).fetch_optional(connection).await?;
                row.as_ref().map(job_of).transpose()
            })
        })
        .await
    }

    /// Jobs of the chats that a person is in, newest first, with ids below `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn jobs(
        &self,
        user: UserId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Job>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(JOBS)
                    .bind(user.0)
                    .bind(before)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(job_of)
                    .collect()
            })
        })
        .await
    }
}

fn job_of(row: &PgRow) -> sqlx::Result<Job> {
    Ok(Job {
        id: JobId(row.try_get("id")?),
        chat_id: ChatId(row.try_get::<Uuid, _>("chat_id")?),
        customer_id: UserId(row.try_get("customer_id")?),
        provider_id: UserId(row.try_get("provider_id")?),
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        location: row.try_get("location")?,
        scheduled_at: moment_if_any(row, "scheduled_at")?,
        budget: row.try_get("budget")?,
        status: word(row, "status")?,
        created_at: moment(row, "created_at")?,
    })
}
