//! Engine.IO protocol v4: packets, polling payloads and the life of a session. No IO, no clock.
//!
//! Below it lies a transport (HTTP long-polling or WebSocket), above it Socket.IO. Time comes in
//! as an argument; nothing here waits.

mod heartbeat;
mod packet;
mod payload;

use serde::{Deserialize, Serialize};

pub use heartbeat::{Beat, Heartbeat};
pub use packet::{EnginePacket, EnginePacketError};
pub use payload::{Payload, PayloadItem, SEPARATOR, decode_binary, put_binary, put_separator};

/// The only protocol version spoken; `EIO=3` and everything else is answered 400.
pub const PROTOCOL: &str = "4";

/// The JSON of the `0` packet that opens a session (Engine.IO v4, "handshake"). No other key may
/// stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// Id of the session, a bearer credential: at least 128 random bits, never logged.
    pub sid: String,
    /// Transports that the session can move to: `["websocket"]` when it was opened by polling.
    #[serde(default)]
    pub upgrades: Vec<String>,
    /// Milliseconds between the server's pings.
    pub ping_interval: u64,
    /// Milliseconds that the client has to answer a ping.
    pub ping_timeout: u64,
    /// Bytes that one message or polling body to the server may have; 0 when a server does not say.
    #[serde(default)]
    pub max_payload: u64,
}
