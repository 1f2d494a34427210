//! The short table at the end.

use super::Style;
use super::canvas::{Canvas, Paint};
use super::text::{clean, columns, wrap};
use crate::diagram::Tone;

/// Blank columns left of a table and between its columns.
const PADDING: usize = 2;
/// Most lines of one value.
const VALUE_LINES_MAX: usize = 4;

/// Facts, one a line: a name and a value, with the values below each other.
pub fn facts(style: Style, facts: &[(&str, String, Tone)]) -> String {
    let names = facts.iter().map(|(name, ..)| columns(&clean(name, style))).max().unwrap_or(0);
    let from = PADDING + names + PADDING;
    let mut out = String::new();
    for (name, value, tone) in facts {
        let value = clean(value, style);
        let room = style.columns().saturating_sub(from).max(1);
        for (n, value) in wrap(&value, room, VALUE_LINES_MAX, style).iter().enumerate() {
            let mut line = Canvas::new(style.columns());
            if n == 0 {
                line.text(PADDING, &clean(name, style), Paint::Faint);
            }
            let paint = match tone {
                Tone::Plain => Paint::Plain,
                Tone::Good => Paint::Good,
                Tone::Bad => Paint::Bad,
                Tone::Open => Paint::Open,
            };
            line.text(from, value, paint);
            line.finish(&mut out);
        }
    }
    out
}
