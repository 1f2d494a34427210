//! The text that the user types: a string and a cursor, moved by graphemes.
//!
//! No clock, no drawing. Bounded by [`DRAFT_BYTES_MAX`].

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::text;

/// Longest draft in bytes (256 KiB): a pasted 100 KB text stays whole while its author shortens it.
pub const DRAFT_BYTES_MAX: usize = 256 * 1024;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Editor {
    text: String,
    /// A boundary between graphemes, in bytes.
    at: usize,
    /// What the last kill took.
    killed: String,
}

impl Editor {
    /// A text with the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub fn cursor(&self) -> usize {
        self.at
    }

    /// Nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Another text instead, cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.at = 0;
        self.insert(text);
    }

    /// Empties it and answers what there was.
    pub fn take(&mut self) -> String {
        self.at = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts text at the cursor; what is over the bound is left out, and said so by `false`.
    pub fn insert(&mut self, raw: &str) -> bool {
        let clean = text::typed(raw);
        let room = DRAFT_BYTES_MAX.saturating_sub(self.text.len());
        let end = clean.floor_char_boundary(room);
        self.text.insert_str(self.at, &clean[..end]);
        self.at += end;
        // A mark may have joined the grapheme after the cursor.
        self.settle();
        end == clean.len()
    }

    fn settle(&mut self) {
        if self.at < self.text.len() && !self.is_boundary(self.at) {
            self.at = self.next(self.at);
        }
    }

    fn is_boundary(&self, at: usize) -> bool {
        let mut cursor = unicode_segmentation::GraphemeCursor::new(at, self.text.len(), true);
        cursor.is_boundary(&self.text, 0).unwrap_or(true)
    }

    fn next(&self, at: usize) -> usize {
        let mut cursor = unicode_segmentation::GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn previous(&self, at: usize) -> usize {
        let mut cursor = unicode_segmentation::GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    /// One grapheme to the left.
    pub fn left(&mut self) {
        self.at = self.previous(self.at);
    }

    /// One grapheme to the right.
    pub fn right(&mut self) {
        self.at = self.next(self.at);
    }

    /// The beginning of this or the previous word.
    fn word_start(&self) -> usize {
        let mut words = self.text[..self.at].unicode_word_indices();
        words.next_back().map_or(0, |(at, _)| at)
    }

    /// The end of this or the next word.
    fn word_end(&self) -> usize {
        let mut words = self.text[self.at..].unicode_word_indices();
        words.next().map_or(self.text.len(), |(at, word)| self.at + at + word.len())
    }

    /// To the beginning of a word.
    pub fn word_left(&mut self) {
        self.at = self.word_start();
    }

    /// To the end of a word.
    pub fn word_right(&mut self) {
        self.at = self.word_end();
    }

    fn line_start(&self) -> usize {
        self.text[..self.at].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.at..].find('\n').map_or(self.text.len(), |at| self.at + at)
    }

    /// To the beginning of the line.
    pub fn home(&mut self) {
        self.at = self.line_start();
    }

    /// To the end of the line.
    pub fn end(&mut self) {
        self.at = self.line_end();
    }

    /// Removes the grapheme before the cursor.
    pub fn backspace(&mut self) {
        self.remove(self.previous(self.at)..self.at);
    }

    /// Removes the grapheme after the cursor.
    pub fn delete(&mut self) {
        self.remove(self.at..self.next(self.at));
    }

    fn remove(&mut self, range: Range<usize>) -> String {
        self.at = range.start;
        let gone = self.text.drain(range).collect();
        self.settle();
        gone
    }

    fn kill(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.killed = self.remove(range);
        }
    }

    /// Kills back to the beginning of the line.
    pub fn kill_to_start(&mut self) {
        self.kill(self.line_start()..self.at);
    }

    /// Kills the word before the cursor.
    pub fn kill_word_back(&mut self) {
        self.kill(self.word_start()..self.at);
    }

    /// Kills the word after the cursor.
    pub fn kill_word(&mut self) {
        self.kill(self.at..self.word_end());
    }

    /// Puts back what the last kill took.
    pub fn yank(&mut self) {
        let killed = self.killed.clone();
        self.insert(&killed);
    }

    /// The lines as they stand on a screen of `columns`, and the cursor's row and column there.
    pub fn rows(&self, columns: usize) -> (Vec<Range<usize>>, (usize, usize)) {
        let rows = text::wrap(&self.text, columns);
        let row = rows.iter().rposition(|range| range.start <= self.at).unwrap_or(0);
        let start = rows[row].start.min(self.at);
        let column = text::width(&self.text[start..self.at]);
        (rows, (row, column.min(columns.saturating_sub(1))))
    }

    /// One row up on a screen of `columns`; `false` at the top.
    pub fn up(&mut self, columns: usize) -> bool {
        let (rows, (row, column)) = self.rows(columns);
        let Some(target) = row.checked_sub(1) else { return false };
        self.move_to_column(rows[target].clone(), column);
        true
    }

    /// One row down; `false` at the bottom.
    pub fn down(&mut self, columns: usize) -> bool {
        let (rows, (row, column)) = self.rows(columns);
        let Some(target) = rows.get(row + 1) else { return false };
        self.move_to_column(target.clone(), column);
        true
    }

    fn move_to_column(&mut self, row: Range<usize>, column: usize) {
        let mut taken = 0;
        self.at = row.end;
        for (at, grapheme) in self.text[row.clone()].grapheme_indices(true) {
            if taken >= column {
                self.at = row.start + at;
                return;
            }
            taken += text::width(grapheme);
        }
    }

    /// The word before the cursor, for completion.
    pub fn word(&self) -> &str {
        let from = self.text[..self.at].rfind(char::is_whitespace);
        let from =
            from.map_or(0, |at| at + self.text[at..].chars().next().map_or(1, char::len_utf8));
        &self.text[from..self.at]
    }

    /// Another word instead of [`Self::word`].
    pub fn complete(&mut self, word: &str) {
        let from = self.at - self.word().len();
        self.remove(from..self.at);
        self.insert(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_moves_over_whole_graphemes() {
        let mut editor = Editor::new("a👨‍👩‍👧é");
        editor.left();
        editor.backspace();
        assert_eq!((editor.text(), editor.cursor()), ("aé", 1));
    }

    #[test]
    fn a_paste_keeps_its_lines_and_loses_what_steers_a_terminal() {
        let editor = Editor::new("one\r\ntwo\rthree\u{1b}[2J\u{202e}");
        assert_eq!(editor.text(), "one\ntwo\nthree[2J");
    }

    #[test]
    fn what_is_killed_can_be_put_back() {
        let mut editor = Editor::new("one two");
        editor.kill_word_back();
        assert_eq!(editor.text(), "one ");
        editor.home();
        editor.yank();
        assert_eq!(editor.text(), "twoone ");
    }

    #[test]
    fn up_and_down_follow_the_lines_of_the_screen() {
        let mut editor = Editor::new("one two three");
        assert!(editor.up(7) && !editor.up(7));
        assert_eq!(editor.cursor(), 5);
        assert!(editor.down(7));
    }

    #[test]
    fn a_draft_is_bounded_and_says_so() {
        let mut editor = Editor::default();
        assert!(!editor.insert(&"é".repeat(DRAFT_BYTES_MAX)));
        assert!(editor.text().len() <= DRAFT_BYTES_MAX);
    }
}
