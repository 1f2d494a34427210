//! A part of a run as it is typed: `climb:60s:100/s..1000/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use trialogue_loadtest::plan::{Rate, Stage};
use trialogue_server::config::parse_duration;

/// The word behind a phase whose figures do not count.
const UNMEASURED: &str = "unmeasured";
const FORM: &str = "it is NAME:TIME:RATE, as in climb:60s:100/s..1000/s, and :unmeasured behind it \
                    where its figures do not count";
/// Longest name, in bytes.
const NAME_MAX: usize = 60;

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phase {
    pub(super) name: String,
    pub(super) length: Duration,
    pub(super) rate: Rate,
    pub(super) measured: bool,
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let (name, length, rate, measured) = match parts.as_slice() {
            [name, length, rate] => (name, length, rate, true),
            [name, length, rate, UNMEASURED] => (name, length, rate, false),
            _ => return Err(FORM.to_owned()),
        };
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(FORM.to_owned());
        }
        let length = parse_duration(length).map_err(str::to_owned)?;
        Ok(Self { name: (*name).to_owned(), length, rate: rate.parse()?, measured })
    }
}

impl Phase {
    /// As the plan has it.
    pub(super) fn stage(&self) -> Stage {
        let steady = Stage::steady(self.name.clone(), self.length, self.rate.from);
        Stage { to: self.rate.to, recorded: self.measured, ..steady }
    }
}

/// How the parts of a file's phase are typed.
pub(super) struct Typed<'a> {
    pub(super) name: &'a str,
    pub(super) length: &'a str,
    pub(super) rate: &'a str,
    pub(super) measured: bool,
}

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, length, rate, measured } = self;
        write!(f, "{name}:{length}:{rate}")?;
        if *measured { Ok(()) } else { write!(f, ":{UNMEASURED}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_a_name_a_time_and_a_rate() {
        let phase: Phase = "climb:60s:100/s..1000/s".parse().unwrap();
        let stage = phase.stage();
        assert_eq!((stage.name.as_str(), stage.length), ("climb", 60_000_000));
        assert_eq!((stage.from, stage.to, stage.recorded), (100.0, 1_000.0, true));
        let typed = Typed { name: "warm-up", length: "5s", rate: "10/s", measured: false };
        assert!(!typed.to_string().parse::<Phase>().unwrap().measured);
        for wrong in ["climb", "climb:60s", ":60s:1/s", "a:soon:1/s", "a:1s:fast", "a:1s:1/s:not"] {
            assert!(wrong.parse::<Phase>().is_err(), "{wrong}");
        }
    }
}
