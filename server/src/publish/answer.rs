//! Answers to the one who asked: an acknowledgement, or the event `error` where there is none.

use serde::{Deserialize, Serialize};
use trialogue_protocol::{Ack, AckError, ChatId, ClientMessageId, ErrorEvent, event};
use trialogue_socketio::server::{Event, Socket};

use super::frames::encode;

/// Says that it was done. Without an acknowledgement nobody waits for that.
pub(crate) fn done<T: Serialize>(mut request: Event, body: &T) {
    acknowledge(&mut request, &Done { ok: true, body });
}

/// Acknowledges with a whole body, `ok` included.
pub(crate) fn acknowledge<T: Serialize>(request: &mut Event, body: &T) {
    if let Err(error) = request.ack(body) {
        // Nearly always a socket that is gone, which needs no answer.
        tracing::debug!(%error, "an acknowledgement was not sent");
    }
}

/// An acknowledgement without the indirection that reading one needs.
#[derive(Serialize)]
struct Done<'a, T> {
    ok: bool,
    #[serde(flatten)]
    body: &'a T,
}

/// Says that it was refused: never silence (CONTRACT §3.8).
pub(crate) fn refused(mut request: Event, socket: &Socket, error: AckError) {
    if request.wants_ack() {
        return acknowledge(&mut request, &Ack::<()>::Refused(error));
    }
    let about = About::of(&request);
    let body = ErrorEvent {
        event: Some(request.name().chars().take(EVENT_NAME_CHARS_MAX).collect()),
        chat_id: about.chat_id,
        client_message_id: about.client_message_id,
        ..error_event(error)
    };
    say(socket, event::ERROR, &body);
}

/// Says something to one socket; one that is gone need not hear it.
pub(crate) fn say<T: Serialize>(socket: &Socket, name: &str, body: &T) {
    if let Some(frame) = encode(name, body) {
        let _ = socket.emit(&frame);
    }
}

/// Says `error` about the session as a whole.
pub(crate) fn say_error(socket: &Socket, error: AckError) {
    say(socket, event::ERROR, &error_event(error));
}

fn error_event(error: AckError) -> ErrorEvent {
    ErrorEvent {
        code: error.code,
        message: error.message,
        event: None,
        chat_id: None,
        client_message_id: None,
        retry_after_ms: error.retry_after_ms,
    }
}

/// Longest name of an unknown event that is repeated to who sent it.
const EVENT_NAME_CHARS_MAX: usize = 64;

/// What a failed request was about, as far as it can be read at all.
#[derive(Default)]
struct About {
    chat_id: Option<ChatId>,
    client_message_id: Option<ClientMessageId>,
}

impl About {
    fn of(request: &Event) -> Self {
        /// Fields of any type: the request may have failed because of them.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Loose {
            chat_id: Option<serde_json::Value>,
            client_message_id: Option<serde_json::Value>,
        }
        let Ok(loose) = request.args().get::<Loose>(0) else { return Self::default() };
        let text = |value: Option<serde_json::Value>| value?.as_str().map(str::to_owned);
        Self {
            chat_id: text(loose.chat_id).and_then(|id| id.parse().ok()),
            client_message_id: text(loose.client_message_id).and_then(|id| id.parse().ok()),
        }
    }
}
