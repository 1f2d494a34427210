//! A frame as an SVG that looks the same in every font: each run of text is given its width, lines are
//! drawn as lines. Light or dark, as whoever looks has it.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Columns and rows in pixels, and the margin.
const COLUMN: f32 = 8.4;
const ROW: f32 = 18.0;
const MARGIN: f32 = 10.0;

const STYLE: &str = "\
.p{fill:#fdfdfd}text{fill:#24292f;font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;\
white-space:pre}\
.l{stroke:#8c959f;fill:none}.c{fill:#0b7285}.g{fill:#1a7f37}.m{fill:#8a3ab9}.y{fill:#8a6100}\
.r{fill:#c1272d}.b{font-weight:bold}.d{fill:#6e7781}.v{fill:#24292f}text.v{fill:#fdfdfd}\
@media(prefers-color-scheme:dark){.p{fill:#15191f}text{fill:#d7dce2}.l{stroke:#5b6673}\
.c{fill:#56c8d8}.g{fill:#63c174}.m{fill:#d08be8}.y{fill:#e0b44a}.r{fill:#ff7b72}.d{fill:#8b949e}\
.v{fill:#d7dce2}text.v{fill:#15191f}}";

/// The picture, with a sentence for those who do not see it.
pub(crate) fn of(buffer: &Buffer, words: &str) -> String {
    let area = buffer.area;
    let (width, height) = (x(area.width) + MARGIN, y(area.height) + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n<rect class=\"p\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n",
        escaped(words)
    );
    let mut lines = String::new();
    for row in 0..area.height {
        let mut run = Run::default();
        for column in 0..area.width {
            let cell = &buffer[(column, row)];
            match stroke(cell.symbol(), column, row) {
                Some(line) => {
                    run.end(&mut out);
                    lines.push_str(&line);
                }
                None => run.take(cell, column, row, &mut out),
            }
        }
        run.end(&mut out);
    }
    out.push_str(&format!("<path class=\"l\" d=\"{lines}\"/>\n</svg>\n"));
    out
}

fn x(column: u16) -> f32 {
    MARGIN + f32::from(column) * COLUMN
}

fn y(row: u16) -> f32 {
    MARGIN + f32::from(row) * ROW
}

/// A glyph of a box as strokes from the middle of its cell.
fn stroke(symbol: &str, column: u16, row: u16) -> Option<String> {
    let (left, right, up, down) = match symbol {
        "│" => (false, false, true, true),
        "─" => (true, true, false, false),
        "┌" => (false, true, false, true),
        "┐" => (true, false, false, true),
        "└" => (false, true, true, false),
        "┘" => (true, false, true, false),
        _ => return None,
    };
    let (cx, cy) = (x(column) + COLUMN / 2.0, y(row) + ROW / 2.0);
    let ends = [
        (left, cx - COLUMN / 2.0, cy),
        (right, cx + COLUMN / 2.0, cy),
        (up, cx, cy - ROW / 2.0),
        (down, cx, cy + ROW / 2.0),
    ];
    let strokes = ends.iter().filter(|end| end.0);
    Some(strokes.map(|(_, to_x, to_y)| format!("M{cx:.1} {cy:.1}L{to_x:.1} {to_y:.1}")).collect())
}

/// Text of one look.
#[derive(Default)]
struct Run {
    text: String,
    classes: String,
    from: (u16, u16),
    columns: u16,
}

impl Run {
    fn take(&mut self, cell: &Cell, column: u16, row: u16, out: &mut String) {
        let classes = classes(cell);
        if classes != self.classes {
            self.end(out);
        }
        if self.columns == 0 {
            (self.classes, self.from) = (classes, (column, row));
        }
        self.text.push_str(cell.symbol());
        self.columns += 1;
    }

    fn end(&mut self, out: &mut String) {
        let Self { text, classes, from, columns } = std::mem::take(self);
        let is_reversed = classes.contains('v');
        if text.trim().is_empty() && !is_reversed {
            return;
        }
        if is_reversed {
            let (left, top, wide) = (x(from.0), y(from.1), f32::from(columns) * COLUMN);
            out.push_str(&format!(
                "<rect class=\"v\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" \
                 height=\"{ROW:.1}\"/>\n"
            ));
        }
        // Blanks at either end are places, not text.
        let begun = text.trim_start_matches(' ');
        let skipped = u16::try_from(text.len() - begun.len()).unwrap_or_default();
        let begun = begun.trim_end_matches(' ');
        let columns = u16::try_from(trialogue_tui::text::width(begun)).unwrap_or_default();
        let (left, base) = (x(from.0 + skipped), y(from.1) + ROW * 0.74);
        let wide = f32::from(columns) * COLUMN;
        let class =
            if classes.is_empty() { String::new() } else { format!(" class=\"{classes}\"") };
        out.push_str(&format!(
            "<text{class} x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{wide:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
            escaped(begun)
        ));
    }
}

fn classes(cell: &Cell) -> String {
    let color = match cell.fg {
        Color::Cyan => "c",
        Color::Green => "g",
        Color::Magenta => "m",
        Color::Yellow => "y",
        Color::Red => "r",
        _ => "",
    };
    let mut classes = vec![color];
    let looks = [(Modifier::BOLD, "b"), (Modifier::DIM, "d"), (Modifier::REVERSED, "v")];
    classes.extend(looks.iter().filter(|look| cell.modifier.contains(look.0)).map(|look| look.1));
    classes.retain(|class| !class.is_empty());
    classes.join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
