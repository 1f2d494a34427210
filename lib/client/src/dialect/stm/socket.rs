//! The events of the deployed gateway (DEPLOYED §3). It acknowledges nothing.

use serde::ser::Error as _;
use serde_json::{Error as JsonError, Value, json};
use trialogue_protocol::{
    ChatId, ChatRef, Connected, FetchMessages, JoinAck, JoinChat, MessagePage, NAMESPACE,
    NotificationCreated, SendAck, Seq, event,
};
use trialogue_socketio::{Args, Outgoing};

use super::super::Heard;
use super::read;
use crate::error::{Error, Refusal};
use crate::outbox::Draft;
use crate::people;

pub(in super::super) const fn namespace() -> &'static str {
    NAMESPACE
}

pub(in super::super) fn hear(name: &str, args: &Args) -> Heard {
    let body: Value = match args.get(0) {
        Ok(body) => body,
        Err(error) => return Heard::Garbled(error.to_string()),
    };
    let heard = match name {
        event::CONNECTED => connected(&body),
        event::JOINED_CHAT => read::chat(&body, &["chatId"]).map(Heard::Entered),
        event::NEW_MESSAGE => read::message(&body, None).map(Heard::Message),
        // A chat that the server made by itself: only its first message is of the session.
        "new_job_with_chat" => match body.get("chat").and_then(|said| read::message(said, None)) {
            Some(said) => Some(Heard::Message(said)),
            None => Some(Heard::Other),
        },
        event::USER_TYPING | event::MESSAGES_READ | event::USER_JOINED | event::USER_LEFT => {
            somebody(name, &body)
        }
        event::NOTIFICATION_CREATED => body.get("notification").and_then(|value| {
            let notification = read::notification(value)?;
            let unread_count = read::number(&body, &["totalUnreadCount"]);
            let created = NotificationCreated { notification, unread_count };
            Some(Heard::Notification(Box::new(created)))
        }),
        event::ERROR => Some(Heard::Refused(refusal(&body))),
        _ => Some(Heard::Other),
    };
    heard.unwrap_or_else(|| Heard::Garbled(format!("a `{name}` without what it is about")))
}

fn connected(body: &Value) -> Option<Heard> {
    Some(Heard::Connected(Connected {
        message: read::text(body, &["message"]).unwrap_or_default(),
        user_id: read::user(body, &["userId"])?,
        role: None,
        // It has none: who says one is another kind of server.
        protocol: read::number(body, &["protocol"]).and_then(|number| number.try_into().ok()),
        server_time: None,
        epoch: None,
    }))
}

fn somebody(name: &str, body: &Value) -> Option<Heard> {
    let chat = read::chat(body, &["chatId"])?;
    let user = read::user(body, &["userId"])?;
    let event = match name {
        event::USER_TYPING => {
            people::Event::Typing { user, is_typing: read::flag(body, "isTyping") }
        }
        event::MESSAGES_READ => people::Event::Read { user, seq: None },
        event::USER_JOINED => people::Event::Came { user, role: None, name: None },
        _ => people::Event::Went(user),
    };
    Some(Heard::People(chat, event))
}

fn refusal(body: &Value) -> Refusal {
    let sentence = read::text(body, &["message"]).unwrap_or_else(|| "an error".to_owned());
    Refusal::new(super::code_of_sentence(&sentence), sentence)
}

pub(in super::super) fn join(body: &JoinChat) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::JOIN_CHAT, &ChatRef { chat_id: body.chat_id })
}

pub(in super::super) fn leave(chat_id: ChatId) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::LEAVE_CHAT, &ChatRef { chat_id })
}

pub(in super::super) fn send(draft: &Draft) -> Result<Outgoing, JsonError> {
    let body = json!({"chatId": draft.chat, "message": draft.text, "message_type": draft.kind});
    Outgoing::new(event::SEND_MESSAGE, &body)
}

pub(in super::super) use super::super::trialogue_socket::typing;

/// Nothing is stored, and no place is understood (DEPLOYED §3.1).
pub(in super::super) fn mark_read(chat_id: ChatId, _: Option<Seq>) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::MARK_READ, &ChatRef { chat_id })
}

pub(in super::super) fn fetch(_: &FetchMessages) -> Result<Outgoing, JsonError> {
    Err(JsonError::custom("this kind of server has no pages"))
}

pub(in super::super) fn refresh_auth(_: &str) -> Result<Outgoing, JsonError> {
    Err(JsonError::custom("this kind of server looks at a token only once"))
}

pub(in super::super) fn read_join(_: &Args) -> Result<JoinAck, Error> {
    Err(unexpected())
}

pub(in super::super) fn read_send(_: &Args) -> Result<SendAck, Error> {
    Err(unexpected())
}

pub(in super::super) fn read_fetch(_: &Args) -> Result<MessagePage, Error> {
    Err(unexpected())
}

pub(in super::super) fn read_done(_: &Args) -> Result<(), Error> {
    Err(unexpected())
}

fn unexpected() -> Error {
    Error::Garbled("an acknowledgement from a server that gives none".to_owned())
}
