//! The same connection in four ways: one task that reads and writes, a burst flushed at once.

pub(crate) mod fast;
pub(crate) mod framing;
pub(crate) mod tungstenite;
pub(crate) mod websockets;

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;
