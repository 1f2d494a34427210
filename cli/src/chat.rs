//! How a person names a chat on the command line.

use std::fmt;
use std::str::FromStr;

use clap_complete::ArgValueCompleter;
use trialogue_protocol::ChatId;

use crate::complete;
use crate::exit::Failure;

/// A chat as a person names it: the id, or enough of its beginning or its end to be unique.
#[derive(Debug, Clone)]
pub(crate) struct ChatGiven(String);

impl ChatGiven {
    /// Whether it may be this one.
    pub(crate) fn matches(&self, id: ChatId) -> bool {
        let id = id.to_string();
        id.starts_with(&self.0) || id.ends_with(&self.0)
    }

    /// The whole id, when that is what was given.
    pub(crate) fn whole(&self) -> Option<ChatId> {
        self.0.parse().ok()
    }

    /// The one of these that fit; `none` names them when nothing does.
    pub(crate) fn only(&self, fit: &[ChatId], none: &str) -> Result<ChatId, Failure> {
        match fit {
            [id] => Ok(*id),
            [] => Err(Failure::not_found(format!("{none} is {self}"))),
            [one, two, ..] => {
                let text = format!("{self} could be {one} or {two}: give more of it");
                Err(Failure::usage(text))
            }
        }
    }
}

impl fmt::Display for ChatGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChatGiven {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_hexdigit() || b == b'-';
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err("a chat is named by its id, or by the beginning or end of its id");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The argument CHAT of a verb.
#[derive(clap::Args)]
pub(crate) struct ChatArg {
    /// The chat: its id, or enough of the id's beginning or end to be unique
    #[arg(value_name = "CHAT", add = ArgValueCompleter::new(complete::chats))]
    pub(crate) chat: ChatGiven,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_named_by_either_end_of_its_id() {
        let id: ChatId = "0190f3a2-1b2c-7def-8123-456789abcdef".parse().unwrap();
        let check = |text: &str, expect| {
            let given: ChatGiven = text.parse().unwrap();
            assert_eq!(given.matches(id), expect, "{text}");
        };
        check("0190", true);
        check("0190F3A2-1", true);
        check("abcdef", true);
        check("ABCDEF", true);
        check("1b2c", false);
        for wrong in ["", "../etc", "kitchen", "0190 "] {
            assert!(wrong.parse::<ChatGiven>().is_err(), "{wrong}");
        }
    }
}
