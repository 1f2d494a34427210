//! The private PostgreSQL: found or downloaded, started over a unix socket, shared, and stopped
//! with its last owner (HOUSE §8). Nothing here knows a table of ours, and nothing here prints.
//!
//! # Who owns a cluster, and how it ends
//!
//! A cluster is a folder (`folder.rs`). An *owner* is a process that holds a [`Cluster`] of it;
//! there may be several (two demos and a `serve`). A *guard* (`guard.sh`) is the parent of the
//! database. The rules:
//!
//! 1. Every owner holds the write end of the cluster's named pipe, the *gate*; the guard reads it.
//!    The kernel closes a dead process's end whatever it died of, so the guard's end of file means
//!    that the last owner is gone. Then the guard stops the database and removes the socket's
//!    folder (and a throw-away cluster altogether). No owner counts, so no count can go wrong.
//! 2. Whoever starts, adopts, resets, creates or drops holds the exclusive `lock` meanwhile. It is
//!    an flock: a killed holder holds nothing.
//! 3. Entering is a question put through the gate and answered by the guard. An answer proves that
//!    the guard read our line, hence that it had not seen the end of file before we held the gate,
//!    hence that it stays. A guard that has begun to stop never answers but keeps the gate open
//!    until it is done: the newcomer waits, sees the gate without a reader, and starts anew.
//! 4. A killed guard stops nothing. The next owner finds a gate without a reader; if the database
//!    still answers it is adopted by a new guard on the same pipe, which counts the old owners too.
//! 5. `postmaster.pid` is never believed alone: the socket must answer, or the process must work in
//!    our data folder. Otherwise the file is a crash's or a reboot's leftover and is removed.
//! 6. Owners also hold `owners` shared. Whoever gets it exclusively knows that nobody is left:
//!    that is how leftovers of killed guards are told from living throw-away clusters.
//! 7. A database that dies while it has owners is started again by an owner that looks
//!    ([`Cluster::revive`]; `serve` looks every second), but not one that was stopped from outside
//!    (`db stop --force` leaves `halted` behind; every other start takes it away).
//! 8. A temporary database is claimed by a locked file of its name; the next start drops those
//!    whose claim is free.

mod account;
mod cluster;
mod database;
mod download;
mod error;
mod find;
mod folder;
mod guard;
mod home;
mod install;
mod options;
mod postmaster;
mod programs;
mod revive;
mod visit;

pub use cluster::Cluster;
pub use database::Database;
pub use error::EmbeddedError;
pub use options::{Listener, Notice, Options, Programs};
pub use visit::{Running, halt, reset, running};
