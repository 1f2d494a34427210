//! Looking around: lists and single things, each for one reader, each bounded.

use trialogue_protocol::{
    Chat, ChatId, ChatList, DisputeList, DisputeStatus, Job, JobId, JobList, ProviderList,
    SEARCH_CHARS_MAX, UserId,
};

use super::check;
use crate::error::Error;
use crate::policy::Refusal;
use crate::store::{ChatCursor, Store};

/// How much of a list, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many.
    pub limit: Option<i64>,
    /// What the list before gave as `next`.
    pub cursor: Option<String>,
}

/// Active providers whose name or business contains `search`, in `region`.
///
/// # Errors
///
/// `bad_request`, `unavailable`.
pub async fn providers(
    store: &Store,
    search: Option<&str>,
    region: Option<&str>,
    query: &ListQuery,
) -> Result<ProviderList, Error> {
    let search = check::line_if_any("q", search, SEARCH_CHARS_MAX)?;
    let region = check::line_if_any("region", region, SEARCH_CHARS_MAX)?;
    let limit = check::limit(query.limit)?;
    let after = check::cursor(query.cursor.as_deref(), 0)?;
    let found = store.providers(search.as_deref(), region.as_deref(), after, limit + 1).await?;
    let (providers, next) = cut(found, limit, |provider| provider.id.0);
    Ok(ProviderList { providers, next })
}

/// Jobs of the reader's chats, newest first.
///
/// # Errors
///
/// `bad_request`, `unavailable`.
pub async fn jobs(store: &Store, reader: UserId, query: &ListQuery) -> Result<JobList, Error> {
    let limit = check::limit(query.limit)?;
    let before = check::cursor(query.cursor.as_deref(), i64::MAX)?;
    let (jobs, next) = cut(store.jobs(reader, before, limit + 1).await?, limit, |job| job.id.0);
    Ok(JobList { jobs, next })
}

/// A job of one of the reader's chats.
///
/// # Errors
///
/// `denied`, `unavailable`.
pub async fn job(store: &Store, reader: UserId, job: JobId) -> Result<Job, Error> {
    Ok(store.job(reader, job).await?.ok_or(Refusal::Denied)?)
}

/// The reader's chats, most recently active first.
///
/// # Errors
///
/// `bad_request`, `unavailable`.
pub async fn chats(store: &Store, reader: UserId, query: &ListQuery) -> Result<ChatList, Error> {
    let limit = check::limit(query.limit)?;
    let after = query.cursor.as_deref().map(chat_cursor).transpose()?;
    let (chats, next) = store.chats(reader, after, limit).await?;
    Ok(ChatList { chats, next: next.map(chat_cursor_text) })
}

/// One of the reader's chats.
///
/// # Errors
///
/// `denied`, `unavailable`.
pub async fn chat(store: &Store, reader: UserId, chat: ChatId) -> Result<Chat, Error> {
    Ok(store.chat(reader, chat).await?.ok_or(Refusal::Denied)?)
}

/// Disputes of the reader's chats, and those that the reader is asked to settle, newest first.
///
/// # Errors
///
/// `bad_request`, `unavailable`.
pub async fn disputes(
    store: &Store,
    reader: UserId,
    status: Option<DisputeStatus>,
    query: &ListQuery,
) -> Result<DisputeList, Error> {
    let limit = check::limit(query.limit)?;
    let before = check::cursor(query.cursor.as_deref(), i64::MAX)?;
    let found = store.disputes(reader, status, before, limit + 1).await?;
    let (disputes, next) = cut(found, limit, |dispute| dispute.id.0);
    Ok(DisputeList { disputes, next })
}

/// One row more than asked for was read: whether it came says whether there is more.
fn cut<T>(mut found: Vec<T>, limit: i64, id: impl Fn(&T) -> i64) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| id(last).to_string());
    (found, next)
}

/// Microseconds since 1970 and the chat: `1760000000123456_0190a0b0-0000-7000-8000-00000000abcd`.
fn chat_cursor_text(cursor: ChatCursor) -> String {
    format!("{}_{}", cursor.active_at_micros, cursor.chat_id)
}

fn chat_cursor(text: &str) -> Result<ChatCursor, Error> {
    let parse = || {
        let (micros, chat) = text.split_once('_')?;
        // Up to the year 5138, and far from where a time cannot be said any more.
        let digits = micros.len() <= 17 && micros.bytes().all(|b| b.is_ascii_digit());
        let active_at_micros = micros.parse().ok().filter(|_| digits)?;
        Some(ChatCursor { active_at_micros, chat_id: chat.parse().ok()? })
    };
    parse().ok_or_else(check::bad_cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_with_null() {
        let check = |found: Vec<i64>, expect: Option<&str>| {
            assert_eq!(cut(found, 2, |id| *id).1.as_deref(), expect);
        };
        check(vec![], None);
        check(vec![3], None);
        check(vec![3, 2], None);
        check(vec![3, 2, 1], Some("2"));
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = ChatCursor {
            active_at_micros: 1_760_000_000_123_456,
            chat_id: "0190a0b0-0000-7000-8000-00000000abcd".parse().unwrap(),
        };
        assert_eq!(chat_cursor(&chat_cursor_text(cursor)), Ok(cursor));
        for wrong in ["", "x", "%", "1_2", "_", &"9".repeat(10_000)] {
            assert!(chat_cursor(wrong).is_err(), "{wrong:.20}");
        }
    }
}
