//! What the server's Engine.IO packets mean, whatever they travelled on. No IO, no clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::Refused;
use super::shared::Shared;
use super::tap::{Passed, Way};
use crate::engine::{EnginePacket, Handshake};
use crate::packet::{Body, Decoder, Packet, PacketError, PacketLimits};

/// How long the server may be silent: one ping's distance and the time that it gives us to answer.
fn silence_max(handshake: &Handshake) -> Duration {
    // A server cannot make us wait for ever, nor overflow the clock.
    const CEILING: Duration = Duration::from_secs(24 * 3600);
    let silence = handshake.ping_interval.saturating_add(handshake.ping_timeout);
    Duration::from_millis(silence).min(CEILING)
}

/// Why the session cannot go on, in words for the log; the reason is always
/// [`crate::DisconnectReason::Protocol`].
#[derive(Debug)]
pub(super) struct Wrong(pub(super) String);

impl From<PacketError> for Wrong {
    fn from(error: PacketError) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// What the transport is to do after a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Go,
    /// Stop reading until [`Shared::must_pause`] says otherwise.
    Pause,
    /// The server closes the session.
    Close,
}

/// The state of one session: the packet that waits for attachments, the heartbeat.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    decoder: Decoder,
    limits: PacketLimits,
    silence_max: Duration,
    /// When the server has been silent for too long.
    pub(super) deadline: Instant,
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        open: &Handshake,
        max_payload: usize,
        now: Instant,
    ) -> Self {
        let limits = PacketLimits {
            attachment_bytes_max: max_payload,
            // A page of history may nest deeper than what a server accepts.
            nesting_max: 100,
            ..PacketLimits::default()
        };
        let silence_max = silence_max(open);
        Self {
            shared,
            decoder: Decoder::default(),
            limits,
            silence_max,
            deadline: now + silence_max,
        }
    }

    /// The server was heard, or we did not listen.
    pub(super) fn heard(&mut self, now: Instant) {
        self.deadline = now + self.silence_max;
    }

    /// Takes one Engine.IO packet.
    pub(super) fn on_packet(
        &mut self,
        packet: EnginePacket<'_>,
        now: Instant,
    ) -> Result<Step, Wrong> {
        self.shared.tapped(|tap, on| tap.tell(on, Passed::Packet(Way::In, packet)));
        match packet {
            EnginePacket::Close => Ok(Step::Close),
            EnginePacket::Ping(data) => {
                self.heard(now);
                self.shared.set_pong(Bytes::copy_from_slice(data.as_bytes()));
                Ok(Step::Go)
            }
            EnginePacket::Message(text) => {
                let packet = self.decoder.text(text.as_bytes(), &self.limits)?;
                packet.map_or(Ok(Step::Go), |packet| dispatch(&self.shared, packet))
            }
            // A pong to nothing and a noop say nothing.
            EnginePacket::Pong(_) | EnginePacket::Noop => Ok(Step::Go),
            EnginePacket::Open(_) => Err("a second handshake".into()),
            EnginePacket::Upgrade => Err("an upgrade by the server".into()),
        }
    }

    /// Takes one binary message: the attachment that a packet waits for.
    pub(super) fn on_binary(&mut self, data: Bytes) -> Result<Step, Wrong> {
        self.shared.tapped(|tap, on| tap.tell(on, Passed::Binary(Way::In, &data)));
        let packet = self.decoder.binary(data)?;
        packet.map_or(Ok(Step::Go), |packet| dispatch(&self.shared, packet))
    }
}

fn dispatch(shared: &Shared, packet: Packet<'_>) -> Result<Step, Wrong> {
    #[derive(Deserialize)]
    struct Granted<'a> {
        #[serde(borrow)]
        sid: std::borrow::Cow<'a, str>,
    }
    let path = &*packet.namespace;
    match packet.body {
        Body::Connect(granted) => {
            let granted = granted.as_ref().and_then(|json| serde_json::from_str(json.get()).ok());
            let Granted { sid } = granted.ok_or("a namespace was granted without a sid")?;
            shared.on_connected(path, sid.into());
        }
        Body::ConnectError(json) => shared.on_refused(path, refused(json.get())),
        Body::Disconnect => shared.on_disconnected(path),
        Body::Ack { id, args } => shared.on_ack(path, id, args),
        Body::Event { id, event } => {
            if shared.on_event(path, id, event) {
                return Ok(Step::Pause);
            }
        }
    }
    Ok(Step::Go)
}

/// The object of Socket.IO v5, or the bare string of older servers.
fn refused(json: &str) -> Refused {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Object { message: String, data: Option<serde_json::Value> },
        Text(String),
        Other(serde_json::Value),
    }
    match serde_json::from_str(json) {
        Ok(Answer::Object { message, data }) => Refused { message, data },
        Ok(Answer::Text(message)) => Refused { message, data: None },
        Ok(Answer::Other(data)) => Refused { message: "refused".to_owned(), data: Some(data) },
        Err(_) => Refused { message: "refused".to_owned(), data: None },
    }
}
