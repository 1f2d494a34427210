//! What marks a message: a stamp at the begin of its text, `⟦run.worker.sender.n⟧`, filled up to
//! its size. It comes back from every server that hands texts on, whatever else it tells of them.

use memchr::memmem::Finder;
use rand::RngExt as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What opens and closes a stamp.
const OPEN: &str = "\u{27e6}";
const CLOSE: &str = "\u{27e7}";
/// The closing mark as those write it who keep to ASCII, in either case.
const CLOSE_ESCAPED: &[u8] = b"\\u27e7";
/// Fills a text up to its size.
const FILLER: u8 = b'x';
/// Letters of a run's name. It begins with one that no hexadecimal number has, so that no id of a
/// server looks like it.
const RUN_LETTERS: usize = 7;
const LETTERS: &[u8] = b"ghjkmnpqrstvwxyz";
/// The longest stamp: marks, name, three numbers and three points.
pub const STAMP_BYTES_MAX: usize = 6 + RUN_LETTERS + 3 * (10 + 1);

/// A run of filler to compare with.
const FILLED: &[u8; 256] = &[FILLER; 256];

/// A message's own words, where its frame quotes others as well.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Own<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    chat_id: Option<&'a RawValue>,
}

/// Those of an event's frame, or of a message in a page. The path that few frames take: the others
/// have each word once.
fn own(frame: &[u8]) -> Option<Own<'_>> {
    if frame.first() == Some(&b'{') {
        return serde_json::from_slice(frame).ok();
    }
    let begin = memchr::memchr(b'[', frame)?;
    let read = serde_json::from_slice::<(IgnoredAny, Own<'_>)>(&frame[begin..]);
    read.ok().map(|(_, own)| own)
}

/// What stands behind the first of these, and whether there are more of them.
fn behind<'a>(finder: &Finder<'_>, frame: &'a [u8]) -> Option<(&'a [u8], bool)> {
    let mut places = finder.find_iter(frame);
    let begin = places.next()? + finder.needle().len();
    Some((&frame[begin..], places.next().is_some()))
}

/// Finds the place of a message in its room.
#[derive(Debug, Clone)]
pub(crate) struct Seqs(Finder<'static>);

impl Seqs {
    pub(crate) fn new() -> Self {
        Self(Finder::new(b"\"seq\":").into_owned())
    }

    /// 0 where it has none.
    pub(crate) fn find(&self, frame: &[u8]) -> u64 {
        let Some((rest, has_more)) = behind(&self.0, frame) else { return 0 };
        let quoted = if has_more { own(frame) } else { None };
        let digits = match &quoted {
            Some(own) => own.seq.map_or(&b""[..], |seq| seq.get().as_bytes()),
            None => rest,
        };
        number(digits).map_or(0, |(seq, _)| seq)
    }
}

/// Finds out of which chat a message says to be.
#[derive(Debug, Clone)]
pub(crate) struct Chats(Finder<'static>);

impl Chats {
    pub(crate) fn new() -> Self {
        Self(Finder::new(b"\"chatId\":\"").into_owned())
    }

    /// Whether it says to be of another one than this.
    pub(crate) fn is_of_another(&self, frame: &[u8], chat: &str) -> bool {
        let is_this = |said: &[u8]| {
            said.strip_prefix(chat.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"'))
        };
        match behind(&self.0, frame) {
            None => false,
            Some((rest, _)) if is_this(rest) => false,
            Some(_) => match own(frame).and_then(|own| own.chat_id) {
                Some(said) => !is_this(said.get().trim_start_matches('"').as_bytes()),
                // It is a quotation's.
                None => false,
            },
        }
    }
}

fn is_filler(mut bytes: &[u8]) -> bool {
    while let Some((begin, rest)) = bytes.split_at_checked(FILLED.len()) {
        if begin != FILLED {
            return false;
        }
        bytes = rest;
    }
    *bytes == FILLED[..bytes.len()]
}

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Whose sender.
    pub worker: u32,
    /// Which of the worker's senders.
    pub sender: u32,
    /// Its running number, from 0.
    pub n: u32,
}

/// What was found of a message in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Which message it says to be.
    pub stamp: Stamp,
    /// Bytes of its text, if nothing but filler follows the stamp; else it was changed on its way.
    pub size: Option<u32>,
}

/// Writes the stamps of one run, and finds them.
#[derive(Debug, Clone)]
pub struct Stamps {
    run: String,
    finder: Finder<'static>,
}

impl Stamps {
    /// For a run with a name of its own.
    pub fn new() -> Self {
        let mut rng = rand::rng();
        let letter = |_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]);
        Self::of((0..RUN_LETTERS).map(letter).collect())
    }

    /// For the run of this name.
    pub fn of(run: String) -> Self {
        let finder = Finder::new(format!("{run}.").as_bytes()).into_owned();
        Self { run, finder }
    }

    /// The name of the run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Appends the text of a message: plain letters and marks that JSON need not escape.
    pub fn write(&self, stamp: Stamp, size: u32, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let begun = out.len();
        let Stamp { worker, sender, n } = stamp;
        // A vector takes everything.
        let _never = write!(out, "{OPEN}{}.{worker}.{sender}.{n}{CLOSE}", self.run);
        out.resize(out.len().max(begun + size as usize), FILLER);
    }

    /// The stamp of the message in a frame, if there is one of this run; what it quotes is not its own.
    pub fn find(&self, frame: &[u8]) -> Option<Found> {
        let (begun, has_more) = behind(&self.finder, frame)?;
        let quoted = if has_more { own(frame) } else { None };
        match quoted.and_then(|own| own.message) {
            Some(message) => self.read(behind(&self.finder, message.get().as_bytes())?.0),
            None => self.read(begun),
        }
    }

    /// What stands behind the name of the run.
    fn read(&self, begun: &[u8]) -> Option<Found> {
        let part = |bytes| {
            let (part, rest) = number(bytes)?;
            Some((u32::try_from(part).ok()?, rest))
        };
        let (worker, rest) = part(begun)?;
        let (sender, rest) = part(rest.strip_prefix(b".")?)?;
        let (n, rest) = part(rest.strip_prefix(b".")?)?;
        let stamped = OPEN.len() + self.run.len() + 1 + begun.len() - rest.len() + CLOSE.len();
        let is_escaped = |close: &[u8]| close.eq_ignore_ascii_case(CLOSE_ESCAPED);
        let filler = rest.strip_prefix(CLOSE.as_bytes()).or_else(|| {
            let (close, filler) = rest.split_at_checked(CLOSE_ESCAPED.len())?;
            is_escaped(close).then_some(filler)
        });
        let size = filler.and_then(|filler| {
            let end = memchr::memchr(b'"', filler)?;
            is_filler(&filler[..end]).then(|| u32::try_from(stamped + end).ok()).flatten()
        });
        Some(Found { stamp: Stamp { worker, sender, n }, size })
    }
}

