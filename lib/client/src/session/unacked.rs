//! Joins and sends on a server that acknowledges nothing (DEPLOYED §3): emit, then look.
//!
//! A room counts as entered with `joined_chat`, and its history is read after that. A message counts
//! as stored once history shows a row that can only be it. One request at a time, because an
//! `error` does not say which one it is about. What may not happen here: a message that leaves
//! again although history shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use trialogue_protocol::{
    ChatId, ErrorCode, JoinAck, Message, PageQuery, SendAck, SendStatus, UserId,
};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::ClientSender;

use crate::dialect::stm::confirm::Claims;
use crate::error::{Error, Refusal};
use crate::link::Trouble;
use crate::outbox::{Answer, Draft};
use crate::rest::Rest;
use crate::socket;

/// The first look at history after a message left (40 ms); each pause is twice the one before ...
const LOOK_FIRST: Duration = Duration::from_millis(40);
/// ... up to this (3 s): often while the answer is near.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(3);
/// The same once the server said no: an `error` may follow a message that was stored.
const LOOKS_AFTER_NO: usize = 3;
/// Chats with claims (1,000): as many as an outbox may hold messages.
const CLAIMS_MAX: usize = 1_000;

/// What the server said about the request under way.
type Said = Result<(), Refusal>;

/// The request under way.
struct Ear {
    /// A join of this chat; nothing: a message.
    chat: Option<ChatId>,
    said: oneshot::Sender<Said>,
}

/// What such requests share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Unacked {
    turn: Arc<Semaphore>,
    ear: Arc<Mutex<Option<Ear>>>,
    claims: Arc<Mutex<BTreeMap<ChatId, Claims>>>,
}

/// One message on its way.
pub(super) struct Departure {
    pub(super) draft: Draft,
    pub(super) outgoing: Outgoing,
    /// It may have left before.
    pub(super) again: bool,
    pub(super) me: UserId,
    /// How long history is looked at.
    pub(super) look_for: Duration,
}

