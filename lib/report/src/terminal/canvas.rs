//! One line of cells, painted from the back to the front.

use anstyle::{AnsiColor, Style as Ansi};
use unicode_width::UnicodeWidthChar;

/// What a cell is, and so how it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Lanes and other scaffolding.
    Faint,
    /// Words.
    Plain,
    /// Headings.
    Strong,
    /// What goes over HTTP.
    Http,
    /// What goes over the socket.
    Socket,
    /// What the server does with its database.
    Store,
    /// What held.
    Good,
    /// What broke.
    Bad,
    /// Of which nothing follows.
    Open,
}

impl Paint {
    fn ansi(self) -> Ansi {
        match self {
            Self::Faint => Ansi::new().dimmed(),
            Self::Plain => Ansi::new(),
            Self::Strong => Ansi::new().bold(),
            Self::Http => AnsiColor::Cyan.on_default(),
            Self::Socket => AnsiColor::Blue.on_default(),
            Self::Store => AnsiColor::Magenta.on_default(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Open => AnsiColor::Yellow.on_default(),
        }
    }
}

/// Glyph of the second cell of a wide character.
const CONTINUED: char = '\0';

/// A line that is being painted.
pub(super) struct Canvas {
    cells: Vec<(char, Paint)>,
}

impl Canvas {
    pub(super) fn new(width: usize) -> Self {
        Self { cells: vec![(' ', Paint::Plain); width] }
    }

    /// One character; outside of the line it is dropped.
    pub(super) fn put(&mut self, x: usize, glyph: char, paint: Paint) {
        let width = glyph.width().unwrap_or(0);
        if width == 0 || x + width > self.cells.len() {
            return;
        }
        self.split_wide(x);
        self.split_wide(x + width);
        self.cells[x] = (glyph, paint);
        for cell in &mut self.cells[x + 1..x + width] {
            *cell = (CONTINUED, paint);
        }
    }

    /// Painting over one half of a wide character blanks the other half.
    fn split_wide(&mut self, x: usize) {
        if x > 0 && self.cells.get(x).is_some_and(|(glyph, _)| *glyph == CONTINUED) {
            self.cells[x - 1].0 = ' ';
            self.cells[x].0 = ' ';
        }
    }

    /// The same character from `from` up to, and without, `to`.
    pub(super) fn fill(&mut self, from: usize, to: usize, glyph: char, paint: Paint) {
        (from..to).for_each(|x| self.put(x, glyph, paint));
    }

    /// Text from `x` on; what does not fit on the line is dropped.
    pub(super) fn text(&mut self, x: usize, text: &str, paint: Paint) {
        let mut x = x;
        for glyph in text.chars() {
            self.put(x, glyph, paint);
            x += glyph.width().unwrap_or(0);
        }
    }

    /// The line with its colours, without blanks at its end, with a line end.
    pub(super) fn finish(self, out: &mut String) {
        let end = self.cells.iter().rposition(|(glyph, _)| *glyph != ' ').map_or(0, |x| x + 1);
        let mut painted = Paint::Plain;
        for (glyph, paint) in &self.cells[..end] {
            if *glyph == CONTINUED {
                continue;
            }
            if *paint != painted && *glyph != ' ' {
                out.push_str(&painted.ansi().render_reset().to_string());
                out.push_str(&paint.ansi().render().to_string());
                painted = *paint;
            }
            out.push(*glyph);
        }
        out.push_str(&painted.ansi().render_reset().to_string());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paint: impl Fn(&mut Canvas), expect: &str) {
        let mut canvas = Canvas::new(8);
        paint(&mut canvas);
        let mut line = String::new();
        canvas.finish(&mut line);
        assert_eq!(line, expect);
    }

    #[test]
    fn a_line_is_painted_from_back_to_front() {
        check(|canvas| canvas.text(1, "abc", Paint::Plain), " abc\n");
        check(|canvas| canvas.text(6, "abc", Paint::Plain), "      ab\n");
        check(
            |canvas| {
                canvas.fill(0, 8, '-', Paint::Plain);
                canvas.text(2, "水x", Paint::Plain);
                canvas.put(3, '|', Paint::Plain);
            },
            "-- |x---\n",
        );
        check(|canvas| canvas.text(7, "水", Paint::Plain), "\n");
        check(
            |canvas| {
                canvas.text(0, "a", Paint::Bad);
                canvas.text(2, "b", Paint::Bad);
            },
            "\u{1b}[1m\u{1b}[31ma b\u{1b}[0m\n",
        );
    }
}
