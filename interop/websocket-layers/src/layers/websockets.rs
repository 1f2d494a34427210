//! tokio-websockets.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_websockets::{Message, ServerBuilder};

use super::Ended;
use crate::talk::{self, Asked, OPEN, QUEUE_MAX, Room};

pub(crate) async fn serve(listener: TcpListener) {
    talk::serve(listener, connection).await;
}

async fn connection(stream: TcpStream, room: Room<Message>) -> Ended {
    let mut socket = ServerBuilder::new().serve(stream);
    let (sender, mut queue) = mpsc::channel(QUEUE_MAX);
    socket.send(Message::text(OPEN)).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) if message.is_text() => {
                    match talk::asked(message.as_payload()) {
                        Asked::Answer(answer) => socket.send(Message::text(answer)).await?,
                        Asked::Join(answer) => {
                            room.join(sender.clone());
                            socket.send(Message::text(answer)).await?;
                        }
                        Asked::Say(text) => room.say(&Message::text(text)),
                        Asked::Nothing => {}
                    }
                }
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
