//! Rows that terminals may measure otherwise than we do, drawn in a way that no terminal can shift.
//!
//! A grapheme of several characters (a flag, a family, a heart with a variation selector) takes two
//! columns in one terminal and one or four in another (complaint 14 of TUI.md). What is drawn after
//! it would then stand beside its place, and what is drawn over it later would leave a part behind.
//! So such a row is cleared and drawn whole whenever it changes, and after each such grapheme the
//! cursor is told where it is.

use std::collections::BTreeMap;
use std::io;

use crossterm::cursor::{MoveTo, RestorePosition, SavePosition};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell, CellWidth as _};

/// The rows of a screen of which no one knows how wide they are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Unsure {
    rows: BTreeMap<u16, Vec<Cell>>,
}

/// One piece of a row: where it begins, and its cells, each at its column.
type Run = Vec<(u16, Cell)>;

impl Unsure {
    /// Those of a screen.
    pub(super) fn of(buffer: &Buffer) -> Self {
        let area = buffer.area;
        let width = usize::from(area.width).max(1);
        let rows = (area.y..).zip(buffer.content.chunks(width));
        let unsure = rows.filter(|(_, cells)| cells.iter().any(is_unsure));
        Self { rows: unsure.map(|(y, cells)| (y, cells.to_vec())).collect() }
    }

    /// The rows of `buffer` that must be drawn whole: those that have changed since `self`, and
    /// that are or were unsure; each in pieces that end with what is unsure.
    fn changed(&self, now: &Self, buffer: &Buffer) -> Vec<(u16, Vec<Run>)> {
        let mut rows: Vec<u16> = self.rows.keys().chain(now.rows.keys()).copied().collect();
        rows.sort_unstable();
        rows.dedup();
        rows.retain(|y| self.rows.get(y) != now.rows.get(y) && buffer.area.bottom() > *y);
        rows.into_iter().map(|y| (y, runs(buffer, y))).collect()
    }

    /// Draws what has changed since `self`; the cursor stays where it is.
    pub(super) fn repaint<W: io::Write>(
        &self,
        now: &Self,
        buffer: &Buffer,
        backend: &mut CrosstermBackend<W>,
    ) -> io::Result<()> {
        let changed = self.changed(now, buffer);
        if changed.is_empty() {
            return Ok(());
        }
        queue!(backend, SavePosition)?;
        for (y, runs) in changed {
            queue!(backend, MoveTo(0, y), Clear(ClearType::CurrentLine))?;
            for run in runs {
                // Every piece begins with the cursor being put there.
                backend.draw(run.iter().map(|(x, cell)| (*x, y, cell)))?;
            }
        }
        queue!(backend, RestorePosition)?;
        Backend::flush(backend)
    }
}

fn is_unsure(cell: &Cell) -> bool {
    cell.symbol().chars().nth(1).is_some()
}

fn runs(buffer: &Buffer, y: u16) -> Vec<Run> {
    let mut runs = vec![Run::new()];
    let mut x = buffer.area.left();
    while x < buffer.area.right() {
        let cell = &buffer[(x, y)];
        if let Some(run) = runs.last_mut() {
            run.push((x, cell.clone()));
        }
        if is_unsure(cell) {
            runs.push(Run::new());
        }
        x += cell.symbol().cell_width().max(1);
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_that_changed_and_that_nobody_can_measure_are_drawn_whole() {
        let before = Buffer::with_lines(["plain", "a 🇵🇰 b ", "❤️ x  "]);
        let after = Buffer::with_lines(["other", "a 🇵🇰 b ", "gone "]);
        let (old, new) = (Unsure::of(&before), Unsure::of(&after));
        assert_eq!((old.rows.len(), new.rows.len()), (2, 1));
        let changed = old.changed(&new, &after);
        assert_eq!(changed.iter().map(|(y, _)| *y).collect::<Vec<_>>(), [2]);
        let words = |run: &Run| run.iter().map(|(_, cell)| cell.symbol()).collect::<String>();
        assert_eq!(changed[0].1.iter().map(words).collect::<String>().trim_end(), "gone");
        assert!(new.changed(&new, &after).is_empty());
        assert!(old.changed(&new, &Buffer::with_lines(["x"])).is_empty(), "a smaller screen");
    }

    #[test]
    fn after_what_nobody_can_measure_the_cursor_is_put_where_it_belongs() {
        let buffer = Buffer::with_lines(["a 🇵🇰b"]);
        let mut out = Vec::new();
        let mut backend = CrosstermBackend::new(&mut out);
        Unsure::default().repaint(&Unsure::of(&buffer), &buffer, &mut backend).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (_, after) = text.split_once("🇵🇰").unwrap();
        let b = after.find('b').unwrap();
        assert!(after[..b].contains("\u{1b}[1;5H"), "{text:?}");
        let mut out = Vec::new();
        let mut backend = CrosstermBackend::new(&mut out);
        let unsure = Unsure::of(&buffer);
        unsure.repaint(&unsure, &buffer, &mut backend).unwrap();
        assert!(out.is_empty(), "nothing has changed");
    }
}
