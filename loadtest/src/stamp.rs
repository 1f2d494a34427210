//! What marks a message: a stamp at the begin of its text, `⟦run.worker.sender.n⟧`, filled up to
//! its size. It comes back from every server that hands texts on, whatever else it tells of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem::Finder;
use rand::RngExt as _;

/// What opens and closes a stamp.
const OPEN: &str = "\u{27e6}";
const CLOSE: &str = "\u{27e7}";
/// The closing mark as those write it who keep to ASCII.
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

/// Looks for the same bytes in one frame after another: first where they were in the last one, for
/// the frames of a server are alike.
#[derive(Debug)]
pub(crate) struct Cursor {
    needle: Box<[u8]>,
    finder: Finder<'static>,
    last: AtomicUsize,
}

impl Clone for Cursor {
    fn clone(&self) -> Self {
        Self::new(&self.needle)
    }
}

impl Cursor {
    pub(crate) fn new(needle: &[u8]) -> Self {
        let finder = Finder::new(needle).into_owned();
        Self { needle: needle.into(), finder, last: AtomicUsize::new(0) }
    }

    /// What stands behind one of them; the first one, but for frames that are alike and have several.
    pub(crate) fn behind<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let last = self.last.load(Ordering::Relaxed);
        if let Some(rest) = frame.get(last..).and_then(|rest| rest.strip_prefix(&*self.needle)) {
            return Some(rest);
        }
        let at = self.finder.find(frame)?;
        self.last.store(at, Ordering::Relaxed);
        Some(&frame[at + self.needle.len()..])
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
    cursor: Cursor,
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
        let cursor = Cursor::new(format!("{run}.").as_bytes());
        Self { run, cursor }
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

    /// The stamp in a frame, if there is one of this run.
    pub fn find(&self, frame: &[u8]) -> Option<Found> {
        let begun = self.cursor.behind(frame)?;
        let (worker, rest) = number(begun)?;
        let (sender, rest) = number(rest.strip_prefix(b".")?)?;
        let (n, rest) = number(rest.strip_prefix(b".")?)?;
        let stamped = OPEN.len() + self.run.len() + 1 + begun.len() - rest.len() + CLOSE.len();
        let filler = [CLOSE.as_bytes(), CLOSE_ESCAPED].iter().find_map(|c| rest.strip_prefix(*c));
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
pub(crate) fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut rest = bytes;
    let mut value = 0_u32;
    while let Some((digit @ b'0'..=b'9', behind)) = rest.split_first() {
        value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
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
    fn a_cursor_finds_wherever_it_is_and_looks_first_where_it_was() {
        let cursor = Cursor::new(b"seq:");
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(cursor.behind(text.as_bytes()), expect.map(str::as_bytes), "{text}");
        };
        check("", None);
        check("..seq:1", Some("1"));
        check("..seq:2", Some("2"));
        check("seq:3", Some("3"));
        check("....seq:", Some(""));
        check("....sex:4", None);
        check("seq", None);
        // Where the last one was comes first.
        check("seq:seq:5", Some("5"));
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        let stamps = Stamps::of("zzkmnpq".to_owned());
        for text in ["", "zzkmnpq", "zzkmnpq.", "zzkmnpq.1.2", "zzkmnpq.1.2.", "zzkmnpq.1.x.3"] {
            assert_eq!(stamps.find(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(Stamps::new().run().len(), RUN_LETTERS);
    }
}
