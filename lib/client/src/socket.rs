//! A connection that is ready: transport, namespace and the server's `connected`.

use std::time::Duration;

use serde::Serialize;
use trialogue_protocol::{Connected, ErrorCode};
use trialogue_socketio::client::{
    AckError, Client, ClientConfig, ClientSocket, ConnectError, EmitError, Received, Refused,
};
use trialogue_socketio::{Args, DisconnectReason};

use crate::dialect::{Dialect, Heard};
use crate::error::{Error, Refusal};
use crate::link::{OpenFailure, Trouble};

/// Events that may come before `connected` (64): a server that sends more is not this service.
const EARLY_EVENTS_MAX: usize = 64;

/// A connection on which the server said `connected`.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) client: Client,
    pub(crate) socket: ClientSocket,
    pub(crate) connected: Connected,
    /// Everything up to `connected`, in order, for faces that see every event.
    pub(crate) early: Vec<(String, Args)>,
}

#[derive(Serialize)]
struct Auth<'a> {
    token: &'a str,
}

/// Opens a transport, connects the namespace with the token and waits for `connected`; all of it
/// within the time.
pub(crate) async fn open(
    config: ClientConfig,
    dialect: Dialect,
    token: &str,
    within: Duration,
) -> Result<Ready, OpenFailure> {
    tokio::time::timeout(within, open_patiently(config, dialect, token))
        .await
        .unwrap_or_else(|_| Err(other(format!("no answer within {} s", within.as_secs_f32()))))
}

async fn open_patiently(
    config: ClientConfig,
    dialect: Dialect,
    token: &str,
) -> Result<Ready, OpenFailure> {
    let client = Client::connect(config).await.map_err(|e| failure(&e))?;
    let auth = Auth { token };
    let connected = client.namespace(dialect.namespace(), Some(&auth)).await;
    let mut socket = connected.map_err(|error| match error {
        // All of it in one go: the answer, what it said, and the good-bye.
        ConnectError::Closed(reason) => closed_early(dialect, None, reason),
        error => failure(&error),
    })?;
    let mut early = Vec::new();
    let mut refused = None;
    loop {
        let event = match socket.recv().await {
            Received::Event(event) => event,
            Received::Closed(reason) => return Err(closed_early(dialect, refused, reason)),
        };
        if early.len() == EARLY_EVENTS_MAX {
            return Err(other("the server talks but never says connected".to_owned()));
        }
        early.push((event.name().to_owned(), event.args().clone()));
        match dialect.hear(event.name(), event.args()) {
            Heard::Connected(connected) => {
                dialect.agrees(&connected).map_err(other)?;
                return Ok(Ready { client, socket, connected, early });
            }
            Heard::Refused(refusal) => refused = Some(refusal),
            Heard::Garbled(what) => tracing::debug!(what, "garbled event before connected"),
            Heard::Entered(_)
            | Heard::Message(_)
            | Heard::People(..)
            | Heard::Chat(_)
            | Heard::Notification(_)
            | Heard::Positions(_)
            | Heard::TokenExpiring
            | Heard::Draining(_)
            | Heard::Other => {}
        }
    }
}

fn other(sentence: String) -> OpenFailure {
    OpenFailure::Other { why: Trouble::new(sentence), retry_after: None }
}

fn closed_early(
    dialect: Dialect,
    refused: Option<Refusal>,
    reason: DisconnectReason,
) -> OpenFailure {
    let sent_away = reason == DisconnectReason::ServerDisconnect;
    match refused {
        Some(refusal) => judged(refusal),
        // Without a token this server says nothing at all (DEPLOYED §3).
        None if sent_away && !dialect.capabilities().error_codes => {
            OpenFailure::Token(Trouble::new("the server hung up before it said connected"))
        }
        None => other(format!("the server hung up before it said connected: {reason}")),
    }
}

fn failure(error: &ConnectError) -> OpenFailure {
    match error {
        ConnectError::Refused(refused) => judged(refusal(refused)),
        ConnectError::Http { status, .. } => other(format!("the server answered {status}")),
        ConnectError::Unreachable { source, .. } => other(format!("cannot connect: {source}")),
        ConnectError::Config(_)
        | ConnectError::Tls { .. }
        | ConnectError::Timeout(_)
        | ConnectError::Protocol(_)
        | ConnectError::Auth(_)
        | ConnectError::Taken(_)
        | ConnectError::Broken(_)
        | ConnectError::Closed(_) => other(error.to_string()),
    }
}

/// CONNECT_ERROR `{message, data: {code}}` (CONTRACT §2).
fn refusal(refused: &Refused) -> Refusal {
    let data = refused.data.as_ref();
    let code = data.and_then(|data| serde_json::from_value(data.get("code")?.clone()).ok());
    let retry_after = data.and_then(|data| data.get("retryAfterMs")?.as_u64());
    let code = code.unwrap_or(match refused.message.as_str() {
        // The words of every Socket.IO server for a namespace that it does not have.
        "Invalid namespace" => ErrorCode::NotFound,
        // A refusal without a code is that of a server which only refuses for the token.
        _ => ErrorCode::Unauthenticated,
    });
    Refusal {
        retry_after: retry_after.map(Duration::from_millis),
        ..Refusal::new(code, refused.message.clone())
    }
}

fn judged(refusal: Refusal) -> OpenFailure {
    let why = Trouble { code: Some(refusal.code), sentence: refusal.message };
    match refusal.code {
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired => OpenFailure::Token(why),
        _ => OpenFailure::Other { why, retry_after: refusal.retry_after },
    }
}

/// A request that got no acknowledgement, as an error of this crate.
pub(crate) fn unanswered(error: &AckError) -> Error {
    match error {
        AckError::NotSent(error) => not_sent(error),
        AckError::Timeout(_) => Error::TimedOut(error.to_string()),
        AckError::Closed(_) => Error::Unanswered(error.to_string()),
    }
}

/// An event that was not taken for sending, as an error of this crate.
pub(crate) fn not_sent(error: &EmitError) -> Error {
    match error {
        EmitError::Closed(_) => Error::NotConnected,
        EmitError::Full { .. } | EmitError::TooManyAcks { .. } => Error::Full(error.to_string()),
        EmitError::TooLarge { .. } | EmitError::Ack(_) => Error::Invalid(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_token_or_about_something_that_passes() {
        let check = |data: serde_json::Value, token: bool| {
            let refused = Refused { message: "no".to_owned(), data: Some(data.clone()) };
            let failed = super::failure(&ConnectError::Refused(refused));
            assert_eq!(matches!(failed, OpenFailure::Token(_)), token, "{data}");
        };
        check(serde_json::json!({"code": "token_expired"}), true);
        check(serde_json::json!({"code": "unauthenticated"}), true);
        check(serde_json::json!({}), true);
        check(serde_json::json!({"code": "no such word"}), true);
        check(serde_json::json!({"code": "unavailable"}), false);
        let nowhere = Refused { message: "Invalid namespace".to_owned(), data: None };
        let failed = super::failure(&ConnectError::Refused(nowhere));
        assert!(matches!(failed, OpenFailure::Other { .. }));
        check(serde_json::json!({"code": "rate_limited", "retryAfterMs": 5}), false);
    }
}
