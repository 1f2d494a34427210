//! What our own client costs: memory while it is idle, and how fast many of them receive.

use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::sleep;
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig, ClientSocket, Received};

use crate::Failure;
use crate::measure::resident;

/// Clients before memory is looked at: what the first ones cost is not a client's.
const FIRST: usize = 100;
/// Messages of one member that are under way at once.
const IN_FLIGHT: usize = 8;
/// Messages to the room.
const MESSAGES: usize = 4_000;

async fn connect(address: &str, room: &str) -> Result<(Client, ClientSocket), Failure> {
    let mut config = ClientConfig::new(format!("http://{address}").parse()?);
    config.connect_timeout = Duration::from_secs(60);
    let client = Client::connect(config).await?;
    let mut socket = client.namespace("/chat", None::<&()>).await?;
    socket.emit(&Outgoing::new("join_chat", &serde_json::json!({ "chatId": room }))?)?;
    loop {
        match socket.recv().await {
            Received::Event(event) if event.name() == "joined_chat" => return Ok((client, socket)),
            Received::Event(_) => {}
            Received::Closed(reason) => return Err(reason.to_string().into()),
        }
    }
}

/// Clients in rooms of four that nobody speaks in.
pub(crate) async fn idle(address: &str, count: usize) -> Result<(), Failure> {
    let mut clients = Vec::with_capacity(FIRST + count);
    for number in 0..FIRST {
        clients.push(connect(address, &format!("first{}", number / 4)).await?);
    }
    sleep(Duration::from_millis(500)).await;
    let before = resident(std::process::id())?;
    for number in 0..count {
        clients.push(connect(address, &format!("room{}", number / 4)).await?);
    }
    sleep(Duration::from_secs(2)).await;
    let each = (resident(std::process::id())?.saturating_sub(before)) / count;
    println!("client-idle: {each} bytes of client memory each, {count} clients in one process");
    Ok(())
}

/// One room; the first member speaks with [`IN_FLIGHT`] messages under way, all receive and check
/// that nothing is missing and nothing out of order.
pub(crate) async fn receive(address: &str, members: usize) -> Result<(), Failure> {
    let local = LocalSet::new();
    let mut others = Vec::new();
    let (client, mut speaker) = connect(address, "room").await?;
    for _ in 1..members {
        others.push(connect(address, "room").await?);
    }
    sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    let mut listening = Vec::new();
    for (client, mut socket) in others {
        listening.push(local.spawn_local(async move {
            for number in 0..MESSAGES {
                expect(&mut socket, number).await;
            }
            drop(client);
        }));
    }
    listening.push(local.spawn_local(async move {
        for number in 0..MESSAGES + IN_FLIGHT {
            if number < MESSAGES {
                let text = format!("m{number:09}{:x<90}", "");
                let body = serde_json::json!({ "chatId": "room", "message": text });
                if let Ok(event) = Outgoing::new("send_message", &body) {
                    speaker.emit(&event).unwrap_or_else(|error| panic!("{error}"));
                }
            }
            if let Some(number) = number.checked_sub(IN_FLIGHT) {
                expect(&mut speaker, number).await;
            }
        }
        drop(client);
    }));
    local.await;
    for listener in listening {
        listener.await?;
    }
    let rate = (MESSAGES * members) as f64 / begun.elapsed().as_secs_f64();
    println!("client-receive: {rate:.0} deliveries per second into {members} clients of a room");
    Ok(())
}

/// The next message of the room must be that one.
async fn expect(socket: &mut ClientSocket, number: usize) {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    loop {
        match socket.recv().await {
            Received::Event(event) if event.name() == "new_message" => {
                let said = event.args().get::<Said>(0);
                let came = said.ok().and_then(|said| said.message[1..10].parse::<usize>().ok());
                assert_eq!(came, Some(number), "a message is missing or out of order");
                return;
            }
            Received::Event(_) => {}
            Received::Closed(reason) => panic!("closed before message {number}: {reason}"),
        }
    }
}
