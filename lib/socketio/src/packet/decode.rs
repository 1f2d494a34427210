//! From text to [`Packet`], and the wait for the binary attachments that a text announced.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Body, NamedArgs, Packet, PacketError, PacketLimits, placeholder};
use crate::json::{self, Elements, JsonError};
use crate::payload::{Args, is_reserved_event};

/// What a message completed.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A whole packet.
    Packet(Packet<'a>),
    /// A packet whose attachments are still to come.
    Pending(Pending<'a>),
}

/// A packet that waits for binary messages; bounded by [`PacketLimits`].
#[derive(Debug)]
pub struct Pending<'a> {
    packet: Packet<'a>,
    attachments: Vec<Bytes>,
    missing: u32,
    bytes_left: usize,
}

impl<'a> Pending<'a> {
    /// The namespace that the packet is for: a server refuses strangers before it holds anything.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.packet.namespace
    }

    /// The packet as its text has it, without its attachments.
    #[must_use]
    pub fn packet(&self) -> &Packet<'a> {
        &self.packet
    }

    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Pending<'static> {
        Pending {
            packet: self.packet.into_owned(),
            attachments: self.attachments,
            missing: self.missing,
            bytes_left: self.bytes_left,
        }
    }

    /// Takes the next binary message.
    ///
    /// # Errors
    ///
    /// When the attachments together are over [`PacketLimits::attachment_bytes_max`].
    pub fn push(mut self, attachment: Bytes) -> Result<Decoded<'a>, PacketError> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(attachment.len())
            .ok_or(PacketError::Limit("attachment bytes"))?;
        self.attachments.push(attachment);
        self.missing -= 1;
        if self.missing > 0 {
            return Ok(Decoded::Pending(self));
        }
        let body = match self.packet.body {
            Body::Event { id, event } => {
                let args = event.args().clone().with_attachments(self.attachments);
                Body::Event { id, event: NamedArgs::new(args) }
            }
            Body::Ack { id, args } => {
                Body::Ack { id, args: args.with_attachments(self.attachments) }
            }
            // Only events and acknowledgements are ever pending.
            body @ (Body::Connect(_) | Body::Disconnect | Body::ConnectError(_)) => body,
        };
        Ok(Decoded::Packet(Packet { namespace: self.packet.namespace, body }))
    }
}

/// Decodes the messages of one connection, keeping the packet that waits for attachments.
///
/// An idle decoder is one pointer.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Option<Box<Pending<'static>>>,
}

impl Decoder {
    /// Takes a text message; `None` when its attachments are still to come.
    ///
    /// # Errors
    ///
    /// [`PacketError`]; the connection must be closed.
    pub fn text<'a>(
        &mut self,
        text: &'a [u8],
        limits: &PacketLimits,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        if self.pending.is_some() {
            return Err(PacketError::OutOfTurn);
        }
        match decode(text, limits)? {
            Decoded::Packet(packet) => Ok(Some(packet)),
            Decoded::Pending(pending) => {
                self.pending = Some(Box::new(pending.into_owned()));
                Ok(None)
            }
        }
    }

    /// Takes a binary message; the packet when it was the last one missing.
    ///
    /// # Errors
    ///
    /// [`PacketError`]; the connection must be closed.
    pub fn binary(&mut self, attachment: Bytes) -> Result<Option<Packet<'static>>, PacketError> {
        let pending = self.pending.take().ok_or(PacketError::OutOfTurn)?;
        match pending.push(attachment)? {
            Decoded::Packet(packet) => Ok(Some(packet)),
            Decoded::Pending(pending) => {
                self.pending = Some(Box::new(pending));
                Ok(None)
            }
        }
    }

    /// The namespace of the packet that waits for attachments.
    #[must_use]
    pub fn pending_namespace(&self) -> Option<&str> {
        self.pending.as_deref().map(Pending::namespace)
    }
}

/// Decodes the text of one packet (an Engine.IO message without its `4`).
///
/// # Errors
///
/// [`PacketError`] for everything that is not a packet within the limits.
pub fn decode<'a>(text: &'a [u8], limits: &PacketLimits) -> Result<Decoded<'a>, PacketError> {
    let text = std::str::from_utf8(text).map_err(|_| PacketError::Utf8)?;
    let (kind, rest) = text.split_at_checked(1).ok_or(PacketError::Type)?;
    let (attachments, rest) = match kind {
        "0" | "1" | "2" | "3" | "4" => (None, rest),
        "5" | "6" => {
            let (count, rest) = announced(rest, limits)?;
            (Some(count), rest)
        }
        _ => return Err(PacketError::Type),
    };
    let (namespace, rest) = namespace(rest, limits)?;
    let (id, rest) = ack_id(rest)?;
    let body = match kind {
        "0" => Body::Connect(no_id(id).and_then(|()| object(rest, limits))?),
        "1" if rest.is_empty() => no_id(id).map(|()| Body::Disconnect)?,
        "2" | "5" => Body::Event { id, event: event(rest, limits)? },
        "3" | "6" => Body::Ack { id: id.ok_or(PacketError::AckId)?, args: array(rest, limits)? },
        "4" => Body::ConnectError(no_id(id).and_then(|()| refusal(rest, limits))?),
        _ => return Err(PacketError::Payload),
    };
    let packet = Packet { namespace, body };
    match attachments {
        None => Ok(Decoded::Packet(packet)),
        Some(count) => awaiting(packet, count, limits),
    }
}

