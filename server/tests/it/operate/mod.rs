//! What operators rely on: metrics, limits, accounts, retention, a role that may only serve.

mod limits;
mod metrics;
mod people;
mod retention;
mod roles;
