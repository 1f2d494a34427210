//! The payloads of events: [`Args`] as they came in, [`Outgoing`] as they go out.
//!
//! Both hold JSON text and binary attachments. Neither is ever a tree of values: what came in is
//! parsed when an application asks for a type, what goes out is serialised once and shared.

use std::sync::Arc;

use bytes::Bytes;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};

use crate::json::{self, Elements, NESTING_CEILING};

/// Names that stand for the life of a connection and can therefore never be events
/// (Socket.IO protocol v5, "the following event names are reserved").
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether an event of that name would be mistaken for the life of the connection.
#[must_use]
pub fn is_reserved_event(name: &str) -> bool {
    RESERVED_EVENTS.contains(&name)
}

/// The arguments of an event or of an acknowledgement as they were received.
///
/// The text is known to be a valid JSON array within the nesting limit; binary arguments are
/// placeholders in it (`{"_placeholder":true,"num":0}`) whose bytes are [`Self::attachments`].
/// A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Args {
    /// The event's name, if any, then the array of arguments: one allocation for both.
    text: Bytes,
    /// Where the array starts.
    start: u32,
    count: u32,
    attachments: Option<Arc<[Bytes]>>,
}

/// An argument could not be had in the wanted type.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// There are fewer arguments than the index asks for.
    #[error("argument {index} is missing")]
    Missing {
        /// Index of the argument, from 0.
        index: usize,
    },
    /// The argument is there but has another shape.
    #[error("argument {index} has another shape: {source}")]
    Shape {
        /// Index of the argument, from 0.
        index: usize,
        /// What the deserializer said; it may quote what the peer sent.
        source: serde_json::Error,
    },
}

impl Args {
    /// No arguments, the array `[]`.
    #[must_use]
    pub fn empty() -> Self {
        Self { text: Bytes::from_static(b"[]"), start: 0, count: 0, attachments: None }
    }

    /// Takes a JSON array as text.
    ///
    /// # Errors
    ///
    /// When the text is not a JSON array or is nested deeper than 128 levels.
    pub fn from_json(array: impl Into<Bytes>) -> Result<Self, serde_json::Error> {
        let text = array.into();
        let count = count_elements(&text)?;
        Ok(Self { text, start: 0, count, attachments: None })
    }

    /// `text` is the name and the array, both checked by the packet decoder.
    pub(crate) fn checked(text: Bytes, start: u32, count: u32) -> Self {
        Self { text, start, count, attachments: None }
    }

    pub(crate) fn with_attachments(mut self, attachments: Vec<Bytes>) -> Self {
        self.attachments = (!attachments.is_empty()).then(|| attachments.into());
        self
    }

    /// The text in front of the array: the event's name when the packet was an event.
    pub(crate) fn name(&self) -> &str {
        text_of(&self.text[..self.start as usize])
    }

    /// How many arguments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no argument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The argument at `index` (from 0) in the wanted type, which may borrow from the text.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] when there is no such argument or when it has another shape.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, index: usize) -> Result<T, ArgsError> {
        let rest = self.from(index).ok_or(ArgsError::Missing { index })?;
        // The text behind the value is known to be valid and is not looked at.
        T::deserialize(&mut serde_json::Deserializer::from_slice(rest))
            .map_err(|source| ArgsError::Shape { index, source })
    }

    /// The JSON text of the argument at `index` (from 0).
    #[must_use]
    pub fn raw(&self, index: usize) -> Option<&str> {
        let rest = self.from(index)?;
        let end = json::skip_value(rest, 0, NESTING_CEILING).ok()?;
        Some(text_of(&rest[..end]))
    }

    /// The whole array of arguments as JSON text; the name of the event is not part of it.
    #[must_use]
    pub fn json(&self) -> &str {
        text_of(self.array())
    }

    /// The same text as [`Self::json`], as shared bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.text.slice(self.start as usize..)
    }

    /// The binary attachments, in the order of their placeholders' numbers.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// Bytes of text and attachments.
    pub(crate) fn weight(&self) -> usize {
        self.text.len() + self.attachments().iter().map(Bytes::len).sum::<usize>()
    }

    fn array(&self) -> &[u8] {
        &self.text[self.start as usize..]
    }

    /// The text from the first byte of that argument on.
    fn from(&self, index: usize) -> Option<&[u8]> {
        let array = self.array();
        let mut elements = Elements::new(array, 0, NESTING_CEILING).ok()?;
        if index == 0 && self.count > 0 {
            return Some(&array[json::skip_space(array, 1)..]);
        }
        for _ in 0..index {
            elements.next().ok()??;
        }
        let element = elements.next().ok()??;
        Some(&array[element.start..])
    }
}

impl PartialEq for Args {
    fn eq(&self, other: &Self) -> bool {
        self.array() == other.array() && self.attachments() == other.attachments()
    }
}

/// Packets are checked for UTF-8 before anything else, so that the default never shows.
fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn count_elements(array: &[u8]) -> Result<u32, serde_json::Error> {
    let wrong = |_| serde_json::Error::custom("the arguments are not a valid JSON array");
    if std::str::from_utf8(array).is_err() {
        return Err(serde_json::Error::custom("the arguments are not UTF-8"));
    }
    let mut elements = Elements::new(array, 0, NESTING_CEILING).map_err(wrong)?;
    let mut count = 0;
    while elements.next().map_err(wrong)?.is_some() {
        count += 1;
    }
    if elements.end() != array.len() {
        return Err(serde_json::Error::custom("something follows the arguments"));
    }
    Ok(count)
}

