//! The other requests of a socket. Each one reads its argument, asks a flow, answers.

use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;
use trialogue_protocol::{
    ChatRef, ErrorCode, FetchMessages, MarkRead, MessagesRead, RefreshAck, RefreshAuth,
    SendMessage, Timestamp, Typing,
};
use trialogue_socketio::server::Event;

use super::instant_of;
use super::session::{Session, allow};
use crate::error::Error;
use crate::flow::{Outcome, load_history, mark_read, send_message};
use crate::publish::answer;

impl Session<'_> {
    /// Takes a message into the line; it is answered when it is stored.
    pub(super) fn send_message(&mut self, request: Event, busy: TaskTrackerToken) {
        let state = &self.service.state;
        let taken = state
            .presence
            .take_message(self.person.id, state.limits.messages, Instant::now())
            .map_err(|wait| {
                Error::rate_limited(state.limits.messages.exceeded("messages per user"), wait)
            })
            .and_then(|()| Self::read::<SendMessage>(&request))
            .and_then(|message| send_message::start(&state.store, self.person.id, message));
        match taken {
            Ok(sending) => self.line.push(request, busy, Box::pin(sending.finish())),
            // Refused at once, but not before the answers of what was sent earlier.
            Err(error) => self.line.push(request, busy, Box::pin(std::future::ready(Err(error)))),
        }
    }

    /// `leave_chat`: only a room that this socket is in.
    pub(super) async fn leave_chat(&mut self, request: Event) {
        let rate = self.service.state.limits.joins;
        let asked = allow(&mut self.rates.joins, rate, "joins per socket")
            .and_then(|()| Self::read::<ChatRef>(&request));
        match asked {
            Ok(ChatRef { chat_id }) => {
                let socket = self.socket.clone();
                if self.service.state.publisher.leave(chat_id, socket, request).await {
                    self.stay.left(chat_id);
                }
            }
            Err(error) => self.refuse(request, &error),
        }
    }

    /// `fetch_messages`: the page of REST over the socket.
    pub(super) async fn fetch_messages(&mut self, request: Event) {
        let rate = self.service.state.limits.fetches;
        let asked = allow(&mut self.rates.fetches, rate, "pages per socket")
            .and_then(|()| Self::read::<FetchMessages>(&request));
        let page = match asked {
            Ok(asked) => {
                load_history::fetch(&self.service.state.store, self.person.id, &asked).await
            }
            Err(error) => Err(error),
        };
        match page {
            Ok(page) => answer::done(request, &page),
            Err(error) => self.refuse(request, &error),
        }
    }

    /// `typing`: never stored, never queued for later.
    pub(super) async fn typing(&mut self, request: Event) {
        let rate = self.service.state.limits.typing;
        let asked = allow(&mut self.rates.typing, rate, "typing events per socket")
            .and_then(|()| Self::read::<Typing>(&request));
        match asked {
            Ok(typing) => {
                let (user, socket) = (self.person.id, self.socket.clone());
                self.service.state.publisher.typing(typing, user, socket, request).await;
            }
            Err(error) => self.refuse(request, &error),
        }
    }

    /// `mark_read`: stored, then told to the others.
    pub(super) async fn mark_read(&mut self, request: Event) {
        let marked = match Self::read::<MarkRead>(&request) {
            Ok(asked) => mark_read::mark(&self.service.state.store, self.person.id, &asked)
                .await
                .map(|outcome| (asked.chat_id, outcome)),
            Err(error) => Err(error),
        };
        match marked {
            Ok((chat_id, Outcome { reply: seq, events })) => {
                let marked = MessagesRead { user_id: self.person.id, chat_id, seq: Some(seq) };
                answer::done(request, &marked);
                for broadcast in events {
                    let from = Some(self.socket.id());
                    self.service.state.publisher.tell(broadcast, from).await;
                }
            }
            Err(error) => self.refuse(request, &error),
        }
    }

    /// `refresh_auth`: a fresh token of the same user lengthens the session.
    pub(super) async fn refresh_auth(&mut self, request: Event) {
        match self.renew(&request).await {
            Ok(expires_at) => answer::done(request, &RefreshAck { expires_at }),
            Err(error) => self.refuse(request, &error),
        }
    }

    async fn renew(&mut self, request: &Event) -> Result<Timestamp, Error> {
        let RefreshAuth { token } = Self::read(request)?;
        let identity = self.service.check(&token, self.address).await?;
        if identity.person.id != self.person.id {
            return Err(Error::new(ErrorCode::Denied, "the token is of another user"));
        }
        let presence = &self.service.state.presence;
        presence.renew(self.person.id, self.socket.id(), identity.session);
        self.person = identity.person;
        self.expires_at = self.expires_at.max(identity.expires_at);
        self.clock.extend(Instant::now(), instant_of(self.expires_at));
        Ok(Timestamp::from(self.expires_at))
    }
}
