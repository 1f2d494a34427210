//! The face's end of a session.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use trialogue_protocol::{Chat, ChatId, ClientMessageId, MessageType, Seq};
use trialogue_socketio::Args;
use uuid::Uuid;

use super::config::{COMMAND_WAIT_MAX, SessionConfig};
use crate::dialect::Dialect;
use crate::error::{Error, Refusal};
use crate::outbox::Draft;
use crate::timeline::Begin;

/// What a face asks of a session's task.
#[derive(Debug)]
pub(super) enum Command {
    Send { draft: Draft, reply: oneshot::Sender<Result<(), Error>> },
    Again(ClientMessageId),
    Discard(ClientMessageId),
    Kept(oneshot::Sender<Vec<Kept>>),
    Join { chat: ChatId, begin: Begin, accept: bool, reply: oneshot::Sender<Result<(), Error>> },
    List { chats: Vec<Chat>, whole: bool },
    Wipe(oneshot::Sender<Result<(), Error>>),
    Leave(ChatId),
    Older { chat: ChatId, limit: i64 },
    Typing { chat: ChatId, is_typing: bool },
    MarkRead { chat: ChatId, seq: Option<Seq> },
    Request { event: String, args: String, within: Duration, reply: Reply },
    Emit { event: String, args: String, reply: oneshot::Sender<Result<(), Error>> },
    SignedIn,
    Start,
    Stop,
    RetryNow,
    Abort,
    Close,
}

/// Where the answer to a raw request goes.
pub(super) type Reply = oneshot::Sender<Result<Args, Error>>;

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The message.
    pub draft: Draft,
    /// The refusal that it got; `None`: it waits to be stored.
    pub refused: Option<Refusal>,
}

/// Asks a session for things. Cheap to clone; the session ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    commands: mpsc::Sender<Command>,
    request_timeout: Duration,
    dialect: Dialect,
}

impl SessionHandle {
    pub(super) fn new(commands: mpsc::Sender<Command>, config: &SessionConfig) -> Self {
        let (request_timeout, dialect) = (config.request_timeout, config.rest.dialect());
        Self { commands, request_timeout, dialect }
    }

    /// Queues a message. Answers once it is kept (on disk, where there is a journal): from then on
    /// it is sent, now or later. What becomes of it is told by [`super::Update::Outcome`].
    ///
    /// # Errors
    /// [`Error::Invalid`]: the text breaks a limit. [`Error::Full`], [`Error::Storage`]: it is not
    /// queued. [`Error::Closed`].
    pub async fn send(&self, chat: ChatId, text: &str) -> Result<ClientMessageId, Error> {
        let id = ClientMessageId::from(Uuid::now_v7());
        self.send_as(id.clone(), chat, text, MessageType::Text).await?;
        Ok(id)
    }

    /// The same under an id of the caller's own, which makes a repeat of the call harmless.
    ///
    /// # Errors
    /// See [`Self::send`]; [`Error::Invalid`] also when the id waits with another text.
    pub async fn send_as(
        &self,
        id: ClientMessageId,
        chat: ChatId,
        text: &str,
        kind: MessageType,
    ) -> Result<(), Error> {
        self.dialect.check_text(text)?;
        let draft = Draft { id, chat, text: text.to_owned(), kind };
        self.ask(|reply| Command::Send { draft, reply }).await?
    }

