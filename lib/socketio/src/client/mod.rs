//! A client of Engine.IO v4 and Socket.IO v5.
//!
//! ```text
//! Client::connect ── one task owns the connection ── ClientSocket per namespace
//!   emit ─> bounded queue ─> frames          frames ─> bounded inbox ─> recv
//! ```
//!
//! What it promises: events are received in the order of the wire, beginning with the one right
//! behind the server's answer to CONNECT; nothing is dropped in silence in either direction; every
//! way to fail is a value. It does not reconnect: what to do again after a loss is known above.

mod config;
mod error;
pub(crate) mod http;
mod polling;
mod proxy;
mod session;
mod shared;
mod socket;
mod state;
pub(crate) mod stream;
mod tap;
pub(crate) mod websocket;
mod wire;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;
use tokio::time::Instant;

pub use config::{ClientConfig, RootCertificates, Transports};
pub use error::{AckError, ConnectError, EmitError, Refused};
pub use proxy::Proxy;
pub use socket::{ClientSender, ClientSocket, Event, PendingAck, Received};
pub use state::Transport;
pub use tap::{Passed, Tap, Tapped, Way};
pub use wire::{SCRATCH_BYTES, Wire, WireOpener, Written};

use crate::engine::{EnginePacket, Handshake};
use crate::{DisconnectReason, ws};
use session::Session;
use shared::Shared;
use state::{Asked, SlotId};
use stream::Target;
use websocket::Websocket;

/// A connection to a server; namespaces are connected on it. A clone is the same connection. It
/// closes when the last clone and the last [`ClientSocket`] are dropped.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
    sid: Arc<str>,
    connect_timeout: Duration,
}

/// Closes the connection when the last of its holders is gone.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.ask(Asked::Close);
    }
}

/// A place for a namespace whose answer is awaited; given back unless it is connected.
struct Place<'a>(&'a Shared, Option<SlotId>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.1 {
            self.0.remove(slot);
        }
    }
}

impl Client {
    /// Connects and shakes hands (Engine.IO). No namespace is connected yet.
    ///
    /// # Errors
    /// [`ConnectError`], within [`ClientConfig::connect_timeout`].
    pub async fn connect(mut config: ClientConfig) -> Result<Self, ConnectError> {
        config.tap = config.tap.map(|tap| tap.next());
        let within = config.connect_timeout;
        let connected = tokio::time::timeout(within, Self::shake_hands(&config)).await;
        connected.unwrap_or(Err(ConnectError::Timeout(within)))
    }

    async fn shake_hands(config: &ClientConfig) -> Result<Self, ConnectError> {
        let target = Target::new(config)?;
        let (shared, sid) = match config.transports {
            Transports::Websocket => Self::over_websocket(config, &target).await?,
            Transports::Polling | Transports::PollingUpgrade => {
                polling::connect(config, Arc::new(target)).await?
            }
        };
        let connect_timeout = config.connect_timeout;
        Ok(Self { handle: Arc::new(Handle { shared }), sid: sid.into(), connect_timeout })
    }

    async fn over_websocket(
        config: &ClientConfig,
        target: &Target,
    ) -> Result<(Arc<Shared>, String), ConnectError> {
        let stream = target.connect(config.connect_timeout).await?;
        let uri = http::endpoint(target, "websocket", None);
        let (mut io, read) = http::open_websocket(target, &config.headers, stream, &uri).await?;
        let mut frames = frame_decoder(config);
        let mut input = BytesMut::from(&read[..]);
        let text = websocket::first_text(&mut io, &mut frames, &mut input).await?;
        let open = match EnginePacket::decode(&text) {
            Ok(EnginePacket::Open(json)) => parse_open(json)?,
            _ => return Err(ConnectError::Protocol("no handshake came first".to_owned())),
        };
        if let Some(tap) = &config.tap {
            tap.tell_text(Transport::Websocket, Way::In, &text);
        }
        let shared = Arc::new(Shared::new(config, &open));
        let session = Session::new(shared.clone(), &open, config.max_payload, Instant::now());
        tokio::spawn(Websocket::new(io, session, frames, input, VecDeque::new()).run());
        Ok((shared, open.sid))
    }

    /// The id of the Engine.IO session. It is a secret between us and the server.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.sid
    }

    /// What the session travels on now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.handle.shared.transport()
    }

    /// Connects a namespace; `auth` must serialise as a JSON object. A refusal is
    /// [`ConnectError::Refused`]. Dropping the future gives the namespace up.
    ///
    /// # Errors
    /// [`ConnectError`], within [`ClientConfig::connect_timeout`].
    pub async fn namespace<T: Serialize + ?Sized>(
        &self,
        path: &str,
        auth: Option<&T>,
    ) -> Result<ClientSocket, ConnectError> {
        if !path.starts_with('/') || path.contains(',') {
            let what = format!("namespace {path:?} must begin with / and have no comma");
            return Err(ConnectError::Config(what));
        }
        let auth = auth.map(serialise_auth).transpose()?;
        let shared = &*self.handle.shared;
        let slot = shared.connect(path, auth)?;
        let mut place = Place(shared, Some(slot));
        let answer = poll_fn(|cx| shared.poll_connected(slot, cx));
        let (path, sid) = tokio::time::timeout(self.connect_timeout, answer)
            .await
            .unwrap_or(Err(ConnectError::Timeout(self.connect_timeout)))?;
        place.1 = None;
        Ok(ClientSocket::new(self.handle.clone(), slot, path, sid))
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> DisconnectReason {
        poll_fn(|cx| self.handle.shared.poll_ended(cx)).await
    }

    /// Closes the connection with all its namespaces, after everything emitted has been sent.
    pub fn close(&self) {
        self.handle.shared.ask(Asked::Close);
    }

    /// Lets the connection go without a word, as if this process had been killed.
    pub fn abort(&self) {
        self.handle.shared.ask(Asked::Abort);
    }
}

fn frame_decoder(config: &ClientConfig) -> ws::Decoder {
    let limits = ws::Limits { message_bytes_max: config.max_payload, ..ws::Limits::default() };
    ws::Decoder::new(ws::Role::Client, limits)
}

fn parse_open(json: &str) -> Result<Handshake, ConnectError> {
    serde_json::from_str(json)
        .map_err(|error| ConnectError::Protocol(format!("a handshake that is none: {error}")))
}

fn serialise_auth<T: Serialize + ?Sized>(auth: &T) -> Result<String, ConnectError> {
    let json =
        serde_json::to_string(auth).map_err(|error| ConnectError::Auth(error.to_string()))?;
    if json.starts_with('{') { Ok(json) } else { Err(ConnectError::Auth("not an object".into())) }
}