impl Unacked {
    pub(super) fn new() -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { turn, ear: Arc::default(), claims: Arc::default() }
    }

    /// `joined_chat` came.
    pub(super) fn entered(&self, chat: ChatId) {
        let mut ear = lock(&self.ear);
        if let Some(ear) = ear.take_if(|ear| ear.chat == Some(chat)) {
            // Who no longer waits does not need the answer.
            drop(ear.said.send(Ok(())));
        }
    }

    /// `error` came: it is about the request under way, if about any.
    pub(super) fn refused(&self, refusal: &Refusal) {
        if let Some(ear) = lock(&self.ear).take() {
            drop(ear.said.send(Err(refusal.clone())));
        }
    }

    fn listen(&self, chat: Option<ChatId>) -> oneshot::Receiver<Said> {
        let (said, hears) = oneshot::channel();
        *lock(&self.ear) = Some(Ear { chat, said });
        hears
    }

    /// Enters a room and reads the chat's history: as if the server had acknowledged with it.
    pub(super) async fn join(
        self,
        sender: ClientSender,
        outgoing: Outgoing,
        chat: ChatId,
        rest: Rest,
        within: Duration,
    ) -> Result<JoinAck, Error> {
        {
            let _alone = self.turn.acquire().await.map_err(|_| Error::Closed)?;
            let said = self.listen(Some(chat));
            sender.emit(&outgoing).map_err(|e| socket::not_sent(&e))?;
            match tokio::time::timeout(within, said).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(refusal))) => return Err(Error::Refused(refusal)),
                Ok(Err(_)) | Err(_) => {
                    return Err(Error::Unanswered("no `joined_chat` came".to_owned()));
                }
            }
        }
        let messages = history(&rest, chat).await?;
        let (members, last_seq, epoch) = (Vec::new(), 0, String::new());
        let (messages, has_more) = (Some(messages), Some(false));
        Ok(JoinAck { chat_id: chat, members, last_seq, epoch, messages, has_more })
    }

    /// Sends a message, unless history shows that it was sent, and waits until history shows it.
    pub(super) async fn send(
        self,
        sender: Option<ClientSender>,
        departure: Departure,
        rest: Rest,
    ) -> Answer {
        match self.depart(sender, departure, rest).await {
            Ok((message, duplicate)) => {
                let status = if duplicate { SendStatus::Duplicate } else { SendStatus::Stored };
                Answer::Stored(SendAck { status, message })
            }
            Err(Error::Refused(refusal)) => Answer::Refused(refusal),
            Err(error) => Answer::Lost(Trouble::from(&error)),
        }
    }

    async fn depart(
        &self,
        sender: Option<ClientSender>,
        departure: Departure,
        rest: Rest,
    ) -> Result<(Message, bool), Error> {
        let Departure { draft, outgoing, again, me, look_for } = departure;
        let _alone = self.turn.acquire().await.map_err(|_| Error::Closed)?;
        // That the server stumbles over its history says nothing about the message.
        let before = history(&rest, draft.chat).await.map_err(|error| match error.code() {
            Some(ErrorCode::Internal) => Error::Unanswered(error.sentence()),
            _ => error,
        })?;
        if let Some(found) = self.before_leaving(me, &draft, &before, again) {
            return Ok((found, true));
        }
        let sender = sender.ok_or(Error::NotConnected)?;
        let mut said = Some(self.listen(None));
        sender.emit(&outgoing).map_err(|e| socket::not_sent(&e))?;
        let (mut no, mut looks_left) = (None, usize::MAX);
        let (mut pause, mut left) = (LOOK_FIRST, look_for);
        while !left.is_zero() {
            let refused = wait(pause.min(left), &mut said).await;
            left = left.saturating_sub(pause);
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
            if refused.is_some() {
                (no, looks_left) = (refused, LOOKS_AFTER_NO);
            }
            // A look that fails is no answer: the next one may succeed.
            let rows = history(&rest, draft.chat).await.unwrap_or_default();
            let found = self.with_claims(draft.chat, |claims| claims.find(me, &draft, &rows));
            if let Some(found) = found {
                return Ok((found, false));
            }
            looks_left = looks_left.saturating_sub(1);
            if looks_left == 0 {
                break;
            }
        }
        Err(no.map_or_else(
            || Error::Unanswered("history does not show the message".to_owned()),
            Error::Refused,
        ))
    }

    /// The row of a message that left before; else takes note of the rows that are not it.
    fn before_leaving(
        &self,
        me: UserId,
        draft: &Draft,
        history: &[Message],
        again: bool,
    ) -> Option<Message> {
        self.with_claims(draft.chat, |claims| {
            let found = again.then(|| claims.find(me, draft, history)).flatten();
            if found.is_none() && !claims.has_stock_of(draft) {
                claims.take_stock(me, draft, history);
            }
            found
        })
    }

    fn with_claims<T>(&self, chat: ChatId, change: impl FnOnce(&mut Claims) -> T) -> T {
        let mut claims = lock(&self.claims);
        if claims.len() >= CLAIMS_MAX && !claims.contains_key(&chat) {
            claims.pop_first();
        }
        change(claims.entry(chat).or_default())
    }
}

/// Waits, or hears earlier that the server said no.
async fn wait(pause: Duration, said: &mut Option<oneshot::Receiver<Said>>) -> Option<Refusal> {
    let Some(hears) = said else {
        tokio::time::sleep(pause).await;
        return None;
    };
    match tokio::time::timeout(pause, hears).await {
        Ok(Ok(Err(refusal))) => {
            *said = None;
            Some(refusal)
        }
        Ok(Ok(Ok(())) | Err(_)) => {
            // The next request listens now, or nobody ever will.
            *said = None;
            tokio::time::sleep(pause).await;
            None
        }
        Err(_) => None,
    }
}

async fn history(rest: &Rest, chat: ChatId) -> Result<Vec<Message>, Error> {
    rest.messages(chat, &PageQuery::default()).await.map(|page| page.messages)
}

/// Never held over an await: every caller is one expression.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
