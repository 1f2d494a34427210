//! The crate from outside: real sockets on loopback, frames in, frames out.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod client;
mod conform;
mod framing;
mod peer;
mod server;
