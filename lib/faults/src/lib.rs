//! Faults on purpose: processes that are started, killed, stopped and paused.
//!
//! Knows no chat and no Socket.IO: a server is a program that prints a ready line.

mod lines;
mod process;
mod signal;

pub use process::{ExitedEarly, LISTEN, ServerCommand, ServerError, ServerProcess};
