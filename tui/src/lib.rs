//! The terminal client: `trialogue chat`.
//!
//! Data flows one way. [`update()`] decides (`Model`, `Msg` and `Now` in, effects out), [`view()`] draws
//! a model and does nothing else, and only [`shell`] touches the world: terminal, session, files.
//! What may not happen outside [`shell`]: IO, a clock, chance.

pub mod command;
pub mod demo;
pub mod edit;
pub mod effect;
pub mod keys;
pub mod layout;
pub mod model;
pub mod msg;
pub mod plain;
pub mod script;
pub mod sheet;
pub mod shell;
pub mod table;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;

pub use model::Model;
pub use update::update;
pub use view::{view, view_table};
