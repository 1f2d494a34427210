//! The client without a terminal: stories for the update, frames for the view, any size and any
//! text for both.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod away;
mod complaints;
mod forms;
mod frames;
mod keys;
mod losses;
mod paper;
mod plain;
mod sizes;
mod stage;
mod stories;
mod svg;
mod trio;
