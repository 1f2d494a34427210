//! The Trialogue server: REST and Socket.IO over PostgreSQL, as the wire contract has it.

pub mod accept;
pub mod auth;
pub mod config;
#[cfg(unix)]
pub mod embedded;
pub mod error;
pub mod flow;
pub mod http;
pub mod limits;
pub mod policy;
pub mod publish;
pub mod secret;
pub mod socket;
pub mod state;
pub mod store;