fn awaiting<'a>(
    packet: Packet<'a>,
    count: u32,
    limits: &PacketLimits,
) -> Result<Decoded<'a>, PacketError> {
    let json = match &packet.body {
        Body::Event { event, .. } => event.args().json(),
        Body::Ack { args, .. } => args.json(),
        Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => "[]",
    };
    if !placeholder::all_within(json.as_bytes(), count as usize) {
        return Err(PacketError::Placeholder);
    }
    if count == 0 {
        return Ok(Decoded::Packet(packet));
    }
    Ok(Decoded::Pending(Pending {
        packet,
        attachments: Vec::new(),
        missing: count,
        bytes_left: limits.attachment_bytes_max,
    }))
}

/// `<count>-`
fn announced<'a>(text: &'a str, limits: &PacketLimits) -> Result<(u32, &'a str), PacketError> {
    let (count, rest) = text.split_once('-').ok_or(PacketError::Attachments)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PacketError::Attachments);
    }
    match count.parse::<u32>() {
        Ok(count) if count <= limits.attachments_max => Ok((count, rest)),
        _ => Err(PacketError::Limit("attachments")),
    }
}

/// `/path,` or, when nothing else follows, `/path`.
fn namespace<'a>(
    text: &'a str,
    limits: &PacketLimits,
) -> Result<(Cow<'a, str>, &'a str), PacketError> {
    if !text.starts_with('/') {
        return Ok((Cow::Borrowed("/"), text));
    }
    let (path, rest) = text.split_once(',').unwrap_or((text, ""));
    if path.len() > limits.namespace_bytes_max {
        return Err(PacketError::Limit("namespace bytes"));
    }
    Ok((Cow::Borrowed(path), rest))
}

fn ack_id(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, text));
    }
    let id = text[..digits].parse().map_err(|_| PacketError::AckId)?;
    Ok((Some(id), &text[digits..]))
}

fn no_id(id: Option<u64>) -> Result<(), PacketError> {
    if id.is_some() { Err(PacketError::Payload) } else { Ok(()) }
}

fn json_error(error: JsonError) -> PacketError {
    match error {
        JsonError::Syntax => PacketError::Payload,
        JsonError::TooDeep => PacketError::Limit("nesting"),
    }
}

/// One JSON value and nothing behind it.
fn value(text: &str, limits: &PacketLimits) -> Result<Box<RawValue>, PacketError> {
    let end = json::skip_value(text.as_bytes(), 0, limits.nesting_max).map_err(json_error)?;
    if json::skip_space(text.as_bytes(), end) != text.len() {
        return Err(PacketError::Payload);
    }
    RawValue::from_string(text.trim_ascii().to_owned()).map_err(|_| PacketError::Payload)
}

fn object(text: &str, limits: &PacketLimits) -> Result<Option<Box<RawValue>>, PacketError> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = value(text, limits)?;
    if value.get().starts_with('{') { Ok(Some(value)) } else { Err(PacketError::Payload) }
}

/// An object, or the bare string of older servers.
fn refusal(text: &str, limits: &PacketLimits) -> Result<Box<RawValue>, PacketError> {
    let value = value(text, limits)?;
    if value.get().starts_with(['{', '"']) { Ok(value) } else { Err(PacketError::Payload) }
}

fn array(text: &str, limits: &PacketLimits) -> Result<Args, PacketError> {
    let bytes = text.as_bytes();
    let start = json::skip_space(bytes, 0);
    let mut elements = Elements::new(bytes, start, limits.nesting_max).map_err(json_error)?;
    let count = remaining(&mut elements, bytes)?;
    Ok(Args::checked(Bytes::copy_from_slice(bytes[start..].trim_ascii_end()), 0, count))
}

/// Counts what is left of an array that must end where the text ends.
fn remaining(elements: &mut Elements<'_>, text: &[u8]) -> Result<u32, PacketError> {
    let mut count = 0;
    while elements.next().map_err(json_error)?.is_some() {
        count += 1;
    }
    if json::skip_space(text, elements.end()) == text.len() {
        Ok(count)
    } else {
        Err(PacketError::Payload)
    }
}

fn event(text: &str, limits: &PacketLimits) -> Result<NamedArgs, PacketError> {
    let bytes = text.as_bytes();
    let start = json::skip_space(bytes, 0);
    let mut elements = Elements::new(bytes, start, limits.nesting_max).map_err(json_error)?;
    let quoted = elements.next().map_err(json_error)?.ok_or(PacketError::Payload)?;
    let behind_name = elements.end();
    let name = event_name(&text[quoted], limits)?;
    let count = remaining(&mut elements, bytes)?;
    // One allocation for the name and for the array without it: the arguments are kept while
    // the read buffer goes on to serve other connections.
    let arguments = bytes[behind_name..].trim_ascii_start();
    let arguments = arguments.strip_prefix(b",").unwrap_or(arguments).trim_ascii_end();
    let mut owned = Vec::with_capacity(name.len() + 1 + arguments.len());
    owned.extend_from_slice(name.as_bytes());
    owned.push(b'[');
    owned.extend_from_slice(arguments);
    let start = u32::try_from(name.len()).map_err(|_| PacketError::Limit("event name bytes"))?;
    Ok(NamedArgs::new(Args::checked(owned.into(), start, count)))
}

fn event_name<'a>(quoted: &'a str, limits: &PacketLimits) -> Result<Cow<'a, str>, PacketError> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or(PacketError::Payload)?;
    let name = if inner.contains('\\') {
        serde_json::from_str::<String>(quoted).map_err(|_| PacketError::Payload)?.into()
    } else {
        Cow::Borrowed(inner)
    };
    if name.len() > limits.event_name_bytes_max {
        return Err(PacketError::Limit("event name bytes"));
    }
    if is_reserved_event(&name) {
        return Err(PacketError::ReservedName);
    }
    Ok(name)
}
