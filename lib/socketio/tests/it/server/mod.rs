//! The server over real sockets: what a black box cannot see of it, and what it withstands.

mod abuse;
mod both_ends;
mod corpus;
mod heads;
mod life;
mod limits;
mod order;
mod polling;
mod rooms;
mod slow;
pub(crate) mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, Server, ServerBuilder, ServerConfig, Socket,
};

use self::wire::Wire;
use crate::peer::soon;

/// Long enough for a machine that is busy, short enough for a test that fails.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// A server that listens, and ends with the test.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Served {
    pub(crate) async fn new(builder: ServerBuilder) -> Self {
        Self::of(builder.build()).await
    }

    pub(crate) async fn of(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn({
            let server = server.clone();
            async move {
                while let Ok((stream, peer)) = listener.accept().await {
                    tokio::spawn(connection(server.clone(), stream, peer));
                }
            }
        });
        Self { server, address, accepting }
    }

    /// Waits until the last session is gone.
    pub(crate) async fn until_empty(&self) {
        soon(async {
            while self.server.sessions() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

async fn connection(server: Server, stream: TcpStream, peer: SocketAddr) {
    let service = service_fn(|request| {
        let answer = server.serve(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let http = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _broken = http.with_upgrades().await;
}

/// What the test gets of every client that connects.
struct Joined {
    socket: Socket,
    events: Events,
    auth: String,
}

/// Hands every connected socket to the test, which is then its handler.
struct ToTest {
    joined: mpsc::UnboundedSender<Joined>,
    /// When there, nobody connects before it is notified.
    gate: Option<Arc<Notify>>,
}

impl Handler for ToTest {
    type Session = String;

    async fn connect(&self, request: ConnectRequest) -> Result<String, Refusal> {
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        let auth = request.auth.map(|auth| auth.get().to_owned()).unwrap_or_default();
        if auth.contains("refuse") {
            let data = Some(serde_json::json!({"code": "unauthenticated"}));
            return Err(Refusal { message: "no".to_owned(), data });
        }
        Ok(auth)
    }

    async fn run(&self, socket: Socket, events: Events, auth: String) {
        let _test_is_over = self.joined.send(Joined { socket: socket.clone(), events, auth });
        socket.closed().await;
    }
}

/// A server with one namespace under `/chat` and `/`, and the sockets that connect to it.
struct Bench {
    served: Served,
    joined: mpsc::UnboundedReceiver<Joined>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(ServerConfig::default()).await
    }

    async fn with(config: ServerConfig) -> Self {
        Self::gated(config, None).await
    }

    async fn gated(config: ServerConfig, gate: Option<Arc<Notify>>) -> Self {
        let (sender, joined) = mpsc::unbounded_channel();
        let handler = ToTest { joined: sender, gate };
        let builder = Server::builder(config).namespace(&["/chat", "/"], handler);
        Self { served: Served::new(builder).await, joined }
    }

    async fn joined(&mut self) -> Joined {
        soon(self.joined.recv()).await.unwrap()
    }

    /// A websocket client that is connected to `/`, and the server's side of it.
    async fn connect(&mut self) -> (Wire, Joined) {
        let mut wire = Wire::open(self.served.address).await;
        wire.text("40").await;
        let joined = self.joined().await;
        wire.expect_start("40{\"sid\":").await;
        (wire, joined)
    }

    /// Whether a client that does nothing wrong is served.
    async fn serves_an_honest_client(&mut self) {
        let (mut wire, mut joined) = self.connect().await;
        wire.text("427[\"ping\",1]").await;
        let mut event = soon(joined.events.recv()).await.unwrap();
        event.ack(&event.args().get::<u32>(0).unwrap()).unwrap();
        wire.expect("437[1]").await;
        joined.socket.emit(&numbered(7)).unwrap();
        wire.expect("42[\"n\",7]").await;
    }
}

fn numbered(number: usize) -> Outgoing {
    Outgoing::new("n", &number).unwrap()
}
