//! What happens to sockets while messages fly: they are cut and come back, all at once or a few at a
//! time, or they leave their rooms and enter again. Pure: when, for whom and for how long follows
//! from the seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::str::FromStr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

use super::{Plan, PlanError, check};

/// Shortest distance of two absences of one socket, and shortest absence, in microseconds.
const SHORTEST: Micros = 10_000;
/// A distance is up to this part shorter or longer, so that sockets do not keep in step.
const SPREAD: f64 = 0.2;
/// First delay of socket.io-client before it tries again, its longest one, and how much shorter or
/// longer each is by chance (`reconnectionDelay`, `reconnectionDelayMax`, `randomizationFactor` of
/// its documentation).
const REAL_FIRST: Micros = 1_000_000;
const REAL_MOST: Micros = 5_000_000;
const REAL_RANDOM: f64 = 0.5;
/// Most messages of a room before its history is read.
const HISTORY_MAX: u32 = 100_000;
/// Most messages of a page (CONTRACT §2: a list answers at most 1,000).
const PAGE_MAX: u32 = 1_000;

/// What happens besides messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrest {
    /// Nothing.
    #[default]
    Calm,
    /// Nobody enters a room: of a send only its acknowledgement comes back.
    Apart,
    /// Connections are cut and come back after a while, again and again.
    Jitter(Absence),
    /// Members that do not speak leave their rooms and enter again.
    Churn(Absence),
    /// All connections lose the server at the same moment.
    Storm {
        /// Microseconds after the begin.
        at: Micros,
        /// Microseconds for which there is no server, where it is ended and started again.
        down: Micros,
    },
    /// Pages of history are read instead of messages sent.
    History {
        /// Messages of every room, which are sent before the begin.
        messages: u32,
        /// Messages of a page.
        page: u32,
    },
}

/// Who is away how often.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Absence {
    /// Part of the sockets that may be.
    pub share: f64,
    /// Microseconds from one absence of a socket to its next, on average.
    pub every: Micros,
    /// Microseconds for which it is away.
    pub away: Micros,
}

/// How long a client waits before it tries to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackOff {
    /// As socket.io-client does: 1 s, doubled up to 5 s, each half shorter to half longer by chance.
    #[default]
    Real,
    /// So many microseconds each time, which leaves the server's part of a recovery alone.
    Uniform(Micros),
}

impl BackOff {
    /// Before the attempt of this number, from 1.
    pub fn delay(self, attempt: u32, rng: &mut StdRng) -> Duration {
        let micros = match self {
            Self::Uniform(micros) => micros,
            Self::Real => {
                let doubled = REAL_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16));
                let random = 1.0 + REAL_RANDOM * (rng.random::<f64>() * 2.0 - 1.0);
                ((doubled.min(REAL_MOST) as f64 * random) as Micros).min(REAL_MOST)
            }
        };
        Duration::from_micros(micros)
    }
}

impl FromStr for BackOff {
    type Err = String;

    /// `real`, or milliseconds as in `200ms`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let millis = text.strip_suffix("ms").and_then(|number| number.parse::<u32>().ok());
        match (text, millis) {
            ("real", _) => Ok(Self::Real),
            (_, Some(millis @ 1..=600_000)) => Ok(Self::Uniform(Micros::from(millis) * 1_000)),
            _ => Err("it is real, or the same time for each attempt, as in 200ms".to_owned()),
        }
    }
}

impl Unrest {
    /// Sockets that lose their connection come back.
    pub fn is_of_returns(self) -> bool {
        matches!(self, Self::Jitter(_) | Self::Storm { .. })
    }

    /// What is due is a page of history, not a message.
    pub fn is_of_pages(self) -> bool {
        matches!(self, Self::History { .. })
    }

    pub(super) fn check(self, plan: &Plan) -> Result<(), PlanError> {
        let is_open = plan.pace.is_open() || self == Self::Calm;
        check(is_open, || "only a broadcast may be a closed loop or silent".to_owned())?;
        match self {
            Self::Calm | Self::Apart => Ok(()),
            Self::Jitter(absence) => absence.check(),
            Self::Churn(absence) => {
                check(plan.senders < plan.members, || {
                    "churn: some members do not speak, so fewer senders than members".to_owned()
                })?;
                absence.check()
            }
            Self::Storm { at, .. } => check(at <= plan.length(), || {
                "storm: it comes before the end of the run".to_owned()
            }),
            Self::History { messages, page } => {
                check((1..=HISTORY_MAX).contains(&messages), || {
                    format!("history: 1 to {HISTORY_MAX} messages of a room")
                })?;
                check((1..=PAGE_MAX).contains(&page), || {
                    format!("history: a page has 1 to {PAGE_MAX} messages")
                })
            }
        }
    }
}

