//! The server that the public protocol suites expect: Socket.IO at `/socket.io/`, echoing plain
//! Engine.IO at `/engine.io/`, with pings every 300 ms and payloads up to 1,000,000 bytes.

use std::convert::Infallible;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, RawHandler, RawMessages, RawSocket, Refusal, Server,
    ServerConfig, Socket,
};

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells the client its auth object; on the main namespace it also echoes.
struct Suite {
    echoes: bool,
}

impl Handler for Suite {
    /// The auth object as JSON text.
    type Session = String;

    async fn connect(&self, request: ConnectRequest) -> Result<String, Refusal> {
        Ok(request.auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned()))
    }

    async fn run(&self, socket: Socket, mut events: Events, auth: String) {
        if let Ok(event) = Outgoing::raw("auth", format!("[{auth}]")) {
            let _closed = socket.emit(&event);
        }
        while let Some(mut event) = events.recv().await {
            let args = event.args().clone();
            match event.name() {
                "message" if self.echoes => {
                    if let Ok(back) = Outgoing::raw("message-back", args.json()) {
                        let back = back.attachments(args.attachments().to_vec());
                        let _closed = socket.emit(&back);
                    }
                }
                "message-with-ack" if self.echoes => {
                    let _closed = event.ack_args(&args);
                }
                _ => {}
            }
        }
    }
}

/// Sends every message back.
struct Echo;

impl RawHandler for Echo {
    async fn run(&self, socket: RawSocket, mut messages: RawMessages) {
        while let Some(message) = messages.recv().await {
            let _closed = socket.send(&message);
        }
    }
}

/// Both servers of the profile.
#[derive(Clone)]
pub(crate) struct Profile {
    socket_io: Server,
    engine_io: Server,
}

impl Profile {
    /// Settings of the suites; no limit on open handshakes, which the suites leave behind.
    pub(crate) fn new() -> Self {
        let config = |path: &str| ServerConfig {
            path: path.to_owned(),
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            max_payload: 1_000_000,
            unclaimed_per_address_max: usize::MAX,
            unclaimed_max: usize::MAX,
            ..ServerConfig::default()
        };
        let socket_io = Server::builder(config("/socket.io/"))
            .namespace(&["/"], Suite { echoes: true })
            .namespace(&["/custom"], Suite { echoes: false });
        let engine_io = Server::builder(config("/engine.io/")).raw(Echo);
        Self { socket_io: socket_io.build(), engine_io: engine_io.build() }
    }

    /// Serves for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            // A failed accept concerns one connection, or passes with the load.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            tokio::spawn(self.clone().connection(stream));
        }
    }

    async fn connection(self, stream: TcpStream) {
        let Ok(peer) = stream.peer_addr() else { return };
        let _best_effort = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let profile = &self;
            async move {
                let engine = profile.engine_io.handles(request.uri().path());
                let server = if engine { &profile.engine_io } else { &profile.socket_io };
                Ok::<_, Infallible>(server.serve(request, peer).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let _broken = connection.await;
    }
}
