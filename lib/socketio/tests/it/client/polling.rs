//! The client over HTTP requests, and its move to a websocket, request by request.

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use trialogue_socketio::client::{
    Client, ClientConfig, ClientSocket, ConnectError, EmitError, Transport, Transports,
};
use trialogue_socketio::ws::Message;
use trialogue_socketio::{DisconnectReason, Outgoing};

use super::tap::{soon_told, tap};
use super::{NO_AUTH, closed, event, millis};
use crate::peer::{SOON, Wire, header, read_head, soon};

pub(super) const OPEN: &str = concat!(
    r#"0{"sid":"e 1","upgrades":["websocket"],"pingInterval":25000,"#,
    r#""pingTimeout":20000,"maxPayload":100}"#
);

/// A request that waits for its answer.
pub(super) struct Request {
    method: String,
    pub(super) target: String,
    head: String,
    pub(super) body: String,
    pub(super) tcp: TcpStream,
    next: mpsc::Sender<Request>,
}

impl Request {
    /// Answers and waits for the next request on the same connection.
    async fn answer(mut self, status: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
        self.tcp.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        serve(self.tcp, self.next);
    }

    pub(super) async fn ok(self, body: &str) {
        self.answer("200 OK", body).await;
    }

    pub(super) async fn upgrade(self) -> Wire<TcpStream> {
        Wire::answer(self.tcp, self.head).await
    }
}

/// A server whose requests a test answers one by one, in the order that it likes.
pub(super) struct HttpPeer {
    url: String,
    requests: mpsc::Receiver<Request>,
}

impl HttpPeer {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (next, requests) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                serve(tcp, next.clone());
            }
        });
        Self { url, requests }
    }

    pub(super) fn config(&self, transports: Transports) -> ClientConfig {
        ClientConfig { transports, ..ClientConfig::new(self.url.parse().unwrap()) }
    }

    #[track_caller]
    pub(super) fn next(&mut self, method: &str) -> impl Future<Output = Request> {
        let caller = std::panic::Location::caller();
        let request = soon(self.requests.recv());
        async move {
            let request = request.await.unwrap();
            assert_eq!(request.method, method, "{} {} at {caller}", request.target, request.body);
            request
        }
    }

    /// The next GET and the next POST, whichever comes first.
    pub(super) async fn both(&mut self) -> (Request, Request) {
        let first = soon(self.requests.recv()).await.unwrap();
        let second = soon(self.requests.recv()).await.unwrap();
        if first.method == "GET" { (first, second) } else { (second, first) }
    }

    async fn connect(&mut self, config: ClientConfig) -> Client {
        let answer = async {
            let request = self.next("GET").await;
            assert_eq!(request.target, "/socket.io/?EIO=4&transport=polling");
            request.ok(OPEN).await;
        };
        tokio::join!(soon(Client::connect(config)), answer).0.unwrap()
    }

    /// A client with namespace `/`, and the GET that it now waits with.
    async fn connected(&mut self, config: ClientConfig) -> (Client, ClientSocket, Request) {
        let client = self.connect(config).await;
        let answer = async {
            let (get, post) = self.both().await;
            assert_eq!(get.target, "/socket.io/?EIO=4&transport=polling&sid=e+1");
            assert_eq!((&*post.body, &post.target), ("40", &get.target));
            post.ok("ok").await;
            get.ok(r#"40{"sid":"s"}"#).await;
            self.next("GET").await
        };
        let (socket, get) = tokio::join!(soon(client.namespace("/", NO_AUTH)), answer);
        (client, socket.unwrap(), get)
    }
}

fn serve(mut tcp: TcpStream, next: mpsc::Sender<Request>) {
    tokio::spawn(async move {
        let mut first = [0];
        // The client may let an idle connection go.
        if !matches!(tcp.peek(&mut first).await, Ok(1)) {
            return;
        }
        let head = read_head(&mut tcp).await;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        tcp.read_exact(&mut body).await.unwrap();
        let mut words = head.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let body = String::from_utf8(body).unwrap();
        let sender = next.clone();
        let _test_over = sender.send(Request { method, target, head, body, tcp, next }).await;
    });
}

fn outgoing(number: usize) -> Outgoing {
    Outgoing::new("n", &number).unwrap()
}

