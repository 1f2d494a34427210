//! What the public suites leave out: hostile frames and packets, limits, order, rooms.

mod connects;
mod events;
mod frames;
mod order;
mod packets;
mod rooms;
mod sessions;

pub(super) use connects::CONNECTS;
pub(super) use events::EVENTS;
pub(super) use frames::FRAMES;
pub(super) use order::ORDER;
pub(super) use packets::{FATAL, PACKETS};
pub(super) use rooms::ROOMS;
pub(super) use sessions::SESSIONS;
