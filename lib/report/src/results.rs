//! What was tried and what came of it: suites of cases, whatever a case is to the caller.
//!
//! Texts may hold what a stranger sent: every writer makes them harmless for its own format.

use std::time::{Duration, SystemTime};

use crate::diagram::Story;

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
    /// When it began, since the results did, where that is known: suites may follow each other.
    pub began: Option<Duration>,
    /// Cases in the order in which they are shown.
    pub cases: Vec<Case>,
    /// What happened, where a diagram can be drawn of it.
    pub story: Option<Story>,
    /// What went over the wire, where it was kept.
    pub wire: Vec<WireLine>,
}

/// Something that went over a wire, for people who look closer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WireLine {
    /// When, since the suite began.
    pub at: Duration,
    /// Whose wire.
    pub who: String,
    /// What, in one line: `-> send_message`, `GET /chat 200`.
    pub title: String,
    /// All of it; may be empty.
    pub body: String,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Case {
    /// A name that stays from run to run.
    pub id: String,
    /// What it is about, in words; may be empty.
    pub title: String,
    /// Where it is written down, if it is.
    pub place: Option<Place>,
    /// What came of it.
    pub outcome: Outcome,
    /// When it began, since the suite did, where that is known.
    pub began: Option<Duration>,
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
    /// Column in characters, from 1; 0 where only the line is known.
    pub column: u32,
}

impl Place {
    /// Reads `file:line:column` and `file:line`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, last) = text.rsplit_once(':')?;
        let last = last.parse().ok()?;
        let line_of = |rest: &str| rest.rsplit_once(':').map(|(f, l)| (f.to_owned(), l.parse()));
        Some(match line_of(rest) {
            Some((file, Ok(line))) => Self { file, line, column: last },
            _ => Self { file: rest.to_owned(), line: last, column: 0 },
        })
    }
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Outcome {
    /// As it should be.
    #[default]
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

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_editors_write_it() {
        let check = |text, expect: Option<(&str, u32, u32)>| {
            let place = Place::parse(text);
            assert_eq!(place.as_ref().map(|p| (p.file.as_str(), p.line, p.column)), expect);
        };
        check("a.scn.yaml:12:3", Some(("a.scn.yaml", 12, 3)));
        check("a.scn.yaml:12", Some(("a.scn.yaml", 12, 0)));
        check("C:\\a.yaml:1:2", Some(("C:\\a.yaml", 1, 2)));
        check("a.scn.yaml", None);
    }
}
