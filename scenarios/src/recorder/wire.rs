//! Engine.IO sessions in both transports: from packets to what they say.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use trialogue_socketio::Args;
use trialogue_socketio::engine::{EnginePacket, Handshake, Payload, PayloadItem};
use trialogue_socketio::packet::{Body, Decoder, Packet, PacketLimits};

use super::story::{Ender, Story};

/// Most sessions that are followed at once; the oldest is forgotten.
const LINES_MAX: usize = 1_024;
/// Most packets of one polling body.
const PACKETS_MAX: usize = 4_096;
/// Most arguments of an event that are looked at.
const ARGS_MAX: usize = 2;

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From a client.
    Up,
    /// To a client.
    Down,
}

#[derive(Debug, Default)]
struct Line {
    sid: Option<String>,
    bearer: Option<String>,
    up: Decoder,
    down: Decoder,
    /// Of each namespace that was asked for.
    sockets: BTreeMap<String, u64>,
    /// Something could not be read: what follows cannot either.
    is_blind: bool,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Wires {
    lines: BTreeMap<u64, Line>,
    by_sid: BTreeMap<String, u64>,
    last: u64,
}

impl Wires {
    /// A session begins; its id comes with the server's first packet.
    pub(super) fn open(&mut self, bearer: Option<&str>, story: &mut Story) -> u64 {
        if self.lines.len() >= LINES_MAX
            && let Some(oldest) = self.lines.keys().next().copied()
        {
            self.end(oldest, Ender::Line, story);
        }
        self.last += 1;
        let line = Line { bearer: bearer.map(ToOwned::to_owned), ..Line::default() };
        self.lines.insert(self.last, line);
        self.last
    }

    /// The session of that id.
    pub(super) fn find(&self, sid: &str) -> Option<u64> {
        self.by_sid.get(sid).copied()
    }

    /// A session is over.
    pub(super) fn end(&mut self, line: u64, ender: Ender, story: &mut Story) {
        let Some(line) = self.lines.remove(&line) else { return };
        if let Some(sid) = &line.sid {
            self.by_sid.remove(sid);
        }
        line.sockets.values().for_each(|socket| story.left(*socket, ender));
    }

    /// The body of a polling request or of its answer.
    pub(super) fn payload(&mut self, line: u64, way: Way, body: &[u8], story: &mut Story) {
        for item in Payload::new(body, PACKETS_MAX) {
            match item {
                Ok(PayloadItem::Text(packet)) => self.packet(line, way, packet, story),
                Ok(PayloadItem::Binary(bytes)) => self.binary(line, way, bytes, story),
                Err(_) => return self.blind(line, story),
            }
        }
    }

    /// An Engine.IO packet.
    pub(super) fn packet(
        &mut self,
        line: u64,
        way: Way,
        packet: EnginePacket<'_>,
        story: &mut Story,
    ) {
        match (packet, way) {
            (EnginePacket::Open(json), Way::Down) => {
                let Ok(Handshake { sid, .. }) = serde_json::from_str(json) else { return };
                if let Some(known) = self.lines.get_mut(&line) {
                    known.sid = Some(sid.clone());
                    self.by_sid.insert(sid, line);
                }
            }
            (EnginePacket::Close, Way::Up) => self.end(line, Ender::Client, story),
            (EnginePacket::Close, Way::Down) => self.end(line, Ender::Line, story),
            (EnginePacket::Message(text), _) => {
                let decoded = self
                    .decoder(line, way)
                    .map(|decoder| decoder.text(text.as_bytes(), &PacketLimits::default()));
                match decoded {
                    Some(Ok(Some(packet))) => self.said(line, way, &packet, story),
                    Some(Ok(None)) | None => {}
                    Some(Err(_)) => self.blind(line, story),
                }
            }
            _ => {}
        }
    }

    /// A binary message.
    pub(super) fn binary(&mut self, line: u64, way: Way, bytes: Bytes, story: &mut Story) {
        match self.decoder(line, way).map(|decoder| decoder.binary(bytes)) {
            Some(Ok(Some(packet))) => self.said(line, way, &packet, story),
            Some(Ok(None)) | None => {}
            Some(Err(_)) => self.blind(line, story),
        }
    }

    fn decoder(&mut self, line: u64, way: Way) -> Option<&mut Decoder> {
        let line = self.lines.get_mut(&line).filter(|line| !line.is_blind)?;
        Some(match way {
            Way::Up => &mut line.up,
            Way::Down => &mut line.down,
        })
    }

    /// Nothing more of this session can be read. It goes on all the same.
    pub(super) fn blind(&mut self, line: u64, story: &mut Story) {
        if let Some(line) = self.lines.get_mut(&line).filter(|line| !line.is_blind) {
            line.is_blind = true;
            story.leave_out("connections that could not be read to their end");
        }
    }

    fn said(&mut self, at: u64, way: Way, packet: &Packet<'_>, story: &mut Story) {
        let Some(line) = self.lines.get_mut(&at) else { return };
        let namespace = packet.namespace.as_ref();
        let has_attachments = !packet.attachments().is_empty();
        if let (Body::Connect(auth), Way::Up) = (&packet.body, way) {
            self.last += 1;
            let auth: Value = auth
                .as_ref()
                .and_then(|auth| serde_json::from_str(auth.get()).ok())
                .unwrap_or_default();
            let token = auth["token"].as_str().or(line.bearer.as_deref());
            story.connecting(self.last, token);
            if let Some(before) = line.sockets.insert(namespace.to_owned(), self.last) {
                story.left(before, Ender::Line);
            }
            return;
        }
        let Some(socket) = line.sockets.get(namespace).copied() else { return };
        match (&packet.body, way) {
            (Body::Connect(_), _) => story.granted(socket),
            (Body::ConnectError(_), Way::Down) => {
                line.sockets.remove(namespace);
                story.refused(socket);
            }
            (Body::Disconnect, way) => {
                line.sockets.remove(namespace);
                story.left(socket, if way == Way::Up { Ender::Client } else { Ender::Server });
            }
            (Body::Event { id, event }, Way::Up) => {
                story.emitted(socket, event.name(), &args_of(event.args()), (*id, has_attachments));
            }
            (Body::Event { event, .. }, Way::Down) => {
                story.heard(socket, event.name(), &args_of(event.args()), has_attachments);
            }
            (Body::Ack { id, args }, Way::Down) => {
                story.acked(socket, *id, &args.get(0).unwrap_or_default());
            }
            (Body::Ack { .. } | Body::ConnectError(_), Way::Up) => {}
        }
    }
}

/// As many as are looked at.
fn args_of(args: &Args) -> Vec<Value> {
    (0..args.len().min(ARGS_MAX)).map(|n| args.get(n).unwrap_or_default()).collect()
}
