//! Load tests against servers whose faults are known.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails its test; helpers are no exception"
)]

mod beside;
mod compares;
mod double;
mod far;
mod merges;
mod reports;
mod unrest;
mod verdicts;
mod ways;
