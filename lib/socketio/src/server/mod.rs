//! The server: sessions over WebSocket and long-polling, namespaces, rooms, and the fan-out.
//!
//! [`Server::serve`] answers HTTP requests inside any hyper or axum service. Each session is one
//! task (`connection`); requests of a polling client meet it in its `session`. What an
//! application sees of a client is a [`Socket`] to send to and [`Events`] to read from, in order.
//!
//! What may not happen here: a task per event, a lock over a fan-out or an await, a queue without
//! a bound, an event that is left out in silence.

mod body;
mod config;
mod connection;
mod event;
mod flusher;
mod frame;
mod handler;
mod http;
mod id;
mod inbox;
mod namespace;
mod peer;
mod polling;
mod queue;
mod raw;
mod registry;
mod session;
mod signal;
mod socket;
mod stream;
mod upgrade;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use http_body::Body;

pub use body::ResponseBody;
pub use config::{Observer, OriginRule, ServerConfig};
pub use event::{AckSendError, Event, Events};
pub use handler::{ConnectRequest, Handler, Refusal};
pub use id::SocketId;
pub use namespace::Namespace;
pub use raw::{RawHandler, RawMessage, RawMessages, RawSocket};
pub use session::Closed;
pub use socket::{AckError, Socket};

use self::connection::{Connection, millis};
use self::frame::Encoding;
use self::handler::DynHandler;
use self::http::{Rejection, TransportName};
use self::namespace::NamespaceInner;
use self::peer::Peer;
use self::raw::DynRawHandler;
use self::registry::{Full, Path, Permit, Registry};
use self::session::Session;
use crate::engine::Handshake;
use crate::ws::{self, HandshakeError};

/// Puts a server together.
pub struct ServerBuilder {
    config: ServerConfig,
    namespaces: Vec<Arc<NamespaceInner>>,
    paths: Vec<Path>,
    raw: Option<Arc<dyn DynRawHandler>>,
}

impl ServerBuilder {
    /// Adds a namespace that clients reach under any of `paths` (each with its leading slash): the
    /// paths are one namespace with the same rooms. A path that was added before stays what it is.
    #[must_use]
    pub fn namespace<H: Handler>(mut self, paths: &[&str], handler: H) -> Self {
        let handler: Arc<dyn DynHandler> = Arc::new(handler);
        // A path's number is a byte; nobody reaches one service under 256 names.
        let paths: Vec<Arc<str>> = paths.iter().take(256).map(|path| Arc::from(*path)).collect();
        let namespace = Arc::new(NamespaceInner::new(paths.clone(), handler));
        for (path, index) in paths.into_iter().zip(0..=u8::MAX) {
            if !self.paths.iter().any(|known| known.path == path) {
                self.paths.push(Path { path, namespace: Arc::clone(&namespace), index });
            }
        }
        self.namespaces.push(namespace);
        self
    }

    /// Gives the sessions' plain Engine.IO messages to `handler`; no Socket.IO is spoken then.
    #[must_use]
    pub fn raw<H: RawHandler>(mut self, handler: H) -> Self {
        self.raw = Some(Arc::new(handler));
        self
    }

    /// The server, ready to answer.
    #[must_use]
    pub fn build(self) -> Server {
        Server { registry: Arc::new(Registry::new(self.config, self.paths, self.raw)) }
    }
}

/// A server. A clone is another handle of the same one.
#[derive(Clone)]
pub struct Server {
    registry: Arc<Registry>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Server({} sessions)", self.sessions())
    }
}

impl Server {
    /// Begins a server with these settings.
    #[must_use]
    pub fn builder(config: ServerConfig) -> ServerBuilder {
        ServerBuilder { config, namespaces: Vec::new(), paths: Vec::new(), raw: None }
    }

    /// Whether a request to this path is for the server: its path, with the last slash or without.
    #[must_use]
    pub fn handles(&self, path: &str) -> bool {
        let own = &self.registry.config.path;
        path == own || Some(path) == own.strip_suffix('/')
    }

    /// The namespace under this path, for sending to its rooms.
    #[must_use]
    pub fn namespace(&self, path: &str) -> Option<Namespace> {
        let path = self.registry.paths.iter().find(|known| *known.path == *path)?;
        Some(Namespace(Arc::clone(&path.namespace)))
    }

