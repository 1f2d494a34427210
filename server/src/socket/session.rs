//! The life of one socket, from `connected` to its end: one loop, one event at a time.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use tokio::time::sleep_until;
use trialogue_protocol::event::{self, ClientEvent};
use trialogue_protocol::{
    ChatId, Connected, ErrorCode, PROTOCOL_VERSION, Positions, Timestamp, TokenExpiring, room,
};
use trialogue_socketio::DisconnectReason;
use trialogue_socketio::server::{Event, Events, Socket};

use super::clock::{Clock, Due};
use super::goodbye::Stay;
use super::sending::{Line, Settled};
use super::{ChatService, Identity, instant_of, refusal, too_many_sockets};
use crate::error::Error;
use crate::flow::Outcome;
use crate::limits::{Bucket, Rate};
use crate::parse;
use crate::publish::{answer, room as chat_room};
use crate::security::{Happening, Whose};
use crate::store::Person;

/// A living socket.
pub(super) struct Session<'a> {
    pub(super) service: &'a ChatService,
    pub(super) socket: Socket,
    pub(super) person: Person,
    /// Where the session was opened from.
    pub(super) address: IpAddr,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) clock: Clock,
    pub(super) stay: Stay,
    pub(super) line: Line,
    pub(super) rates: Rates,
}

/// The allowances of one socket.
pub(super) struct Rates {
    events: Bucket,
    pub(super) joins: Bucket,
    pub(super) typing: Bucket,
    pub(super) fetches: Bucket,
}

