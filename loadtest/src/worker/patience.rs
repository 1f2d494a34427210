//! Looks every second for sockets of which nothing is to be expected: a step on their way is not
//! answered, or the server has not even sent a ping for as long as it said itself (Engine.IO v4,
//! "heartbeat").

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::TICK;
use super::floor::{Floor, Phase, Socket};
use crate::alarm::Alarm;
use crate::recorder::Metric;
use crate::target::Words;

/// How often the loop is looked at.
const LAG_EVERY: Duration = Duration::from_millis(10);

/// Until it is aborted.
pub(super) async fn watch(floor: Rc<Floor>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Instant::now();
    loop {
        interval.tick().await;
        let now = Instant::now();
        let passed = now.saturating_duration_since(std::mem::replace(&mut before, now));
        // Whoever slept itself has heard nothing either.
        if passed > TICK * 2 {
            continue;
        }
        let sockets = floor.sockets.iter().filter(|socket| !socket.is_slow);
        sockets.for_each(|socket| floor.look(socket, now));
    }
}

/// Measures how late the worker's loop wakes: whoever is starved of its core is late in everything,
/// also where nothing is due.
pub(super) async fn lag(floor: Rc<Floor>) {
    let Ok(mut alarm) = Alarm::new() else { return };
    loop {
        let due = Instant::now() + LAG_EVERY;
        if alarm.until(due).await.is_err() {
            return;
        }
        floor.took(Metric::Loop, due, Instant::now());
    }
}

impl Floor {
    /// What shows a newer token to a server that has said that the one it knows is about to end; there
    /// may be none yet.
    pub(super) fn renewed(&self, socket: &Socket) -> Option<String> {
        let newest = self.tokens.newest(&socket.token);
        if newest == *socket.shown.borrow() {
            return None;
        }
        socket.is_expiring.set(false);
        let packet = Words::refresh(&newest);
        *socket.shown.borrow_mut() = newest;
        Some(packet)
    }

    fn look(&self, socket: &Socket, now: Instant) {
        if let Some(packet) = socket.is_expiring.get().then(|| self.renewed(socket)).flatten() {
            self.put(socket, packet.as_bytes());
        }
        if let Some(step) = awaited(socket) {
            let begun = socket.begun.get().unwrap_or(now);
            if now.saturating_duration_since(begun) > self.join_within {
                let seconds = self.join_within.as_secs_f64();
                self.end(socket, &format!("the server has not answered {step} within {seconds} s"));
                return;
            }
        }
        let Some(silence_max) = self.silence_max.get() else { return };
        let heard = socket.wire.borrow().as_ref().map(trialogue_socketio::client::Wire::heard);
        let silent = heard.map_or(Duration::ZERO, |heard| now.saturating_duration_since(heard));
        if silent > silence_max + TICK {
            let seconds = silence_max.as_secs_f64();
            self.end(socket, &format!("not even a ping for the {seconds} s that it may be silent"));
        }
    }
}

/// The step whose answer a socket waits for.
fn awaited(socket: &Socket) -> Option<&'static str> {
    match socket.phase.get() {
        Phase::Opening => Some("the websocket with a handshake"),
        Phase::Connecting => Some("CONNECT with `connected`"),
        Phase::Joining | Phase::Entering => Some("join_chat"),
        Phase::Leaving => Some("leave_chat"),
        // Once it is in its room, reading what was missed may take long.
        Phase::Rejoining => {
            let away = socket.away.borrow();
            away.as_ref().is_some_and(|away| !away.rejoined).then_some("join_chat after a loss")
        }
        Phase::In | Phase::Out | Phase::Away | Phase::Over => None,
    }
}
