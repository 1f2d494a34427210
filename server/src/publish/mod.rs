//! The only room that emits: one task per shard of chats puts out what flows have committed, in
//! the order of `seq`, reads what nobody brought, and sweeps for what was lost (RELIABILITY §2.4).
//!
//! Nothing here decides what is true: a broadcast repeats a commit and may be lost at any instant;
//! the database is asked again until everybody in the room has seen it.

mod broadcast;

pub use broadcast::{Broadcast, StoredMessage};
