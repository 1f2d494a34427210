//! Joins and sends on a server that acknowledges nothing (DEPLOYED §3): emit, then look.
//!
//! A room counts as entered with `joined_chat`, and its history is read after that. A message counts
//! as stored once history shows a row that can only be it ([`Search`]). One request at a time, because
//! an `error` does not say which one it is about. What may not happen here: a message that leaves
//! again although history shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trialogue_protocol::{
    ChatId, ErrorCode, JoinAck, Message, PageQuery, SendAck, SendStatus, UserId,
};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::ClientSender;

use crate::error::{Error, Refusal};
use crate::link::Trouble;
use crate::outbox::{Answer, Draft, Mark, Search, same_rows};
use crate::rest::Rest;
use crate::socket;

/// How long a look at a history is as good as another one (500 ms): of two messages in a row, the
/// look that found the first counts for the second, and a long queue reads half as much.
const SEEN_FRESH: Duration = Duration::from_millis(500);
/// Chats of which the last look is kept (16).
const SEEN_MAX: usize = 16;

/// What the server said about the request under way.
type Said = Result<(), Refusal>;

/// The request under way.
struct Ear {
    /// A join of this chat; nothing: a message.
    chat: Option<ChatId>,
    said: oneshot::Sender<Said>,
}

/// The newest look at a chat's history: the own rows in it.
struct Seen {
    at: Instant,
    own: Vec<Message>,
}

/// What such requests share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Unacked {
    turn: Arc<Semaphore>,
    ear: Arc<Mutex<Option<Ear>>>,
    seen: Arc<Mutex<BTreeMap<ChatId, Seen>>>,
    /// Cancelled when the connection of now is gone.
    lost: Arc<Mutex<CancellationToken>>,
}

/// One message on its way.
pub(super) struct Departure {
    pub(super) draft: Draft,
    pub(super) outgoing: Outgoing,
    pub(super) mark: Mark,
    pub(super) me: UserId,
    /// How long history is looked at after it left.
    pub(super) look_for: Duration,
    /// The same before it leaves again.
    pub(super) settle: Duration,
}