    /// How many sessions there are, over all transports and namespaces.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.registry.sessions()
    }

    /// Admits no further session, closes the transports of all (not their namespaces, so that
    /// plain clients come back by themselves), and waits until they are gone, at most for `grace`.
    pub async fn close(&self, grace: Duration) {
        self.registry.close(grace).await;
    }

    /// Answers one request: a handshake, a poll, packets, or an upgrade. `peer` is the client's
    /// address as the caller trusts it. The path is not looked at ([`Self::handles`]).
    ///
    /// The connection must be served with upgrades (`with_upgrades` in hyper) and with a timeout
    /// for request headers, which only the HTTP server can enforce. A poll begins with the call
    /// and not with the first look at its future: call this in the service itself where possible.
    pub fn serve<B>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<ResponseBody>> + use<B>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let server = self.clone();
        let asked = self.ask(&request);
        let origin = request.headers().get(::http::header::ORIGIN).cloned();
        async move {
            let asked = match asked {
                Ok(asked) => asked,
                Err(Rejection::Forbidden) => return Rejection::Forbidden.answer(),
                Err(rejection) => Asked::Nothing(rejection),
            };
            let mut response = match server.answer(asked, request, peer).await {
                Ok(response) => response,
                Err(rejection) => {
                    server.note(rejection);
                    rejection.answer()
                }
            };
            http::allow_origin(origin, &mut response);
            response
        }
    }

    /// Finds out what is asked for; a poll begins here.
    fn ask<B>(&self, request: &Request<B>) -> Result<Asked, Rejection> {
        let config = &self.registry.config;
        if !config.origin.as_ref().is_none_or(|origin| origin(request.headers())) {
            return Err(Rejection::Forbidden);
        }
        if request.method() == Method::OPTIONS {
            return Ok(Asked::Preflight);
        }
        let query = http::parse(request)?;
        let offered = match query.transport {
            TransportName::Polling => config.polling,
            TransportName::Websocket => config.websocket,
        };
        if !offered {
            return Err(Rejection::UnknownTransport);
        }
        let known = |id| self.registry.get(id).ok_or(Rejection::UnknownSession);
        Ok(match (query.transport, query.session) {
            (TransportName::Websocket, None) => Asked::OpenWebsocket,
            (TransportName::Websocket, Some(id)) => Asked::Upgrade(known(id)?),
            (TransportName::Polling, None) => Asked::OpenPolling,
            (TransportName::Polling, Some(id)) => match *request.method() {
                Method::GET => Asked::Poll(polling::begin(known(id)?)),
                Method::POST => Asked::Post(known(id)?),
                _ => return Err(Rejection::BadRequest),
            },
        })
    }

    async fn answer<B>(
        &self,
        asked: Asked,
        request: Request<B>,
        peer: SocketAddr,
    ) -> Result<Response<ResponseBody>, Rejection>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match asked {
            Asked::Nothing(rejection) => Err(rejection),
            Asked::Preflight => Ok(http::preflight()),
            Asked::OpenPolling => {
                let (peer, permit) = self.admit(request.headers(), peer)?;
                Ok(self.open_polling(peer, permit))
            }
            Asked::Poll(begun) => polling::get(begun).await,
            Asked::Post(session) => {
                let (parts, body) = request.into_parts();
                polling::post(&session, &parts.headers, body).await
            }
            Asked::OpenWebsocket => self.websocket(request, None, peer),
            Asked::Upgrade(session) => self.websocket(request, Some(session), peer),
        }
    }

    fn note(&self, rejection: Rejection) {
        if let (Rejection::Full(Full::Limit(limit)), Some(observer)) =
            (rejection, &self.registry.config.observer)
        {
            observer.limit_hit(limit);
        }
    }

    fn admit(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(Peer, Permit), Rejection> {
        let permit = self.registry.admit(peer.ip()).map_err(Rejection::Full)?;
        let peer = Peer::new(peer.ip(), headers, self.registry.config.header_bytes_max);
        Ok((peer.ok_or(Rejection::HeadersTooLarge)?, permit))
    }

    fn open_polling(&self, peer: Peer, permit: Permit) -> Response<ResponseBody> {
        let session = Session::new(Arc::clone(&self.registry), Encoding::Polling);
        self.registry.insert(&session);
        let upgrades = self.registry.config.websocket.then(|| "websocket".to_owned());
        let handshake = handshake(&session, upgrades.into_iter().collect());
        self.registry.tasks.spawn(Connection::new(&session, peer, permit, None));
        polling::packets(&session, handshake)
    }

    fn websocket<B>(
        &self,
        mut request: Request<B>,
        session: Option<Arc<Session>>,
        peer: SocketAddr,
    ) -> Result<Response<ResponseBody>, Rejection> {
        let accept = ws::check_request(request.method(), request.version(), request.headers());
        let accept = accept.map_err(|error| match error {
            HandshakeError::BadVersion => Rejection::WebsocketVersion,
            _ => Rejection::BadRequest,
        })?;
        let upgrade = hyper::upgrade::on(&mut request);
        let registry = Arc::clone(&self.registry);
        match session {
            None => {
                let (peer, permit) = self.admit(request.headers(), peer)?;
                self.registry.tasks.spawn(upgrade::open(registry, upgrade, peer, permit));
            }
            Some(session) => {
                if !session.is_alive() {
                    return Err(Rejection::UnknownSession);
                }
                // These two are over within their own timeouts; the session's task is the one
                // that a stopping server waits for.
                if session.begin_upgrade() {
                    tokio::spawn(upgrade::attempt(session, upgrade));
                } else {
                    tokio::spawn(upgrade::turn_away(registry, upgrade));
                }
            }
        }
        Ok(upgrade::switching(&accept))
    }
}

/// What a request asks for.
enum Asked {
    OpenPolling,
    Poll(polling::Begun),
    Post(Arc<Session>),
    OpenWebsocket,
    Upgrade(Arc<Session>),
    Preflight,
    Nothing(Rejection),
}

/// The `0` packet that opens a session.
fn handshake(session: &Session, upgrades: Vec<String>) -> Bytes {
    let config = &session.registry.config;
    let handshake = Handshake {
        sid: session.id.reveal(),
        upgrades,
        ping_interval: millis(config.ping_interval),
        ping_timeout: millis(config.ping_timeout),
        max_payload: config.max_payload as u64,
    };
    let json = serde_json::to_string(&handshake).unwrap_or_default();
    format!("0{json}").into()
}