impl Default for Stamps {
    fn default() -> Self {
        Self::new()
    }
}

/// The number at the begin, and what follows it.
pub(crate) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = bytes;
    let mut value = 0_u64;
    while let Some((digit @ b'0'..=b'9', behind)) = rest.split_first() {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = behind;
    }
    (rest.len() < bytes.len()).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_with_its_size() {
        let stamps = Stamps::of("zzkmnpq".to_owned());
        let check = |stamp: Stamp, size: u32| {
            let mut text = b"42/chat,[\"new_message\",{\"message\":\"".to_vec();
            let begun = text.len();
            stamps.write(stamp, size, &mut text);
            let size = u32::try_from(text.len() - begun).unwrap();
            text.extend(b"\",\"seq\":1}]");
            assert_eq!(stamps.find(&text), Some(Found { stamp, size: Some(size) }));
            let text = String::from_utf8(text).unwrap();
            let changed = text.replace("xx\"", "xy\"");
            let changed = stamps.find(changed.as_bytes()).unwrap();
            assert_eq!(changed, Found { stamp, size: None });
            assert_eq!(Stamps::of("zzkmnpz".to_owned()).find(text.as_bytes()), None);
            let ascii = text.replace(OPEN, "\\u27e6").replace(CLOSE, "\\u27e7");
            let found = stamps.find(ascii.as_bytes()).unwrap();
            assert_eq!(found, Found { stamp, size: Some(size) });
        };
        check(Stamp { worker: 0, sender: 12, n: 3 }, 100);
        check(Stamp { worker: u32::MAX, sender: u32::MAX, n: u32::MAX }, 60);
        for size in [310, 311, 566, 567, 1_000] {
            check(Stamp { worker: 1, sender: 2, n: 3 }, size);
        }
        let longest = Stamp { worker: u32::MAX, sender: u32::MAX, n: u32::MAX };
        let mut text = Vec::new();
        stamps.write(longest, 0, &mut text);
        assert_eq!(text.len(), STAMP_BYTES_MAX);
    }

    #[test]
    fn what_a_frame_quotes_is_not_its_own() {
        let stamps = Stamps::of("zzkmnpq".to_owned());
        let text = |n: u32| {
            let mut out = Vec::new();
            stamps.write(Stamp { worker: 0, sender: 1, n }, 60, &mut out);
            String::from_utf8(out).unwrap()
        };
        let (old, new) = (text(3), text(4));
        let quote = format!("{{\"message\":\"{old}\",\"seq\":7,\"chatId\":\"other\"}}");
        let body = format!(
            "{{\"replyTo\":{quote},\"message\":\"{new}\",\"chatId\":\"c1\",\"seq\":8589934592}}"
        );
        for frame in [format!("42/chat,[\"new_message\",{body}]"), body] {
            let found = stamps.find(frame.as_bytes()).unwrap();
            assert_eq!((found.stamp.n, found.size), (4, Some(60)), "{frame}");
            assert_eq!(Seqs::new().find(frame.as_bytes()), 8_589_934_592);
            assert!(!Chats::new().is_of_another(frame.as_bytes(), "c1"));
            assert!(Chats::new().is_of_another(frame.as_bytes(), "c"));
        }
        // Each word once: nothing has to be read.
        let frame = format!("42/chat,[\"new_message\",{{\"seq\":9,\"message\":\"{old}\"}}]");
        assert_eq!(stamps.find(frame.as_bytes()).unwrap().stamp.n, 3);
        assert_eq!(Seqs::new().find(frame.as_bytes()), 9);
        assert_eq!(Seqs::new().find(b"{}"), 0);
        assert!(!Chats::new().is_of_another(frame.as_bytes(), "c1"));
        let upper = frame.replace(CLOSE, "\\u27E7");
        assert_eq!(stamps.find(upper.as_bytes()).unwrap().size, Some(60));
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        let stamps = Stamps::of("zzkmnpq".to_owned());
        for text in ["", "zzkmnpq", "zzkmnpq.", "zzkmnpq.1.2", "zzkmnpq.1.2.", "zzkmnpq.1.x.3"] {
            assert_eq!(stamps.find(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(Stamps::new().run().len(), RUN_LETTERS);
    }
}
