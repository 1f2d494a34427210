//! The server that the public protocol suites expect: Socket.IO at `/socket.io/`, echoing plain
//! Engine.IO at `/engine.io/`, with pings every 300 ms and payloads up to 1,000,000 bytes.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use trialogue_socketio::server::{
    ConnectRequest, Event, Events, Handler, RawHandler, RawMessages, RawSocket, Refusal, Server,
    ServerConfig, Socket,
};
use trialogue_socketio::{Args, Outgoing};

/// How long a client may take to send the head of a request: from the first of thousands of half ones
/// to the end of the last, opening them included, 12 s should pass at the most.
const HEADER_TIMEOUT: Duration = Duration::from_secs(8);

/// Tells the client its auth object; on the main namespace it also echoes, and does what
/// `conform::PROFILE` asks for beyond the public suites: questions and rooms.
struct Suite {
    echoes: bool,
    server: Arc<OnceLock<Server>>,
}

/// When pings go out and how long they may stay unanswered, as the public suites want it.
pub(crate) const PINGS: Pings =
    Pings { interval: Duration::from_millis(300), timeout: Duration::from_millis(200) };
/// How long the client may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

impl Suite {
    /// Acts on one event of the main namespace; `None` when its arguments are not as they should be.
    async fn echo(&self, socket: &Socket, event: &mut Event) -> Option<()> {
        let args = event.args().clone();
        let send = |name: &str, args: &Args| {
            let event = Outgoing::raw(name, args.json()).ok()?;
            socket.emit(&event.attachments(args.attachments().to_vec())).ok()
        };
        match event.name() {
            "message" => send("message-back", &args),
            "message-with-ack" => event.ack_args(&args).ok(),
            "ask" => {
                let question = Outgoing::raw("question", args.json()).ok()?;
                let question = question.attachments(args.attachments().to_vec());
                match socket.emit_with_ack(&question, ANSWER_TIMEOUT).await {
                    Ok(answer) => send("answered", &answer),
                    Err(_) => socket.emit(&Outgoing::raw("unanswered", "[]").ok()?).ok(),
                }
            }
            "volatile" => {
                let event = Outgoing::raw("volatile-back", args.json()).ok()?;
                socket.emit(&event.volatile()).ok()
            }
            "kick" => {
                socket.disconnect();
                Some(())
            }
            "join" => {
                socket.join(&args.get::<String>(0).ok()?);
                event.ack(&true).ok()
            }
            "leave" => {
                socket.leave(&args.get::<String>(0).ok()?);
                event.ack(&true).ok()
            }
            name @ ("to-room" | "to-room-except") => {
                let room = args.get::<String>(0).ok()?;
                let value = Outgoing::raw("room", format!("[{}]", args.raw(1)?)).ok()?;
                let namespace = self.server.get()?.namespace("/")?;
                if name == "to-room" {
                    namespace.emit(&room, &value);
                } else {
                    namespace.emit_except(&room, socket.id(), &value);
                }
                Some(())
            }
            _ => None,
        }
    }
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
            if self.echoes {
                let _unknown = self.echo(&socket, &mut event).await;
            }
        }
    }
}

/// Tells everybody in its namespace what one of them says.
struct Lobby;

impl Handler for Lobby {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        Ok(())
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        socket.join("everybody");
        while let Some(event) = events.recv().await {
            if let ("to-all", Ok(all)) = (event.name(), Outgoing::raw("all", event.args().json())) {
                socket.namespace().emit("everybody", &all);
            }
        }
    }
}

/// Lets nobody in.
struct Guarded;

impl Handler for Guarded {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        let data = Some(serde_json::json!({"code": "guarded"}));
        Err(Refusal { message: "not you".to_owned(), data })
    }

    async fn run(&self, _: Socket, _: Events, (): ()) {}
}

/// The heartbeat of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pings {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
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
    pub(crate) socket_io: Server,
    pub(crate) engine_io: Server,
}

impl Profile {
    /// Settings of the suites, which want [`PINGS`]; no limit on open handshakes, which the suites
    /// leave behind. What is echoed to a burst over polling has to wait for the next poll: more
    /// frames than a chat would let wait.
    pub(crate) fn new(pings: Pings) -> Self {
        let config = |path: &str| ServerConfig {
            path: path.to_owned(),
            ping_interval: pings.interval,
            ping_timeout: pings.timeout,
            max_payload: 1_000_000,
            queue_frames_max: 8_192,
            unclaimed_per_address_max: usize::MAX,
            unclaimed_max: usize::MAX,
            ..ServerConfig::default()
        };
        let server = Arc::new(OnceLock::new());
        let suite = |echoes| Suite { echoes, server: server.clone() };
        let socket_io = Server::builder(config("/socket.io/"))
            .namespace(&["/"], suite(true))
            .namespace(&["/custom"], suite(false))
            .namespace(&["/lobby"], Lobby)
            .namespace(&["/guarded"], Guarded)
            .build();
        // The handlers emit to rooms through the server that they belong to.
        let _first = server.set(socket_io.clone());
        let engine_io = Server::builder(config("/engine.io/")).raw(Echo);
        Self { socket_io, engine_io: engine_io.build() }
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
            let engine = self.engine_io.handles(request.uri().path());
            let server = if engine { &self.engine_io } else { &self.socket_io };
            let answer = server.serve(request, peer);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let _broken = connection.await;
    }
}
