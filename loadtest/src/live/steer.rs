//! What somebody does to a run while it goes on: its speed, and asking for what there is so far.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use trialogue_checker::Micros;

/// Slowest and fastest, in parts of the plan.
const SPEED_MIN: f64 = 0.05;
/// See [`SPEED_MIN`].
const SPEED_MAX: f64 = 20.0;

/// The one who steers.
#[derive(Debug)]
pub struct Helm {
    speed: watch::Sender<f64>,
    asked: watch::Sender<u32>,
}

/// What is steered; it goes on as planned when nobody does.
#[derive(Debug, Clone)]
pub struct Steered {
    speed: watch::Receiver<f64>,
    asked: watch::Receiver<u32>,
}

impl Default for Steered {
    fn default() -> Self {
        helm().1
    }
}

/// Both ends.
pub fn helm() -> (Helm, Steered) {
    let ((speed, speeds), (asked, asks)) = (watch::channel(1.0), watch::channel(0));
    (Helm { speed, asked }, Steered { speed: speeds, asked: asks })
}

impl Helm {
    /// So many times as fast as planned; 0 pauses. What is due meanwhile is due later: a pause is no
    /// latency.
    pub fn speed(&self, speed: f64) {
        let fine = if speed > 0.0 { speed.clamp(SPEED_MIN, SPEED_MAX) } else { 0.0 };
        self.speed.send_replace(fine);
    }

    /// Asks for what there is so far.
    pub fn ask(&self) {
        self.asked.send_modify(|times| *times = times.wrapping_add(1));
    }
}

impl Steered {
    /// Whether somebody has asked since the last time.
    pub(crate) fn is_asked(&mut self) -> bool {
        let changed = self.asked.has_changed().unwrap_or(false);
        if changed {
            self.asked.mark_unchanged();
        }
        changed
    }

    /// Whether the speed was ever another one than planned.
    pub(crate) fn was_steered(&self) -> bool {
        // Nobody looks at this end: any change is still one.
        self.speed.has_changed().unwrap_or(false)
    }

    /// The clock of a plan that begins at this moment.
    pub(crate) fn clock(&self, begin: Instant) -> Clock {
        Clock { speed: self.speed.clone(), now: 1.0, planned: 0.0, real: begin }
    }
}

/// Where the planned moments lie.
#[derive(Debug)]
pub(crate) struct Clock {
    speed: watch::Receiver<f64>,
    now: f64,
    /// Microseconds of the plan, and the moment at which they were over.
    planned: f64,
    real: Instant,
}

impl Clock {
    /// The moment of something that is due so many microseconds after the begin; none in a pause.
    pub(crate) fn moment(&mut self, due: Micros) -> Option<Instant> {
        if self.speed.has_changed().unwrap_or(false) {
            let speed = *self.speed.borrow_and_update();
            self.set(speed, Instant::now());
        }
        if self.now <= 0.0 {
            return None;
        }
        let away = (due as f64 - self.planned) / self.now;
        let duration = Duration::from_micros(away.abs() as u64);
        match away >= 0.0 {
            true => Some(self.real + duration),
            false => self.real.checked_sub(duration).or(Some(self.real)),
        }
    }

    fn set(&mut self, speed: f64, now: Instant) {
        let over = now.saturating_duration_since(self.real).as_micros() as f64;
        (self.planned, self.real, self.now) = (self.planned + over * self.now, now, speed);
    }

    /// Waits for another speed; for ever when nobody steers.
    pub(crate) async fn changed(&mut self) {
        let mut speed = self.speed.clone();
        if speed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_goes_slower_stands_still_and_goes_on_where_it_was() {
        let begin = Instant::now();
        let (_helm, steered) = helm();
        let mut clock = steered.clock(begin);
        let millis = Duration::from_millis;
        assert_eq!(clock.moment(30_000), Some(begin + millis(30)));
        clock.set(0.5, begin + millis(10));
        assert_eq!(clock.moment(30_000), Some(begin + millis(50)));
        clock.set(0.0, begin + millis(30));
        assert_eq!(clock.moment(30_000), None);
        clock.set(2.0, begin + millis(1_000));
        assert_eq!(clock.moment(30_000), Some(begin + millis(1_005)));
        // What was late before is as late afterwards.
        assert_eq!(clock.moment(18_000), Some(begin + millis(999)));
    }

    #[test]
    fn who_steers_is_noticed() {
        let (helm, mut steered) = helm();
        assert!(!steered.is_asked() && !steered.was_steered());
        helm.ask();
        helm.speed(1_000.0);
        assert!(steered.is_asked() && !steered.is_asked() && steered.was_steered());
        assert_eq!(*helm.speed.borrow(), SPEED_MAX);
        let mut clock = steered.clock(Instant::now());
        helm.speed(0.0);
        assert_eq!(clock.moment(5), None);
    }
}
