//! Live sockets: who they are, what they ask for, when they end. Parses, calls a flow, answers.
//!
//! No SQL and no opinion of its own: who may do what is asked of the database in the statement
//! that acts. What others must hear of goes to `publish`.

mod auth;
mod clock;
mod goodbye;
mod join;
mod presence;
mod requests;
mod sending;
mod session;

use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::json;
use trialogue_protocol::ErrorCode;
use trialogue_socketio::server::{ConnectRequest, Events, Handler, Refusal, Socket};

pub use presence::Presence;

use crate::error::Error;
use crate::security::Whose;
use crate::state::AppState;
use crate::store::Person;
use session::Session;

/// The service behind `/chat` and `/`.
#[derive(Clone)]
pub(crate) struct ChatService {
    pub(crate) state: AppState,
}

/// Who has connected, by token and database.
pub(crate) struct Identity {
    pub(crate) person: Person,
    /// The family of the token.
    pub(crate) session: uuid::Uuid,
    pub(crate) expires_at: DateTime<Utc>,
    /// Where the session was opened from.
    pub(crate) address: IpAddr,
}

impl Handler for ChatService {
    type Session = Identity;

    async fn connect(&self, request: ConnectRequest) -> Result<Identity, Refusal> {
        self.identify(&request).await.map_err(|error| {
            let ack = error.ack();
            let whose = Whose { user: None, address: Some(request.peer) };
            self.state.metrics.refused(ack.code);
            self.state.security.refused(ack.code, whose);
            Refusal { message: ack.message, data: Some(json!({ "code": ack.code })) }
        })
    }

    async fn run(&self, socket: Socket, events: Events, identity: Identity) {
        Session::run(self, socket, events, identity).await;
    }
}

impl ChatService {
    async fn identify(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        if self.state.draining.is_cancelled() {
            return Err(refusal(ErrorCode::Draining));
        }
        let token = auth::token_of(request.auth.as_deref(), &request.headers)
            .ok_or_else(|| refusal(ErrorCode::Unauthenticated))?;
        let identity = self.check(&token, request.peer).await?;
        let max = self.state.limits.sockets_per_user_max;
        if self.state.presence.sockets_of(identity.person.id) >= max {
            return Err(too_many_sockets(max));
        }
        Ok(identity)
    }

    /// Who a token belongs to, by its signature and by the database.
    async fn check(&self, token: &str, address: IpAddr) -> Result<Identity, Error> {
        let claims = self.state.auth.tokens.verify(token)?;
        let found = self.state.store.person_of_session(claims.session, claims.user_id).await?;
        // REST forgives clocks that differ by seconds; a session that is over at once helps nobody.
        if claims.expires_at <= Utc::now() {
            return Err(refusal(ErrorCode::TokenExpired));
        }
        let person = found.ok_or_else(|| refusal(ErrorCode::Unauthenticated))?;
        let (session, expires_at) = (claims.session, claims.expires_at);
        Ok(Identity { person, session, expires_at, address })
    }
}

/// A refusal that concerns the session as a whole, in a sentence.
pub(crate) fn refusal(code: ErrorCode) -> Error {
    Error::new(
        code,
        match code {
            ErrorCode::Draining => "the server is stopping, come back in a moment",
            ErrorCode::TokenExpired => "the access token is over, refresh it",
            ErrorCode::Unauthenticated => "no valid session",
            _ => code.as_str(),
        },
    )
}

/// The limit on sockets per user, by name (CONTRACT §3.9).
fn too_many_sockets(max: usize) -> Error {
    Error::new(ErrorCode::RateLimited, format!("over {max} sockets per user"))
}

/// A moment of the wall clock on the clock of timers.
fn instant_of(at: DateTime<Utc>) -> Instant {
    let left = SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left
}