impl Absence {
    fn check(self) -> Result<(), PlanError> {
        let Self { share, every, away } = self;
        check((0.0..=1.0).contains(&share) && share > 0.0, || {
            "share: a part of the sockets, up to all".to_owned()
        })?;
        check(every >= SHORTEST && away >= SHORTEST, || "every and away: 10 ms at least".to_owned())
    }
}

/// When which socket of a worker begins to be away, in the order of time and without an end.
#[derive(Debug)]
pub struct Absences {
    of: Absence,
    rng: StdRng,
    next: BinaryHeap<Reverse<(Micros, u32)>>,
}

impl Absences {
    /// Of these sockets, each with its first time somewhere within the first distance.
    pub fn of(of: Absence, seed: u64, sockets: impl Iterator<Item = u32>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut next = BinaryHeap::new();
        for socket in sockets {
            // Drawn for every socket, so that a larger share takes more in and keeps the others.
            let (chance, phase) = (rng.random::<f64>(), rng.random::<f64>());
            if chance < of.share {
                next.push(Reverse(((of.every as f64 * phase) as Micros, socket)));
            }
        }
        Self { of, rng, next }
    }
}

impl Iterator for Absences {
    type Item = (Micros, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((at, socket)) = self.next.pop()?;
        let random = 1.0 + SPREAD * (self.rng.random::<f64>() * 2.0 - 1.0);
        let distance = (self.of.every as f64 * random) as Micros;
        // It is there again for a moment, whatever the two times are.
        let distance = distance.max(self.of.away.saturating_add(SHORTEST));
        self.next.push(Reverse((at.saturating_add(distance), socket)));
        Some((at, socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_away_as_often_as_was_said_and_each_in_its_own_time() {
        let of = Absence { share: 0.5, every: 15_000_000, away: 2_000_000 };
        let until = |seed| {
            let all = Absences::of(of, seed, 0..1_000).take_while(|one| one.0 < 150_000_000);
            all.collect::<Vec<_>>()
        };
        let all = until(1);
        assert!((4_500..5_600).contains(&all.len()), "{}", all.len());
        assert!(all.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!((all == until(1), all == until(2)), (true, false));
        let mut last = std::collections::BTreeMap::new();
        for (at, socket) in all {
            if let Some(before) = last.insert(socket, at) {
                assert!((12_000_000..=18_000_000).contains(&(at - before)));
            }
        }
        assert!((450..=550).contains(&last.len()), "{}", last.len());
        assert_eq!(Absences::of(of, 1, std::iter::empty()).next(), None);
    }

    #[test]
    fn a_larger_share_takes_more_in_and_leaves_nobody_out() {
        let who = |share| {
            let of = Absence { share, every: 1_000_000, away: 10_000 };
            let all = Absences::of(of, 7, 0..100).take_while(|one| one.0 < 1_000_000);
            all.map(|one| one.1).collect::<std::collections::BTreeSet<_>>()
        };
        assert!(who(0.2).is_subset(&who(0.7)) && who(0.2).len() < who(0.7).len());
        assert_eq!(who(1.0).len(), 100);
    }

    #[test]
    fn clients_come_back_as_socket_io_does_or_all_alike() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut within = |attempt: u32, least: u64, most: u64| {
            for _ in 0..100 {
                let millis = BackOff::Real.delay(attempt, &mut rng).as_millis() as u64;
                assert!((least..=most).contains(&millis), "{attempt}: {millis}");
            }
        };
        within(1, 500, 1_500);
        within(2, 1_000, 3_000);
        within(3, 2_000, 5_000);
        within(40, 2_500, 5_000);
        let uniform: BackOff = "200ms".parse().unwrap();
        assert_eq!(uniform.delay(9, &mut rng), Duration::from_millis(200));
        assert_eq!("real".parse(), Ok(BackOff::Real));
        assert!("0ms".parse::<BackOff>().is_err() && "5s".parse::<BackOff>().is_err());
    }
}
