//! Packets of an actor's connections as lines of the journal.

use std::time::Duration;

use serde_json::{Value, json};
use trialogue_socketio::Args;
use trialogue_socketio::client::{Passed, Tap, Tapped, Transport, Way};
use trialogue_socketio::engine::EnginePacket;
use trialogue_socketio::packet::{Body, Decoded, PacketLimits, decode};

use super::{Trace, millis, redact};
use crate::record::Clock;

/// Longest payload of a line, in bytes of JSON: a message of 4,000 letters is whole, a page of
/// history is cut.
const DATA_BYTES_MAX: usize = 8 * 1024;
/// How deep a payload may be nested, as the client takes it.
const NESTING_MAX: u32 = 100;

/// What a line says of a packet beside where and when; absent fields are not in the line.
#[derive(Default)]
struct Told {
    kind: &'static str,
    namespace: Option<String>,
    name: Option<String>,
    ack: Option<u64>,
    data: Value,
    reason: Option<&'static str>,
}

impl Told {
    fn of(kind: &'static str, data: Value) -> Self {
        Self { kind, data, ..Self::default() }
    }
}

impl Trace {
    /// Tells of every packet of an actor's connections; for the client of that actor.
    pub fn tap(&self, actor: &str, clock: Clock) -> Tap {
        let (trace, actor) = (self.clone(), actor.to_owned());
        Tap::new(move |tapped| trace.packet(clock.now(), &actor, tapped))
    }

    fn packet(&self, at: Duration, actor: &str, tapped: &Tapped<'_>) {
        let (way, told) = match tapped.what {
            Passed::Packet(way, packet) => (Some(way), told_of(packet)),
            Passed::Binary(way, _) => (Some(way), Told::of("binary", Value::Null)),
            Passed::End(reason) => {
                let end = Told::of("end", Value::Null);
                (None, Told { reason: Some(reason.as_str()), ..end })
            }
        };
        let transport = match tapped.transport {
            Transport::Polling => "polling",
            Transport::Websocket => "websocket",
        };
        let way = way.map(|way| if way == Way::In { "in" } else { "out" });
        self.secrets.learn(&told.data);
        let (data, is_cut) = bounded(told.data);
        let mut line = json!({
            "type": "packet", "atMs": millis(at), "actor": actor,
            "connection": tapped.connection, "transport": transport, "way": way,
            "kind": told.kind, "bytes": tapped.bytes(), "namespace": told.namespace,
            "name": told.name, "ack": told.ack, "data": data,
            "cut": is_cut.then_some(true), "reason": told.reason,
        });
        if let Value::Object(fields) = &mut line {
            fields.retain(|_, value| !value.is_null());
        }
        self.line(line);
    }
}

fn told_of(packet: EnginePacket<'_>) -> Told {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    match packet {
        EnginePacket::Open(handshake) => {
            let mut handshake: Value = serde_json::from_str(handshake).unwrap_or_default();
            // Whoever knows it can speak for the session.
            if let Some(sid) = handshake.get_mut("sid") {
                *sid = Value::from("***");
            }
            Told::of("open", handshake)
        }
        EnginePacket::Close => Told::of("close", Value::Null),
        EnginePacket::Ping(data) => Told::of("ping", text(data)),
        EnginePacket::Pong(data) => Told::of("pong", text(data)),
        EnginePacket::Upgrade => Told::of("upgrade", Value::Null),
        EnginePacket::Noop => Told::of("noop", Value::Null),
        EnginePacket::Message(text) => message(text),
    }
}

