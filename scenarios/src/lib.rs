//! Scripted scenarios with several roles: file format, actors, runner, recorder.

pub mod actor;
pub mod check;
pub mod file;
pub mod matching;
pub mod path;
pub mod record;
pub mod runner;
pub mod scope;
pub mod source;
pub mod yaml;

use std::sync::Arc;

pub use runner::{Failure, Observer, Report, RunConfig, RunError, Target, Verdict, cast, run};
use source::Source;

/// The scenarios that are part of the program: name and text.
const BUNDLED: &[(&str, &str)] = &[
    ("booking", include_str!("../booking.scn.yaml")),
    ("dispute-join", include_str!("../dispute-join.scn.yaml")),
    ("backend-restart-recovery", include_str!("../backend-restart-recovery.scn.yaml")),
    ("demo", include_str!("../demo.scn.yaml")),
];

/// Names of the scenarios that are part of the program, simplest first.
pub fn bundled_names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(name, _)| *name)
}

/// A scenario that is part of the program, by its name.
pub fn bundled(name: &str) -> Option<Arc<Source>> {
    let (name, text) = BUNDLED.iter().find(|(bundled, _)| *bundled == name)?;
    Some(Source::new(format!("{name}.scn.yaml"), *text))
}
