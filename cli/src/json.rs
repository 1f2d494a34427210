//! JSON that is safe to look at: what would steer a terminal or reorder its text is escaped.
//!
//! A program that parses the output sees no difference; a person who lets it run over a screen is
//! not fooled (RELIABILITY §3.8, H14). Escaped on top of what JSON demands: DEL, C1 controls,
//! everything bidirectional, line separators, byte order marks and tag characters.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use trialogue_client::sanitize::is_hazard;

/// One document on one line, without the newline.
pub(crate) fn line(document: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(256);
    document.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// serde_json's compact form with more escapes inside strings.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|&(_, c)| is_hazard(c)) {
            CompactFormatter.write_string_fragment(writer, &fragment[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        CompactFormatter.write_string_fragment(writer, &fragment[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_reads_back_the_same() {
        let check = |text: &str, expect: &str| {
            let line = line(&text).unwrap();
            assert_eq!(line, expect);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        };
        check("عند الباب 👋 👨‍👩‍👧", "\"عند الباب 👋 👨‍👩‍👧\"");
        check("\u{1b}]52;c;x\u{7}", r#""\u001b]52;c;x\u0007""#);
        check("\u{9b}2J\u{7f}", r#""\u009b2J\u007f""#);
        check("a\u{202e}b\u{2066}c", r#""a\u202eb\u2066c""#);
        check("\u{feff}\u{2028}\u{e0041}", r#""\ufeff\u2028\udb40\udc41""#);
        check("two\nlines \"quoted\"", r#""two\nlines \"quoted\"""#);
    }
}
