//! The life of one socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use trialogue_socketio::client::{ConnectError, SCRATCH_BYTES, Transports};

use super::floor::{Floor, Phase, Socket};
use super::{back, kept};
use crate::plan::Way;

thread_local! {
    /// All sockets of a thread read into it: it stays in the processor's cache.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Opens it, enters its room, and listens until it is over; then again, where it is to come back.
pub(super) async fn live(floor: Rc<Floor>, at: usize) {
    let socket = &floor.sockets[at];
    loop {
        socket.begun.set(Some(Instant::now()));
        socket.is_sent_away.set(false);
        socket.phase.set(Phase::Opening);
        let why = match floor.opener.open(transports(socket.way)).await {
            Err(error) => {
                socket.step.set(step(&error));
                floor.is_full.set(floor.is_full.get() || crate::rig::is_full(&error));
                error.to_string()
            }
            // The run ended meanwhile.
            Ok(_) if socket.phase.get() == Phase::Over => return,
            Ok(wire) => {
                socket.step.set("handshake");
                *socket.wire.borrow_mut() = Some(wire);
                let listen = |cx: &mut Context<'_>| {
                    SCRATCH.with_borrow_mut(|scratch| poll(&floor, socket, scratch, cx))
                };
                poll_fn(listen).await
            }
        };
        floor.never_left(socket);
        let Some(pause) = floor.ended(socket, why) else { return };
        tokio::time::sleep(pause).await;
        if socket.phase.get() == Phase::Over {
            return;
        }
    }
}

/// Which step of opening a connection failed.
fn step(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Unreachable { .. } => "TCP",
        ConnectError::Tls { .. } => "TLS",
        ConnectError::Timeout(_) => "TCP or upgrade",
        _ => "upgrade",
    }
}

fn transports(way: Way) -> Transports {
    match way {
        Way::Websocket => Transports::Websocket,
        Way::Polling => Transports::Polling,
        Way::Upgrade => Transports::PollingUpgrade,
    }
}

fn poll(
    floor: &Rc<Floor>,
    socket: &Socket,
    scratch: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<String> {
    let mut wire = socket.wire.borrow_mut();
    let ending = || socket.ending.take().map(String::from);
    let Some(wire) = wire.as_mut() else {
        return Poll::Ready(ending().unwrap_or_else(|| "closed by us".to_owned()));
    };
    // It never looks at what comes any more, as a client that hangs.
    if socket.is_slow && socket.phase.get() == Phase::In {
        return Poll::Pending;
    }
    let mut answers = Vec::new();
    let ended = wire.poll_texts(cx, scratch, &mut |text, now| {
        answers.extend(floor.text(socket, text, now));
    });
    floor.taken(socket, wire.unsent());
    if let Poll::Ready(error) = ended {
        return Poll::Ready(error.to_string());
    }
    if socket.is_sent_away.get() {
        let why = ending().unwrap_or_else(|| "the server ended the session".to_owned());
        return Poll::Ready(why);
    }
    if floor.has_kept(socket) {
        tokio::task::spawn_local(kept::send(floor.clone(), socket.member));
    }
    if floor.wants_all(socket) {
        tokio::task::spawn_local(back::read_all(floor.clone(), socket.member));
    }
    for answer in answers {
        if let Err(error) = wire.send(answer.as_bytes()) {
            return Poll::Ready(error.to_string());
        }
    }
    Poll::Pending
}