/// A Socket.IO packet as its text has it: attachments are placeholders in it.
fn message(text: &str) -> Told {
    let limits = PacketLimits { nesting_max: NESTING_MAX, ..PacketLimits::default() };
    let packet = match decode(text.as_bytes(), &limits) {
        Ok(Decoded::Packet(packet)) => packet,
        Ok(Decoded::Pending(pending)) => pending.packet().clone(),
        Err(_) => return Told::of("message", Value::from(text)),
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let list = |args: &Args| json(args.json());
    let told = match &packet.body {
        Body::Connect(data) => {
            Told::of("connect", data.as_deref().map_or(Value::Null, |data| json(data.get())))
        }
        Body::ConnectError(data) => Told::of("connect_error", json(data.get())),
        Body::Disconnect => Told::of("disconnect", Value::Null),
        Body::Event { id, event } => {
            let name = Some(event.name().to_owned());
            Told { name, ack: *id, ..Told::of("event", list(event.args())) }
        }
        Body::Ack { id, args } => Told { ack: Some(*id), ..Told::of("ack", list(args)) },
    };
    Told { namespace: Some(packet.namespace.into_owned()), ..told }
}

/// The payload without its secrets, or the beginning of its text where it is long.
fn bounded(mut data: Value) -> (Value, bool) {
    redact(&mut data);
    let text = match &data {
        Value::Null => return (data, false),
        Value::String(text) => text.clone(),
        data => data.to_string(),
    };
    if text.len() <= DATA_BYTES_MAX {
        return (data, false);
    }
    let end = (0..=DATA_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
    (Value::from(format!("{}…", &text[..end.unwrap_or_default()])), true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use trialogue_socketio::DisconnectReason;

    use super::super::{LINES, PACKETS};
    use super::*;

    /// The lines of these packets.
    fn lines(packets: &[Passed<'_>]) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        let trace = Trace::new(move |line| log.lock().unwrap().push(line.clone()));
        for what in packets {
            let tapped = Tapped { connection: 3, transport: Transport::Websocket, what: *what };
            trace.packet(Duration::from_millis(5), "ann", &tapped);
        }
        lines.lock().unwrap().clone()
    }

    fn text(way: Way, text: &str) -> Passed<'_> {
        Passed::Packet(way, EnginePacket::decode(text.as_bytes()).unwrap())
    }

    #[test]
    fn every_kind_has_its_fields_and_no_other() {
        let (long, out) = (format!("42[\"e\",\"{}\"]", "ü".repeat(DATA_BYTES_MAX)), Way::Out);
        let packets = [
            text(Way::In, "0{\"sid\":\"s\",\"pingInterval\":1}"),
            text(out, "40/chat,{\"token\":\"t\"}"),
            text(Way::In, "44{\"message\":\"no\"}"),
            text(out, "4251-7[\"e\",{\"_placeholder\":true,\"num\":0}]"),
            text(out, "451-7[\"e\",{\"_placeholder\":true,\"num\":0}]"),
            Passed::Binary(out, &[1]),
            text(out, &long),
            text(Way::In, "437[1]"),
            text(out, "41"),
            text(Way::In, "2probe"),
            text(Way::In, "3"),
            text(Way::In, "5"),
            text(Way::In, "6"),
            text(Way::In, "1"),
            Passed::End(DisconnectReason::TransportClose),
        ];
        let lines = lines(&packets);
        let told: BTreeSet<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
        assert_eq!(told, PACKETS.iter().copied().collect(), "all kinds, and no other");
        let fields: BTreeSet<&str> =
            lines.iter().flat_map(|line| line.as_object().unwrap().keys()).map(|k| &**k).collect();
        let known = LINES.iter().find(|(kind, _)| *kind == "packet").unwrap().1;
        assert_eq!(fields, known.iter().copied().chain(["type"]).collect());
        assert_eq!(lines[1]["data"], json!({"token": "***"}));
        assert_eq!(lines[0]["data"], json!({"sid": "***", "pingInterval": 1}));
        let attached = json!([{"_placeholder": true, "num": 0}]);
        assert_eq!((&lines[4]["data"], &lines[4]["ack"]), (&attached, &json!(7)));
        let cut = lines[6]["data"].as_str().unwrap();
        assert!(cut.len() < DATA_BYTES_MAX + 8 && lines[6]["cut"] == true, "{}", cut.len());
        assert_eq!(lines[6]["bytes"], long.len());
    }

    #[test]
    fn a_line_is_what_the_readme_says() {
        let lines = lines(&[text(Way::Out, "420[\"send_message\",{\"chatId\":\"c\"}]")]);
        let expect = json!({
            "type": "packet", "atMs": 5.0, "actor": "ann", "connection": 3,
            "transport": "websocket", "way": "out", "kind": "event", "bytes": 34,
            "namespace": "/", "name": "send_message", "ack": 0, "data": [{"chatId": "c"}],
        });
        assert_eq!(lines, [expect]);
    }
}
