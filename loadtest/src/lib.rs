//! Load tests: a room broadcast, measured honestly at every receiver (LOAD.md).
//!
//! ```text
//! plan (pure: who acts when) -> cast (accounts, rooms) -> workers (sockets, verdict, recorder)
//!                                                              └-> run -> result
//! ```
//!
//! A worker is a thread with rooms of its own: nothing is shared while messages fly, and every
//! latency is taken on one clock.

mod alarm;
pub mod beside;
pub mod cast;
pub mod clock;
pub mod compare;
pub mod export;
mod facts;
pub mod find;
pub mod iterate;
mod judge;
pub mod live;
pub mod merge;
pub mod plan;
pub mod preflight;
pub mod recorder;
pub mod remote;
pub mod report;
pub mod result;
pub mod rig;
pub mod run;
pub mod seats;
pub mod show;
pub mod slo;
pub mod stamp;
pub mod target;
mod unrest;
pub mod users;
pub mod verdict;
pub mod versus;
mod worker;

pub use run::{Outage, Progress, RunConfig, RunError, Second, run, run_in};
pub use worker::Drain;
