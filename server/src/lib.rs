//! The Trialogue server: REST and Socket.IO over PostgreSQL, as the wire contract has it.
//!
//! A request walks `http | socket -> flow -> policy, store -> Outcome -> publish`. A handler holds
//! no SQL, a flow no socket, the store no opinion; `publish` alone emits.

pub mod accept;
mod addresses;
pub mod auth;
pub mod config;
mod cors;
#[cfg(unix)]
pub mod embedded;
pub mod error;
pub mod flow;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod operator;
mod parse;
pub mod policy;
mod private;
pub mod publish;
mod retention;
mod running;
pub mod secret;
pub mod security;
pub mod seed;
pub mod socket;
pub mod state;
pub mod store;
mod supervise;
pub mod throttle;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use running::{RunError, Running};

/// Runs a server on `listener` until `shutdown` is cancelled, then stops it within 10 s.
///
/// # Errors
///
/// [`RunError`] when it cannot start: settings, secret, database.
pub async fn run(
    listener: TcpListener,
    config: config::Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    Running::start(listener, config).await?.serve(shutdown).await;
    Ok(())
}
