//! Live sockets: who they are, what they ask for, when they end. Parses, calls a flow, answers.

mod presence;

pub use presence::Presence;
