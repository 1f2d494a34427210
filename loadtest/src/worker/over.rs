//! What goes out over a connection, and how it ends.

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;
use trialogue_socketio::client::Written;

use super::REASONS_MAX;
use super::floor::{Floor, Phase, Socket};
use super::waiting::Unsent;
use crate::plan::Way;
use crate::recorder::Metric;
use crate::stamp::Stamp;
use crate::target::Words;

/// What a delivery to a socket that travels so is measured as.
pub(super) fn over(way: Way) -> Metric {
    match way {
        Way::Websocket => Metric::OverWebsocket,
        Way::Polling => Metric::OverPolling,
        Way::Upgrade => Metric::OverUpgrade,
    }
}

/// What went wrong with connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ends {
    /// Connections that ended by themselves.
    pub(crate) cut: u64,
    /// Messages that could not be sent for that.
    pub(crate) unsendable: u64,
    /// Messages that the system did not take at once: the server read too slowly.
    pub(crate) stalled: u64,
    /// Those of them that never left.
    #[serde(default)]
    pub(crate) stuck: u64,
    /// Rooms of a closed loop in which nobody was left to speak.
    #[serde(default)]
    pub(crate) silenced: u64,
    /// Nothing more was sent, because too much was under way.
    #[serde(default)]
    pub(crate) is_overfull: bool,
    /// Why connections ended, and how many for that.
    pub(crate) reasons: Vec<(String, u64)>,
    /// At which steps of their way sockets were not let in, and how many.
    #[serde(default)]
    pub(crate) steps: Vec<(String, u64)>,
}

/// There are six steps.
fn add_to(steps: &mut Vec<(String, u64)>, step: &str, times: u64) {
    match steps.iter_mut().find(|(known, _)| known == step) {
        Some((_, count)) => *count += times,
        None => steps.push((step.to_owned(), times)),
    }
}

impl Ends {
    pub(crate) fn cut(&mut self, why: String, times: u64) {
        self.cut += times;
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == why) {
            *count += times;
        } else if self.reasons.len() < REASONS_MAX {
            self.reasons.push((why, times));
        }
    }

    /// A socket was not let in at this step.
    pub(super) fn refused(&mut self, step: &str) {
        add_to(&mut self.steps, step, 1);
    }

    pub(crate) fn add(&mut self, other: Self) {
        other.steps.iter().for_each(|(step, times)| add_to(&mut self.steps, step, *times));
        self.unsendable += other.unsendable;
        self.stalled += other.stalled;
        self.stuck += other.stuck;
        self.silenced += other.silenced;
        self.is_overfull |= other.is_overfull;
        for (why, times) in other.reasons {
            self.cut(why, times);
        }
    }
}

impl Floor {
    /// Sends a message as the next one of its sender.
    pub(super) fn say(
        &self,
        socket: &Socket,
        sender: u32,
        size: u32,
        when: (bool, Micros, Micros),
    ) {
        let (recorded, intended, at) = when;
        let n = self.judge.borrow_mut().sent(sender, size, recorded, (intended, at));
        {
            let mut packet = self.packet.borrow_mut();
            packet.clear();
            Words::send(&socket.chat, self.acks.then_some(n), &mut packet);
            self.stamps.write(Stamp { worker: self.number(), sender, n }, size, &mut packet);
            packet.extend_from_slice(Words::SEND_END);
            let waits = self.put(socket, &packet);
            let bytes = packet.len();
            self.went(socket, Unsent { sender, n, intended, recorded, bytes }, waits);
        }
        self.take_place(at, sender, n);
    }

    /// Writes a packet, as far as the system takes it; answers whether bytes of it wait.
    pub(super) fn put(&self, socket: &Socket, packet: &[u8]) -> bool {
        let written = socket.wire.borrow_mut().as_mut().map(|wire| wire.send(packet));
        match written {
            Some(Ok(Written::Waits(_))) => {
                self.ends.borrow_mut().stalled += 1;
                return true;
            }
            Some(Err(error)) => self.end(socket, &error.to_string()),
            Some(Ok(Written::All)) | None => {}
        }
        false
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
                self.free_places_of(socket.member);
                self.ends.borrow_mut().cut(why, 1);
            }
            Phase::Opening => self.fail(socket.step.get(), why),
            Phase::Connecting => self.fail("CONNECT", why),
            Phase::Joining => self.fail("join", why),
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
