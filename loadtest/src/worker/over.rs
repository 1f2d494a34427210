//! What goes out over a connection, and how it ends.

use trialogue_socketio::client::Written;

use super::floor::{Floor, Phase, Socket};
use crate::plan::Way;
use crate::recorder::Metric;

/// What a delivery to a socket that travels so is measured as.
pub(super) fn over(way: Way) -> Metric {
    match way {
        Way::Websocket => Metric::OverWebsocket,
        Way::Polling => Metric::OverPolling,
        Way::Upgrade => Metric::OverUpgrade,
    }
}

impl Floor {
    /// Writes a packet, as far as the system takes it.
    pub(super) fn put(&self, socket: &Socket, packet: &[u8]) {
        let written = socket.wire.borrow_mut().as_mut().map(|wire| wire.send(packet));
        match written {
            Some(Ok(Written::Waits(_))) => self.ends.borrow_mut().stalled += 1,
            Some(Err(error)) => self.end(socket, &error.to_string()),
            Some(Ok(Written::All)) | None => {}
        }
    }

    /// Ends a connection of which nothing is to be expected any more: whoever reads it is told why.
    pub(super) fn end(&self, socket: &Socket, why: &str) {
        if let Some(wire) = socket.wire.borrow_mut().take() {
            socket.ending.set(Some(why.into()));
            wire.kill();
        }
    }

    /// A connection is over for good.
    pub(super) fn over(&self, socket: &Socket, why: String) {
        let before = socket.phase.replace(Phase::Over);
        *socket.wire.borrow_mut() = None;
        match before {
            Phase::In | Phase::Rejoining | Phase::Leaving | Phase::Out | Phase::Entering => {
                self.judge.borrow_mut().down(socket.member);
                self.ends.borrow_mut().cut(why, 1);
            }
            Phase::Opening | Phase::Connecting | Phase::Joining => self.fail(why),
            Phase::Away | Phase::Over => {}
        }
    }

    /// Says good-bye everywhere.
    pub(super) fn close(&self) {
        for socket in &self.sockets {
            socket.phase.set(Phase::Over);
            if let Some(mut wire) = socket.wire.borrow_mut().take() {
                wire.close();
            }
        }
    }
}
