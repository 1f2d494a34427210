//! What an application gives to the server: who may connect, and what a socket does all its life.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;

use super::event::Events;
use super::frame;
use super::signal::HANDLERS;
use super::socket::{Socket, SocketInner};
use crate::packet;
use crate::reason::DisconnectReason;

/// The application behind a namespace.
pub trait Handler: Send + Sync + 'static {
    /// What `connect` found out and `run` needs.
    type Session: Send + 'static;

    /// Decides whether a client may connect; nothing is answered before. Events that the client
    /// sends meanwhile wait. The future is never dropped early, but a session that has ended by
    /// then is not connected any more.
    fn connect(
        &self,
        request: ConnectRequest,
    ) -> impl Future<Output = Result<Self::Session, Refusal>> + Send;

    /// The whole life of the socket: take events until [`Events::recv`] answers `None`, then
    /// return soon. Returning earlier removes the client from the namespace.
    ///
    /// It runs inside the connection's own task: while it computes, this connection (and no other
    /// one) stands still. While it waits, the connection goes on.
    fn run(
        &self,
        socket: Socket,
        events: Events,
        session: Self::Session,
    ) -> impl Future<Output = ()> + Send;
}

/// A client asks for a namespace.
#[derive(Debug)]
pub struct ConnectRequest {
    /// The path it asked for.
    pub namespace: String,
    /// The auth object of its CONNECT packet, as JSON text.
    pub auth: Option<Box<RawValue>>,
    /// The headers of the request that opened the session.
    pub headers: HeaderMap,
    /// The client's address, as the caller of [`super::Server::serve`] gave it.
    pub peer: IpAddr,
}

/// The answer to a client that may not connect (CONNECT_ERROR). Its transport is closed within
/// [`super::ServerConfig::connect_timeout`] unless another namespace is connected.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// A sentence for people.
    pub message: String,
    /// Anything for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

impl Refusal {
    /// A refusal with a sentence alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }
}

pub(super) type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`Handler`] of any type.
pub(super) trait DynHandler: Send + Sync {
    /// One future for the whole life of a socket, from the question to the end.
    fn start(self: Arc<Self>, request: ConnectRequest, socket: Arc<SocketInner>) -> Life;
}

impl<H: Handler> DynHandler for H {
    fn start(self: Arc<Self>, request: ConnectRequest, socket: Arc<SocketInner>) -> Life {
        Box::pin(async move {
            match self.connect(request).await {
                Ok(session) => {
                    if let Some((socket, events)) = grant(socket) {
                        self.run(socket, events, session).await;
                    }
                }
                Err(refusal) => refuse(&socket, &refusal),
            }
        })
    }
}

/// Answers CONNECT; from now on the socket can be sent to. `None` when the session has ended.
fn grant(socket: Arc<SocketInner>) -> Option<(Socket, Events)> {
    if !socket.open() {
        return None;
    }
    let (path, data) = (socket.path(), format!("{{\"sid\":\"{}\"}}", socket.id));
    let make = |encoding| {
        frame::message(encoding, &[], |out| packet::encode_connect(out, path, Some(&data)))
    };
    // When the session is being closed, the socket will be told by its connection.
    let _closing = socket.session.send(false, make);
    socket.session.signal.ring(HANDLERS);
    if let Some(observer) = &socket.session.registry.config.observer {
        observer.socket_connected();
    }
    Some((Socket(Arc::clone(&socket)), Events(socket)))
}

fn refuse(socket: &SocketInner, refusal: &Refusal) {
    if !socket.close(DisconnectReason::ServerDisconnect) {
        return;
    }
    send_refusal(socket, refusal);
    if let Some(observer) = &socket.session.registry.config.observer {
        observer.socket_refused();
    }
}

fn send_refusal(socket: &SocketInner, refusal: &Refusal) {
    let data = serde_json::to_string(refusal).unwrap_or_default();
    let path = socket.path();
    let make = |encoding| {
        frame::message(encoding, &[], |out| packet::encode_connect_error(out, path, &data))
    };
    let _closed = socket.session.send(false, make);
}
