//! The server against real sockets and a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod access;
mod database;
mod embedded;
mod fixture;
mod live;
mod nodes;
mod operate;
mod rest;
mod socket;
mod store;
