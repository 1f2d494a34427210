//! Engine.IO v4 and Socket.IO v5: sans-IO cores, a server and a client.
//!
//! This crate knows no chat: nothing in it names a message, a room of people or a token. It keeps
//! three promises that applications build on: events of one socket arrive in the order in which
//! they were sent, nothing is dropped in silence, and every queue has a bound.

pub mod client;
#[cfg(feature = "conform")]
pub mod conform;
pub mod engine;
mod json;
pub mod packet;
pub mod payload;
mod reason;
pub mod server;
pub mod ws;

pub use payload::{Args, ArgsError, Outgoing};
pub use reason::DisconnectReason;
