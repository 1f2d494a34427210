//! The packets of Socket.IO protocol v5: their types, limits and encoding. No IO.
//!
//! A packet is the content of one Engine.IO text message, `4` not included; a packet with binary
//! attachments continues in as many binary messages as it announced. [`decode`] borrows the text
//! and leaves the arguments as text ([`crate::Args`]); nothing here builds a tree.
//!
//! What may not happen here: waiting, knowing a transport, or trusting a number that a peer wrote.

mod decode;
mod placeholder;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;

pub use decode::{Decoded, Decoder, Pending, decode};

use crate::payload::{Args, Outgoing};

/// What a peer may announce. Everything beyond is a [`PacketError`], which ends the connection.
#[derive(Clone, Debug)]
pub struct PacketLimits {
    /// Binary attachments of one packet (default 10, as the reference implementation has it).
    pub attachments_max: u32,
    /// Bytes of all attachments of one packet together (default 1,000,000).
    pub attachment_bytes_max: usize,
    /// Bytes of a namespace's path (default 256: paths are names, not data).
    pub namespace_bytes_max: usize,
    /// Bytes of an event's name after unescaping (default 256).
    pub event_name_bytes_max: usize,
    /// Open JSON containers (default 64; serde_json itself refuses at 128).
    pub nesting_max: u32,
}

impl Default for PacketLimits {
    fn default() -> Self {
        Self {
            attachments_max: 10,
            attachment_bytes_max: 1_000_000,
            namespace_bytes_max: 256,
            event_name_bytes_max: 256,
            nesting_max: 64,
        }
    }
}

/// Why a packet is not one. The peer is not told which: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The first character is no packet type (`0` to `6`).
    #[error("unknown packet type")]
    Type,
    /// The text is not UTF-8.
    #[error("the packet is not UTF-8")]
    Utf8,
    /// The number of attachments is missing or not a number.
    #[error("illegal number of attachments")]
    Attachments,
    /// A limit of [`PacketLimits`] is exceeded.
    #[error("the packet is over the limit of {0}")]
    Limit(&'static str),
    /// The acknowledgement id is missing or does not fit in 64 bits.
    #[error("illegal acknowledgement id")]
    AckId,
    /// The payload is not valid JSON or not the shape that the type asks for.
    #[error("invalid payload")]
    Payload,
    /// The event's name is reserved ([`crate::payload::RESERVED_EVENTS`]).
    #[error("the event name is reserved")]
    ReservedName,
    /// A placeholder in the arguments points at no attachment.
    #[error("a placeholder points at no attachment")]
    Placeholder,
    /// A binary message came although no packet waits for one, or a text message came instead.
    #[error("text and binary messages are out of turn")]
    OutOfTurn,
}

/// One packet. Its namespace is borrowed from the text while it is being dispatched.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// Path of the namespace, with its leading slash; the default is `/`.
    pub namespace: Cow<'a, str>,
    /// What the packet says.
    pub body: Body,
}

/// What a packet says, by its type.
#[derive(Clone, Debug)]
pub enum Body {
    /// `0`: asks for a namespace (with the auth object), or grants it (with the sid).
    Connect(Option<Box<RawValue>>),
    /// `1`: leaves the namespace; the transport stays.
    Disconnect,
    /// `2` and `5`: an event, with the id of the wanted acknowledgement if any.
    Event {
        /// Id to acknowledge with, chosen by the sender.
        id: Option<u64>,
        /// Name and arguments.
        event: NamedArgs,
    },
    /// `3` and `6`: the answer to an event that asked for one.
    Ack {
        /// The id that the event carried.
        id: u64,
        /// The arguments of the answer.
        args: Args,
    },
    /// `4`: the namespace is refused; an object with `message` and perhaps `data`.
    ConnectError(Box<RawValue>),
}

/// The name of an event together with its arguments, in one allocation.
#[derive(Clone, Debug)]
pub struct NamedArgs(Args);

impl NamedArgs {
    pub(crate) fn new(args: Args) -> Self {
        Self(args)
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The event's arguments.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.0
    }
}

impl Packet<'_> {
    /// The same packet, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        Packet { namespace: Cow::Owned(self.namespace.into_owned()), body: self.body }
    }

    /// Appends the packet's text to `out`; its attachments are separate messages.
    pub fn encode(&self, out: &mut BytesMut) {
        match &self.body {
            Body::Connect(data) => {
                encode_connect(out, &self.namespace, data.as_deref().map(RawValue::get));
            }
            Body::Disconnect => encode_disconnect(out, &self.namespace),
            Body::Event { id, event } => {
                let attachments = event.args().attachments().len();
                header(out, b'2', &self.namespace, attachments, *id);
                out.put_u8(b'[');
                put_name(out, event.name());
                if !event.args().is_empty() {
                    out.put_u8(b',');
                }
                out.put_slice(&event.args().json().as_bytes()[1..]);
            }
            Body::Ack { id, args } => {
                encode_ack(out, &self.namespace, *id, args.json(), args.attachments().len());
            }
            Body::ConnectError(data) => encode_connect_error(out, &self.namespace, data.get()),
        }
    }

    /// The binary messages that follow the text.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        match &self.body {
            Body::Event { event, .. } => event.args().attachments(),
            Body::Ack { args, .. } => args.attachments(),
            Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => &[],
        }
    }
}

fn put_name(out: &mut BytesMut, name: &str) {
    // Writing a string into memory cannot fail.
    let _written = serde_json::to_writer(out.writer(), name);
}

/// Appends `0`, the request for a namespace or its grant, with a JSON object as text.
pub fn encode_connect(out: &mut BytesMut, namespace: &str, data: Option<&str>) {
    header(out, b'0', namespace, 0, None);
    out.put_slice(data.unwrap_or_default().as_bytes());
}

/// Appends `1`, which leaves the namespace.
pub fn encode_disconnect(out: &mut BytesMut, namespace: &str) {
    header(out, b'1', namespace, 0, None);
}

/// Appends an event; `5` instead of `2` when it has attachments, which follow as binary messages.
pub fn encode_event(out: &mut BytesMut, namespace: &str, id: Option<u64>, event: &Outgoing) {
    out.reserve(event.body().len() + namespace.len() + 32);
    header(out, b'2', namespace, event.binary().len(), id);
    out.put_slice(event.body());
}

/// Appends an acknowledgement with a JSON array as text; `attachments` follow it.
pub fn encode_ack(out: &mut BytesMut, namespace: &str, id: u64, array: &str, attachments: usize) {
    out.reserve(array.len() + namespace.len() + 32);
    header(out, b'3', namespace, attachments, Some(id));
    out.put_slice(array.as_bytes());
}

/// Appends `4`, the refusal of a namespace, with a JSON object as text.
pub fn encode_connect_error(out: &mut BytesMut, namespace: &str, data: &str) {
    header(out, b'4', namespace, 0, None);
    out.put_slice(data.as_bytes());
}

/// `<type>[<attachments>-][<namespace>,][<id>]`. The binary types are the plain ones plus three.
fn header(out: &mut BytesMut, kind: u8, namespace: &str, attachments: usize, id: Option<u64>) {
    if attachments == 0 {
        out.put_u8(kind);
    } else {
        out.put_u8(kind + 3);
        put_number(out, attachments as u64);
        out.put_u8(b'-');
    }
    if namespace != "/" {
        out.put_slice(namespace.as_bytes());
        out.put_u8(b',');
    }
    if let Some(id) = id {
        put_number(out, id);
    }
}

fn put_number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // The remainder of a division by ten fits in a byte.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}
