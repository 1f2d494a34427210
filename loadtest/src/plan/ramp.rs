//! Rates over time: steady, rising in a line or in steps, with a spike.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

/// A part of a run, whose rate is steady or changes in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What reports call it.
    pub name: String,
    /// Microseconds.
    pub length: Micros,
    /// Messages a second at its begin.
    pub from: f64,
    /// Messages a second at its end.
    pub to: f64,
    /// Whether its figures count; a warm-up's do not, its verdict does.
    pub recorded: bool,
}

/// The shape of a rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ramp {
    /// The same all the time.
    #[default]
    Const,
    /// From the first rate to the second.
    Line,
    /// The same in so many equal steps.
    Step(u32),
    /// The first rate, and the second in the middle third.
    Spike,
}

fn micros(length: Duration) -> Micros {
    Micros::try_from(length.as_micros()).unwrap_or(Micros::MAX)
}

impl Stage {
    /// One rate for so long.
    pub fn steady(name: impl Into<String>, length: Duration, rate: f64) -> Self {
        Self { name: name.into(), length: micros(length), from: rate, to: rate, recorded: true }
    }

    /// Messages of the whole stage.
    pub fn messages(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.length as f64 / 1e6
    }

    /// Messages a second, microseconds after its begin.
    pub fn rate_at(&self, at: Micros) -> f64 {
        if self.length == 0 {
            return self.from;
        }
        self.from + (self.to - self.from) * at as f64 / self.length as f64
    }
}

impl Ramp {
    /// The stages of this shape between two rates, behind a warm-up at the first one.
    pub fn stages(self, rates: (f64, f64), length: Duration, warm_up: Duration) -> Vec<Stage> {
        let (from, to) = rates;
        let mut stages = Vec::new();
        if !warm_up.is_zero() {
            let warm_up = Stage::steady("warm-up", warm_up, from);
            stages.push(Stage { recorded: false, ..warm_up });
        }
        match self {
            Self::Const => stages.push(Stage::steady("steady", length, from)),
            Self::Line => {
                stages.push(Stage { to, ..Stage::steady("line", length, from) });
            }
            Self::Step(steps) => {
                let steps = steps.max(1);
                for step in 0..steps {
                    let part = f64::from(step) / f64::from((steps - 1).max(1));
                    let rate = from + (to - from) * part;
                    stages.push(Stage::steady(format!("step {}", step + 1), length / steps, rate));
                }
            }
            Self::Spike => {
                stages.push(Stage::steady("before", length / 3, from));
                stages.push(Stage::steady("spike", length / 3, to));
                stages.push(Stage::steady("after", length / 3, from));
            }
        }
        stages
    }
}

impl std::str::FromStr for Ramp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("const", "") => Ok(Self::Const),
            ("line", "") => Ok(Self::Line),
            ("spike", "") => Ok(Self::Spike),
            ("step", "") => Ok(Self::Step(5)),
            ("step", steps) => match steps.parse() {
                Ok(steps @ 1..=1_000) => Ok(Self::Step(steps)),
                _ => Err("step:N has 1 to 1000 steps".to_owned()),
            },
            _ => Err("it is const, line, step, step:N or spike".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_becomes_stages() {
        let check = |ramp: &str, expect: &[(&str, u64, f64, f64)]| {
            let ramp: Ramp = ramp.parse().unwrap();
            let seconds = Duration::from_secs;
            let stages = ramp.stages((10.0, 40.0), seconds(60), seconds(5));
            assert_eq!((stages[0].name.as_str(), stages[0].recorded), ("warm-up", false));
            let told: Vec<_> = stages[1..]
                .iter()
                .map(|one| (one.name.as_str(), one.length / 1_000_000, one.from, one.to))
                .collect();
            assert_eq!(told, expect);
        };
        check("const", &[("steady", 60, 10.0, 10.0)]);
        check("line", &[("line", 60, 10.0, 40.0)]);
        let (low, high) = (10.0, 40.0);
        check(
            "spike",
            &[("before", 20, low, low), ("spike", 20, high, high), ("after", 20, low, low)],
        );
        check(
            "step:4",
            &[
                ("step 1", 15, 10.0, 10.0),
                ("step 2", 15, 20.0, 20.0),
                ("step 3", 15, 30.0, 30.0),
                ("step 4", 15, 40.0, 40.0),
            ],
        );
        assert!("step:0".parse::<Ramp>().is_err() && "cliff".parse::<Ramp>().is_err());
    }

    #[test]
    fn a_stage_knows_its_messages() {
        let line = Stage { to: 100.0, ..Stage::steady("x", Duration::from_secs(4), 0.0) };
        assert_eq!((line.messages(), line.rate_at(1_000_000)), (200.0, 25.0));
    }
}
