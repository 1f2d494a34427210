//! The life of one socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use trialogue_socketio::client::SCRATCH_BYTES;

use super::floor::{Floor, Socket};

thread_local! {
    /// All sockets of a thread read into it: it stays in the processor's cache.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Opens it, enters its room, and listens until it is over.
pub(super) async fn live(floor: Rc<Floor>, at: usize) {
    let socket = &floor.sockets[at];
    socket.begun.set(Some(Instant::now()));
    let why = match floor.opener.open().await {
        Err(error) => error.to_string(),
        Ok(wire) => {
            *socket.wire.borrow_mut() = Some(wire);
            poll_fn(|cx| SCRATCH.with_borrow_mut(|scratch| poll(&floor, socket, scratch, cx))).await
        }
    };
    floor.over(socket, why);
}

fn poll(floor: &Floor, socket: &Socket, scratch: &mut [u8], cx: &mut Context<'_>) -> Poll<String> {
    let mut wire = socket.wire.borrow_mut();
    // The run is over.
    let Some(wire) = wire.as_mut() else { return Poll::Ready("closed by us".to_owned()) };
    let mut answers = Vec::new();
    let ended = wire.poll_texts(cx, scratch, &mut |text, now| {
        answers.extend(floor.text(socket, text, now));
    });
    if let Poll::Ready(error) = ended {
        return Poll::Ready(error.to_string());
    }
    if socket.is_sent_away.get() {
        return Poll::Ready("the server ended the session".to_owned());
    }
    for answer in answers {
        if let Err(error) = wire.send(answer.as_bytes()) {
            return Poll::Ready(error.to_string());
        }
    }
    Poll::Pending
}
