//! LOADING MESSAGE HISTORY: everything, a page by key, or what a resume has missed.

use std::collections::VecDeque;
use std::sync::Arc;

use trialogue_protocol::{
    ChatId, FetchMessages, HISTORY_PAGE_MAX, LIST_LIMIT_DEFAULT, Message, MessagePage, PageQuery,
    RESUME_PAGE_BYTES_MAX, RESUME_PAGE_MAX, Seq, UserId,
};

use super::encoded::{Encoded, STRETCH, Stretch};
use crate::error::Error;
use crate::policy::Refusal;
use crate::store::{Range, Store};

/// Bytes of text that one chunk of a long answer holds: what the server keeps in memory of it.
const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// What a socket has missed that comes back (`join_chat` with `sinceSeq`).
#[derive(Debug, Clone, PartialEq)]
pub struct Missed {
    /// Ascending, right after `sinceSeq`.
    pub messages: Vec<Message>,
    /// More came than fits: ask again from the last one.
    pub has_more: bool,
    /// How far the chat is.
    pub last_seq: Seq,
}

/// What was stored after `since`: at most `limit` messages and 256 KiB. A `since` of another epoch
/// counts for nothing, so such a reader gets the chat from its beginning.
///
/// # Errors
///
/// `bad_request` for a negative number, `denied`, `unavailable`.
pub async fn resume(
    store: &Store,
    reader: UserId,
    chat: ChatId,
    since: Seq,
    epoch: Option<&str>,
    limit: Option<i64>,
) -> Result<Missed, Error> {
    let same_history = epoch.is_none_or(|epoch| *epoch == *store.epoch());
    let seq = if same_history { not_negative("sinceSeq", since)? } else { 0 };
    let limit = page_limit(limit, RESUME_PAGE_MAX)?.unwrap_or(RESUME_PAGE_MAX);
    let range = Range::After { seq, limit: Some(limit) };
    let page = store.page(reader, chat, range, RESUME_PAGE_BYTES_MAX).await?;
    let page = page.ok_or(Refusal::Denied)?;
    let last = page.messages.last().and_then(|m| m.seq).unwrap_or(seq);
    Ok(Missed { has_more: last < page.last_seq, last_seq: page.last_seq, messages: page.messages })
}

/// A page over the socket (`fetch_messages`): exactly one of the two keys.
///
/// # Errors
///
/// `bad_request` for the keys, `denied`, `unavailable`.
pub async fn fetch(
    store: &Store,
    reader: UserId,
    body: &FetchMessages,
) -> Result<MessagePage, Error> {
    if body.after_seq.is_some() == body.before_seq.is_some() {
        return Err(Error::field("afterSeq", "give either afterSeq or beforeSeq"));
    }
    let query =
        PageQuery { limit: body.limit, before_seq: body.before_seq, after_seq: body.after_seq };
    let limit = page_limit(query.limit, HISTORY_PAGE_MAX)?.unwrap_or(LIST_LIMIT_DEFAULT);
    let range = range_of(&query, limit)?;
    let page = store.page(reader, body.chat_id, range, RESUME_PAGE_BYTES_MAX).await?;
    let page = page.ok_or(Refusal::Denied)?;
    let first = page.messages.first().and_then(|m| m.seq);
    let last = page.messages.last().and_then(|m| m.seq);
    let has_more = match range {
        Range::After { .. } => last.is_some_and(|last| last < page.last_seq),
        Range::Before { .. } => first.is_some_and(|first| first > 1),
    };
    Ok(MessagePage {
        chat_id: body.chat_id,
        messages: page.messages,
        first_seq: first,
        last_seq: last,
        has_more: Some(has_more),
        epoch: Some(store.epoch().as_ref().to_owned()),
    })
}

/// An answer of any length, in parts of bounded size (`GET /chat/:id/messages`).
pub struct History {
    store: Store,
    encoded: Encoded,
    reader: UserId,
    chat: ChatId,
    /// Handed out up to here.
    after: Seq,
    /// The range ends here: what is stored later is not part of the answer.
    through: Seq,
    /// Read and not handed out yet: the last `seq` of each text.
    ready: VecDeque<(Seq, Arc<[u8]>)>,
    /// Access was checked and nothing was handed out since.
    checked: bool,
    meta: HistoryMeta,
}

