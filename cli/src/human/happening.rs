//! One thing that happened on a live connection, and the JSON line that says so.
//!
//! `{"type": …, "time": …}` and then the fields of the wire under their names of the wire; a
//! message stands under `message`, because its own fields include one of that name.

use serde::Serialize;
use serde_json::{Map, Value, json};
use trialogue_client::session::Update;
use trialogue_client::timeline::ResetReason;
use trialogue_client::{Error, LinkState, Via};
use trialogue_protocol::{ChatId, Dispute, Message, Notification, Seq, Timestamp, event};
use trialogue_socketio::Args;

/// Something to tell.
pub(crate) enum Happening<'a> {
    Link(&'a LinkState),
    Message { message: &'a Message, via: Via },
    Event { name: &'a str, args: &'a Args },
    Notification { notification: &'a Notification, unread_count: Option<i64> },
    JoinFailed { chat: ChatId, error: &'a Error },
    Invited { chat: ChatId, dispute: &'a Dispute },
    Missing { chat: ChatId, from: Seq, to: Seq },
    Reset { chat: ChatId, why: ResetReason },
}

/// A line of a stream.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: Timestamp,
    #[serde(flatten)]
    fields: Fields<'a>,
}

/// What a line says besides its type and its time.
#[derive(Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    Message { via: &'static str, message: &'a Message },
    Other(Map<String, Value>),
}

impl<'a> Happening<'a> {
    /// Every name that there is: the events of the contract's §2 that a server sends, and ours.
    pub(crate) const NAMES: [&'static str; 20] = [
        event::NEW_MESSAGE,
        event::CONNECTED,
        event::JOINED_CHAT,
        event::LEFT_CHAT,
        event::USER_JOINED,
        event::USER_LEFT,
        event::USER_TYPING,
        event::MESSAGES_READ,
        event::NOTIFICATION_CREATED,
        event::PRESENCE,
        event::CHAT_UPDATED,
        event::POSITIONS,
        event::TOKEN_EXPIRING,
        event::SERVER_DRAINING,
        event::ERROR,
        Self::LINK,
        Self::JOIN_FAILED,
        Self::INVITED,
        Self::MISSING,
        Self::RESET,
    ];
    const LINK: &'static str = "link";
    const JOIN_FAILED: &'static str = "join_failed";
    const INVITED: &'static str = "invited";
    const MISSING: &'static str = "missing";
    const RESET: &'static str = "reset";

    /// What of an update is to be told; the rest is the session's own affair.
    pub(crate) fn of(update: &'a Update) -> Option<Self> {
        Some(match update {
            Update::Link(state) => Self::Link(state),
            Update::Message { message, via } => Self::Message { message, via: *via },
            // Told as a message: in order, and once. So are notifications, pushed or polled.
            Update::Event { name, .. }
                if name == event::NEW_MESSAGE || name == event::NOTIFICATION_CREATED =>
            {
                return None;
            }
            Update::Notification { notification, unread_count } => {
                Self::Notification { notification, unread_count: *unread_count }
            }
            Update::Event { name, args } => Self::Event { name, args },
            Update::JoinFailed { chat, error } => Self::JoinFailed { chat: *chat, error },
            Update::Invited { chat, dispute } => Self::Invited { chat: *chat, dispute },
            Update::Missing { chat, from, to } => {
                Self::Missing { chat: *chat, from: *from, to: *to }
            }
            Update::Reset { chat, why } => Self::Reset { chat: *chat, why: *why },
            Update::Ready(_)
            | Update::Joined { .. }
            | Update::CaughtUp { .. }
            | Update::Older { .. }
            | Update::Outcome { .. }
            // The events that these follow from are told as they came.
            | Update::Person { .. }
            | Update::PersonGone { .. }
            | Update::Unread { .. }
            | Update::Journal { .. }
            | Update::Backup { .. } => return None,
        })
    }

    /// What `--event` calls it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Link(_) => Self::LINK,
            Self::Message { .. } => event::NEW_MESSAGE,
            Self::Event { name, .. } => name,
            Self::Notification { .. } => event::NOTIFICATION_CREATED,
            Self::JoinFailed { .. } => Self::JOIN_FAILED,
            Self::Invited { .. } => Self::INVITED,
            Self::Missing { .. } => Self::MISSING,
            Self::Reset { .. } => Self::RESET,
        }
    }

    /// The line, told at this time.
    pub(crate) fn line(&self, time: Timestamp) -> Line<'_> {
        let fields = match self {
            Self::Message { message, via } => {
                let via = match via {
                    Via::Live => "live",
                    Via::CatchUp => "catch_up",
                    Via::Ack => "ack",
                    Via::Backup => "backup",
                };
                Fields::Message { via, message }
            }
            other => Fields::Other(other.fields()),
        };
        Line { kind: self.name(), time, fields }
    }

    fn fields(&self) -> Map<String, Value> {
        let fields = match self {
            Self::Link(state) => link(state),
            Self::Message { message, .. } => json!({"message": message}),
            Self::Event { args, .. } => match args.raw(0).map(serde_json::from_str) {
                Some(Ok(Value::Object(fields))) => Value::Object(fields),
                Some(Ok(other)) => json!({"data": other}),
                Some(Err(_)) | None => json!({}),
            },
            Self::Notification { notification, unread_count } => match unread_count {
                Some(count) => json!({"notification": notification, "unreadCount": count}),
                None => json!({"notification": notification}),
            },
            Self::JoinFailed { chat, error } => {
                let code = error.code().map_or("unexpected", |code| code.as_str());
                json!({"chatId": chat, "code": code, "message": error.sentence()})
            }
            Self::Invited { chat, dispute } => json!({"chatId": chat, "dispute": dispute}),
            Self::Missing { chat, from, to } => json!({"chatId": chat, "from": from, "to": to}),
            Self::Reset { chat, why } => {
                let why = match why {
                    ResetReason::EpochChanged => "epoch_changed",
                    ResetReason::ServerBehind => "server_behind",
                    ResetReason::FarBehind => "far_behind",
                };
                json!({"chatId": chat, "why": why})
            }
        };
        let Value::Object(mut fields) = fields else { return Map::new() };
        // A foreign server's fields of these names would make the line two-faced.
        fields.remove("type");
        fields.remove("time");
        fields
    }
}

fn link(state: &LinkState) -> Value {
    match state {
        LinkState::Offline => json!({"state": "offline"}),
        LinkState::Connecting { attempt } => json!({"state": "connecting", "attempt": attempt}),
        LinkState::Reconnecting { attempt, next_in, why } => json!({
            "state": "reconnecting", "attempt": attempt,
            "nextMs": u64::try_from(next_in.as_millis()).unwrap_or(u64::MAX),
            "code": why.code, "message": why.sentence,
        }),
        LinkState::Syncing { done, of } => json!({"state": "syncing", "done": done, "of": of}),
        LinkState::Connected => json!({"state": "connected"}),
        LinkState::LoginNeeded { why } => {
            json!({"state": "login_needed", "code": why.code, "message": why.sentence})
        }
        LinkState::Closed => json!({"state": "closed"}),
    }
}
