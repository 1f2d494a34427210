//! Our own server: CONTRACT §2, word by word.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Error as JsonError;
use trialogue_protocol::{
    Ack, ChatId, ChatRef, ChatUpdated, ErrorEvent, FetchMessages, JoinAck, JoinChat, MarkRead,
    MessagePage, MessagesRead, NAMESPACE, Presence, RefreshAuth, SendAck, Seq, ServerDraining,
    Typing, UserJoined, UserLeft, UserTyping, event,
};
use trialogue_socketio::{Args, Outgoing};

use super::Heard;
use crate::error::{Error, Refusal};
use crate::outbox::Draft;
use crate::people;

pub(super) const fn namespace() -> &'static str {
    NAMESPACE
}

pub(super) fn hear(name: &str, args: &Args) -> Heard {
    fn read<T: DeserializeOwned>(args: &Args, make: impl Fn(T) -> Heard) -> Heard {
        match args.get(0) {
            Ok(body) => make(body),
            Err(error) => Heard::Garbled(error.to_string()),
        }
    }
    match name {
        event::NEW_MESSAGE => read(args, Heard::Message),
        event::CONNECTED => read(args, Heard::Connected),
        event::POSITIONS => read(args, Heard::Positions),
        event::USER_TYPING => read(args, |UserTyping { user_id: user, chat_id, is_typing }| {
            Heard::People(chat_id, people::Event::Typing { user, is_typing })
        }),
        event::MESSAGES_READ => read(args, |MessagesRead { user_id: user, chat_id, seq }| {
            Heard::People(chat_id, people::Event::Read { user, seq })
        }),
        event::PRESENCE => read(args, |body: Presence| {
            let Presence { user_id: user, chat_id, status, last_seen } = body;
            Heard::People(chat_id, people::Event::Presence { user, status, last_seen })
        }),
        event::USER_JOINED => read(args, |UserJoined { user_id: user, chat_id, role, name }| {
            Heard::People(chat_id, people::Event::Came { user, role, name })
        }),
        event::USER_LEFT => read(args, |UserLeft { user_id, chat_id }| {
            Heard::People(chat_id, people::Event::Went(user_id))
        }),
        event::CHAT_UPDATED => read(args, |ChatUpdated { chat }| Heard::Chat(Box::new(chat))),
        event::NOTIFICATION_CREATED => read(args, |body| Heard::Notification(Box::new(body))),
        event::TOKEN_EXPIRING => Heard::TokenExpiring,
        event::SERVER_DRAINING => read(args, |body: ServerDraining| {
            Heard::Draining(Duration::from_millis(body.reconnect_in_ms))
        }),
        event::ERROR => read(args, |body: ErrorEvent| Heard::Refused(Refusal::from(body))),
        _ => Heard::Other,
    }
}

pub(super) fn join(body: &JoinChat) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::JOIN_CHAT, body)
}

pub(super) fn leave(chat_id: ChatId) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::LEAVE_CHAT, &ChatRef { chat_id })
}

pub(super) fn send(draft: &Draft) -> Result<Outgoing, JsonError> {
    // By reference: a retry must not copy the text. The names are those of `SendMessage`.
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "chatId")]
        chat_id: ChatId,
        message: &'a str,
        message_type: trialogue_protocol::MessageType,
        #[serde(rename = "clientMessageId")]
        client_message_id: &'a str,
    }
    let body = Body {
        chat_id: draft.chat,
        message: &draft.text,
        message_type: draft.kind,
        client_message_id: draft.id.as_str(),
    };
    Outgoing::new(event::SEND_MESSAGE, &body)
}

pub(super) fn fetch(body: &FetchMessages) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::FETCH_MESSAGES, body)
}

pub(super) fn typing(chat_id: ChatId, is_typing: bool) -> Result<Outgoing, JsonError> {
    let outgoing = Outgoing::new(event::TYPING, &Typing { chat_id, is_typing })?;
    // That it has stopped is worth more than its repetition.
    Ok(if is_typing { outgoing.volatile() } else { outgoing })
}

pub(super) fn mark_read(chat_id: ChatId, seq: Option<Seq>) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::MARK_READ, &MarkRead { chat_id, seq })
}

pub(super) fn refresh_auth(token: &str) -> Result<Outgoing, JsonError> {
    Outgoing::new(event::REFRESH_AUTH, &RefreshAuth { token: token.to_owned() })
}

pub(super) fn read_join(args: &Args) -> Result<JoinAck, Error> {
    read_ack(args)
}

pub(super) fn read_send(args: &Args) -> Result<SendAck, Error> {
    read_ack(args)
}

pub(super) fn read_fetch(args: &Args) -> Result<MessagePage, Error> {
    read_ack(args)
}

pub(super) fn read_done(args: &Args) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Anything {}
    read_ack::<Anything>(args).map(|_| ())
}

fn read_ack<T: DeserializeOwned>(args: &Args) -> Result<T, Error> {
    match args.get::<Ack<T>>(0) {
        Ok(Ack::Done(body)) => Ok(body),
        Ok(Ack::Refused(error)) => Err(Error::Refused(error.into())),
        Err(error) => Err(Error::Garbled(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use trialogue_protocol::{ClientMessageId, ErrorCode, MessageType, SendMessage};

    use super::*;

    #[test]
    fn a_message_is_sent_in_the_words_of_the_contract() {
        let draft = Draft {
            id: "k1".parse::<ClientMessageId>().unwrap(),
            chat: "0190a0b0-0000-7000-8000-00000000abcd".parse().unwrap(),
            text: "hi".to_owned(),
            kind: MessageType::Text,
        };
        let ours = format!("{:?}", send(&draft).unwrap());
        let words = SendMessage {
            chat_id: draft.chat,
            message: draft.text,
            message_type: Some(draft.kind),
            client_message_id: Some(draft.id),
        };
        let theirs = format!("{:?}", Outgoing::new(event::SEND_MESSAGE, &words).unwrap());
        assert_eq!(ours, theirs);
    }

    #[test]
    fn an_answer_is_done_refused_or_makes_no_sense() {
        let check = |json: &'static str| read_done(&Args::from_json(json).unwrap());
        assert_eq!(check(r#"[{"ok":true,"more":1}]"#), Ok(()));
        let refused = r#"[{"ok":false,"error":{"code":"rate_limited","message":"slow",
            "retryable":true,"retryAfterMs":5}}]"#;
        let Err(Error::Refused(refusal)) = check(refused) else { panic!() };
        assert_eq!(refusal.code, ErrorCode::RateLimited);
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(5)));
        for garbled in ["[]", "[1]", r#"[{"ok":false}]"#, r#"[{"ok":"yes"}]"#] {
            assert!(matches!(check(garbled), Err(Error::Garbled(_))), "{garbled}");
        }
    }

    #[test]
    fn what_a_hostile_server_says_is_a_value() {
        for (name, json) in [
            ("new_message", "[]"),
            ("new_message", r#"[{"id":1}]"#),
            ("positions", r#"[{"chats":{"x":1},"epoch":"e"}]"#),
            ("server_draining", r#"[{"reconnectInMs":-1}]"#),
            ("connected", "[null]"),
        ] {
            let heard = hear(name, &Args::from_json(json).unwrap());
            assert!(matches!(heard, Heard::Garbled(_)), "{name} {json}: {heard:?}");
        }
    }
}
