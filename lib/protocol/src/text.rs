//! What a message text and a time look like on the wire.

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{MESSAGE_BYTES_MAX, MESSAGE_CHARS_MAX};

/// A moment, RFC 3339 in UTC with milliseconds on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Unix milliseconds.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The moment, cut to milliseconds.
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.trunc_subsecs(3))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .ok()
            .map(|at| at.with_timezone(&Utc))
            // The offset may lead out of the years that RFC 3339 can write, and then nobody could
            // read what we say of it.
            .filter(|at| (0..=9999).contains(&at.year()))
            .map(Self::from)
            .ok_or_else(|| de::Error::custom("not an RFC 3339 time"))
    }
}

/// Why a message text is refused (CONTRACT §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextError {
    /// Nothing, or only white space.
    Empty,
    /// Over [`MESSAGE_CHARS_MAX`] characters or [`MESSAGE_BYTES_MAX`] bytes.
    TooLarge,
    /// A NUL, which PostgreSQL cannot store.
    Nul,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("message is empty"),
            Self::TooLarge => write!(
                f,
                "message is over {MESSAGE_CHARS_MAX} characters or {MESSAGE_BYTES_MAX} bytes"
            ),
            Self::Nul => f.write_str("message contains a NUL character"),
        }
    }
}

impl std::error::Error for TextError {}

/// Checks a message text against the limits that both ends enforce.
pub fn check_message_text(text: &str) -> Result<(), TextError> {
    if text.len() > MESSAGE_BYTES_MAX
        || (text.len() > MESSAGE_CHARS_MAX && text.chars().count() > MESSAGE_CHARS_MAX)
    {
        return Err(TextError::TooLarge);
    }
    if text.contains('\0') {
        return Err(TextError::Nul);
    }
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_counted_in_characters_and_in_bytes() {
        let check = |text: &str, expect| assert_eq!(check_message_text(text), expect);
        check("x", Ok(()));
        check(&"x".repeat(4_000), Ok(()));
        check(&"x".repeat(4_001), Err(TextError::TooLarge));
        check(&"é".repeat(4_000), Ok(()));
        check(&"🦀".repeat(4_000), Ok(()));
        check(&"👨‍👩‍👧".repeat(1_000), Err(TextError::TooLarge));
        check("", Err(TextError::Empty));
        check(" \n\t", Err(TextError::Empty));
        check("a\0b", Err(TextError::Nul));
    }

    #[test]
    fn a_time_has_milliseconds_and_z() {
        let at: Timestamp = serde_json::from_str("\"2026-02-03T04:05:06.7891+01:00\"").unwrap();
        assert_eq!(at.to_string(), "2026-02-03T03:05:06.789Z");
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }
}
