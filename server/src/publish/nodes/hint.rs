//! What nodes whisper to each other, as text of under 100 bytes: pure.
//!
//! A hint says where to look and is believed in nothing that decides; whoever misses one finds the
//! same in the tables with the next sweep. Two of them carry the news themselves, because a look
//! would find no more: a read mark, which only ever moves forward, and typing, which is nowhere
//! else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trialogue_protocol::{ChatId, Seq, UserId};
use uuid::Uuid;

/// One thing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A node has begun its lease.
    Hello,
    /// The chat has messages up to here.
    Stored(ChatId, Seq),
    /// People came to a node, or went.
    People,
    /// A notification was stored for somebody.
    Notice(UserId),
    /// An LSM was called to a chat, came in or went, or a job ended.
    Chats,
    /// A session or a membership has ended.
    Ended,
    /// Somebody has read a chat up to here.
    Read(ChatId, UserId, Seq),
    /// Somebody types, or stopped.
    Typing(ChatId, UserId, bool),
}

/// What a hint is about: two about the same become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct About(char, Option<ChatId>, Option<UserId>);

impl Hint {
    /// What it is about: of two with the same, one is enough ([`Hint::with`]).
    pub(crate) fn about(&self) -> About {
        let (chat, user) = match *self {
            Self::Hello | Self::People | Self::Chats | Self::Ended => (None, None),
            Self::Stored(chat, _) => (Some(chat), None),
            Self::Notice(user) => (None, Some(user)),
            Self::Read(chat, user, _) | Self::Typing(chat, user, _) => (Some(chat), Some(user)),
        };
        About(self.letter(), chat, user)
    }

    /// Both in one, of two about the same. Several tasks say what was stored, so the one that comes
    /// later may be behind.
    pub(crate) fn with(self, later: Self) -> Self {
        match (self, later) {
            (Self::Stored(chat, a), Self::Stored(_, b)) => Self::Stored(chat, a.max(b)),
            (Self::Read(chat, user, a), Self::Read(.., b)) => Self::Read(chat, user, a.max(b)),
            (_, later) => later,
        }
    }

    fn letter(&self) -> char {
        match self {
            Self::Hello => 'h',
            Self::Stored(..) => 'm',
            Self::People => 'p',
            Self::Notice(_) => 'n',
            Self::Chats => 'c',
            Self::Ended => 'e',
            Self::Read(..) => 'r',
            Self::Typing(..) => 't',
        }
    }

    /// As text, with who says it.
    pub(crate) fn text(&self, from: Uuid) -> String {
        let (from, letter) = (short(from), self.letter());
        match *self {
            Self::Hello | Self::People | Self::Chats | Self::Ended => format!("{from} {letter}"),
            Self::Stored(chat, seq) => format!("{from} {letter} {} {seq}", short(chat.0)),
            Self::Notice(user) => format!("{from} {letter} {user}"),
            Self::Read(chat, user, seq) => {
                format!("{from} {letter} {} {user} {seq}", short(chat.0))
            }
            Self::Typing(chat, user, is_typing) => {
                format!("{from} {letter} {} {user} {}", short(chat.0), u8::from(is_typing))
            }
        }
    }

    /// Who says what; nothing when it is none of ours, or of a version that knows more.
    pub(crate) fn read(text: &str) -> Option<(Uuid, Self)> {
        let mut words = text.split(' ');
        let from = long(words.next()?)?;
        let hint = match words.next()? {
            "h" => Self::Hello,
            "p" => Self::People,
            "c" => Self::Chats,
            "e" => Self::Ended,
            "m" => Self::Stored(ChatId(long(words.next()?)?), words.next()?.parse().ok()?),
            "n" => Self::Notice(words.next()?.parse().ok()?),
            "r" => {
                let chat = ChatId(long(words.next()?)?);
                Self::Read(chat, words.next()?.parse().ok()?, words.next()?.parse().ok()?)
            }
            "t" => {
                let chat = ChatId(long(words.next()?)?);
                Self::Typing(chat, words.next()?.parse().ok()?, words.next()? == "1")
            }
            _ => return None,
        };
        words.next().is_none().then_some((from, hint))
    }
}

fn short(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn long(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_comes_back_as_it_went_and_is_short() {
        let (chat, user) = (ChatId(Uuid::max()), UserId(i64::MIN));
        for hint in [
            Hint::Hello,
            Hint::Stored(chat, i64::MAX),
            Hint::People,
            Hint::Notice(user),
            Hint::Chats,
            Hint::Ended,
            Hint::Read(chat, user, i64::MIN),
            Hint::Typing(chat, user, true),
            Hint::Typing(chat, UserId(7), false),
        ] {
            let from = Uuid::now_v7();
            let text = hint.text(from);
            assert!(text.len() < 100, "{text}");
            assert_eq!(Hint::read(&text), Some((from, hint)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_hint() {
        let from = short(Uuid::now_v7());
        for wrong in ["", "h", &from, &format!("{from} x"), &format!("{from} h h")] {
            assert_eq!(Hint::read(wrong), None, "{wrong}");
        }
        for wrong in ["m", "m 5", "n", "n x", "r 1 2", "t", "m AAAA 5", "n 99999999999999999999"] {
            assert_eq!(Hint::read(&format!("{from} {wrong}")), None, "{wrong}");
        }
    }

    #[test]
    fn two_hints_about_the_same_become_one_that_is_not_behind() {
        let (one, two) = (ChatId(Uuid::now_v7()), ChatId(Uuid::now_v7()));
        let same = |a: Hint, b: Hint| a.about() == b.about();
        assert!(same(Hint::Stored(one, 1), Hint::Stored(one, 2)));
        assert!(!same(Hint::Stored(one, 1), Hint::Stored(two, 1)));
        assert!(same(Hint::Typing(one, UserId(1), true), Hint::Typing(one, UserId(1), false)));
        assert!(!same(Hint::Read(one, UserId(1), 1), Hint::Read(one, UserId(2), 1)));
        assert!(!same(Hint::Read(one, UserId(1), 1), Hint::Typing(one, UserId(1), true)));
        let typing = |is_typing| Hint::Typing(one, UserId(1), is_typing);
        assert_eq!(Hint::Stored(one, 5).with(Hint::Stored(one, 4)), Hint::Stored(one, 5));
        assert_eq!(Hint::Stored(one, 5).with(Hint::Stored(one, 6)), Hint::Stored(one, 6));
        let mark = |seq| Hint::Read(one, UserId(1), seq);
        assert_eq!(mark(5).with(mark(4)), mark(5));
        assert_eq!(typing(true).with(typing(false)), typing(false), "the last word counts");
    }
}