/// An event ready to be sent: name and arguments, serialised once and shared by all receivers.
///
/// A broadcast frames it once per namespace path and transport. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// `["name",arg,...]`.
    body: Bytes,
    attachments: Option<Arc<[Bytes]>>,
    volatile: bool,
}

impl Outgoing {
    /// An event with one argument.
    ///
    /// # Errors
    ///
    /// When the argument cannot be serialised or the name is reserved ([`RESERVED_EVENTS`]).
    pub fn new<T: Serialize + ?Sized>(name: &str, arg: &T) -> Result<Self, serde_json::Error> {
        let mut body = begin(name)?;
        body.push(b',');
        serde_json::to_writer(&mut body, arg)?;
        body.push(b']');
        Ok(Self::from_body(body))
    }

    /// An event with the elements of `args`, which must serialise as an array (a tuple, a slice).
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and when `args` serialises as something else than an array.
    pub fn with_args<T: Serialize + ?Sized>(
        name: &str,
        args: &T,
    ) -> Result<Self, serde_json::Error> {
        let array = serde_json::to_vec(args)?;
        if array.first() != Some(&b'[') {
            return Err(serde_json::Error::custom("the arguments of an event are an array"));
        }
        Self::joined(name, &array)
    }

    /// An event whose arguments are a JSON array as text, such as [`Args::json`].
    ///
    /// # Errors
    ///
    /// When the text is not a JSON array or the name is reserved.
    pub fn raw(name: &str, json_args: impl AsRef<[u8]>) -> Result<Self, serde_json::Error> {
        count_elements(json_args.as_ref())?;
        Self::joined(name, json_args.as_ref())
    }

    /// The same event with binary attachments; the arguments hold their placeholders.
    #[must_use]
    pub fn attachments(mut self, attachments: Vec<Bytes>) -> Self {
        self.attachments = (!attachments.is_empty()).then(|| attachments.into());
        self
    }

    /// The same event, but left out for a socket that lags: a server's whose transport takes no more
    /// or that has 16 frames waiting, a client's that has any.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Whether the event may be left out for a socket that lags.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn binary(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    fn joined(name: &str, array: &[u8]) -> Result<Self, serde_json::Error> {
        let mut body = begin(name)?;
        if json::skip_space(array, 1) + 1 < array.len() {
            body.push(b',');
        }
        body.extend_from_slice(&array[1..]);
        Ok(Self::from_body(body))
    }

    fn from_body(body: Vec<u8>) -> Self {
        Self { body: body.into(), attachments: None, volatile: false }
    }
}

fn begin(name: &str) -> Result<Vec<u8>, serde_json::Error> {
    if is_reserved_event(name) {
        return Err(serde_json::Error::custom(format_args!("the event name {name} is reserved")));
    }
    let mut body = Vec::with_capacity(128);
    body.push(b'[');
    serde_json::to_writer(&mut body, name)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_had_by_index_in_the_wanted_type() {
        let args = Args::from_json(r#"[ 1 , "two", {"three":[3]} ]"#).unwrap();
        assert_eq!(args.len(), 3);
        assert_eq!(args.get::<u8>(0).unwrap(), 1);
        assert_eq!(args.get::<String>(1).unwrap(), "two");
        assert_eq!(args.raw(2), Some(r#"{"three":[3]}"#));
        assert!(matches!(args.get::<u8>(1), Err(ArgsError::Shape { index: 1, .. })));
        assert!(matches!(args.get::<u8>(3), Err(ArgsError::Missing { index: 3 })));
        assert!(matches!(Args::empty().get::<u8>(0), Err(ArgsError::Missing { index: 0 })));
        assert_eq!(Args::empty().raw(0), None);
    }

    #[test]
    fn only_an_array_is_a_list_of_arguments() {
        for text in ["{}", "1", "", "[1", "[1]2", "[1,]"] {
            assert!(Args::from_json(text).is_err(), "{text}");
            assert!(Outgoing::raw("x", text).is_err(), "{text}");
        }
        assert!(Outgoing::with_args("x", &7).is_err());
    }

    #[test]
    fn an_outgoing_event_is_its_name_and_its_arguments() {
        let body = |event: Outgoing| String::from_utf8(event.body().to_vec()).unwrap();
        assert_eq!(body(Outgoing::new("a\"b", &1).unwrap()), r#"["a\"b",1]"#);
        assert_eq!(body(Outgoing::with_args("a", &(1, "2")).unwrap()), r#"["a",1,"2"]"#);
        assert_eq!(body(Outgoing::with_args::<[u8]>("a", &[]).unwrap()), r#"["a"]"#);
        assert_eq!(body(Outgoing::raw("a", "[ ]").unwrap()), r#"["a" ]"#);
        assert_eq!(body(Outgoing::raw("a", "[1, 2]").unwrap()), r#"["a",1, 2]"#);
    }

    #[test]
    fn reserved_names_are_refused() {
        for name in RESERVED_EVENTS {
            assert!(Outgoing::new(name, &1).is_err(), "{name}");
            assert!(Outgoing::raw(name, "[]").is_err(), "{name}");
        }
    }
}
