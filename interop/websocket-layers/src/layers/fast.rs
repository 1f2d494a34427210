//! fastwebsockets. Its reading is not safe to cancel, so that a connection is two tasks; it writes
//! every frame at once, so that a burst needs a buffer under it.

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketError, WebSocketWrite};
use tokio::io::BufWriter;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Ended;
use crate::talk::{self, Asked, OPEN, QUEUE_MAX, Room};

/// Holds the burst of the closed loop.
const WRITE_BYTES: usize = 4 << 10;

pub(crate) async fn serve(listener: TcpListener) {
    talk::serve(listener, connection).await;
}

async fn connection(stream: TcpStream, room: Room<Bytes>) -> Ended {
    let (read, write) = stream.into_split();
    let write = BufWriter::with_capacity(WRITE_BYTES, write);
    let (mut read, write) = fastwebsockets::after_handshake_split(read, write, Role::Server);
    let (sender, queue) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(writing(write, queue));
    sender.send(Bytes::from_static(OPEN.as_bytes())).await?;
    loop {
        let frame = read.read_frame(&mut |_| async { Ok::<_, WebSocketError>(()) }).await?;
        match frame.opcode {
            OpCode::Text => match talk::asked(&frame.payload) {
                Asked::Answer(answer) => sender.send(Bytes::from_static(answer.as_bytes())).await?,
                Asked::Join(answer) => {
                    room.join(sender.clone());
                    sender.send(Bytes::from_static(answer.as_bytes())).await?;
                }
                Asked::Say(text) => room.say(&text),
                Asked::Nothing => {}
            },
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn writing(
    mut write: WebSocketWrite<BufWriter<OwnedWriteHalf>>,
    mut queue: mpsc::Receiver<Bytes>,
) -> Result<(), WebSocketError> {
    while let Some(text) = queue.recv().await {
        write.write_frame(Frame::text(Payload::Borrowed(&text))).await?;
        while let Ok(text) = queue.try_recv() {
            write.write_frame(Frame::text(Payload::Borrowed(&text))).await?;
        }
        write.flush().await?;
    }
    Ok(())
}