/// What goes beside the messages.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryMeta {
    /// `seq` of the first message of the answer.
    pub first_seq: Option<Seq>,
    /// `seq` of the last message of the answer.
    pub last_seq: Option<Seq>,
    /// More lie further in the direction that was asked for.
    pub has_more: bool,
    /// Identity of the history.
    pub epoch: Arc<str>,
}

/// Begins an answer: all of a chat without a query, else a page by key; with both keys, forwards
/// from the one and short of the other.
///
/// # Errors
///
/// `bad_request` for the query, `denied`, `unavailable`.
pub async fn open(
    store: &Store,
    encoded: &Encoded,
    reader: UserId,
    chat: ChatId,
    query: &PageQuery,
) -> Result<History, Error> {
    let range = match page_limit(query.limit, HISTORY_PAGE_MAX)? {
        None if query.before_seq.is_none() && query.after_seq.is_none() => {
            Range::After { seq: 0, limit: None }
        }
        limit => range_of(query, limit.unwrap_or(LIST_LIMIT_DEFAULT))?,
    };
    let newest = store.reach(reader, chat).await?.ok_or(Refusal::Denied)?;
    let (after, through) = bounds(range, newest);
    let any = through > after;
    let end = query.before_seq.map_or(newest, |before| newest.min(before - 1));
    let has_more = match range {
        Range::After { .. } => any && through < end,
        Range::Before { .. } => any && after > 0,
    };
    let meta = HistoryMeta {
        first_seq: any.then_some(after + 1),
        last_seq: any.then_some(through),
        has_more,
        epoch: store.epoch(),
    };
    Ok(History {
        store: store.clone(),
        encoded: encoded.clone(),
        reader,
        chat,
        after,
        through,
        ready: VecDeque::new(),
        checked: true,
        meta,
    })
}

impl History {
    /// The chat.
    pub fn chat_id(&self) -> ChatId {
        self.chat
    }

    /// What goes beside the messages.
    pub fn meta(&self) -> &HistoryMeta {
        &self.meta
    }

    /// The next messages, ascending, as JSON texts each of which is a list without its brackets;
    /// `None` at the end. Access is checked again for each part, so an answer to somebody who is
    /// put out of the chat breaks off.
    ///
    /// # Errors
    ///
    /// `denied`, `unavailable`.
    pub async fn next(&mut self) -> Result<Option<Vec<Arc<[u8]>>>, Error> {
        if self.is_over() {
            return Ok(None);
        }
        if !std::mem::take(&mut self.checked) {
            self.store.reach(self.reader, self.chat).await?.ok_or(Refusal::Denied)?;
        }
        let (mut texts, mut bytes) = (Vec::new(), 0);
        while !self.is_over() && bytes < CHUNK_BYTES_MAX {
            let (last, text) = match self.ready.pop_front() {
                Some(ready) => ready,
                None => {
                    let stretch = self.stretch();
                    match self.encoded.get(&stretch) {
                        Some(text) => (stretch.last, text),
                        None => self.read(stretch).await?,
                    }
                }
            };
            self.after = last;
            bytes += text.len();
            texts.push(text);
        }
        Ok(Some(texts))
    }

    /// What comes next, up to the end of its stretch.
    fn stretch(&self) -> Stretch {
        let first = self.after + 1;
        Stretch {
            epoch: Arc::clone(&self.meta.epoch),
            chat: self.chat,
            reader: self.reader,
            first,
            last: (self.after / STRETCH * STRETCH + STRETCH).min(self.through),
        }
    }

    /// Reads a stretch, and as many behind it as one statement may bring.
    async fn read(&mut self, mut stretch: Stretch) -> Result<(Seq, Arc<[u8]>), Error> {
        let range = Range::After { seq: self.after, limit: Some(self.through - self.after) };
        let page = self.store.page(self.reader, self.chat, range, CHUNK_BYTES_MAX).await?;
        let mut messages = &page.ok_or(Refusal::Denied)?.messages[..];
        while !messages.is_empty() {
            let taken = stretch.len().min(messages.len());
            let (these, rest) = messages.split_at(taken);
            messages = rest;
            // A statement that stopped early has brought less than a whole stretch.
            stretch.last = stretch.first + these.len() as Seq - 1;
            let last = stretch.last;
            let next = Stretch {
                first: last + 1,
                last: (last / STRETCH * STRETCH + STRETCH).min(self.through),
                ..stretch.clone()
            };
            self.ready.push_back((last, self.encoded.encode(stretch, these)?));
            stretch = next;
        }
        // The range was there when the answer began, and rows are never deleted.
        self.ready.pop_front().ok_or_else(|| Refusal::Denied.into())
    }

