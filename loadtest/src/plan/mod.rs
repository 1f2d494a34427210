//! What a run does, decided before it begins: who speaks when, and how much. Pure: the same plan
//! with the same seed is the same run.

mod crowd;
mod measures;
mod ramp;
mod schedule;
mod size;
mod unrest;
mod way;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

pub use crowd::{Crowd, Spread};
pub use ramp::{Ramp, Stage};
pub use schedule::{Due, Schedule};
pub use size::Sizes;
pub use unrest::{Absence, Absences, BackOff, Unrest};
pub use way::{Way, Ways};
pub use words::{Rate, parse_part, parse_rate};

/// Most rooms of a run.
pub const ROOMS_MAX: u32 = 100_000;
/// Most sockets of a run: what a process may hold open is less on every usual machine.
pub const SOCKETS_MAX: u64 = 1_000_000;
/// Most pairs of a sender and a receiver, each of which has 32 bytes.
pub const PAIRS_MAX: u64 = 16_000_000;
/// Most messages a second.
pub const RATE_MAX: f64 = 1_000_000.0;
/// Connections besides of sockets of one worker that are about to move.
const MOVING: u64 = 64;
/// Longest run.
pub const LENGTH_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Most threads that send and receive.
pub const WORKERS_MAX: u32 = 256;
/// Most messages of a room that are under way in a closed loop.
pub const WINDOW_MAX: u32 = 10_000;

/// How intended moments lie around their rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Uniform,
    /// As independent people do: distances are exponential.
    Poisson,
    /// So many at once, then none for as long.
    Burst(u32),
}

/// When messages are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// At planned moments, whatever the server does.
    Open {
        /// Rates, one after another.
        stages: Vec<Stage>,
        /// How moments lie around the rates.
        arrivals: Arrivals,
    },
    /// Nobody says anything: sockets are there, and that is looked at.
    Silent {
        /// Microseconds.
        length: Micros,
    },
    /// As fast as the server goes: in every room so many messages are under way. What it says of
    /// latency holds for nobody who does not wait like that.
    Closed {
        /// Messages of a room that are under way.
        window: u32,
        /// Microseconds before anything is recorded.
        warm_up: Micros,
        /// Microseconds that are recorded.
        length: Micros,
    },
}

/// A broadcast: messages to rooms, judged at every receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Decides everything random.
    pub seed: u64,
    /// Rooms.
    pub rooms: u32,
    /// Sockets in each.
    pub members: u32,
    /// Those of them that speak.
    pub senders: u32,
    /// When.
    pub pace: Pace,
    /// Bytes of each text.
    pub sizes: Sizes,
    /// Threads; each has its own rooms.
    pub workers: u32,
    /// What happens besides.
    #[serde(default)]
    pub unrest: Unrest,
    /// How long sockets wait before they come back.
    #[serde(default)]
    pub back_off: BackOff,
    /// Who else is there, and what they do.
    #[serde(default)]
    pub crowd: Crowd,
}

impl Pace {
    /// At planned moments.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Nobody speaks.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Silent { .. })
    }
}

/// Why a plan makes no sense: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

fn check(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError(sentence())) }
}

impl Plan {
    /// Looks at every bound.
    ///
    /// # Errors
    /// The first one that does not hold.
    pub fn check(&self) -> Result<(), PlanError> {
        let Self { rooms, members, senders, workers, .. } = *self;
        check((1..=ROOMS_MAX).contains(&rooms), || format!("rooms: 1 to {ROOMS_MAX}"))?;
        check(members >= 1 && self.sockets() <= SOCKETS_MAX, || {
            format!("rooms x members: 1 to {SOCKETS_MAX} sockets")
        })?;
        check((1..=members).contains(&senders), || {
            format!("senders: 1 to as many as members ({members})")
        })?;
        let pairs = self.sockets() * u64::from(senders);
        check(pairs <= PAIRS_MAX, || format!("sockets x senders of a room: up to {PAIRS_MAX}"))?;
        check((1..=WORKERS_MAX.min(rooms)).contains(&workers), || {
            format!("workers: 1 to as many as rooms ({rooms}), and to {WORKERS_MAX}")
        })?;
        self.sizes.check()?;
        self.unrest.check(self)?;
        self.crowd.check(self)?;
        match &self.pace {
            Pace::Silent { .. } => {}
            Pace::Closed { window, length, .. } => {
                check((1..=WINDOW_MAX).contains(window), || format!("window: 1 to {WINDOW_MAX}"))?;
                check(*length > 0, || "the run has no length".to_owned())?;
            }
            Pace::Open { stages, arrivals } => {
                check(stages.iter().any(|one| one.recorded && one.length > 0), || {
                    "the run has no length".to_owned()
                })?;
                let all = self.messages().map_or(0.0, |(all, _)| all);
                if let Arrivals::Burst(size) = arrivals {
                    check(*size > 0 && f64::from(*size) <= all, || {
                        format!("a burst of 1 to {all:.0} messages: the run has no more")
                    })?;
                }
                for rate in stages.iter().flat_map(|stage| [stage.from, stage.to]) {
                    check(rate.is_finite() && (0.0..=RATE_MAX).contains(&rate), || {
                        format!("rate: up to {RATE_MAX} a second")
                    })?;
                }
                check(stages.iter().any(|stage| stage.from + stage.to > 0.0), || {
                    "the rate is 0 all the time".to_owned()
                })?;
            }
        }
        let longest = u128::from(self.length());
        check(longest <= LENGTH_MAX.as_micros(), || "longer than a day".to_owned())
    }

