//! What was tried and what came of it: suites of cases, whatever a case is to the caller.
//!
//! Texts may hold what a stranger sent: every writer makes them harmless for its own format.

use std::time::{Duration, SystemTime};

/// Everything that one run of a tool has to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What was done, such as `trialogue conform`.
    pub title: String,
    /// Who did it, with its version.
    pub tool: String,
    /// When it began.
    pub started: SystemTime,
    /// How long it took, on the clock of a bystander: cases may overlap.
    pub took: Duration,
    /// Whether everything that was to be tried was tried; not so after an interrupt.
    pub complete: bool,
    /// Suites in the order in which they are shown.
    pub suites: Vec<Suite>,
}

/// Cases that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Suite {
    /// Its name, unique in the results.
    pub name: String,
    /// What a reader should know of it: names and values.
    pub facts: Vec<(String, String)>,
    /// Cases in the order in which they are shown.
    pub cases: Vec<Case>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// A name that stays from run to run.
    pub id: String,
    /// What it is about, in words; may be empty.
    pub title: String,
    /// Where it is written down, if it is.
    pub place: Option<Place>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// Why it came out like that; may be empty, and may have several lines.
    pub message: String,
    /// More to read, such as a diagram; several lines.
    pub output: Option<String>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path as the reader knows it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// Not to the letter, and good enough.
    NonStrict,
    /// Not tried: it does not apply.
    Skip,
    /// Wrong.
    Fail,
    /// It could not be tried.
    Error,
}

impl Outcome {
    /// All of them, the good ones first.
    pub const ALL: [Self; 5] = [Self::Pass, Self::NonStrict, Self::Skip, Self::Fail, Self::Error];

    /// Its name in every format: `pass`, `non-strict`, `skip`, `fail`, `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NonStrict => "non-strict",
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

    /// Whether formats that know only good and bad call it bad.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Error)
    }
}

impl Suite {
    /// How many cases came out like that.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// How long its cases took, one after the other.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.cases.iter().map(|case| case.took).sum()
    }
}

impl Results {
    /// How many cases of all suites came out like that.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.suites.iter().map(|suite| suite.count(outcome)).sum()
    }

    /// How many cases there are in all.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.suites.iter().map(|suite| suite.cases.len()).sum()
    }
}
