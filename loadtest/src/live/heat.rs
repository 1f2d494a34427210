//! The heat map: a column for each window, a row for each step of latency, colours by how many.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;

use crate::recorder::decode;
use crate::result::Window;

/// Columns for the labels of rows.
const LABELS: u16 = 7;
/// From few to many; also without colours.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];
const COLOURS: [Color; 4] = [Color::Blue, Color::Cyan, Color::Yellow, Color::Red];

/// What is drawn.
pub(super) struct Heat<'a> {
    pub(super) windows: &'a VecDeque<Window>,
}

/// The latencies that a row begins with, from the bottom up, in microseconds.
fn rows(low: f64, high: f64, rows: u16) -> Vec<f64> {
    let (low, high) = (low.max(1.0).log10().floor(), high.max(10.0).log10().ceil());
    let step = (high - low).max(1.0) / f64::from(rows.max(1));
    (0..rows).map(|row| 10_f64.powf(low + step * f64::from(row))).collect()
}

fn label(micros: f64) -> String {
    match micros {
        less if less < 1_000.0 => format!("{less:.0}us"),
        less if less < 10_000.0 => format!("{:.1}ms", less / 1e3),
        less if less < 1e6 => format!("{:.0}ms", less / 1e3),
        more => format!("{:.1}s", more / 1e6),
    }
}

impl Widget for Heat<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= LABELS + 1 || area.height == 0 {
            return;
        }
        let columns = usize::from(area.width - LABELS);
        let shown: Vec<&Window> = self.windows.iter().rev().take(columns).collect();
        let measured = || shown.iter().filter(|one| one.delivery.count > 0);
        let low = measured().map(|one| one.delivery.min).min().unwrap_or(100) as f64;
        let high = measured().map(|one| one.delivery.max).max().unwrap_or(100_000) as f64;
        let begins = rows(low, high, area.height);
        for (row, micros) in begins.iter().enumerate() {
            let at = area.bottom() - 1 - row as u16;
            // Every other row has its number.
            if row % 2 == 0 {
                let label = format!("{:>6} ", label(*micros));
                buffer.set_string(area.x, at, label, Style::new().fg(Color::DarkGray));
            }
        }
        let cells: Vec<Vec<u64>> = shown.iter().map(|one| column(one, &begins)).collect();
        let most = cells.iter().flatten().copied().max().unwrap_or(1).max(1);
        for (n, cells) in cells.iter().enumerate() {
            let x = area.right() - 1 - n as u16;
            for (row, count) in cells.iter().enumerate().filter(|(_, count)| **count > 0) {
                let heat = ((*count as f64).ln_1p() / (most as f64).ln_1p() * 4.0).ceil();
                let shade = (heat as usize).clamp(1, 4) - 1;
                let style = Style::new().fg(COLOURS[shade]);
                buffer.set_string(x, area.bottom() - 1 - row as u16, SHADES[shade], style);
            }
        }
    }
}

/// How many deliveries of a window are in each row.
fn column(window: &Window, begins: &[f64]) -> Vec<u64> {
    let mut cells = vec![0; begins.len()];
    let Ok(histogram) = decode(&window.histogram) else { return cells };
    for step in histogram.iter_recorded() {
        let value = step.value_iterated_to() as f64;
        let row = begins.iter().rposition(|begin| value >= *begin).unwrap_or(0);
        if let Some(cell) = cells.get_mut(row) {
            *cell += step.count_at_value();
        }
    }
    cells
}
