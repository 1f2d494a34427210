//! Every black-box case against the server of the profile; and that the judge is no yes-man.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use trialogue_socketio::Outgoing;
use trialogue_socketio::conform::{Case, Subject, Target, Verdict, cases, check_all};
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, Server, ServerConfig, Socket,
};

#[path = "../../examples/profile/mod.rs"]
mod profile;

use crate::peer::read_head;
use profile::{PINGS, Profile};

/// Cases that run at once: they mostly wait for pings.
const AT_ONCE: usize = 8;

async fn discover(serve: impl FnOnce(TcpListener), auth: Option<&str>) -> Subject {
    try_discover(serve, auth, Duration::from_secs(1)).await.unwrap()
}

async fn try_discover(
    serve: impl FnOnce(TcpListener),
    auth: Option<&str>,
    patience: Duration,
) -> Result<Subject, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    serve(listener);
    let mut target = Target::new(url.parse().unwrap());
    target.auth = auth.map(str::to_owned);
    target.patience = patience;
    Subject::discover(target).await
}

/// What came of each case.
async fn verdicts(subject: &Subject, cases: Vec<Case>) -> Vec<(&'static str, Verdict)> {
    let checked = check_all(subject, cases, AT_ONCE);
    checked.map(|checked| (checked.case.id, checked.verdict)).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_passes_every_case() {
    let serve = |listener| drop(tokio::spawn(Profile::new(PINGS).serve(listener)));
    let mut subject = discover(serve, None).await;
    assert!(subject.offers().profile && subject.offers().engine.handshake().is_some());
    subject = with_patience(&subject, Duration::from_secs(10)).await;
    let mut verdicts = verdicts(&subject, cases()).await;
    verdicts.retain(|(_, verdict)| *verdict != Verdict::Ok);
    assert!(verdicts.is_empty(), "{verdicts:#?}");
}

async fn with_patience(subject: &Subject, patience: Duration) -> Subject {
    let target = Target { patience, ..subject.target().clone() };
    Subject::discover(target).await.unwrap()
}

/// What a server may do wrong, or merely differently.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Silent,
    Swapped,
    Talkative,
    WrongArguments,
    WrongAck,
    /// Everybody hears everything.
    Leaky,
    /// Sends our own auth back wherever it can.
    Parrot,
    Chat,
}

/// A server that is of the profile but for one thing.
struct Liar(Lie);

impl Handler for Liar {
    type Session = String;

    async fn connect(&self, request: ConnectRequest) -> Result<String, Refusal> {
        match (self.0, request.auth) {
            (Lie::Chat, None) => Err(Refusal::new("a token, please")),
            (_, auth) => Ok(auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned())),
        }
    }

    async fn run(&self, socket: Socket, mut events: Events, auth: String) {
        let emit = |name: &str, json: &str| {
            let _closed = socket.emit(&Outgoing::raw(name, json).unwrap());
        };
        if self.0 == Lie::Chat {
            emit("connected", r#"[{"message":"Connected: userId=1"}]"#);
        } else {
            emit("auth", &format!("[{auth}]"));
        }
        if self.0 == Lie::Talkative {
            emit("hello", "[]");
        }
        socket.join("everybody");
        let mut held = None;
        while let Some(mut event) = events.recv().await {
            let json = event.args().json().to_owned();
            match (event.name(), self.0) {
                (_, Lie::Chat) | ("message", Lie::Silent) => {}
                ("message", Lie::Swapped) => match held.take() {
                    None => held = Some(json),
                    Some(first) => {
                        emit("message-back", &json);
                        emit("message-back", &first);
                    }
                },
                ("message", Lie::Parrot) => emit("message-back", &format!("[{auth}]")),
                ("message", Lie::WrongArguments) => emit("message-back", "[null]"),
                ("message", _) => emit("message-back", &json),
                ("message-with-ack", Lie::WrongAck) => drop(event.ack(&"something else")),
                ("message-with-ack", _) => drop(event.ack_args(&event.args().clone())),
                ("join" | "leave", Lie::Leaky) => drop(event.ack(&true)),
                ("to-room" | "to-room-except", Lie::Leaky) => {
                    let value = format!("[{}]", event.args().raw(1).unwrap());
                    let value = Outgoing::raw("room", value).unwrap();
                    socket.namespace().emit("everybody", &value);
                }
                _ => {}
            }
        }
    }
}