    /// Whether everything has been handed out.
    pub fn is_over(&self) -> bool {
        self.after >= self.through
    }
}

/// What lies in a range of a chat that has come to `newest`: after which one, up to which one.
fn bounds(range: Range, newest: Seq) -> (Seq, Seq) {
    match range {
        Range::After { seq, limit } => {
            (seq, limit.map_or(newest, |limit| newest.min(seq.saturating_add(limit))))
        }
        Range::Before { seq, limit } => {
            let through = seq.map_or(newest, |seq| newest.min(seq - 1));
            ((through - limit).max(0), through)
        }
    }
}

fn range_of(query: &PageQuery, limit: i64) -> Result<Range, Error> {
    match (query.after_seq, query.before_seq) {
        (Some(after), Some(before)) => {
            let seq = not_negative("afterSeq", after)?;
            let between = (not_negative("beforeSeq", before)? - seq - 1).max(0);
            Ok(Range::After { seq, limit: Some(limit.min(between)) })
        }
        (Some(after), None) => {
            Ok(Range::After { seq: not_negative("afterSeq", after)?, limit: Some(limit) })
        }
        (None, before) => {
            let seq = before.map(|before| not_negative("beforeSeq", before)).transpose()?;
            Ok(Range::Before { seq, limit })
        }
    }
}

fn not_negative(field: &'static str, seq: Seq) -> Result<Seq, Error> {
    // The upper bound leaves room for arithmetic; no chat gets there.
    if (0..=i64::MAX / 2).contains(&seq) {
        Ok(seq)
    } else {
        Err(Error::field(field, format!("{field} is not a position")))
    }
}

fn page_limit(limit: Option<i64>, max: i64) -> Result<Option<i64>, Error> {
    match limit {
        Some(limit) if !(1..=HISTORY_PAGE_MAX).contains(&limit) => {
            Err(Error::field("limit", format!("limit is not 1 to {HISTORY_PAGE_MAX}")))
        }
        limit => Ok(limit.map(|limit| limit.min(max))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_key_or_lies_between_two() {
        let check = |after_seq, before_seq, expect| {
            let query = PageQuery { limit: None, before_seq, after_seq };
            assert_eq!(range_of(&query, 10).ok(), expect);
        };
        check(Some(3), None, Some(Range::After { seq: 3, limit: Some(10) }));
        check(None, Some(3), Some(Range::Before { seq: Some(3), limit: 10 }));
        check(None, None, Some(Range::Before { seq: None, limit: 10 }));
        check(Some(3), Some(6), Some(Range::After { seq: 3, limit: Some(2) }));
        check(Some(3), Some(99), Some(Range::After { seq: 3, limit: Some(10) }));
        check(Some(3), Some(3), Some(Range::After { seq: 3, limit: Some(0) }));
        check(Some(-1), None, None);
        check(None, Some(i64::MAX), None);
    }

    #[test]
    fn a_range_is_cut_to_what_is_there() {
        let check = |range, expect| assert_eq!(bounds(range, 10), expect, "{range:?}");
        check(Range::After { seq: 0, limit: None }, (0, 10));
        check(Range::After { seq: 3, limit: Some(4) }, (3, 7));
        check(Range::After { seq: 8, limit: Some(4) }, (8, 10));
        check(Range::After { seq: 12, limit: Some(4) }, (12, 10));
        check(Range::After { seq: i64::MAX / 2, limit: Some(i64::MAX) }, (i64::MAX / 2, 10));
        check(Range::Before { seq: None, limit: 4 }, (6, 10));
        check(Range::Before { seq: Some(3), limit: 4 }, (0, 2));
        check(Range::Before { seq: Some(1), limit: 4 }, (0, 0));
        check(Range::Before { seq: Some(99), limit: 4 }, (6, 10));
    }

    #[test]
    fn a_limit_over_the_page_of_a_resume_is_cut() {
        assert_eq!(page_limit(Some(1_000), RESUME_PAGE_MAX), Ok(Some(500)));
        assert_eq!(page_limit(None, RESUME_PAGE_MAX), Ok(None));
        assert!(page_limit(Some(0), RESUME_PAGE_MAX).is_err());
        assert!(page_limit(Some(1_001), RESUME_PAGE_MAX).is_err());
    }
}
