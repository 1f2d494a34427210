//! From CONNECT to the end of a socket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use trialogue_socketio::server::{
    AckError, ConnectRequest, Events, Handler, Refusal, Server, ServerConfig, Socket,
};
use trialogue_socketio::{DisconnectReason, Outgoing};

use super::wire::{Wire, frames, http, open_polling};
use super::{Bench, Joined, Served, numbered};
use crate::peer::soon;

#[tokio::test]
async fn events_right_behind_connect_wait_for_the_authenticator() {
    let gate = Arc::new(Notify::new());
    let mut bench = Bench::gated(ServerConfig::default(), Some(Arc::clone(&gate))).await;
    let mut wire = Wire::open(bench.served.address).await;
    let mut texts = vec!["40{\"token\":1}".to_owned()];
    texts.extend((0..200).map(|number| format!("42[\"n\",{number}]")));
    wire.bytes(&frames(&texts)).await;
    // Nothing happens before the authenticator has answered.
    assert!(timeout(Duration::from_millis(50), bench.joined.recv()).await.is_err());
    gate.notify_one();
    let mut joined = bench.joined().await;
    assert_eq!(joined.auth, "{\"token\":1}");
    for number in 0..200_usize {
        let event = soon(joined.events.recv()).await.unwrap();
        assert_eq!((event.name(), event.args().get::<usize>(0).unwrap()), ("n", number));
    }
}

#[tokio::test]
async fn events_in_one_piece_with_the_request_are_not_lost() {
    let mut bench = Bench::new().await;
    for _ in 0..100 {
        let stream = TcpStream::connect(bench.served.address).await.unwrap();
        let early = frames(&["40", "421[\"n\",1]", "42[\"n\",2]"]);
        let mut wire =
            Wire::upgrade_on(stream, "EIO=4&transport=websocket", "", &early).await.unwrap();
        let mut events = bench.joined().await.events;
        for number in 1..3_usize {
            let event = soon(events.recv()).await.unwrap();
            assert_eq!(event.args().get::<usize>(0).unwrap(), number);
        }
        wire.expect_start("0{").await;
        wire.expect_start("40{").await;
    }
}

#[tokio::test]
async fn events_behind_a_refused_connect_are_never_executed() {
    let mut bench = Bench::new().await;
    let mut wire = Wire::open(bench.served.address).await;
    wire.bytes(&frames(&["40{\"token\":\"refuse\"}", "42[\"n\",1]"])).await;
    wire.expect("44{\"message\":\"no\",\"data\":{\"code\":\"unauthenticated\"}}").await;
    bench.serves_an_honest_client().await;
    assert!(bench.joined.is_empty());
}

#[tokio::test]
async fn a_refused_client_loses_its_transport_unless_it_connects_elsewhere() {
    let connect_timeout = Duration::from_millis(300);
    let mut bench = Bench::with(ServerConfig { connect_timeout, ..Default::default() }).await;
    let mut refused = Wire::open(bench.served.address).await;
    refused.text("40/chat,{\"token\":\"refuse\"}").await;
    refused.expect_start("44/chat,{\"message\":\"no\"").await;
    assert_eq!(refused.until_closed().await, Some(1008));

    let mut wire = Wire::open(bench.served.address).await;
    wire.bytes(&frames(&["40/chat,{\"token\":\"refuse\"}", "40"])).await;
    wire.expect_start("44/chat,").await;
    wire.expect_start("40{\"sid\":").await;
    let joined = bench.joined().await;
    tokio::time::sleep(connect_timeout * 2).await;
    joined.socket.emit(&numbered(1)).unwrap();
    wire.expect("42[\"n\",1]").await;
}

#[tokio::test]
async fn several_paths_are_one_namespace() {
    let mut bench = Bench::new().await;
    let mut wire = Wire::open(bench.served.address).await;
    wire.bytes(&frames(&["40/chat,", "40"])).await;
    let (chat, main) = (bench.joined().await.socket, bench.joined().await.socket);
    assert_eq!((chat.path(), main.path()), ("/chat", "/"));
    assert_ne!(chat.id(), main.id());
    chat.join("room");
    main.join("room");
    wire.expect_start("40/chat,{").await;
    wire.expect_start("40{").await;
    let namespace = bench.served.server.namespace("/").unwrap();
    assert_eq!(namespace.emit("room", &numbered(1)), 2);
    let mut both = [wire.next_text().await, wire.next_text().await];
    both.sort();
    assert_eq!(both, ["42/chat,[\"n\",1]", "42[\"n\",1]"]);
}

#[tokio::test]
async fn a_client_leaves_and_comes_back_on_the_same_transport() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { mut events, socket, .. }) = bench.connect().await;
    socket.join("room");
    wire.bytes(&frames(&["42[\"last\"]", "41", "40"])).await;
    assert_eq!(soon(events.recv()).await.unwrap().name(), "last");
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::ClientDisconnect));
    assert!(socket.emit(&numbered(1)).is_err());
    assert_eq!(socket.namespace().room_len("room"), 0);
    let again = bench.joined().await;
    wire.expect_start("40{\"sid\":").await;
    again.socket.emit(&numbered(2)).unwrap();
    wire.expect("42[\"n\",2]").await;
    socket.join("room");
    assert_eq!(socket.namespace().room_len("room"), 0);
}

