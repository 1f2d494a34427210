//! tokio-tungstenite.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Ended;
use crate::talk::{self, Asked, OPEN, QUEUE_MAX, Room};

/// The default of 128 KiB is held by every socket for as long as it lives.
const READ_BYTES: usize = 4 << 10;

pub(crate) async fn serve(listener: TcpListener) {
    talk::serve(listener, connection).await;
}

async fn connection(stream: TcpStream, room: Room<Message>) -> Ended {
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (sender, mut queue) = mpsc::channel(QUEUE_MAX);
    socket.send(Message::text(OPEN)).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match talk::asked(text.as_bytes()) {
                    Asked::Answer(answer) => socket.send(Message::text(answer)).await?,
                    Asked::Join(answer) => {
                        room.join(sender.clone());
                        socket.send(Message::text(answer)).await?;
                    }
                    Asked::Say(text) => room.say(&Message::Text(Utf8Bytes::try_from(text)?)),
                    Asked::Nothing => {}
                },
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            Some(message) = queue.recv() => {
                socket.feed(message).await?;
                while let Ok(message) = queue.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
