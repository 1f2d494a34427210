//! The list of intended moments. It is made while it is used, because a long run has millions; the
//! same seed makes the same list, whatever the server does.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use trialogue_checker::Micros;

use super::{Arrivals, Pace, Plan, Sizes, Stage};

/// One message that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Microseconds after the begin.
    pub at: Micros,
    /// Which of the worker's senders.
    pub sender: u32,
    /// Bytes of its text.
    pub size: u32,
    /// Whether its figures count.
    pub recorded: bool,
}

/// All messages of one worker in the order of time; empty for a closed loop.
#[derive(Debug)]
pub struct Schedule {
    stages: Vec<Stage>,
    arrivals: Arrivals,
    sizes: Sizes,
    /// What this worker has of the rates.
    share: f64,
    rng: StdRng,
    /// In which order senders take turns.
    senders: Vec<u32>,
    turn: usize,
    stage: usize,
    /// Begin of the stage, and microseconds into it.
    begun: Micros,
    into: f64,
    /// Messages of a burst that are still to come at the same moment.
    burst: u32,
}

impl Schedule {
    /// The part of one worker, which has so many senders.
    pub fn of(plan: &Plan, worker: u32, senders: u32) -> Self {
        let (stages, arrivals) = match &plan.pace {
            Pace::Open { stages, arrivals } => (stages.clone(), *arrivals),
            Pace::Closed { .. } | Pace::Silent { .. } => (Vec::new(), Arrivals::Uniform),
        };
        let mut rng = StdRng::seed_from_u64(plan.seed.wrapping_add(u64::from(worker) << 32));
        let mut order: Vec<u32> = (0..senders).collect();
        order.shuffle(&mut rng);
        let all = plan.speakers() as f64;
        Self {
            stages,
            arrivals,
            sizes: plan.sizes.clone(),
            share: f64::from(senders) / all.max(1.0),
            rng,
            senders: order,
            turn: 0,
            stage: 0,
            begun: 0,
            into: 0.0,
            burst: 0,
        }
    }

    /// The next sender in turn and a size for it: all that a closed loop needs.
    pub fn draw(&mut self) -> u32 {
        self.sizes.draw(&mut self.rng)
    }

    /// Goes on by so many messages' worth of rate.
    fn advance(&mut self, mut worth: f64) -> Option<()> {
        loop {
            let stage = self.stages.get(self.stage)?;
            let length = stage.length as f64;
            let slope = (stage.to - stage.from) * self.share / length.max(1.0);
            // Messages a microsecond, here and now.
            let (rate, slope) = (stage.from * self.share / 1e6, slope / 1e6);
            let rate = rate + slope * self.into;
            let left = length - self.into;
            let worth_left = rate * left + slope * left * left / 2.0;
            // The last message of a stage must not be lost to rounding.
            if worth <= worth_left + 1e-9 && worth_left > 0.0 {
                let step = if slope.abs() < 1e-18 {
                    worth / rate
                } else {
                    ((rate * rate + 2.0 * slope * worth).max(0.0).sqrt() - rate) / slope
                };
                self.into = (self.into + step).min(length);
                return Some(());
            }
            worth -= worth_left.max(0.0);
            self.begun += stage.length;
            self.stage += 1;
            self.into = 0.0;
        }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if self.senders.is_empty() {
            return None;
        }
        if self.burst == 0 {
            let (worth, burst) = match self.arrivals {
                Arrivals::Uniform => (1.0, 1),
                // 1 - u is never 0.
                Arrivals::Poisson => (-(1.0 - self.rng.random::<f64>()).ln(), 1),
                Arrivals::Burst(size) => (f64::from(size), size),
            };
            self.advance(worth)?;
            self.burst = burst;
        }
        self.burst -= 1;
        let sender = self.senders[self.turn % self.senders.len()];
        self.turn += 1;
        let recorded = self.stages.get(self.stage)?.recorded;
        let at = self.begun + self.into as Micros;
        Some(Due { at, sender, size: self.draw(), recorded })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Ramp;
    use super::*;

    fn plan(ramp: Ramp, rates: (f64, f64), arrivals: Arrivals) -> Plan {
        let stages = ramp.stages(rates, Duration::from_secs(30), Duration::from_secs(5));
        Plan { pace: Pace::Open { stages, arrivals }, ..super::super::tests::plan() }
    }

    fn moments(plan: &Plan) -> Vec<Due> {
        Schedule::of(plan, 0, plan.rooms * plan.senders).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_run_and_another_seed_another() {
        let one = plan(Ramp::Line, (10.0, 100.0), Arrivals::Poisson);
        assert_eq!(moments(&one), moments(&one));
        assert_ne!(moments(&one), moments(&Plan { seed: 8, ..one.clone() }));
    }

    #[test]
    fn there_are_as_many_messages_as_the_rates_say_and_time_never_goes_back() {
        let check = |ramp: Ramp, expect: usize, spread: usize, arrivals| {
            let due = moments(&plan(ramp, (100.0, 400.0), arrivals));
            assert!(due.len().abs_diff(expect) <= spread, "{ramp:?}: {} for {expect}", due.len());
            assert!(due.windows(2).all(|pair| pair[0].at <= pair[1].at));
            assert!(due.iter().all(|one| one.recorded == (one.at > 5_000_000)));
        };
        check(Ramp::Const, 3_500, 1, Arrivals::Uniform);
        check(Ramp::Line, 500 + 7_500, 2, Arrivals::Uniform);
        check(Ramp::Spike, 500 + 6_000, 2, Arrivals::Uniform);
        check(Ramp::Step(4), 500 + 7_500, 2, Arrivals::Uniform);
        check(Ramp::Const, 3_500, 50, Arrivals::Burst(50));
        // Within five standard deviations.
        check(Ramp::Const, 3_500, 300, Arrivals::Poisson);
    }

    #[test]
    fn uniform_moments_are_equally_far_apart() {
        let due = moments(&plan(Ramp::Const, (100.0, 100.0), Arrivals::Uniform));
        let even = |pair: &[Due]| (9_999..=10_001).contains(&(pair[1].at - pair[0].at));
        assert!(due.windows(2).all(even));
    }

    #[test]
    fn workers_share_the_rate_and_every_sender_speaks_as_often() {
        let plan = plan(Ramp::Const, (100.0, 100.0), Arrivals::Uniform);
        let halves: usize = (0..2).map(|worker| Schedule::of(&plan, worker, 10).count()).sum();
        assert!(halves.abs_diff(3_500) <= 2, "{halves}");
        let mut spoken = vec![0; 20];
        moments(&plan).iter().for_each(|due| spoken[due.sender as usize] += 1);
        assert!(spoken.iter().all(|times| (174..=176).contains(times)), "{spoken:?}");
    }
}
