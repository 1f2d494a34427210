//! The session against a server that plays its part as told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod cast;
mod recent;
mod recovery;
mod sends;
mod simulation;
mod stage;
mod stm;
