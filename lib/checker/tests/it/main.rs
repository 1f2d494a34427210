//! Histories that a model server makes, lies about them, and what the checker says of both.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod doubts;
mod lies;
mod modes;
mod nonsense;
mod reading;
mod self_test;
mod truth;
mod world;