#[tokio::test]
async fn packets_are_joined_and_split_in_both_directions() {
    let mut peer = HttpPeer::new().await;
    let (client, mut socket, get) = peer.connected(peer.config(Transports::Polling)).await;
    assert_eq!(client.transport(), Transport::Polling);
    get.ok("42[\"a\"]\x1e2\x1e42[\"b\",{\"x\":\"\u{e9}\"}]").await;
    assert_eq!(event(&mut socket).await.name(), "a");
    assert_eq!(event(&mut socket).await.args().json(), "[{\"x\":\"\u{e9}\"}]");
    let (get, post) = peer.both().await;
    assert_eq!(post.body, "3");
    assert_eq!(header(&post.head, "content-type"), Some("text/plain;charset=UTF-8"));
    // While a POST is under way everything waits; it leaves in as few requests as the limit allows.
    for number in 0..12 {
        socket.emit(&outgoing(number)).unwrap();
    }
    post.ok("ok").await;
    let mut came = Vec::new();
    while came.len() < 12 {
        let post = peer.next("POST").await;
        assert!(post.body.len() <= 100 && post.body.len() > 5, "{}", post.body);
        came.extend(post.body.split('\x1e').map(str::to_owned));
        post.ok("ok").await;
    }
    let expected: Vec<_> = (0..12).map(|number| format!("42[\"n\",{number}]")).collect();
    assert_eq!(came, expected);
    drop(get);
}

