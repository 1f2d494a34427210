//! Short names of things: a number each for chats, clients and users, a fingerprint for texts.

use std::fmt;

use rustc_hash::FxHashMap;

/// Microseconds on the one clock of a run, from any beginning that all of its files share.
pub type Micros = u64;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Valid in the checker that gave it; in another it names something else or nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);
    };
}

key! {
    /// A chat that a [`Checker`](crate::Checker) knows.
    ChatKey
}
key! {
    /// One run of an app: what it shows begins empty, and its connections follow one another.
    /// Another device of the same user, and the same app started again, are other clients.
    ClientKey
}
key! {
    /// Who acts through clients, and who is a member of chats.
    UserKey
}

impl ChatKey {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl ClientKey {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A fingerprint of a text: of a body, which a nonce makes unlike all others, or of an id.
///
/// Two texts of one run share a print with a chance of about n²/2⁶⁵ among n texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Print(u64);

/// FNV-1a, 64 bits: a dozen lines in any language that records a history.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// Hexadecimal digits of a print.
const DIGITS: usize = 16;

impl Print {
    /// Of a text: FNV-1a (64 bits) over its UTF-8 bytes.
    pub fn of(text: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        Self::from_number(text.bytes().fold(FNV_OFFSET, mix))
    }

    /// A number that its recorder guarantees to be unlike the numbers of all other messages.
    /// 0 stands for none inside, and becomes another number.
    pub fn from_number(number: u64) -> Self {
        Self(if number == 0 { u64::MAX } else { number })
    }

    /// As a history writes it: sixteen hexadecimal digits are the print itself, so that a finding
    /// can be looked up in the files; of everything else it is [`Print::of`].
    pub fn parse(text: &str) -> Self {
        let digits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        number.map_or_else(|| Self::of(text), Self::from_number)
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = DIGITS)
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Print({self})")
    }
}

/// Names and their numbers, in the order in which they came up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    index: FxHashMap<Box<str>, u32>,
}

impl Names {
    pub(crate) fn key(&mut self, name: &str) -> u32 {
        if let Some(key) = self.index.get(name) {
            return *key;
        }
        let key = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(name.into());
        self.index.insert(name.into(), key);
        key
    }

    pub(crate) fn text(&self, key: u32) -> &str {
        self.texts.get(key as usize).map_or("?", |text| text)
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// All keys in the order of their names: what is told does not depend on who came first.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut keys: Vec<u32> = (0..).take(self.len()).collect();
        keys.sort_unstable_by_key(|key| self.text(*key));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_are_those_of_the_published_test_vectors() {
        // http://www.isthe.com/chongo/tech/comp/fnv: the vectors of FNV-1a, 64 bits.
        for (text, print) in
            [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")]
        {
            assert_eq!(Print::of(text).to_string(), print);
            assert_eq!(Print::parse(print), Print::of(text));
        }
        assert_eq!(Print::parse("85944171F73967E8"), Print::of("foobar"));
        assert_ne!(Print::parse("0000000000000000").number(), 0);
        assert_eq!(Print::parse("+594417 f73967e8"), Print::of("+594417 f73967e8"));
    }

    #[test]
    fn names_have_one_key_each_and_are_sorted_by_name() {
        let mut names = Names::default();
        let keys: Vec<u32> = ["b", "a", "b", "c"].map(|name| names.key(name)).to_vec();
        assert_eq!(keys, [0, 1, 0, 2]);
        assert_eq!(names.sorted(), [1, 0, 2]);
        assert_eq!((names.text(1), names.text(9)), ("a", "?"));
    }
}
