//! CREATING A CHAT: a customer books a job, and with it comes its chat.

use sha2::{Digest, Sha256};
use trialogue_protocol::{
    BUDGET_MAX, CreateJob, ErrorCode, IDEMPOTENCY_KEY_CHARS_MAX as KEY_CHARS_MAX, Job, JobCreated,
    JobId, JobStatus, LINE_CHARS_MAX, PROSE_CHARS_MAX, UserId,
};

use super::{Outcome, check, notify, shown};
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::{Booking, Ended, NewJob, Store};

/// Stores job, chat, members and the provider's notification, all or none. With a key, the same
/// request again is answered as before and stores nothing.
///
/// # Errors
///
/// `bad_request` names the field; `denied` for who is no customer; `not_found` for the provider;
/// `idempotency_conflict`; `unavailable`, `outcome_unknown`.
pub async fn book(
    store: &Store,
    customer: UserId,
    body: &CreateJob,
    key: Option<&str>,
) -> Result<Outcome<JobCreated>, Error> {
    let job = NewJob {
        customer_id: customer,
        provider_id: body.provider_id,
        title: check::line_if_any("title", body.title.as_deref(), LINE_CHARS_MAX)?,
        description: check::prose_if_any(
            "description",
            body.description.as_deref(),
            PROSE_CHARS_MAX,
        )?,
        location: check::line_if_any("location", body.location.as_deref(), LINE_CHARS_MAX)?,
        scheduled_at: body.scheduled_at.map(|at| at.as_datetime()),
        budget: body.budget.map(budget).transpose()?,
        key: key.map(|key| Ok::<_, Error>((idempotency_key(key)?, digest(body)?))).transpose()?,
    };
    match store.book_job(job).await? {
        Booking::Booked { job_id, chat_id, notices } => {
            // It is booked. Showing it whole is a courtesy that must not turn into a failure.
            let job = store.job(customer, job_id).await.ok().flatten();
            let chat = store.chat(customer, chat_id).await.ok().flatten();
            let reply = JobCreated { job_id, chat_id, job, chat };
            Ok(Outcome { reply, events: notify::told(notices).collect() })
        }
        Booking::KeyConflict => Err(Refusal::KeyUsed.into()),
        Booking::Denied => Err(Refusal::Denied.into()),
        Booking::NoProvider => Err(Refusal::NoProvider.into()),
    }
}

/// The provider says that the job is done; the chat stays open. Idempotent. The reply
/// is an error of its own when the ended job could not be read again.
///
/// # Errors
///
/// `denied`, `conflict` when it was cancelled, `unavailable`, `outcome_unknown`.
pub async fn complete(
    store: &Store,
    user: UserId,
    job: JobId,
) -> Result<Outcome<Result<Job, Error>>, Error> {
    end(store, user, job, JobStatus::Completed).await
}

/// The customer calls the job off; the chat closes. Idempotent. The reply is an error
/// of its own when the ended job could not be read again.
///
/// # Errors
///
/// `denied`, `conflict` when it was completed, `unavailable`, `outcome_unknown`.
pub async fn cancel(
    store: &Store,
    user: UserId,
    job: JobId,
) -> Result<Outcome<Result<Job, Error>>, Error> {
    end(store, user, job, JobStatus::Cancelled).await
}

async fn end(
    store: &Store,
    user: UserId,
    job: JobId,
    status: JobStatus,
) -> Result<Outcome<Result<Job, Error>>, Error> {
    match store.end_job(user, job, status).await? {
        Ended::Done { chat_id, notices } => {
            let mut events = Vec::new();
            if !notices.is_empty() {
                events.push(Broadcast::ChatUpdated { chat_id });
            }
            events.extend(notify::told(notices));
            let reply = shown(store.job(user, job).await);
            Ok(Outcome { reply, events })
        }
        Ended::Conflict => Err(Refusal::JobEnded.into()),
        Ended::Denied => Err(Refusal::Denied.into()),
    }
}

fn budget(budget: f64) -> Result<f64, Error> {
    if (0.0..=BUDGET_MAX).contains(&budget) {
        Ok(budget)
    } else {
        Err(Error::field("budget", "budget is not between 0 and 1000000000000"))
    }
}

fn idempotency_key(key: &str) -> Result<String, Error> {
    let allowed = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    if allowed && key.len() <= KEY_CHARS_MAX {
        return Ok(key.to_owned());
    }
    Err(Error::field(
        "Idempotency-Key",
        format!("Idempotency-Key is not 1 to {KEY_CHARS_MAX} visible ASCII characters"),
    ))
}

/// What the request says, apart from its spelling.
fn digest(body: &CreateJob) -> Result<[u8; 32], Error> {
    let text =
        serde_json::to_vec(body).map_err(|_| Error::new(ErrorCode::Internal, "internal error"))?;
    Ok(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bounded() {
        for (key, expect) in [("k", true), ("", false), ("a b", false), ("é", false)] {
            assert_eq!(idempotency_key(key).is_ok(), expect, "{key:?}");
        }
        assert!(idempotency_key(&"k".repeat(255)).is_ok());
        assert!(idempotency_key(&"k".repeat(256)).is_err());
    }

    #[test]
    fn a_budget_is_money() {
        for (sum, expect) in
            [(0.0, true), (99.5, true), (-1.0, false), (f64::NAN, false), (f64::INFINITY, false)]
        {
            assert_eq!(budget(sum).is_ok(), expect, "{sum}");
        }
    }
}
