//! Ids as newtypes, so that a chat can never be passed where a message is meant.
//!
//! Ids are names, never secrets (CONTRACT, preamble): nothing may be concluded from knowing one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::limits::CLIENT_MESSAGE_ID_CHARS_MAX;

/// Position of a message in its chat: 1, 2, 3... without holes (CONTRACT §3.2).
///
/// 0 stands for "before the first message", so that a resume from nothing needs no special case.
pub type Seq = i64;

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    what: &'static str,
}

impl IdError {
    pub(crate) const fn of(what: &'static str) -> Self {
        Self { what }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid {}", self.what)
    }
}

impl std::error::Error for IdError {}

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_i64(Integer).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self).map_err(|_| IdError { what: stringify!($name) })
            }
        }
    };
}

/// Reads an integer as JSON has it, where `7.0` is the same number as `7`.
struct Integer;

impl de::Visitor<'_> for Integer {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
        // Beyond this a float has lost digits already.
        const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
        if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
            Ok(value as i64)
        } else {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Read only in the hyphenated 36-character form; upper case is folded to lower case.
        /// Braces, URNs, blanks and the 32-digit form are refused, so that one id has one spelling
        /// in logs and in room names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = IdError { what: stringify!($name) };
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return Err(wrong);
                }
                Uuid::parse_str(text).map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

integer_id!(
    /// A user, of any role.
    UserId
);
integer_id!(
    /// A booked job.
    JobId
);
integer_id!(
    /// A dispute about a chat.
    DisputeId
);
uuid_id!(
    /// A chat: the conversation that belongs to one job.
    ChatId
);
uuid_id!(
    /// A stored message (v7, made by the server).
    MessageId
);
uuid_id!(
    /// A stored notification (v7, made by the server).
    NotificationId
);

/// The sender's own name for a message, which makes a retry harmless (CONTRACT §3.3).
///
/// 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ClientMessageId(String);

impl ClientMessageId {
    /// The text as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for ClientMessageId {
    fn from(id: Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }
}

impl fmt::Display for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClientMessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if text.is_empty() || text.len() > CLIENT_MESSAGE_ID_CHARS_MAX || !text.bytes().all(allowed)
        {
            return Err(IdError {
                what: "clientMessageId (1 to 64 characters of A-Z a-z 0-9 . _ : -)",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ClientMessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let read = serde_json::from_str::<ChatId>(&format!("{text:?}")).ok();
        assert_eq!(read.map(|id| id.to_string()).as_deref(), expect, "{text}");
    }

    #[test]
    fn a_chat_id_has_one_spelling() {
        let id = "0190a0b0-0000-7000-8000-00000000abcd";
        check(id, Some(id));
        check("0190A0B0-0000-7000-8000-00000000ABCD", Some(id));
        check("{0190a0b0-0000-7000-8000-00000000abcd}", None);
        check("urn:uuid:0190a0b0-0000-7000-8000-00000000abcd", None);
        check("0190a0b00000700080000000 0000abcd", None);
        check("0190a0b000007000800000000000abcd", None);
        check(" 0190a0b0-0000-7000-8000-00000000abcd", None);
        check("user:5", None);
        check("", None);
    }

    #[test]
    fn an_integer_id_is_an_integer_in_any_spelling_of_json() {
        let check = |text: &str, expect: Option<i64>| {
            assert_eq!(serde_json::from_str::<UserId>(text).ok().map(|id| id.0), expect, "{text}");
        };
        check("7", Some(7));
        check("7.0", Some(7));
        check("7e2", Some(700));
        check("7.5", None);
        check("1e17", None);
        check("18446744073709551615", None);
        check("\"7\"", None);
        check("true", None);
    }

    #[test]
    fn a_client_message_id_is_bounded() {
        assert!("a.B_9:-".parse::<ClientMessageId>().is_ok());
        assert!("x".repeat(64).parse::<ClientMessageId>().is_ok());
        for wrong in ["", &"x".repeat(65), "a b", "a\u{0}", "é"] {
            assert!(wrong.parse::<ClientMessageId>().is_err(), "{wrong:?}");
        }
    }
}
