//! Scripted scenarios with several roles: file format, actors, runner, recorder.

pub mod file;
pub mod path;
pub mod source;
pub mod yaml;
