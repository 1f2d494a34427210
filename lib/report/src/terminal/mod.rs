//! Text for a terminal: the diagram as it grows, and tables.
//!
//! Colours are always written as ANSI codes; the caller strips them where they are not wanted.
//! Labels may hold what a stranger typed: control characters never reach the text.

mod canvas;
mod renderer;
mod table;
mod text;

pub use renderer::Renderer;
pub use table::facts;

use crate::diagram::Story;

/// A whole story as text without colours, for files.
#[must_use]
pub fn plain(story: &Story, style: Style) -> String {
    let mut renderer = Renderer::new(style, story.cast.clone());
    let drawn: String = story.rows.iter().map(|row| renderer.row(row)).collect();
    let mut plain = String::with_capacity(drawn.len());
    let mut chars = drawn.chars();
    while let Some(c) = chars.next() {
        match c {
            // Nothing but our own colours is in it: labels hold no control characters.
            '\u{1b}' => _ = chars.by_ref().find(|c| *c == 'm'),
            c => plain.push(c),
        }
    }
    plain
}

/// Narrowest drawing, in columns: below that, lines are left to the terminal to break.
const WIDTH_MIN: usize = 60;
/// Widest drawing, in columns: longer arrows only make the eye walk.
const WIDTH_MAX: usize = 120;
/// Widest table, in columns.
const COLUMNS_MAX: usize = 400;
/// Width of a terminal that does not tell, in columns.
pub const WIDTH_DEFAULT: usize = 80;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    width: usize,
    /// Of the terminal itself, for what is read and not looked at.
    columns: usize,
    unicode: bool,
}

impl Style {
    /// `width` in columns; without `unicode` every character is ASCII.
    pub fn new(width: usize, unicode: bool) -> Self {
        let columns = width.clamp(WIDTH_MIN, COLUMNS_MAX);
        Self { width: width.clamp(WIDTH_MIN, WIDTH_MAX), columns, unicode }
    }

    /// What the environment says: characters of a line drawing need a UTF-8 locale and a terminal
    /// that is not dumb.
    pub fn from_env(width: Option<usize>, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        Self::new(width.unwrap_or(WIDTH_DEFAULT), utf8 && !dumb)
    }

    /// For a pipe: tables are not broken into lines.
    #[must_use]
    pub fn unbroken(self) -> Self {
        Self { columns: COLUMNS_MAX, ..self }
    }

    /// Columns of a table.
    pub fn columns(self) -> usize {
        self.columns
    }

    /// Columns of the drawing.
    pub fn width(self) -> usize {
        self.width
    }

    /// Whether characters beyond ASCII may be used.
    pub fn unicode(self) -> bool {
        self.unicode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_drawing_needs_a_utf8_locale_and_a_terminal_that_is_not_dumb() {
        let check = |vars: &[(&str, &str)], expect| {
            let env = |name: &str| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Style::from_env(None, env), Style::new(80, expect), "{vars:?}");
        };
        check(&[], false);
        check(&[("LANG", "en_US.UTF-8")], true);
        check(&[("LANG", "C.utf8"), ("TERM", "xterm")], true);
        check(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false);
        check(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], true);
        check(&[("LC_CTYPE", "UTF-8"), ("LANG", "C")], true);
        check(&[("LANG", "en_US.UTF-8"), ("TERM", "dumb")], false);
    }

    #[test]
    fn a_width_is_kept_where_a_drawing_makes_sense() {
        assert_eq!(Style::new(10, true).width(), 60);
        assert_eq!(Style::new(100, true).width(), 100);
        assert_eq!(Style::new(500, true).width(), 120);
    }
}