    /// How many there are.
    pub fn sockets(&self) -> u64 {
        u64::from(self.rooms) * u64::from(self.members)
    }

    /// Connections that they have: one that polls has one more for what it says, and those that move
    /// have all of it for a moment.
    pub fn connections(&self) -> u64 {
        let sockets = self.sockets();
        let [_, polling, upgrade] = self.crowd.transport.of(usize::try_from(sockets).unwrap_or(0));
        let moving = if upgrade > 0 { u64::from(self.workers) * MOVING } else { 0 };
        sockets + polling as u64 + moving
    }

    /// Those that speak, in all rooms.
    pub fn speakers(&self) -> u64 {
        self.room_sizes().into_iter().map(|size| u64::from(self.senders.min(size))).sum()
    }

    /// From the first send to the last, in microseconds.
    pub fn length(&self) -> Micros {
        match &self.pace {
            Pace::Open { stages, .. } => stages.iter().map(|stage| stage.length).sum(),
            Pace::Closed { warm_up, length, .. } => warm_up.saturating_add(*length),
            Pace::Silent { length } => *length,
        }
    }

    /// The part of it that is recorded.
    pub fn recorded(&self) -> Micros {
        match &self.pace {
            Pace::Open { stages, .. } => {
                stages.iter().filter(|stage| stage.recorded).map(|stage| stage.length).sum()
            }
            Pace::Closed { length, .. } | Pace::Silent { length } => *length,
        }
    }

    /// The rooms of one worker: each has its own, and all are shared out.
    pub fn rooms_of(&self, worker: u32) -> std::ops::Range<u32> {
        let cut = |n: u32| {
            let part = u64::from(self.rooms) * u64::from(n) / u64::from(self.workers);
            u32::try_from(part).unwrap_or(self.rooms)
        };
        cut(worker)..cut(worker + 1)
    }

    /// Messages that are to be sent, where that is known: all, and those that are recorded.
    pub fn messages(&self) -> Option<(f64, f64)> {
        let Pace::Open { stages, .. } = &self.pace else { return None };
        let sum = |recorded: bool| -> f64 {
            stages.iter().filter(|one| one.recorded || !recorded).map(Stage::messages).sum()
        };
        Some((sum(false), sum(true)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        let stage = Stage::steady("steady", Duration::from_secs(10), 100.0);
        Plan {
            seed: 7,
            rooms: 10,
            members: 3,
            senders: 2,
            pace: Pace::Open { stages: vec![stage], arrivals: Arrivals::Uniform },
            sizes: Sizes::of(100),
            workers: 1,
            unrest: Unrest::Calm,
            back_off: BackOff::Real,
            crowd: Crowd::default(),
        }
    }

    #[test]
    fn every_room_has_one_worker() {
        for workers in [1, 3, 7, 10] {
            let plan = Plan { workers, ..plan() };
            let all: Vec<u32> = (0..workers).flat_map(|worker| plan.rooms_of(worker)).collect();
            assert_eq!(all, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused_by_the_name_of_what_is_wrong() {
        let fault = |plan: Plan| plan.check().map_or_else(|error| error.0, |()| String::new());
        assert_eq!(fault(plan()), "");
        assert!(fault(Plan { rooms: 0, ..plan() }).starts_with("rooms"));
        assert!(fault(Plan { members: 0, ..plan() }).starts_with("rooms x members"));
        assert!(fault(Plan { senders: 4, ..plan() }).starts_with("senders"));
        assert!(fault(Plan { workers: 11, ..plan() }).starts_with("workers"));
        assert!(fault(Plan { sizes: Sizes::of(10_000), ..plan() }).contains("size"));
        let open = |rate: f64, arrivals| {
            let stage = Stage::steady("steady", Duration::from_secs(1), rate);
            fault(Plan { pace: Pace::Open { stages: vec![stage], arrivals }, ..plan() })
        };
        assert!(open(2e6, Arrivals::Poisson).starts_with("rate"));
        assert!(open(f64::NAN, Arrivals::Poisson).starts_with("rate"));
        assert!(open(0.0, Arrivals::Poisson).contains("0 all the time"));
        assert!(open(1.0, Arrivals::Burst(0)).contains("burst"));
        let absence = Absence { share: 0.0, every: 1_000_000, away: 1_000_000 };
        let unrest = |unrest| fault(Plan { unrest, ..plan() });
        assert!(unrest(Unrest::Jitter(absence)).starts_with("share"));
        let absence = Absence { share: 1.0, ..absence };
        assert_eq!(unrest(Unrest::Jitter(absence)), "");
        let all = Plan { unrest: Unrest::Churn(absence), senders: 3, ..plan() };
        assert!(fault(all).starts_with("churn"));
        assert!(unrest(Unrest::Storm { at: 11_000_000, down: 0 }).starts_with("storm"));
        assert!(unrest(Unrest::History { messages: 0, page: 1 }).starts_with("history"));
        let crowd = Crowd { slow_readers: 0.1, ..Crowd::default() };
        assert!(fault(Plan { senders: 3, crowd, ..plan() }).starts_with("slow readers"));
        let closed = Pace::Closed { window: 0, warm_up: 0, length: 1 };
        assert!(fault(Plan { pace: closed, ..plan() }).starts_with("window"));
    }
}