#[tokio::test]
async fn the_server_removes_a_client_and_ignores_what_was_under_way() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { socket, mut events, .. }) = bench.connect().await;
    socket.emit(&numbered(1)).unwrap();
    socket.disconnect();
    wire.expect("42[\"n\",1]").await;
    wire.expect("41").await;
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::ServerDisconnect));
    wire.bytes(&frames(&["42[\"late\"]", "40"])).await;
    let again = bench.joined().await;
    wire.expect_start("40{\"sid\":").await;
    assert!(again.socket.is_connected());
}

#[tokio::test]
async fn a_second_connect_ends_the_connection_and_runs_no_second_handler() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { mut events, .. }) = bench.connect().await;
    wire.text("40").await;
    wire.until_closed().await;
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::Protocol));
    assert!(bench.joined.is_empty());
    bench.served.until_empty().await;
}

#[tokio::test]
async fn the_client_acknowledges_what_the_server_asks() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { socket, .. }) = bench.connect().await;
    let wait = Duration::from_secs(5);
    let question = Outgoing::new("q", &1).unwrap();
    let answer = tokio::spawn({
        let (socket, question) = (socket.clone(), question.clone());
        async move { socket.emit_with_ack(&question, wait).await }
    });
    wire.expect("421[\"q\",1]").await;
    // Answers to nothing, before and after the real one.
    wire.bytes(&frames(&["4399[0]", "431[\"a\",2]", "431[0]"])).await;
    assert_eq!(soon(answer).await.unwrap().unwrap().json(), "[\"a\",2]");

    let short = Duration::from_millis(50);
    assert_eq!(socket.emit_with_ack(&question, short).await.err(), Some(AckError::Timeout));
    let hanging = tokio::spawn(async move { socket.emit_with_ack(&question, wait).await });
    wire.expect("422[\"q\",1]").await;
    wire.expect("423[\"q\",1]").await;
    wire.text("41").await;
    assert_eq!(soon(hanging).await.unwrap().err(), Some(AckError::Closed));
}

#[tokio::test]
async fn a_closing_transport_delivers_what_was_queued_before() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { socket, mut events, .. }) = bench.connect().await;
    for number in 0..100 {
        socket.emit(&numbered(number)).unwrap();
    }
    socket.close(DisconnectReason::Closed);
    assert!(socket.emit(&numbered(100)).is_err());
    for number in 0..100 {
        wire.expect(&format!("42[\"n\",{number}]")).await;
    }
    assert_eq!(wire.until_closed().await, Some(1000));
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::Closed));
    bench.served.until_empty().await;
}

#[tokio::test]
async fn a_stopping_server_closes_transports_and_not_namespaces() {
    let mut bench = Bench::new().await;
    let (mut wire, Joined { mut events, .. }) = bench.connect().await;
    let address = bench.served.address;
    let sid = open_polling(address).await;
    let poll = format!("EIO=4&transport=polling&sid={sid}");
    let poll = tokio::spawn(async move { http(address, "GET", &poll, "").await });
    // The poll is pending once the server has two sessions and nothing to say.
    tokio::time::sleep(Duration::from_millis(50)).await;
    soon(bench.served.server.close(Duration::from_secs(5))).await;
    assert_eq!(bench.served.server.sessions(), 0);
    assert_eq!(wire.until_closed().await, Some(1012));
    assert_eq!(soon(poll).await.unwrap(), (200, "1".to_owned()));
    assert!(soon(events.recv()).await.is_none());
    assert_eq!(events.reason(), Some(DisconnectReason::ServerShutdown));
    assert_eq!(http(address, "GET", "EIO=4&transport=polling", "").await.0, 503);
}

/// Does what its client tells it to.
struct Obedient;

impl Handler for Obedient {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        Ok(())
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        while let Some(event) = events.recv().await {
            match event.name() {
                "panic" => panic!("as the client wished"),
                "return" => return,
                _ => drop(socket.emit(&Outgoing::new("seen", &json!(event.name())).unwrap())),
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_or_returns_takes_only_its_own_socket_with_it() {
    let builder = Server::builder(ServerConfig::default()).namespace(&["/"], Obedient);
    let served = Served::new(builder).await;
    let mut wires = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::open(served.address).await;
        wire.text("40").await;
        wire.expect_start("40{").await;
        wires.push(wire);
    }
    wires[0].text("42[\"panic\"]").await;
    assert_eq!(wires[0].until_closed().await, Some(1000));
    wires[1].text("42[\"return\"]").await;
    wires[1].expect("41").await;
    wires[2].text("42[\"hello\"]").await;
    wires[2].expect("42[\"seen\",\"hello\"]").await;
    drop(wires);
    served.until_empty().await;
}

/// Says one thing.
struct Greeter;

impl Handler for Greeter {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        Ok(())
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        socket.emit(&Outgoing::new("hello", &1).unwrap()).unwrap();
        while events.recv().await.is_some() {}
    }
}

#[test]
fn a_server_goes_on_in_another_runtime_than_its_first() {
    let server = Server::builder(ServerConfig::default()).namespace(&["/"], Greeter).build();
    for _ in 0..2 {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let served = Served::of(server.clone()).await;
            let mut wire = Wire::open(served.address).await;
            wire.bytes(&frames(&["40"])).await;
            wire.expect_start("40{").await;
            wire.expect_start("42[\"hello\",1]").await;
        });
    }
}
