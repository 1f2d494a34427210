//! Bytes of a journal: a line that says whose it is, then a line per record with a checksum.

use sha2::{Digest as _, Sha256};

use crate::outbox::Record;

/// What every journal begins with; the number grows when old programs must not read new files.
const MAGIC: &str = "trialogue-outbox 1 ";

/// Hex digits of a checksum: the first 8 bytes of SHA-256. Against torn writes and flipped bits,
/// not against people, who could rewrite the whole file.
const SUM_DIGITS: usize = 16;

/// The first line for the outbox of `owner`.
pub(super) fn header(owner: &str) -> String {
    format!("{MAGIC}{}\n", owner.escape_default())
}

/// Appends the line of a record.
pub(super) fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let json = serde_json::to_vec(record)?;
    out.extend_from_slice(sum(&json).as_bytes());
    out.push(b' ');
    out.extend_from_slice(&json);
    out.push(b'\n');
    Ok(())
}

/// What a journal's bytes say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) records: Vec<Record>,
    /// Lines that are not what was written; each costs only itself.
    pub(super) bad: usize,
    /// The last line has no end: a write was cut off.
    pub(super) torn: bool,
}

/// `None`: not the journal of this owner.
pub(super) fn decode(bytes: &[u8], owner: &str) -> Option<Content> {
    let rest = bytes.strip_prefix(header(owner).as_bytes())?;
    let mut content = Content::default();
    for line in rest.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n") {
            None => content.torn = true,
            Some([]) => {}
            Some(line) => match record(line) {
                Some(record) => content.records.push(record),
                None => content.bad += 1,
            },
        }
    }
    Some(content)
}

fn record(line: &[u8]) -> Option<Record> {
    let (digits, rest) = line.split_at_checked(SUM_DIGITS)?;
    let json = rest.strip_prefix(b" ")?;
    (digits == sum(json).as_bytes()).then(|| serde_json::from_slice(json).ok())?
}

fn sum(json: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut digits = String::with_capacity(SUM_DIGITS);
    for byte in &Sha256::digest(json)[..SUM_DIGITS / 2] {
        // Writing to a text cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
