//! One task that owns an account's link, outbox, timelines and socket.

mod words;

pub use words::Update;
