//! When something is due in the life of a socket: pure, gets the time as an argument.

use std::time::{Duration, Instant};

/// How long before its end a session is told (CONTRACT §2).
const EXPIRING_BEFORE: Duration = Duration::from_secs(60);
/// Between two `positions`.
const POSITIONS_EVERY: Duration = Duration::from_secs(30);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Say `token_expiring`.
    Expiring,
    /// The token is over.
    Expired,
    /// Say `positions`.
    Positions,
}

/// One socket's clock: three things to come, one timer for them.
#[derive(Debug)]
pub(crate) struct Clock {
    expires_at: Instant,
    /// `None` once it was said.
    expiring_at: Option<Instant>,
    positions_at: Instant,
}

impl Clock {
    /// Starts for a session that ends at `expires_at`.
    pub(crate) fn new(now: Instant, expires_at: Instant) -> Self {
        Self {
            expires_at,
            expiring_at: Some(expiring_at(now, expires_at)),
            positions_at: now + POSITIONS_EVERY,
        }
    }

    /// The session lives longer; never shorter.
    pub(crate) fn extend(&mut self, now: Instant, expires_at: Instant) {
        if expires_at > self.expires_at {
            self.expires_at = expires_at;
            self.expiring_at = Some(expiring_at(now, expires_at));
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        let next = self.expires_at.min(self.positions_at);
        self.expiring_at.map_or(next, |at| next.min(at))
    }

    /// What is due now, the most important thing first; `None` when nothing is.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if now >= self.expires_at {
            return Some(Due::Expired);
        }
        if self.expiring_at.is_some_and(|at| now >= at) {
            self.expiring_at = None;
            return Some(Due::Expiring);
        }
        if now >= self.positions_at {
            // From now, not from the last time: after a pause there is one, not a burst.
            self.positions_at = now + POSITIONS_EVERY;
            return Some(Due::Positions);
        }
        None
    }
}

fn expiring_at(now: Instant, expires_at: Instant) -> Instant {
    expires_at.checked_sub(EXPIRING_BEFORE).map_or(now, |at| at.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after the start, and what is due then.
    fn check(lives: u64, extended: Option<(u64, u64)>, expect: &[(u64, Due)]) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(start, at(lives));
        let mut seen = Vec::new();
        for second in 0..200 {
            if let Some((when, until)) = extended
                && when == second
            {
                clock.extend(at(second), at(until));
            }
            while let Some(due) = clock.take_due(at(second)) {
                seen.push((second, due));
                if due == Due::Expired {
                    assert_eq!(seen, expect);
                    return;
                }
            }
            assert!(clock.next() > at(second), "the timer would spin");
        }
        assert_eq!(seen, expect);
    }

    #[test]
    fn a_session_is_told_a_minute_before_its_end() {
        use Due::{Expired, Expiring, Positions};
        check(
            100,
            None,
            &[(30, Positions), (40, Expiring), (60, Positions), (90, Positions), (100, Expired)],
        );
    }

    #[test]
    fn a_short_session_is_told_at_once() {
        check(5, None, &[(0, Due::Expiring), (5, Due::Expired)]);
    }

    #[test]
    fn a_fresh_token_lengthens_the_session_and_an_old_one_does_not_shorten_it() {
        use Due::{Expired, Expiring, Positions};
        let two = [(0, Expiring), (20, Expiring), (30, Positions), (60, Positions), (80, Expired)];
        check(50, Some((10, 80)), &two);
        check(50, Some((10, 20)), &[(0, Expiring), (30, Positions), (50, Expired)]);
    }
}
