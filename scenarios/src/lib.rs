//! Scripted scenarios with several roles: file format, actors, runner, recorder.

pub mod actor;
pub mod check;
pub mod file;
pub mod matching;
pub mod path;
pub mod probes;
pub mod record;
pub mod recorder;
pub mod runner;
pub mod scope;
pub mod secrets;
pub mod source;
pub mod trace;
pub mod words;
pub mod yaml;

use std::sync::Arc;

pub use runner::{
    Audience, Came, Database, Done, Ending, Entrance, Failure, FailureKind, Hooks, KnownAccount,
    Launch, Looking, Observer, Pause, Report, RunConfig, RunError, Seen, StepDone, Target, Verdict,
    Waiting, boundaries, cast, known_of, lacking_at_all, run, steps_in, untouched_steps,
};
use source::Source;

/// JSON Schema of the format, for editors; the parser itself says more.
pub const SCHEMA: &str = include_str!("../scenario.schema.json");

/// The same of fragments, whose steps are those of scenarios.
pub fn fragment_schema() -> String {
    let read = |text| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let mut schema = read(include_str!("../fragment.schema.json"));
    schema["properties"]["steps"]["$ref"] = "#/$defs/steps".into();
    schema["$defs"] = read(SCHEMA)["$defs"].take();
    format!("{schema:#}")
}

/// The scenarios that are part of the program: name and text.
const BUNDLED: &[(&str, &str)] = &[
    ("booking", include_str!("../booking.scn.yaml")),
    ("dispute-join", include_str!("../dispute-join.scn.yaml")),
    ("backend-restart-recovery", include_str!("../backend-restart-recovery.scn.yaml")),
    ("stranger-isolation", include_str!("../stranger-isolation.scn.yaml")),
    ("idempotent-retry", include_str!("../idempotent-retry.scn.yaml")),
    ("lsm-resolves", include_str!("../lsm-resolves.scn.yaml")),
    ("notification-for-absent", include_str!("../notification-for-absent.scn.yaml")),
    ("rapid-typing", include_str!("../rapid-typing.scn.yaml")),
    ("burst", include_str!("../burst.scn.yaml")),
    ("offline-outbox", include_str!("../offline-outbox.scn.yaml")),
    ("frozen-server", include_str!("../frozen-server.scn.yaml")),
    ("half-open-line", include_str!("../half-open-line.scn.yaml")),
    ("slow-network", include_str!("../slow-network.scn.yaml")),
    ("expired-token", include_str!("../expired-token.scn.yaml")),
    ("two-devices", include_str!("../two-devices.scn.yaml")),
    ("reconnect-storm", include_str!("../reconnect-storm.scn.yaml")),
    ("database-outage", include_str!("../database-outage.scn.yaml")),
    ("flaky-line", include_str!("../flaky-line.scn.yaml")),
    ("demo", include_str!("../demo.scn.yaml")),
];

/// Fragments that are part of the program, by what `use` says.
const FRAGMENTS: &[(&str, &str)] =
    &[("fragments/booked-chat.yaml", include_str!("../fragments/booked-chat.yaml"))];

/// A fragment that is part of the program.
pub fn bundled_fragment(path: &str) -> Option<&'static str> {
    FRAGMENTS.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// What `use` may say without a file.
pub fn bundled_fragments() -> impl Iterator<Item = &'static str> {
    FRAGMENTS.iter().map(|(name, _)| *name)
}

/// Names of the scenarios that are part of the program, simplest first.
pub fn bundled_names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(name, _)| *name)
}

/// A scenario that is part of the program, by its name.
pub fn bundled(name: &str) -> Option<Arc<Source>> {
    let (name, text) = BUNDLED.iter().find(|(bundled, _)| *bundled == name)?;
    Some(Source::bundled(&format!("{name}.scn.yaml"), text))
}
