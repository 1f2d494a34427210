//! `join_chat`: the access check, the page since `sinceSeq`, and the entry into the room at exactly
//! the position that the check has read (CONTRACT §2; the how is told in `publish::room`).

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use trialogue_protocol::{ChatId, ErrorCode, JoinAck, JoinChat, JoinedChat, UserJoined, event};
use trialogue_socketio::server::Event;

use super::session::{Session, allow};
use crate::error::Error;
use crate::flow::load_history::{self, Missed};
use crate::flow::{Outcome, join_chat};
use crate::publish::frames;
use crate::publish::room::{Admission, NotEntered, Pass, Position, Why};
use crate::store::Entry;

/// How long an entry may wait for messages that were committed earlier and not put out yet.
const ENTRY_WAIT: Duration = Duration::from_secs(3);
/// Checks of one request. The second one is needed when somebody was removed, or much was said,
/// during the first; a third one means that the database is slower than the chat.
const CHECKS_MAX: usize = 3;
/// Why an entry may fail although the person may enter.
const BEHIND: &str = "the chat is busy, nothing was done";

impl Session<'_> {
    /// Answers a `join_chat`.
    pub(super) async fn join_chat(&mut self, request: Event) {
        let limits = &self.service.state.limits;
        let asked = allow(&mut self.rates.joins, limits.joins, "joins per socket")
            .and_then(|()| Self::read::<JoinChat>(&request))
            .and_then(|asked| {
                let max = limits.rooms_per_socket_max;
                if self.stay.rooms() >= max && !self.stay.has(asked.chat_id) {
                    return Err(Error::new(ErrorCode::TooLarge, format!("over {max} chats")));
                }
                Ok(asked)
            });
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return self.refuse(request, &error),
        };
        let was_in = self.stay.has(asked.chat_id);
        match self.enter(request, &asked).await {
            Ok(position) => self.stay.entered(asked.chat_id, position),
            Err(Some((request, error))) => {
                if !was_in {
                    self.stay.left(asked.chat_id);
                }
                self.refuse(request, &error);
            }
            // The room did not answer in time and has the request: whether the socket is in will
            // show; it stays among the rooms that must hear of its end.
            Err(None) => {}
        }
    }

    /// Checks and enters, again when the room asks for it.
    async fn enter(
        &mut self,
        mut request: Event,
        asked: &JoinChat,
    ) -> Result<Position, Option<(Event, Error)>> {
        for _ in 0..CHECKS_MAX {
            let opening = self.service.state.publisher.open(asked.chat_id).await;
            let (entry, missed) = match self.check_access(asked).await {
                Ok(checked) => checked,
                Err(error) => return Err(Some((request, error))),
            };
            // Dropped when the room has answered: by then the room itself says who is in it.
            let nodes = self.service.state.publisher.nodes();
            let _coming = nodes.coming(self.person.id, asked.chat_id).await;
            let Some(pass) = self.pass(asked.chat_id, entry, missed) else {
                let error = Error::new(ErrorCode::Internal, "internal error");
                return Err(Some((request, error)));
            };
            let (entered, answer) = oneshot::channel();
            let (user_id, socket) = (self.person.id, self.socket.clone());
            let deadline = Instant::now() + ENTRY_WAIT;
            let admission = Admission { user_id, socket, request, pass, deadline, entered };
            self.stay.may_enter(asked.chat_id);
            if let Err(back) = opening.admit(Box::new(admission)).await {
                return Err(Some((back.request, Error::unavailable(BEHIND))));
            }
            match timeout(2 * ENTRY_WAIT, answer).await {
                Ok(Ok(Ok(position))) => return Ok(position),
                Ok(Ok(Err(NotEntered { request: back, why: Why::CheckAgain }))) => request = back,
                Ok(Ok(Err(NotEntered { request, why: Why::TooLate }))) => {
                    return Err(Some((request, Error::unavailable(BEHIND))));
                }
                // The shard has ended or is far behind, and has the request.
                Ok(Err(_)) | Err(_) => return Err(None),
            }
        }
        Err(Some((request, Error::unavailable(BEHIND))))
    }

    /// May this person enter, and what was missed. Both come from the database at this moment.
    async fn check_access(&self, asked: &JoinChat) -> Result<(Entry, Option<Missed>), Error> {
        let (store, user, chat) = (&self.service.state.store, self.person.id, asked.chat_id);
        let Outcome { reply: entry, events } = join_chat::join(store, user, chat).await?;
        self.service.state.publisher.publish(events).await;
        let entry = entry?;
        let missed = match asked.since_seq {
            Some(since) => {
                let epoch = asked.epoch.as_deref();
                let missed =
                    load_history::resume(store, user, chat, since, epoch, asked.limit).await?;
                self.service.state.metrics.resumed(missed.messages.len());
                Some(missed)
            }
            None => None,
        };
        Ok((entry, missed))
    }

    /// Everything that the room says when it lets this socket in, encoded here, where that holds
    /// up nobody else.
    fn pass(&self, chat_id: ChatId, entry: Entry, missed: Option<Missed>) -> Option<Pass> {
        // The page was read last, so its position is the one that history ends at.
        let last_seq = missed.as_ref().map_or(entry.last_seq, |missed| missed.last_seq);
        let epoch = self.service.state.store.epoch().as_ref().to_owned();
        let members = self.service.state.presence.shown(entry.members);
        let marks = members.iter().map(|m| (m.user_id, m.last_read_seq)).collect();
        let joined = JoinedChat {
            chat_id,
            message: "Joined the chat".to_owned(),
            members: Some(members.clone()),
            last_seq: Some(last_seq),
            epoch: Some(epoch.clone()),
        };
        let (messages, has_more) = missed.map(|page| (page.messages, page.has_more)).unzip();
        let ack = JoinAck { chat_id, members, last_seq, epoch, messages, has_more };
        let user_joined = UserJoined {
            user_id: self.person.id,
            chat_id,
            role: Some(entry.role),
            name: Some(entry.name),
        };
        Some(Pass {
            chat_id,
            ack: body_of(&ack)?,
            joined_chat: frames::encode(event::JOINED_CHAT, &joined)?,
            user_joined: frames::encode(event::USER_JOINED, &user_joined)?,
            last_seq,
            members: marks,
        })
    }
}

/// `{ok: true, ...}` as text.
fn body_of(ack: &JoinAck) -> Option<Box<RawValue>> {
    #[derive(Serialize)]
    struct Done<'a> {
        ok: bool,
        #[serde(flatten)]
        body: &'a JoinAck,
    }
    serde_json::value::to_raw_value(&Done { ok: true, body: ack }).ok()
}
