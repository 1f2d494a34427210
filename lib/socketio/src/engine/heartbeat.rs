//! The server's side of the heartbeat: when to ping, and when the peer is dead.
//!
//! Times are milliseconds of any clock that only goes forward. The deadline of a peer that was not
//! there to be pinged follows from the schedule, not from the moment at which a late timer fired,
//! so that it can be compared with the clock whenever a request arrives.

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet.
    Quiet,
    /// Send a ping now; said once per ping.
    Ping,
    /// The ping was not answered in time.
    Dead,
}

/// The heartbeat of one session.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    interval_ms: u64,
    timeout_ms: u64,
    /// When the current ping is (or was) due.
    ping_at_ms: u64,
    /// Whether the current ping was sent.
    awaited: bool,
    suspended_at_ms: Option<u64>,
}

impl Heartbeat {
    /// Starts with the first ping due one interval from now.
    #[must_use]
    pub fn new(interval_ms: u64, timeout_ms: u64, now_ms: u64) -> Self {
        let ping_at_ms = now_ms.saturating_add(interval_ms);
        Self { interval_ms, timeout_ms, ping_at_ms, awaited: false, suspended_at_ms: None }
    }

    /// When the peer is dead unless its pong comes before; `None` while suspended.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        match self.suspended_at_ms {
            None => Some(self.ping_at_ms.saturating_add(self.timeout_ms)),
            Some(_) => None,
        }
    }

    /// When [`Self::tick`] has something to say; `None` while suspended.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        if self.awaited || self.suspended_at_ms.is_some() {
            self.deadline_ms()
        } else {
            Some(self.ping_at_ms)
        }
    }

    /// Looks at the clock.
    pub fn tick(&mut self, now_ms: u64) -> Beat {
        match self.deadline_ms() {
            Some(deadline) if now_ms >= deadline => Beat::Dead,
            Some(_) if !self.awaited && now_ms >= self.ping_at_ms => {
                self.awaited = true;
                Beat::Ping
            }
            _ => Beat::Quiet,
        }
    }

    /// The ping has left for a peer that was there to take it: its time counts from now, so that
    /// our own lateness is not the peer's.
    pub fn delivered(&mut self, now_ms: u64) {
        if self.awaited {
            self.ping_at_ms = self.ping_at_ms.max(now_ms);
        }
    }

    /// A pong came. One that answers nothing changes nothing.
    pub fn pong(&mut self, now_ms: u64) {
        if self.awaited {
            self.awaited = false;
            self.ping_at_ms = now_ms.saturating_add(self.interval_ms);
        }
    }

    /// Stops the clock while we ourselves do not read what the peer sends.
    pub fn suspend(&mut self, now_ms: u64) {
        self.suspended_at_ms.get_or_insert(now_ms);
    }

    /// Goes on; the time in between does not count.
    pub fn resume(&mut self, now_ms: u64) {
        if let Some(since) = self.suspended_at_ms.take() {
            self.ping_at_ms = self.ping_at_ms.saturating_add(now_ms.saturating_sub(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_answers_lives_for_ever() {
        let mut heart = Heartbeat::new(300, 200, 0);
        for round in 1..1_000_u64 {
            let due = heart.next_ms().unwrap();
            assert_eq!(heart.tick(due - 1), Beat::Quiet, "round {round}");
            assert_eq!(heart.tick(due), Beat::Ping);
            assert_eq!(heart.tick(due + 199), Beat::Quiet);
            heart.pong(due + 199);
        }
    }

    #[test]
    fn the_deadline_does_not_wait_for_a_late_timer() {
        let mut heart = Heartbeat::new(300, 200, 0);
        assert_eq!(heart.deadline_ms(), Some(500));
        assert_eq!(heart.tick(360), Beat::Ping);
        assert_eq!(heart.deadline_ms(), Some(500));
        assert_eq!(heart.tick(500), Beat::Dead);
        let mut late = Heartbeat::new(300, 200, 0);
        assert_eq!(late.tick(700), Beat::Dead);
    }

    #[test]
    fn our_own_lateness_is_not_the_peers() {
        let mut heart = Heartbeat::new(300, 200, 0);
        heart.delivered(100);
        assert_eq!(heart.deadline_ms(), Some(500));
        assert_eq!(heart.tick(360), Beat::Ping);
        heart.delivered(360);
        assert_eq!(heart.deadline_ms(), Some(560));
    }

    #[test]
    fn a_pong_to_nothing_does_not_move_the_ping() {
        let mut heart = Heartbeat::new(300, 200, 0);
        for now in 1..300 {
            heart.pong(now);
        }
        assert_eq!(heart.next_ms(), Some(300));
    }

    #[test]
    fn while_we_do_not_read_the_peer_cannot_die() {
        let mut heart = Heartbeat::new(300, 200, 0);
        assert_eq!(heart.tick(300), Beat::Ping);
        heart.suspend(400);
        heart.suspend(450);
        assert_eq!(
            (heart.tick(10_000), heart.deadline_ms(), heart.next_ms()),
            (Beat::Quiet, None, None)
        );
        heart.resume(10_400);
        heart.resume(11_000);
        assert_eq!(heart.tick(10_499), Beat::Quiet);
        assert_eq!(heart.tick(10_500), Beat::Dead);
    }
}
