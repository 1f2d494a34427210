//! The format and the player, from the outside.

mod format;
mod mistakes;
mod schema;
