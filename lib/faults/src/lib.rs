//! Faults on purpose: processes that are started, killed, stopped and paused, and lines that go
//! dark, slow down or break.
//!
//! Knows no chat and no Socket.IO: a server is a program that prints a ready line.

#[cfg(unix)]
mod command;
mod lines;
mod process;
mod proxy;
#[cfg(unix)]
mod shell;
mod signal;

#[cfg(unix)]
pub use command::{Ran, run_shell};
pub use process::{ExitedEarly, LISTEN, ServerCommand, ServerError, ServerProcess};
pub use proxy::{Cut, Proxy, SCRIPTS_MAX, Then, Way, Weather};
#[cfg(unix)]
pub use shell::ShellProcess;
#[cfg(unix)]
pub use signal::wait_until_gone;
pub use signal::{Signal, pid_in, send_signal};
