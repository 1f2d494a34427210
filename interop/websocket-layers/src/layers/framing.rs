//! Our framing in the shape of the others: a broadcast is framed once and shared, and what waits
//! leaves in one vectored write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::WriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use trialogue_socketio::ws::{Decoder, Limits, Message, Opcode, Role, put_frame};

use super::Ended;
use crate::talk::{self, Asked, OPEN, QUEUE_MAX, Room};

/// Frames that leave in one system call.
const WRITE_FRAMES_MAX: usize = 64;

pub(crate) async fn serve(listener: TcpListener) {
    talk::serve(listener, connection).await;
}

fn framed(text: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(text.len() + 4);
    put_frame(&mut frame, Opcode::Text, &[text], None);
    frame.freeze()
}

async fn connection(mut stream: TcpStream, room: Room<Bytes>) -> Ended {
    let (mut read, mut write) = stream.split();
    let (sender, mut queue) = mpsc::channel(QUEUE_MAX);
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut input = BytesMut::new();
    let mut waiting = VecDeque::from([framed(OPEN.as_bytes())]);
    loop {
        write_all(&mut write, &mut waiting).await?;
        tokio::select! {
            read = read.read_buf(&mut input) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(message) = decoder.decode(&mut input)? {
                    let Message::Text(text) = message else { continue };
                    match talk::asked(&text) {
                        Asked::Answer(answer) => waiting.push_back(framed(answer.as_bytes())),
                        Asked::Join(answer) => {
                            room.join(sender.clone());
                            waiting.push_back(framed(answer.as_bytes()));
                        }
                        Asked::Say(text) => room.say(&framed(&text)),
                        Asked::Nothing => {}
                    }
                }
                // An idle socket keeps no buffer.
                if input.is_empty() {
                    input = BytesMut::new();
                }
            }
            Some(frame) = queue.recv() => {
                waiting.push_back(frame);
                while let Ok(frame) = queue.try_recv() {
                    waiting.push_back(frame);
                }
            }
        }
    }
}

async fn write_all(write: &mut WriteHalf<'_>, waiting: &mut VecDeque<Bytes>) -> io::Result<()> {
    while !waiting.is_empty() {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
        let count = waiting.len().min(WRITE_FRAMES_MAX);
        for (slice, frame) in slices.iter_mut().zip(waiting.iter()) {
            *slice = IoSlice::new(frame);
        }
        let mut written = write.write_vectored(&slices[..count]).await?;
        while let Some(first) = waiting.front_mut() {
            if first.len() > written {
                bytes::Buf::advance(first, written);
                break;
            }
            written -= first.len();
            waiting.pop_front();
        }
    }
    Ok(())
}
