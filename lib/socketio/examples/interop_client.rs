//! Our client against the stock Socket.IO server of `interop/node-server`, in every transport.
//!
//! `cargo run -p trialogue-socketio --example interop_client -- URL`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a report")]

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use trialogue_socketio::client::{
    AckError, Client, ClientConfig, ClientSocket, ConnectError, EmitError, Event, Received,
    Transport, Transports,
};
use trialogue_socketio::{DisconnectReason, Outgoing};

type Checked<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The server is on this machine; nothing takes longer.
const SOON: Duration = Duration::from_secs(10);
/// Enough events to fill every queue on the way.
const MANY: u64 = 5_000;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: interop_client URL");
        return ExitCode::from(2);
    };
    let mut failed = 0;
    for transports in [Transports::Websocket, Transports::Polling, Transports::PollingUpgrade] {
        let config = match url.parse() {
            Ok(url) => ClientConfig { transports, ..ClientConfig::new(url) },
            Err(error) => {
                eprintln!("{url}: {error}");
                return ExitCode::from(2);
            }
        };
        failed += all_checks(&config).await;
    }
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs every check over that transport; how many failed.
async fn all_checks(config: &ClientConfig) -> u32 {
    let mut failed = 0;
    macro_rules! check {
        ($($name:ident),*) => {$(
            let done = tokio::time::timeout(6 * SOON, $name(config)).await;
            let transports = config.transports;
            match done.unwrap_or_else(|_| Err("no end".into())) {
                Ok(()) => println!("ok      {transports:?} {}", stringify!($name)),
                Err(error) => {
                    failed += 1;
                    println!("FAILED  {transports:?} {}: {error}", stringify!($name));
                }
            }
        )*};
    }
    check!(auth, refusal, echo, binary, acknowledgements, questions, order, namespaces, heartbeat);
    check!(kick, hang_up, silence, too_large);
    failed
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is mostly made on the spot")]
fn expect<T: PartialEq + std::fmt::Debug>(came: T, expected: T) -> Checked {
    if came == expected { Ok(()) } else { Err(format!("{came:?} instead of {expected:?}").into()) }
}

async fn next(socket: &mut ClientSocket) -> Checked<Event> {
    match tokio::time::timeout(SOON, socket.recv()).await? {
        Received::Event(event) => Ok(event),
        Received::Closed(reason) => Err(format!("closed: {reason}").into()),
    }
}

async fn end(socket: &mut ClientSocket) -> Checked<DisconnectReason> {
    match tokio::time::timeout(SOON, socket.recv()).await? {
        Received::Closed(reason) => Ok(reason),
        Received::Event(event) => Err(format!("{event:?} instead of the end").into()),
    }
}

/// A socket of namespace `/`, after the event that the server greets with.
async fn socket(config: &ClientConfig) -> Checked<(Client, ClientSocket)> {
    let client = Client::connect(config.clone()).await?;
    let mut socket = client.namespace("/", None::<&()>).await?;
    expect(next(&mut socket).await?.name(), "auth")?;
    Ok((client, socket))
}

async fn auth(config: &ClientConfig) -> Checked {
    let client = Client::connect(config.clone()).await?;
    let mut socket = client.namespace("/guarded", Some(&json!({"token": "123"}))).await?;
    let event = next(&mut socket).await?;
    expect(event.args().json(), r#"[{"token":"123"}]"#)
}

async fn refusal(config: &ClientConfig) -> Checked {
    let client = Client::connect(config.clone()).await?;
    match client.namespace("/guarded", Some(&json!({"token": "456"}))).await {
        Err(ConnectError::Refused(refused)) => {
            expect(&*refused.message, "not for you")?;
            expect(refused.data, Some(json!({"code": "denied"})))?;
        }
        other => return Err(format!("{other:?} instead of a refusal").into()),
    }
    match client.namespace("/nowhere", None::<&()>).await {
        Err(ConnectError::Refused(refused)) => expect(&*refused.message, "Invalid namespace"),
        other => Err(format!("{other:?} instead of a refusal").into()),
    }
}

async fn echo(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    let args = json!([1, "2", {"3": [true, null]}, "\u{e9}\u{1f600}\u{1e}\"\\\n"]);
    socket.emit(&Outgoing::with_args("message", &args)?)?;
    let event = next(&mut socket).await?;
    expect(event.name(), "message-back")?;
    expect(serde_json::from_str::<Value>(event.args().json())?, args)
}

fn attached() -> Checked<(Outgoing, Vec<Bytes>)> {
    let parts = vec![Bytes::from_static(&[0, 1, 2, 255]), vec![7; 100_000].into()];
    let place = |num| json!({"_placeholder": true, "num": num});
    let event = Outgoing::with_args("message", &(place(0), "between", place(1)))?;
    Ok((event.attachments(parts.clone()), parts))
}

async fn binary(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    let (event, parts) = attached()?;
    for _ in 0..5 {
        socket.emit(&event)?;
    }
    for _ in 0..5 {
        let event = next(&mut socket).await?;
        expect(event.args().attachments(), &parts)?;
        expect(event.args().get::<String>(1)?, "between".to_owned())?;
    }
    Ok(())
}

async fn acknowledgements(config: &ClientConfig) -> Checked {
    let (_client, socket) = socket(config).await?;
    let sender = socket.sender();
    let first = sender.emit_for_ack(&Outgoing::with_args("message-with-ack", &(1, "a"))?)?;
    let second = sender.emit_for_ack(&Outgoing::new("message-with-ack", "b")?)?;
    expect(second.within(SOON).await?.json(), r#"["b"]"#)?;
    expect(first.within(SOON).await?.json(), r#"[1,"a"]"#)?;
    let brief = Duration::from_millis(50);
    let never = socket.emit_with_ack(&Outgoing::new("never", &1)?, brief).await;
    expect(never, Err(AckError::Timeout(brief)))
}

async fn questions(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    socket.emit(&Outgoing::new("ask", "how are you")?)?;
    let mut question = next(&mut socket).await?;
    expect((question.name(), question.args().json()), ("question", r#"["how are you"]"#))?;
    question.ack(&json!({"well": true}))?;
    let answered = next(&mut socket).await?;
    expect(answered.args().json(), r#"[{"well":true}]"#)
}

/// Both directions at full speed, from the first moment on: across the upgrade, if there is one.
async fn order(config: &ClientConfig) -> Checked {
    let (client, mut socket) = socket(config).await?;
    let sender = socket.sender();
    socket.emit(&Outgoing::new("count", &MANY)?)?;
    let (mut sent, mut received) = (0, 0);
    while sent < MANY || received < MANY {
        if sent < MANY {
            match sender.emit(&Outgoing::new("number", &sent)?) {
                Ok(()) => sent += 1,
                Err(EmitError::Full { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if received < MANY && (sent == MANY || sent.is_multiple_of(7)) {
            let event = next(&mut socket).await?;
            expect(event.args().get::<u64>(0)?, received)?;
            received += 1;
        }
        tokio::task::yield_now().await;
    }
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let answer = socket.emit_with_ack(&Outgoing::with_args("numbers", &[(); 0])?, SOON).await?;
        let counted: Value = answer.get(0)?;
        let moved = config.transports == Transports::Polling
            || (answer.get::<String>(1)? == "websocket"
                && client.transport() == Transport::Websocket);
        if counted["received"] == MANY && moved {
            return expect(&counted["misplaced"], &json!(0));
        }
        if tokio::time::Instant::now() > deadline {
            return Err(format!("{counted} over {:?}", client.transport()).into());
        }
    }
}

async fn namespaces(config: &ClientConfig) -> Checked {
    let (client, mut root) = socket(config).await?;
    let guarded = client.namespace("/guarded", Some(&json!({"token": "123"}))).await?;
    guarded.disconnect();
    drop(guarded);
    // The stock server acts on a DISCONNECT one turn later than on a CONNECT: right behind one
    // another they are to it a second CONNECT, for which it closes the connection.
    root.emit_with_ack(&Outgoing::new("message-with-ack", &1)?, SOON).await?;
    let mut guarded = client.namespace("/guarded", Some(&json!({"token": "123"}))).await?;
    expect(next(&mut guarded).await?.name(), "auth")?;
    root.emit(&Outgoing::new("message", &1)?)?;
    expect(next(&mut root).await?.name(), "message-back")
}

/// Longer than several pings of the server, and than the time that it gives us to answer one.
async fn heartbeat(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    let silent = tokio::time::timeout(Duration::from_secs(3), socket.recv()).await;
    if let Ok(received) = silent {
        return Err(format!("{received:?} in silence").into());
    }
    socket.emit(&Outgoing::new("message", &1)?)?;
    expect(next(&mut socket).await?.name(), "message-back")
}

async fn kick(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    socket.emit(&Outgoing::new("kick", &1)?)?;
    expect(end(&mut socket).await?, DisconnectReason::ServerDisconnect)
}

async fn hang_up(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    socket.emit(&Outgoing::new("hang-up", &1)?)?;
    expect(end(&mut socket).await?, DisconnectReason::TransportClose)
}

async fn silence(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    socket.emit(&Outgoing::new("pings-stop", &1)?)?;
    // The server's own timer may be faster, and then it closes.
    match end(&mut socket).await? {
        DisconnectReason::PingTimeout | DisconnectReason::TransportClose => Ok(()),
        other => Err(format!("{other} instead of a ping timeout").into()),
    }
}

async fn too_large(config: &ClientConfig) -> Checked {
    let (_client, mut socket) = socket(config).await?;
    let over = socket.emit(&Outgoing::new("message", &"x".repeat(1_000_000))?);
    if !matches!(over, Err(EmitError::TooLarge { limit: 1_000_000, .. })) {
        return Err(format!("{over:?} for an event over the server's limit").into());
    }
    let fits = "x".repeat(999_000);
    socket.emit(&Outgoing::new("message", &fits)?)?;
    expect(next(&mut socket).await?.args().get::<String>(0)?.len(), fits.len())
}