/// The verdicts on such a server of those cases whose name begins like that.
async fn judge(
    lie: Lie,
    change: impl FnOnce(&mut ServerConfig),
    auth: Option<&str>,
    names: &[&str],
) -> Vec<(&'static str, Verdict)> {
    let mut config = ServerConfig {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 1_000_000,
        ..ServerConfig::default()
    };
    change(&mut config);
    let server = Server::builder(config).namespace(&["/"], Liar(lie)).build();
    // There is no Engine.IO beside it: nothing answers at the other path.
    let profile = Profile { engine_io: server.clone(), socket_io: server };
    let serve = |listener| drop(tokio::spawn(profile.serve(listener)));
    let subject = discover(serve, auth).await;
    let mut cases = cases();
    cases.retain(|case| names.iter().any(|name| case.id.starts_with(name)));
    verdicts(&subject, cases).await
}

#[track_caller]
fn all_failed(verdicts: &[(&'static str, Verdict)], count: usize) {
    assert_eq!(verdicts.len(), count);
    for (id, verdict) in verdicts {
        assert!(matches!(verdict, Verdict::Failed(_)), "{id}: {verdict:?}");
    }
}

#[tokio::test]
async fn lies_are_found_out() {
    let plain = "sio5.message.plain";
    all_failed(&judge(Lie::Silent, |_| (), None, &[plain, "ext.order.websocket"]).await, 2);
    all_failed(&judge(Lie::WrongArguments, |_| (), None, &[plain, "ext.text.websocket"]).await, 2);
    all_failed(&judge(Lie::Swapped, |_| (), None, &["ext.order.websocket"]).await, 1);
    all_failed(&judge(Lie::WrongAck, |_| (), None, &["sio5.message.ack", "ext.ack.big"]).await, 2);
    let rooms = judge(Lie::Leaky, |_| (), None, &["ext.rooms"]).await;
    let (lobby, rooms): (Vec<_>, Vec<_>) =
        rooms.into_iter().partition(|(id, _)| *id == "ext.rooms.everybody");
    all_failed(&rooms, 4);
    assert!(matches!(lobby[0].1, Verdict::Unimplemented(_)), "{lobby:?}");
    let talkative = judge(Lie::Talkative, |_| (), None, &[plain, "sio5.message.ack"]).await;
    all_failed(&talkative, 2);
    // No namespace but one, and times that are not those of the profile.
    let names = ["sio5.connect.custom", "sio5.handshake.websocket", "sio5.handshake.polling"];
    let mut failed =
        judge(Lie::WrongAck, |config| config.max_payload = 5_000_000, None, &names).await;
    failed.retain(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    all_failed(&failed, 4);
}

#[tokio::test]
async fn a_chat_server_is_not_blamed_for_being_none_of_the_suites() {
    let slow = |config: &mut ServerConfig| config.ping_interval = Duration::from_secs(25);
    for auth in [None, Some("{\"token\":\"x\"}")] {
        let verdicts = judge(Lie::Chat, slow, auth, &["eio4", "sio5", "ext"]).await;
        for (id, verdict) in &verdicts {
            assert!(!matches!(verdict, Verdict::Failed(_)), "{id}: {verdict:?}");
        }
        let of = |id: &str| &verdicts.iter().find(|(found, _)| *found == id).unwrap().1;
        assert_eq!(of("sio5.handshake.websocket"), &Verdict::Ok);
        assert_eq!(of("sio5.connect.unknown"), &Verdict::Ok);
        assert!(matches!(of("sio5.message.plain"), Verdict::Unimplemented(_)));
        assert!(matches!(of("sio5.heartbeat.websocket"), Verdict::Unimplemented(_)));
        assert!(matches!(of("eio4.message.websocket-text"), Verdict::Unimplemented(_)));
        let invalid = of("sio5.message.invalid-payload");
        match auth {
            Some(_) => assert_eq!(invalid, &Verdict::Ok),
            None => assert!(matches!(invalid, Verdict::Unimplemented(_)), "{invalid:?}"),
        }
    }
}

#[tokio::test]
async fn a_transport_that_is_not_offered_is_nobodys_fault() {
    let off: [fn(&mut ServerConfig); 2] =
        [|config| config.polling = false, |config| config.websocket = false];
    for off in off {
        let verdicts = judge(Lie::Chat, off, Some("{}"), &["eio4", "sio5", "ext"]).await;
        let failed = |(_, verdict): &&(_, Verdict)| matches!(verdict, Verdict::Failed(_));
        let failed: Vec<_> = verdicts.iter().filter(failed).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        let passed = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Ok).count();
        assert!(passed >= 10, "{verdicts:#?}");
    }
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// Answers every request with that and nothing else.
async fn stub(listener: TcpListener, status: &str, body: &str) {
    let answer = answer(status, body);
    while let Ok((mut stream, _)) = listener.accept().await {
        read_head(&mut stream).await;
        let _gone = stream.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_broken_handshake_fails_what_needs_it_and_long_answers_are_cut() {
    let long = "x".repeat(100_000);
    let times = r#""upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000"#;
    let body = format!("0{{\"sid\":\"abc\",{times},\"{long}\":1}}");
    let serve = |listener| drop(tokio::spawn(async move { stub(listener, "200 OK", &body).await }));
    let subject = discover(serve, None).await;
    let mut polling = cases();
    polling.retain(|case| case.id == "sio5.handshake.polling");
    let verdict = &verdicts(&subject, polling).await[0].1;
    assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    assert!(verdict.reason().contains("the handshake has the keys"), "{verdict:?}");
    assert!(verdict.reason().len() < 2_000);
    // What is no handshake at all is no server.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(stub(listener, "200 OK", "<html>"));
    let error = Subject::discover(Target::new(url.parse().unwrap())).await.unwrap_err();
    assert!(error.contains("no Engine.IO there") && error.contains("<html>"), "{error}");
}

#[tokio::test]
async fn what_is_no_server_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Subject::discover(Target::new(url.parse().unwrap())).await.unwrap_err();
    assert!(error.contains("no Engine.IO"), "{error}");
}

#[tokio::test]
async fn a_server_that_sends_our_auth_back_puts_it_into_no_reason() {
    let auth = r#"{"token":"hunter2-hunter2","more":["correct horse \"battery\""]}"#;
    let verdicts = judge(Lie::Parrot, |_| (), Some(auth), &["sio5.message.plain"]).await;
    let [(_, Verdict::Failed(why))] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert!(why.contains("***") && why.contains("token"), "{why}");
    assert!(!why.contains("hunter2") && !why.contains("horse"), "{why}");
    // Nor does what is found out before the cases, also where it is cut.
    let body = format!("{}hunter2-hunter2", "x".repeat(70));
    let serve = |listener| {
        drop(tokio::spawn(async move { stub(listener, "404 Not Found", &body).await }));
    };
    let error = try_discover(serve, Some(auth), Duration::from_secs(1)).await.unwrap_err();
    assert!(error.contains("xxx***") && !error.contains("hunter"), "{error}");
}

#[tokio::test]
async fn endless_patience_ends_all_the_same() {
    let times = r#""upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000"#;
    let body = format!("0{{\"sid\":\"abc\",{times}}}");
    // A goodbye is a POST, and never answered.
    let serve = |listener: TcpListener| {
        drop(tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if read_head(&mut stream).await.starts_with("POST") {
                    held.push(stream);
                } else {
                    let _gone = stream.write_all(answer("200 OK", &body).as_bytes()).await;
                }
            }
        }));
    };
    let judged = async {
        let subject = try_discover(serve, None, Duration::MAX).await.unwrap();
        let mut polling = cases();
        polling.retain(|case| case.id == "sio5.handshake.polling");
        verdicts(&subject, polling).await
    };
    let judged = tokio::time::timeout(Duration::from_secs(60), judged).await.unwrap();
    assert_eq!(judged.len(), 1);
}