impl<'a> Session<'a> {
    /// Lives until the socket is gone.
    pub(super) async fn run(
        service: &'a ChatService,
        socket: Socket,
        mut events: Events,
        identity: Identity,
    ) {
        let Some(mut session) = Self::begin(service, socket, identity).await else { return };
        let mut timer = pin!(sleep_until(session.clock.next().into()));
        loop {
            let next = session.clock.next().into();
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                // The clock first: what comes when the token is over is not done any more.
                () = timer.as_mut() => if session.tick(Instant::now()).is_break() { break },
                Some(settled) = session.line.next(), if !session.line.is_empty() => {
                    session.settle(settled).await;
                }
                request = events.recv(), if !session.line.is_full() => match request {
                    // Boxed, so that an idle socket does not carry the largest of all requests.
                    Some(request) => Box::pin(session.handle(request)).await,
                    None => break,
                },
            }
        }
        if events.reason() == Some(DisconnectReason::Protocol) {
            let whose = session.whose();
            service.state.security.note(Happening::BadPacket, whose, None);
        }
        // What was taken is stored; that nobody waits for the answer changes nothing for the room.
        session.settle_all().await;
    }

    /// Says `connected`, takes the socket into the count and into its personal room.
    async fn begin(
        service: &'a ChatService,
        socket: Socket,
        identity: Identity,
    ) -> Option<Session<'a>> {
        let Identity { person, session, expires_at, address } = identity;
        let state = &service.state;
        let max = state.limits.sockets_per_user_max;
        let Ok(is_first) = state.presence.enter(person.id, socket.clone(), session, max) else {
            answer::say_error(&socket, too_many_sockets(max).ack());
            socket.disconnect();
            return None;
        };
        let stay = Stay::new(state.clone(), person.id, socket.id());
        socket.set_tag(chat_room::tag(person.id));
        let connected = Connected {
            message: format!("Connected: userId={}", person.id),
            user_id: person.id,
            role: Some(person.role),
            protocol: Some(PROTOCOL_VERSION),
            server_time: Some(Timestamp::from(Utc::now())),
            epoch: Some(state.store.epoch().as_ref().to_owned()),
        };
        if is_first {
            state.publisher.nodes().said_online(person.id).await;
        }
        // First the room, then the word: whoever reads the notifications on `connected` must hear
        // of every one that comes after.
        socket.join(&room::user(person.id));
        answer::say(&socket, event::CONNECTED, &connected);
        if is_first {
            state.publisher.seen(vec![person.id]).await;
        }
        let (now, limits) = (Instant::now(), &state.limits);
        let rates = Rates {
            events: Bucket::full(limits.events, now),
            joins: Bucket::full(limits.joins, now),
            typing: Bucket::full(limits.typing, now),
            fetches: Bucket::full(limits.fetches, now),
        };
        let clock = Clock::new(now, instant_of(expires_at));
        let line = Line::default();
        Some(Self { service, socket, person, address, expires_at, clock, stay, line, rates })
    }

    /// One request. Messages are taken into the line; everything else waits for the line, so that
    /// one socket's requests are done in the order in which they were sent.
    async fn handle(&mut self, request: Event) {
        if self.service.state.draining.is_cancelled() {
            return self.refuse(request, &refusal(ErrorCode::Draining));
        }
        let busy = self.service.state.busy.token();
        let rate = self.service.state.limits.events;
        if let Err(error) = allow(&mut self.rates.events, rate, "events per socket") {
            return self.refuse(request, &error);
        }
        let Some(event) = ClientEvent::of(request.name()) else {
            self.settle_all().await;
            return self.refuse(request, &Error::new(ErrorCode::BadRequest, "unknown event"));
        };
        if event != ClientEvent::SendMessage {
            self.settle_all().await;
        }
        match event {
            ClientEvent::SendMessage => self.send_message(request, busy),
            ClientEvent::JoinChat => self.join_chat(request).await,
            ClientEvent::LeaveChat => self.leave_chat(request).await,
            ClientEvent::FetchMessages => self.fetch_messages(request).await,
            ClientEvent::Typing => self.typing(request).await,
            ClientEvent::MarkRead => self.mark_read(request).await,
            ClientEvent::RefreshAuth => self.refresh_auth(request).await,
        }
    }

    /// Answers a message: acknowledged first, then told to the room (CONTRACT §3.1).
    async fn settle(&mut self, settled: Settled) {
        let status = settled.outcome.as_ref().ok().map(|outcome| outcome.reply.status);
        self.service.state.metrics.settled(status, settled.since.elapsed());
        match settled.outcome {
            Ok(Outcome { reply, events }) => {
                answer::done(settled.request, &reply);
                self.service.state.publisher.publish(events).await;
            }
            Err(error) => self.refuse(settled.request, &error),
        }
    }

    /// Waits for everything in the line.
    async fn settle_all(&mut self) {
        while let Some(settled) = self.line.next().await {
            self.settle(settled).await;
        }
    }

    /// Does what the clock says; breaks when the session is over.
    fn tick(&mut self, now: Instant) -> ControlFlow<()> {
        while let Some(due) = self.clock.take_due(now) {
            match due {
                Due::Expiring => {
                    let expires_at = Timestamp::from(self.expires_at);
                    answer::say(&self.socket, event::TOKEN_EXPIRING, &TokenExpiring { expires_at });
                }
                Due::Positions => self.say_positions(),
                Due::Expired => {
                    answer::say_error(&self.socket, refusal(ErrorCode::TokenExpired).ack());
                    // The transport, not the namespace: a plain client comes back by itself.
                    self.socket.close(DisconnectReason::Closed);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn say_positions(&self) {
        // Only of rooms that it is in now: somebody put out of a chat hears nothing of it.
        let is_in = |chat: &(ChatId, _)| self.socket.is_in(&room::chat(chat.0));
        let chats: std::collections::BTreeMap<_, _> = self.stay.positions().filter(is_in).collect();
        if !chats.is_empty() {
            let epoch = self.service.state.store.epoch().as_ref().to_owned();
            answer::say(&self.socket, event::POSITIONS, &Positions { chats, epoch });
        }
    }

    /// Refuses a request: in its acknowledgement, or as `error`.
    pub(super) fn refuse(&self, request: Event, error: &Error) {
        let state = &self.service.state;
        state.metrics.refused(error.code());
        if error.code() == ErrorCode::BadRequest {
            state.security.note(Happening::BadPacket, self.whose(), Some(error.code()));
        } else {
            state.security.refused(error.code(), self.whose());
        }
        answer::refused(request, &self.socket, error.ack());
    }

    fn whose(&self) -> Whose {
        Whose { user: Some(self.person.id), address: Some(self.address) }
    }

    /// Reads the one argument of a request, an object.
    ///
    /// # Errors
    ///
    /// `bad_request`, with what is wrong.
    pub(super) fn read<T: DeserializeOwned>(request: &Event) -> Result<T, Error> {
        parse::object(request.args().raw(0).unwrap_or_default().as_bytes(), "argument")
    }
}

/// Takes one out of an allowance, or says which limit was met and when to come back.
pub(super) fn allow(bucket: &mut Bucket, rate: Rate, what: &str) -> Result<(), Error> {
    bucket.take(rate, Instant::now()).map_err(|wait| Error::rate_limited(rate.exceeded(what), wait))
}
