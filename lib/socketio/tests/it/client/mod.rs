//! The client against a scripted server.

mod connect;
mod events;
mod life;
mod polling;
mod tap;
mod tls;
mod wire;

use std::time::Duration;

use tokio::net::TcpStream;
use trialogue_socketio::DisconnectReason;
use trialogue_socketio::client::{Client, ClientConfig, ClientSocket, Event, Received};

use crate::peer::{Peer, Wire, soon};

const NO_AUTH: Option<&()> = None;

/// A client with namespace `/` and our end of its connection.
async fn connected() -> (Client, ClientSocket, Wire<TcpStream>) {
    let peer = Peer::new().await;
    connected_with(&peer, peer.config()).await
}

async fn connected_with(
    peer: &Peer,
    config: ClientConfig,
) -> (Client, ClientSocket, Wire<TcpStream>) {
    let (client, mut wire) = peer.connect(config).await;
    let serve = async {
        wire.expect("40").await;
        wire.text(r#"40{"sid":"s1"}"#).await;
    };
    let (socket, ()) = tokio::join!(soon(client.namespace("/", NO_AUTH)), serve);
    (client, socket.unwrap(), wire)
}

async fn event(socket: &mut ClientSocket) -> Event {
    match soon(socket.recv()).await {
        Received::Event(event) => event,
        Received::Closed(reason) => panic!("an event was expected, not {reason}"),
    }
}

async fn closed(socket: &mut ClientSocket) -> DisconnectReason {
    match soon(socket.recv()).await {
        Received::Closed(reason) => reason,
        Received::Event(event) => panic!("the end was expected, not {event:?}"),
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
