//! Bytes of a file that we keep: a line that says what and whose it is, then a line per record
//! with a checksum. What may not happen here: a bad byte that costs more than its own line.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// Hex digits of a checksum: the first 8 bytes of SHA-256. Against torn writes and flipped bits,
/// not against people, who could rewrite the whole file.
const SUM_DIGITS: usize = 16;

/// The first line of a file of this kind (a name and a number that grows when old programs must
/// not read new files) that belongs to `owner`.
pub(crate) fn header(kind: &str, owner: &str) -> String {
    format!("{kind} {}\n", owner.escape_default())
}

/// The name of the file of `owner`, without its ending: one file per owner, so that who signs in
/// next on this machine is neither shown nor sent what is in it.
pub(crate) fn file_name(kind: &str, owner: &str) -> String {
    format!("{kind}-{}", digits(owner.as_bytes()))
}

/// Appends the line of a record.
pub(crate) fn encode<T: Serialize>(record: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let json = serde_json::to_vec(record)?;
    out.extend_from_slice(digits(&json).as_bytes());
    out.push(b' ');
    out.extend_from_slice(&json);
    out.push(b'\n');
    Ok(())
}

/// What a file's bytes say.
#[derive(Debug, PartialEq)]
pub(crate) struct Content<T> {
    pub(crate) records: Vec<T>,
    /// Lines that are not what was written; each costs only itself.
    pub(crate) bad: usize,
    /// The last line has no end: a write was cut off.
    pub(crate) torn: bool,
}

/// `None`: not a file with this header.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], header: &str) -> Option<Content<T>> {
    let rest = bytes.strip_prefix(header.as_bytes())?;
    let mut content = Content { records: Vec::new(), bad: 0, torn: false };
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

fn record<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (sum, rest) = line.split_at_checked(SUM_DIGITS)?;
    let json = rest.strip_prefix(b" ")?;
    (sum == digits(json).as_bytes()).then(|| serde_json::from_slice(json).ok())?
}

fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(SUM_DIGITS);
    for byte in &Sha256::digest(bytes)[..SUM_DIGITS / 2] {
        // Writing to a text cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
