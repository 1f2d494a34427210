//! Who may do what, and what a hostile client gets: groups A to D of RELIABILITY on a live server.

mod bodies;
mod fields;
mod forge;
mod isolation;
mod keys;
mod limits;
pub(crate) mod locks;
mod log;
mod matrix;
mod races;
mod raw;
mod sessions;
mod smuggling;
mod start;
mod stored;
mod text;
mod tokens;
mod web;
