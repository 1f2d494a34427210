//! What the public suites leave out: hostile frames and packets, limits, order, rooms.

mod events;
mod frames;
mod packets;
mod sessions;

pub(super) use events::EVENTS;
pub(super) use frames::FRAMES;
pub(super) use packets::{FATAL, PACKETS};
pub(super) use sessions::SESSIONS;