#[tokio::test]
async fn attachments_travel_as_base64_and_may_be_in_different_requests() {
    let mut peer = HttpPeer::new().await;
    let (tap, told) = tap();
    let config = ClientConfig { tap: Some(tap), ..peer.config(Transports::Polling) };
    let (_client, mut socket, get) = peer.connected(config).await;
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let part = Bytes::from(vec![1; 60]);
    let sent = Outgoing::raw("b", args).unwrap().attachments(vec![part.clone()]);
    socket.emit(&sent).unwrap();
    let post = peer.next("POST").await;
    assert_eq!(post.body, r#"451-["b",{"_placeholder":true,"num":0}]"#);
    post.ok("ok").await;
    let post = peer.next("POST").await;
    assert_eq!(post.body, format!("b{}", "AQEB".repeat(20)));
    post.ok("ok").await;
    get.ok(r#"451-["b",{"_placeholder":true,"num":0}]"#).await;
    peer.next("GET").await.ok("bAQIDBA==").await;
    assert_eq!(event(&mut socket).await.args().attachments(), [Bytes::from_static(&[1, 2, 3, 4])]);
    // As many bytes as there are in the bodies.
    for line in
        [format!("1 Polling out 81 {part:?}"), r#"1 Polling in 9 b"\x01\x02\x03\x04""#.to_owned()]
    {
        assert!(told.lock().unwrap().contains(&line), "{line}: {told:?}");
    }
    let over = Outgoing::raw("b", args).unwrap().attachments(vec![vec![0; 80].into()]);
    assert!(matches!(socket.emit(&over), Err(EmitError::TooLarge { size: 109, limit: 100 })));
}

#[tokio::test]
async fn acknowledgements_travel_both_ways() {
    let mut peer = HttpPeer::new().await;
    let (_client, mut socket, get) = peer.connected(peer.config(Transports::Polling)).await;
    let sender = socket.sender();
    let pending = sender.emit_for_ack(&outgoing(7)).unwrap();
    let post = peer.next("POST").await;
    assert_eq!(post.body, r#"420["n",7]"#);
    post.ok("ok").await;
    get.ok("430[{\"ok\":true}]\x1e425[\"question\"]").await;
    assert_eq!(pending.within(SOON).await.unwrap().json(), "[{\"ok\":true}]");
    event(&mut socket).await.ack(&"answer").unwrap();
    let (_get, post) = peer.both().await;
    assert_eq!(post.body, "435[\"answer\"]");
}

/// A poll answered like that ends the connection for that reason.
async fn ends(status: &str, body: &str, reason: DisconnectReason) {
    let mut peer = HttpPeer::new().await;
    let (_client, mut socket, get) = peer.connected(peer.config(Transports::Polling)).await;
    get.answer(status, body).await;
    assert_eq!(closed(&mut socket).await, reason, "{status} {body}");
}

#[tokio::test]
async fn every_end_has_its_reason() {
    ends("200 OK", "1", DisconnectReason::TransportClose).await;
    ends("200 OK", "41", DisconnectReason::ServerDisconnect).await;
    ends("200 OK", "abc", DisconnectReason::Protocol).await;
    ends("200 OK", "bAQIDBA==", DisconnectReason::Protocol).await;
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    ends("400 Bad Request", unknown, DisconnectReason::TransportError).await;

    let mut peer = HttpPeer::new().await;
    let (_client, mut socket, get) = peer.connected(peer.config(Transports::Polling)).await;
    drop(get);
    assert_eq!(closed(&mut socket).await, DisconnectReason::TransportError);

    let mut peer = HttpPeer::new().await;
    let (_client, mut socket, _get) = peer.connected(peer.config(Transports::Polling)).await;
    socket.emit(&outgoing(1)).unwrap();
    peer.next("POST").await.answer("413 Payload Too Large", "").await;
    assert_eq!(closed(&mut socket).await, DisconnectReason::TransportError);
}

#[tokio::test]
async fn a_poll_s_packets_before_a_broken_one_are_received() {
    let mut peer = HttpPeer::new().await;
    let (_client, mut socket, get) = peer.connected(peer.config(Transports::Polling)).await;
    get.ok("42[\"last\"]\x1eabc").await;
    assert_eq!(event(&mut socket).await.name(), "last");
    assert_eq!(closed(&mut socket).await, DisconnectReason::Protocol);
}

#[tokio::test]
async fn an_answer_that_is_no_handshake_is_an_error_value() {
    let mut peer = HttpPeer::new().await;
    for (status, body) in [("200 OK", "4hello"), ("200 OK", "<html>"), ("200 OK", "")] {
        let config = peer.config(Transports::Polling);
        let answer = async { peer.next("GET").await.answer(status, body).await };
        let (connected, ()) = tokio::join!(soon(Client::connect(config)), answer);
        assert!(matches!(connected, Err(ConnectError::Protocol(_))), "{connected:?}");
    }
    let config = peer.config(Transports::PollingUpgrade);
    let long = "x".repeat(3_000);
    let answer = async { peer.next("GET").await.answer("503 Service Unavailable", &long).await };
    let (connected, ()) = tokio::join!(soon(Client::connect(config)), answer);
    match connected {
        Err(ConnectError::Http { status, body }) => {
            assert_eq!((status.as_u16(), body.len()), (503, 1024));
        }
        other => panic!("an HTTP error was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn a_close_sends_what_waits_and_says_so() {
    let mut peer = HttpPeer::new().await;
    let (client, mut socket, _get) = peer.connected(peer.config(Transports::Polling)).await;
    socket.emit(&outgoing(1)).unwrap();
    client.close();
    assert_eq!(closed(&mut socket).await, DisconnectReason::Closed);
    let post = peer.next("POST").await;
    assert_eq!(post.body, r#"42["n",1]"#);
    post.ok("ok").await;
    assert_eq!(peer.next("POST").await.body, "1");
}

#[tokio::test]
async fn a_kept_connection_that_the_server_gave_up_is_opened_again() {
    let mut peer = HttpPeer::new().await;
    let (_client, socket, _get) = peer.connected(peer.config(Transports::Polling)).await;
    socket.emit(&outgoing(1)).unwrap();
    let mut post = peer.next("POST").await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    post.tcp.write_all(answer.as_bytes()).await.unwrap();
    drop(post);
    socket.emit(&outgoing(2)).unwrap();
    assert_eq!(peer.next("POST").await.body, r#"42["n",2]"#);
}

#[tokio::test]
async fn a_full_inbox_delays_the_next_poll() {
    let mut peer = HttpPeer::new().await;
    let config = ClientConfig { inbound_events_max: 2, ..peer.config(Transports::Polling) };
    let (_client, mut socket, get) = peer.connected(config).await;
    get.ok("42[\"a\"]\x1e42[\"b\"]\x1e42[\"c\"]").await;
    let early = tokio::time::timeout(millis(100), peer.requests.recv()).await;
    assert!(early.is_err(), "polled with a full inbox");
    for name in ["a", "b", "c"] {
        assert_eq!(event(&mut socket).await.name(), name);
    }
    peer.next("GET").await;
}

#[tokio::test]
async fn the_session_moves_to_a_websocket_in_order() {
    let mut peer = HttpPeer::new().await;
    let (tap, told) = tap();
    let config = ClientConfig { tap: Some(tap), ..peer.config(Transports::PollingUpgrade) };
    let client = peer.connect(config).await;
    // The first poll and the websocket, in any order.
    let (first, second) =
        (soon(peer.requests.recv()).await.unwrap(), soon(peer.requests.recv()).await.unwrap());
    let is_websocket = |request: &Request| request.target.contains("transport=websocket");
    let (get, websocket) = if is_websocket(&first) { (second, first) } else { (first, second) };
    assert_eq!(websocket.target, "/socket.io/?EIO=4&transport=websocket&sid=e+1");
    let mut wire = websocket.upgrade().await;
    wire.expect("2probe").await;
    let answer = async {
        let post = peer.next("POST").await;
        assert_eq!(post.body, "40");
        post.ok("ok").await;
        get.ok(r#"40{"sid":"s"}"#).await;
        peer.next("GET").await
    };
    let (socket, get) = tokio::join!(soon(client.namespace("/", NO_AUTH)), answer);
    let mut socket = socket.unwrap();

    // A POST is under way when the probe is answered: the move waits for it, and for the poll.
    socket.emit(&outgoing(1)).unwrap();
    let post = peer.next("POST").await;
    wire.text("3probe").await;
    socket.emit(&outgoing(2)).unwrap();
    post.ok("ok").await;
    let early = tokio::time::timeout(millis(100), peer.requests.recv()).await;
    assert!(early.is_err(), "a request after the probe was answered");
    assert_eq!(client.transport(), Transport::Polling);
    get.ok("42[\"polled\"]\x1e6").await;
    wire.expect("5").await;
    wire.expect(r#"42["n",2]"#).await;
    assert_eq!(client.transport(), Transport::Websocket);
    wire.text("42[\"framed\"]").await;
    assert_eq!(event(&mut socket).await.name(), "polled");
    assert_eq!(event(&mut socket).await.name(), "framed");
    wire.text("2").await;
    wire.expect("3").await;
    drop(wire);
    assert_eq!(closed(&mut socket).await, DisconnectReason::TransportClose);
    soon_told(&told, "end").await;
    let expect = [
        &format!("1 Polling in {} {OPEN}", OPEN.len()),
        "1 Websocket out 6 2probe",
        "1 Polling out 2 40",
        r#"1 Polling in 13 40{"sid":"s"}"#,
        r#"1 Polling out 9 42["n",1]"#,
        "1 Websocket in 6 3probe",
        r#"1 Polling in 12 42["polled"]"#,
        "1 Polling in 1 6",
        "1 Websocket out 1 5",
        r#"1 Websocket out 9 42["n",2]"#,
        r#"1 Websocket in 12 42["framed"]"#,
        "1 Websocket in 1 2",
        "1 Websocket out 1 3",
        "1 Websocket end 0 transport_close",
    ];
    assert_eq!(told.lock().unwrap()[..], expect);
}

#[tokio::test]
async fn a_session_that_cannot_move_stays() {
    for refuse in ["400", "not a probe", "hang up"] {
        let mut peer = HttpPeer::new().await;
        let client = peer.connect(peer.config(Transports::PollingUpgrade)).await;
        let mut get = None;
        while get.is_none() {
            let request = soon(peer.requests.recv()).await.unwrap();
            if !request.target.contains("transport=websocket") {
                get = Some(request);
                continue;
            }
            if refuse == "400" {
                request.answer("400 Bad Request", "").await;
                continue;
            }
            let mut wire = request.upgrade().await;
            wire.expect("2probe").await;
            if refuse == "not a probe" {
                wire.text("3prob").await;
                assert_eq!(wire.next().await, None);
            }
        }
        let answer = async {
            let mut request = peer.requests.recv().await.unwrap();
            if request.target.contains("transport=websocket") {
                request.answer("400 Bad Request", "").await;
                request = peer.requests.recv().await.unwrap();
            }
            assert_eq!(request.body, "40");
            request.ok("ok").await;
            get.take().unwrap().ok(r#"40{"sid":"s"}"#).await;
        };
        let (socket, ()) = tokio::join!(soon(client.namespace("/", NO_AUTH)), answer);
        let socket = socket.unwrap();
        let auth = json!({"still": "here"});
        socket.emit(&Outgoing::new("n", &auth).unwrap()).unwrap();
        let (_get, post) = peer.both().await;
        assert_eq!(post.body, r#"42["n",{"still":"here"}]"#);
        assert_eq!(client.transport(), Transport::Polling);
        client.abort();
    }
}

#[tokio::test]
async fn what_waits_leaves_on_the_websocket_when_the_namespace_is_asked_for_late() {
    let mut peer = HttpPeer::new().await;
    let client = peer.connect(peer.config(Transports::PollingUpgrade)).await;
    let (mut get, mut wire) = (None, None);
    while get.is_none() || wire.is_none() {
        let request = soon(peer.requests.recv()).await.unwrap();
        if request.target.contains("transport=websocket") {
            wire = Some(request.upgrade().await);
        } else {
            get = Some(request);
        }
    }
    let (get, mut wire) = (get.unwrap(), wire.unwrap());
    wire.expect("2probe").await;
    wire.text("3probe").await;
    get.ok("6").await;
    wire.expect("5").await;
    let serve = async {
        match wire.next().await {
            Some(Message::Text(text)) => assert_eq!(&text[..], b"40"),
            other => panic!("{other:?}"),
        }
        wire.text(r#"40{"sid":"s"}"#).await;
    };
    let (socket, ()) = tokio::join!(soon(client.namespace("/", NO_AUTH)), serve);
    assert_eq!(socket.unwrap().id(), "s");
}
