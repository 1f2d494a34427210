//! The body of `GET /chat/:id/messages`: written chunk by chunk, so that the memory of the server
//! does not grow with the history.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, header};
use serde::Serialize;
use trialogue_protocol::{ErrorCode, Seq};

use crate::error::Error;
use crate::flow::load_history::History;

/// What goes behind the messages.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tail<'a> {
    first_seq: Option<Seq>,
    last_seq: Option<Seq>,
    has_more: bool,
    epoch: &'a str,
}

/// Answers with all of `history`. A short one has a length; a long one is a stream that breaks off,
/// visibly to the client, when the database or the access goes away in the middle.
pub(super) async fn answer(mut history: History) -> Result<Response, Error> {
    let mut text = format!(r#"{{"chatId":"{}","messages":["#, history.chat_id()).into_bytes();
    if let Some(messages) = history.next().await? {
        write(&mut text, &messages, true);
    }
    let body = if history.is_over() {
        write_tail(&mut text, &history)?;
        Body::from(text)
    } else {
        let head = Bytes::from(text);
        Body::from_stream(stream::unfold(Some((Some(head), history)), next_part))
    };
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What is left to write: perhaps something written already, and the rest of the history.
type Rest = Option<(Option<Bytes>, History)>;

async fn next_part(rest: Rest) -> Option<(Result<Bytes, Error>, Rest)> {
    let (written, mut history) = rest?;
    if let Some(written) = written {
        return Some((Ok(written), Some((None, history))));
    }
    let mut text = Vec::new();
    let part = match history.next().await {
        Ok(Some(messages)) => {
            write(&mut text, &messages, false);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match part {
        Err(error) => Some((Err(error), None)),
        Ok(()) if history.is_over() => {
            let end = write_tail(&mut text, &history).map(|()| text.into());
            Some((end, None))
        }
        Ok(()) => Some((Ok(text.into()), Some((None, history)))),
    }
}

/// Appends messages that are JSON text already.
fn write(text: &mut Vec<u8>, messages: &[Arc<[u8]>], first: bool) {
    text.reserve(messages.iter().map(|part| part.len() + 1).sum());
    for (index, part) in messages.iter().enumerate() {
        if !(first && index == 0) {
            text.push(b',');
        }
        text.extend_from_slice(part);
    }
}

/// Closes the list and adds the fields behind it, into the same object.
fn write_tail(text: &mut Vec<u8>, history: &History) -> Result<(), Error> {
    let meta = history.meta();
    let tail = Tail {
        first_seq: meta.first_seq,
        last_seq: meta.last_seq,
        has_more: meta.has_more,
        epoch: &meta.epoch,
    };
    let tail = serde_json::to_vec(&tail).map_err(|_| broken())?;
    text.extend_from_slice(b"],");
    text.extend_from_slice(&tail[1..]);
    Ok(())
}

fn broken() -> Error {
    Error::new(ErrorCode::Internal, "internal error")
}