    /// Tries a refused message again.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn again(&self, id: ClientMessageId) -> Result<(), Error> {
        self.tell(Command::Again(id)).await
    }

    /// Gives up a message that was refused, or that never left.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn discard(&self, id: ClientMessageId) -> Result<(), Error> {
        self.tell(Command::Discard(id)).await
    }

    /// What the outbox keeps, in the author's order within each chat.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn kept(&self) -> Result<Vec<Kept>, Error> {
        self.ask(Command::Kept).await
    }

    /// Opens a chat: joins its room now and after every reconnect, and shows its messages from
    /// `begin` on: what the backup has of it at once, also without a connection, if it begins with
    /// its newest messages. A chat that is open already stays as it is.
    ///
    /// # Errors
    /// [`Error::Full`]: 128 chats are open. [`Error::Closed`]. A refusal of the server is told by
    /// [`super::Update::JoinFailed`], an invitation that was not accepted yet by
    /// [`super::Update::Invited`].
    pub async fn join(&self, chat: ChatId, begin: Begin) -> Result<(), Error> {
        self.ask(|reply| Command::Join { chat, begin, accept: false, reply }).await?
    }

    /// [`Self::join`] by somebody who was asked: accepts the invitation into the chat's dispute, if
    /// there is one.
    ///
    /// # Errors
    /// See [`Self::join`].
    pub async fn accept(&self, chat: ChatId, begin: Begin) -> Result<(), Error> {
        self.ask(|reply| Command::Join { chat, begin, accept: true, reply }).await?
    }

    /// Tells the session what the server listed ([`crate::Rest::chats`]), most recently active
    /// first: for the backup, and for the counts of unread messages. `whole`: it is all of them, so
    /// that others are forgotten.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn list(&self, chats: Vec<Chat>, whole: bool) -> Result<(), Error> {
        self.tell(Command::List { chats, whole }).await
    }

    /// Wipes the backup, as a logout must. Nothing is kept after it.
    ///
    /// # Errors
    /// [`Error::Storage`]: it is still there. [`Error::Closed`], [`Error::Full`].
    pub async fn wipe_backup(&self) -> Result<(), Error> {
        self.ask(Command::Wipe).await?
    }

    /// Closes a chat and leaves its room. What waits in the outbox is still sent.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn leave(&self, chat: ChatId) -> Result<(), Error> {
        self.tell(Command::Leave(chat)).await
    }

    /// Asks for older messages of an open chat: [`super::Update::Older`].
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn older(&self, chat: ChatId, limit: u32) -> Result<(), Error> {
        self.tell(Command::Older { chat, limit: i64::from(limit) }).await
    }

    /// Says that the user types, or no longer. Lost while there is no connection, as it should be.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn typing(&self, chat: ChatId, is_typing: bool) -> Result<(), Error> {
        self.tell(Command::Typing { chat, is_typing }).await
    }

    /// Says how far the user has read (`None`: everything). Without a connection it is said after
    /// the next join, if the chat is open.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn mark_read(&self, chat: ChatId, seq: Option<Seq>) -> Result<(), Error> {
        self.tell(Command::MarkRead { chat, seq }).await
    }

    /// Emits any event with one JSON argument and answers the acknowledgement as it came: for
    /// scenarios and tests. Neither queued nor repeated.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Unanswered`]; [`Error::TimedOut`] after
    /// [`super::SessionConfig::request_timeout`];
    /// [`Error::Invalid`]: not JSON. A `{ok: false}` is no error here.
    pub async fn request(&self, event: &str, json: &str) -> Result<Args, Error> {
        self.request_args(event, &format!("[{json}]"), self.request_timeout).await
    }

    /// The same with a JSON array of arguments and a time limit of the caller's own.
    ///
    /// # Errors
    /// See [`Self::request`].
    pub async fn request_args(
        &self,
        event: &str,
        array: &str,
        within: Duration,
    ) -> Result<Args, Error> {
        let (event, args) = (event.to_owned(), array.to_owned());
        self.ask(|reply| Command::Request { event, args, within, reply }).await?
    }

    /// Emits any event with one JSON argument and without an acknowledgement.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Invalid`]: not JSON.
    pub async fn emit(&self, event: &str, json: &str) -> Result<(), Error> {
        let (event, args) = (event.to_owned(), format!("[{json}]"));
        self.ask(|reply| Command::Emit { event, args, reply }).await?
    }

    /// Somebody signed in through the session's [`crate::Rest`]: connects with the new token.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn signed_in(&self) -> Result<(), Error> {
        self.tell(Command::SignedIn).await
    }

    /// Connects, if nothing does.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn start(&self) -> Result<(), Error> {
        self.tell(Command::Start).await
    }

    /// Disconnects with a good-bye and stays so; chats stay open and messages queue.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn stop(&self) -> Result<(), Error> {
        self.tell(Command::Stop).await
    }

    /// Does not wait for the next retry.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn retry_now(&self) -> Result<(), Error> {
        self.tell(Command::RetryNow).await
    }

    /// Cuts the connection without a word, as a dead network would: for scenarios and tests. The
    /// session comes back by itself.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Full`].
    pub async fn abort(&self) -> Result<(), Error> {
        self.tell(Command::Abort).await
    }

    /// Ends the session with a good-bye and waits until its task is over (at most a few seconds):
    /// then what the journal was given is on disk and its lock is free.
    pub async fn close(&self) {
        // A session that is gone is closed.
        if self.tell(Command::Close).await.is_ok() {
            self.commands.closed().await;
        }
    }

    async fn tell(&self, command: Command) -> Result<(), Error> {
        match self.commands.send_timeout(command, COMMAND_WAIT_MAX).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Error::Closed),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Error::Full("the session does not keep up: updates are not taken".to_owned()))
            }
        }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Error::Closed)
    }
}
