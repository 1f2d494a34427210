//! The flow over real sockets: what CONTRACT §2 and §3 promise, one feature per test.

mod disputes;
mod drain;
mod hostile;
mod messages;
mod notices;
mod resume;
mod rooms;
mod sessions;