impl Unacked {
    pub(super) fn new() -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { turn, ear: Arc::default(), seen: Arc::default(), lost: Arc::default() }
    }

    /// The connection is gone: what was under way on it ends, and holds up nobody on the next one.
    pub(super) fn offline(&self) {
        std::mem::take(&mut *lock(&self.lost)).cancel();
        drop(lock(&self.ear).take());
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
    pub(super) fn join(
        self,
        sender: ClientSender,
        outgoing: Outgoing,
        chat: ChatId,
        rest: Rest,
        within: Duration,
    ) -> impl Future<Output = Result<JoinAck, Error>> {
        let lost = lock(&self.lost).clone();
        async move {
            let join = self.enter(&sender, &outgoing, chat, &rest, within);
            lost.run_until_cancelled(join).await.unwrap_or(Err(Error::NotConnected))
        }
    }

    async fn enter(
        &self,
        sender: &ClientSender,
        outgoing: &Outgoing,
        chat: ChatId,
        rest: &Rest,
        within: Duration,
    ) -> Result<JoinAck, Error> {
        {
            let _alone = self.turn.acquire().await.map_err(|_| Error::Closed)?;
            let said = self.listen(Some(chat));
            sender.emit(outgoing).map_err(|e| socket::not_sent(&e))?;
            match tokio::time::timeout(within, said).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(refusal))) => return Err(Error::Refused(refusal)),
                Ok(Err(_)) | Err(_) => {
                    return Err(Error::Unanswered("no `joined_chat` came".to_owned()));
                }
            }
        }
        let messages = history(rest, chat).await?;
        let (members, last_seq, epoch) = (Vec::new(), 0, String::new());
        let (messages, has_more) = (Some(messages), Some(false));
        Ok(JoinAck { chat_id: chat, members, last_seq, epoch, messages, has_more })
    }

    /// How many own rows look like this message, before it leaves for the first time; or the answer
    /// to it if that cannot be known.
    pub(super) async fn count(
        &self,
        draft: &Draft,
        me: UserId,
        rest: &Rest,
    ) -> Result<u32, Answer> {
        let seen = lock(&self.seen).remove(&draft.chat);
        if let Some(seen) = seen.filter(|seen| seen.at.elapsed() <= SEEN_FRESH) {
            return Ok(same_rows(me, draft, &seen.own));
        }
        let rows = history(rest, draft.chat).await.map_err(|error| match error {
            // That the server stumbles over its history says nothing about the message.
            Error::Refused(no) if no.code != ErrorCode::Internal => Answer::Refused(no),
            error => Answer::Lost(Trouble::from(&error)),
        })?;
        Ok(same_rows(me, draft, &rows))
    }

    /// Sends a message, unless history shows that it was sent, and waits until history shows it.
    pub(super) fn send(
        self,
        sender: Option<ClientSender>,
        departure: Departure,
        rest: Rest,
    ) -> impl Future<Output = Answer> {
        let lost = lock(&self.lost).clone();
        async move {
            let send = self.depart(sender, departure, &rest);
            let gone = || Answer::Lost(Trouble::from(&Error::NotConnected));
            lost.run_until_cancelled(send).await.unwrap_or_else(gone)
        }
    }

    async fn depart(
        &self,
        sender: Option<ClientSender>,
        departure: Departure,
        rest: &Rest,
    ) -> Answer {
        let Departure { draft, outgoing, mark, me, look_for, settle } = departure;
        if mark.again {
            let search = Search::new(me, draft.clone(), mark.same, settle);
            if let Some(answer) = left_before(search, draft.chat, rest).await {
                return answer;
            }
        }
        let Ok(_alone) = self.turn.acquire().await else {
            return Answer::Lost(Trouble::from(&Error::Closed));
        };
        let chat = draft.chat;
        if mark.again {
            // An earlier attempt may have succeeded while this one waited for its turn.
            let search = Search::new(me, draft.clone(), mark.same, Duration::ZERO);
            if let Some(answer) = left_before(search, chat, rest).await {
                return answer;
            }
        }
        let mut search = Search::new(me, draft, mark.same, look_for);
        let mut said = Some(self.listen(None));
        let emitted = sender.ok_or(Error::NotConnected);
        let emitted = emitted.and_then(|s| s.emit(&outgoing).map_err(|e| socket::not_sent(&e)));
        match emitted {
            Ok(()) => {}
            // Over a bound that this server announced: it would hang up on every retry.
            Err(Error::Invalid(why)) => {
                return Answer::Refused(Refusal::new(ErrorCode::TooLarge, why));
            }
            Err(error) => return Answer::Lost(Trouble::from(&error)),
        }
        while let Some(pause) = search.next_look() {
            if let Some(refusal) = wait(pause, &mut said).await {
                search.refused(refusal);
            }
            // A look that fails is no answer: the next one may succeed.
            let rows = history(rest, chat).await.unwrap_or_default();
            if let Some(found) = search.find(&rows) {
                self.saw(chat, me, rows);
                return stored(found, SendStatus::Stored);
            }
        }
        search.over()
    }

    /// Keeps the newest look at a chat for the message that follows.
    fn saw(&self, chat: ChatId, me: UserId, mut rows: Vec<Message>) {
        rows.retain(|row| row.sender_id == me);
        let mut all = lock(&self.seen);
        all.retain(|_, seen| seen.at.elapsed() <= SEEN_FRESH);
        if all.len() < SEEN_MAX {
            all.insert(chat, Seen { at: Instant::now(), own: rows });
        }
    }
}

/// What is known of a message that may have left before; nothing: it did not get there.
async fn left_before(mut search: Search, chat: ChatId, rest: &Rest) -> Option<Answer> {
    loop {
        match history(rest, chat).await {
            Ok(rows) => {
                if let Some(found) = search.find(&rows) {
                    return Some(stored(found, SendStatus::Duplicate));
                }
            }
            Err(Error::Refused(no))
                if !no.code.is_retryable() && no.code != ErrorCode::Internal =>
            {
                let about_the_token = Error::Refused(no.clone()).is_about_the_token();
                return Some(if about_the_token {
                    Answer::Refused(no)
                } else {
                    Answer::Unknown(no)
                });
            }
            Err(error) => return Some(Answer::Lost(Trouble::from(&error))),
        }
        tokio::time::sleep(search.next_look()?).await;
    }
}

fn stored(message: Message, status: SendStatus) -> Answer {
    Answer::Stored(SendAck { status, message })
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
