//! Reading what a child prints: line by line, with bounds, for as long as it prints.
//!
//! A child whose pipe is not drained stops at the first full pipe buffer, so both of its outputs
//! are always read to the end, whoever is interested.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longest line that is kept, in bytes; the rest of a longer one is dropped.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines that are kept of a child's stderr: enough for a panic with its backtrace.
const TAIL_LINES_MAX: usize = 100;

/// The last lines that a child printed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The next line without its end, cut to [`LINE_BYTES_MAX`]; `None` at the end of the stream or
/// when it breaks, which for a pipe is the same thing.
pub(crate) async fn next_line<R: AsyncBufRead + Unpin>(reader: &mut R) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let available = reader.fill_buf().await.ok()?;
        if available.is_empty() {
            return (!line.is_empty()).then(|| text_of(&line));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = &available[..end.unwrap_or(available.len())];
        let room = LINE_BYTES_MAX - line.len();
        line.extend_from_slice(&taken[..taken.len().min(room)]);
        let used = taken.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Some(text_of(&line));
        }
    }
}

fn text_of(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_long_ones_are_cut() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let text = format!("one\r\n\n{long}\nlast");
        let mut reader = text.as_bytes();
        assert_eq!(next_line(&mut reader).await.as_deref(), Some("one"));
        assert_eq!(next_line(&mut reader).await.as_deref(), Some(""));
        assert_eq!(next_line(&mut reader).await.map(|line| line.len()), Some(LINE_BYTES_MAX));
        assert_eq!(next_line(&mut reader).await.as_deref(), Some("last"));
        assert_eq!(next_line(&mut reader).await, None);
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let tail = Tail::default();
        (0..TAIL_LINES_MAX + 5).for_each(|n| tail.push(n.to_string()));
        assert!(tail.text().starts_with("5\n"));
        assert!(tail.text().ends_with("\n104"));
    }
}
