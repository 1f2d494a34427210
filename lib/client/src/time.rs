//! How the pure rooms see time and chance: both come in from outside, so that a test or a
//! simulator owns them.

use std::time::Duration;

/// Monotonic time since an origin that the caller chose. Only differences mean anything.
pub type Now = Duration;

/// Randomness for delays, fully decided by its seed (splitmix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// The same seed gives the same sequence.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly spread over `0..=most`, in whole milliseconds.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
        let span = u128::from(most_ms) + 1;
        // Multiply-shift instead of a remainder: no bias worth naming, no division by zero.
        let ms = (u128::from(self.bits()) * span) >> 64;
        Duration::from_millis(u64::try_from(ms).unwrap_or(most_ms))
    }
}

/// Exponential backoff with full jitter and without an end (RELIABILITY §2.9).
///
/// The delay before try `n` (from 1) is evenly spread over `0..=min(cap, first * 2^(n-1))`. Full
/// jitter because a thousand clients that lost one server must not come back in step. Whoever plays
/// another client takes less of it, and a shortest delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Longest delay before the first retry.
    pub first: Duration,
    /// Longest delay before any retry.
    pub cap: Duration,
    /// Shortest delay before any retry (0).
    pub floor: Duration,
    /// How much of a delay is left to chance, in hundredths: 100, all of it; 0, none.
    pub jitter_percent: u8,
}

impl Backoff {
    /// Full jitter between these.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, floor: Duration::ZERO, jitter_percent: 100 }
    }

    /// The longest that [`Self::delay`] may answer for try `n` (from 1).
    pub fn ceiling(self, n: u32) -> Duration {
        // 2^32 times anything is over every cap that makes sense.
        let doublings = n.saturating_sub(1).min(32);
        let factor = 1u64 << doublings;
        let ms = u64::try_from(self.first.as_millis()).unwrap_or(u64::MAX).saturating_mul(factor);
        Duration::from_millis(ms).min(self.cap)
    }

    /// How long to wait before try `n` (from 1).
    pub fn delay(self, n: u32, jitter: &mut Jitter) -> Duration {
        let ceiling = self.ceiling(n);
        let chance = ceiling * u32::from(self.jitter_percent.min(100)) / 100;
        (ceiling - chance + jitter.up_to(chance)).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_never_ends() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        let seconds: Vec<u64> = (1..=6).map(|n| backoff.ceiling(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 15]);
        assert_eq!(backoff.ceiling(u32::MAX), Duration::from_secs(15));
    }

    #[test]
    fn a_thousand_clients_do_not_come_back_in_step() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        let mut per_100_ms = [0u32; 40];
        for seed in 0..1_000 {
            let delay = backoff.delay(3, &mut Jitter::new(seed));
            per_100_ms[usize::try_from(delay.as_millis() / 100).unwrap().min(39)] += 1;
        }
        // G11: at most five times the mean in any 100 ms.
        assert!(per_100_ms.iter().all(|&n| n <= 125), "{per_100_ms:?}");
        assert!(per_100_ms.iter().all(|&n| n > 0), "{per_100_ms:?}");
    }

    #[test]
    fn chance_and_the_shortest_delay_are_as_asked() {
        let whole = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        let delays = |backoff: Backoff| {
            let of = |seed| backoff.delay(2, &mut Jitter::new(seed)).as_millis();
            ((0..500).map(of).min().unwrap_or(0), (0..500).map(of).max().unwrap_or(0))
        };
        assert_eq!(delays(Backoff { jitter_percent: 0, ..whole }), (2_000, 2_000));
        let (least, most) = delays(Backoff { jitter_percent: 50, ..whole });
        assert!((1_000..1_100).contains(&least) && (1_900..=2_000).contains(&most));
        let (least, most) = delays(Backoff { floor: Duration::from_millis(700), ..whole });
        assert!(least == 700 && most > 1_900, "{least} {most}");
    }

    #[test]
    fn no_delay_is_longer_than_asked() {
        let mut jitter = Jitter::new(7);
        assert_eq!(jitter.up_to(Duration::ZERO), Duration::ZERO);
        for _ in 0..1_000 {
            assert!(jitter.up_to(Duration::from_millis(3)) <= Duration::from_millis(3));
        }
        let _ = jitter.up_to(Duration::MAX);
    }
}
