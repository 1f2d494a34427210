//! A story as a picture: lanes from top to bottom, arrows between them, faults as bands.
//!
//! Colours are variables, so that a page can be light or dark; alone, the picture follows the
//! reader's system.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::harmless::html;
use crate::diagram::{Arrow, Direction, LaneId, Row, Story, Tone, Wire};

/// Width of the column of times.
const TIMES: usize = 74;
/// Between two lanes.
const LANE: usize = 196;
/// Height of one line of text.
const LINE: usize = 16;
/// Width of one character.
const CHAR: usize = 7;
/// Most lines of one label.
const LINES_MAX: usize = 3;

/// Colours and strokes of the picture; the page has the same variables.
pub(super) const STYLE: &str = include_str!("svg.css");

/// The picture as a document of its own, with a newline at its end.
#[must_use]
pub fn write(story: &Story) -> String {
    let mut drawn = draw(story, "");
    let style = format!("<style>{STYLE}</style>");
    let at = drawn.find('>').map_or(0, |at| at + 1);
    drawn.insert_str(at, &style);
    drawn + "\n"
}

/// The picture as an element of a page that has [`STYLE`]; ids begin with `prefix`.
pub(super) fn draw(story: &Story, prefix: &str) -> String {
    let mut picture = Picture::new(story, prefix);
    for row in &story.rows {
        picture.row(row);
    }
    picture.finish()
}

struct Picture<'a> {
    story: &'a Story,
    prefix: &'a str,
    body: String,
    /// Lanes of the act, from left to right.
    lanes: Vec<LaneId>,
    lanes_max: usize,
    gone: BTreeSet<LaneId>,
    y: usize,
    /// Where the lines of lanes begin that are not drawn yet.
    drawn_to: usize,
}

impl<'a> Picture<'a> {
    fn new(story: &'a Story, prefix: &'a str) -> Self {
        let lanes = Vec::new();
        let gone = BTreeSet::new();
        let body = String::new();
        Self { story, prefix, body, lanes, lanes_max: 1, gone, y: 8, drawn_to: 8 }
    }

    fn x(&self, lane: LaneId) -> Option<usize> {
        let at = self.lanes.iter().position(|id| *id == lane)?;
        Some(TIMES + LANE / 2 + at * LANE)
    }

    fn right(&self) -> usize {
        TIMES + LANE * self.lanes.len().max(1)
    }

    fn row(&mut self, row: &Row) {
        match row {
            Row::Act { title, lanes } => self.act(title, lanes),
            Row::Arrow(arrow) => self.arrow(arrow),
            Row::Note { at, lane, text, tone } => self.note(*at, *lane, text, *tone),
            Row::Band { at, text, tone } => self.band(*at, text, *tone),
            Row::Alive { lane, alive } => {
                self.lines();
                if *alive {
                    self.gone.remove(lane)
                } else {
                    self.gone.insert(*lane)
                };
            }
            Row::Gap => self.y += LINE / 2,
        }
    }

    /// Draws the lanes down to here.
    fn lines(&mut self) {
        let (from, to) = (self.drawn_to, self.y);
        self.drawn_to = self.y;
        if to <= from {
            return;
        }
        for lane in &self.lanes {
            let Some(x) = self.x(*lane) else { continue };
            let class = if self.gone.contains(lane) { "lane gone" } else { "lane" };
            // Behind everything that was drawn meanwhile.
            let line = format!(
                "<line class=\"{class}\" x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{to}\"/>"
            );
            self.body.insert_str(0, &line);
        }
    }

    fn act(&mut self, title: &str, lanes: &[LaneId]) {
        self.lines();
        self.y += LINE;
        self.lanes = lanes.iter().copied().filter(|id| id.0 < self.story.cast.len()).collect();
        self.lanes_max = self.lanes_max.max(self.lanes.len());
        self.text(8, self.y + LINE, "act", "start", title);
        self.y += 2 * LINE;
        let y = self.y;
        for lane in self.lanes.clone() {
            let Some(x) = self.x(lane) else { continue };
            let detail = self.story.cast.get(lane.0).map_or("", |lane| lane.detail.as_str());
            _ = write!(
                self.body,
                "<rect class=\"head\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"36\" rx=\"5\"/>",
                x - LANE / 2 + 14,
                LANE - 28
            );
            let title = self.story.title(lane);
            let up = if detail.is_empty() { 22 } else { 15 };
            self.text(x, y + up, "name", "middle", &cut(title, (LANE - 34) / CHAR));
            self.text(x, y + 29, "detail", "middle", &cut(detail, (LANE - 34) / CHAR));
        }
        self.y += 36;
        self.drawn_to = self.y;
        self.y += LINE / 2;
    }

    fn text(&mut self, x: usize, y: usize, class: &str, anchor: &str, text: &str) {
        if !text.is_empty() {
            let text = html(text);
            _ = write!(
                self.body,
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
            );
        }
    }

    fn time(&mut self, at: Duration) {
        let (y, at) = (self.y + 4, format!("{:.3} s", at.as_secs_f64()));
        self.text(TIMES - 10, y, "time", "end", &at);
    }

    fn arrow(&mut self, arrow: &Arrow) {
        let hub = self.x(arrow.hub);
        let spokes: Vec<usize> = arrow.spokes.iter().filter_map(|id| self.x(*id)).collect();
        let (Some(hub), false) = (hub, spokes.is_empty()) else {
            let names: Vec<&str> = arrow.spokes.iter().map(|id| self.story.title(*id)).collect();
            let text = format!("{}: {} {}", names.join(", "), arrow.label, arrow.detail);
            let tone = if arrow.failed { Tone::Bad } else { Tone::Plain };
            return self.band(arrow.at, &text, tone);
        };
        let wire = match arrow.wire {
            Wire::Http => "http",
            Wire::Socket => "socket",
            Wire::Store => "store",
        };
        let class = if arrow.failed { "failed" } else { wire };
        let left = spokes.iter().copied().fold(hub, usize::min);
        let right = spokes.iter().copied().fold(hub, usize::max);
        let room = ((right - left).max(LANE) - 16) / CHAR;
        let middle = left.midpoint(right);
        let label = if arrow.failed { format!("✗ {}", arrow.label) } else { arrow.label.clone() };
        let whole = html(&format!("{} {}", arrow.label, arrow.detail));
        _ = write!(self.body, "<g class=\"row\"><title>{whole}</title>");
        let label_class = if arrow.failed { "label bad" } else { "label" };
        for part in wrap(&label, room) {
            self.y += LINE;
            self.text(middle, self.y, label_class, "middle", &part);
        }
        self.y += 7;
        self.time(arrow.at);
        for spoke in spokes {
            let (from, to) = match arrow.direction {
                Direction::In => (spoke, hub),
                Direction::Out => (hub, spoke),
            };
            let back = if from < to { to - 3 } else { to + 3 };
            let (y, head) = (self.y, if arrow.failed { "cross" } else { wire });
            _ = write!(
                self.body,
                "<line class=\"arrow {class}\" x1=\"{from}\" y1=\"{y}\" x2=\"{back}\" y2=\"{y}\" \
                 marker-end=\"url(#{}{head})\"/>",
                self.prefix
            );
        }
        for part in wrap(&arrow.detail, room) {
            self.y += LINE - 2;
            self.text(middle, self.y, "detail", "middle", &part);
        }
        self.y += 5;
        self.body.push_str("</g>");
    }

    fn note(&mut self, at: Duration, lane: LaneId, text: &str, tone: Tone) {
        let Some(x) = self.x(lane) else { return self.band(at, text, tone) };
        let class = format!("note {}", class_of(tone));
        let parts = wrap(text, (LANE - 24) / CHAR);
        let longest = parts.iter().map(|part| part.chars().count()).max().unwrap_or(0);
        // Right of the last lane the picture ends: what has no room there stands on the left.
        let turned = self.lanes.len() > 1 && x + 8 + longest * (CHAR + 1) > self.right();
        let (beside, anchor) = if turned { (x - 8, "end") } else { (x + 8, "start") };
        for (n, part) in parts.iter().enumerate() {
            self.y += LINE;
            if n == 0 {
                self.time(at);
            }
            self.text(beside, self.y + 4, &class, anchor, part);
        }
        let y = self.y;
        _ = write!(
            self.body,
            "<circle class=\"dot {}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>",
            class_of(tone)
        );
        self.y += 5;
    }

    fn band(&mut self, at: Duration, text: &str, tone: Tone) {
        let parts = wrap(text, (self.right() - TIMES - 20) / CHAR);
        let height = parts.len().max(1) * LINE + 8;
        let (width, tone) = (self.right() - TIMES, class_of(tone));
        self.y += 6;
        let y = self.y;
        _ = write!(
            self.body,
            "<rect class=\"band {tone}\" x=\"{TIMES}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\" rx=\"4\"/>"
        );
        for (n, part) in parts.iter().enumerate() {
            self.y += LINE;
            if n == 0 {
                self.y -= 4;
                self.time(at);
                self.y += 4;
            }
            let middle = TIMES + width / 2;
            self.text(middle, self.y, &format!("label {tone}"), "middle", part);
        }
        self.y = y + height + 4;
    }

    fn finish(mut self) -> String {
        self.y += LINE;
        self.lines();
        let (width, height) = (TIMES + LANE * self.lanes_max + 8, self.y + 8);
        let mut heads = String::new();
        for wire in ["http", "socket", "store"] {
            _ = write!(
                heads,
                "<marker id=\"{}{wire}\" class=\"{wire}\" viewBox=\"0 0 10 10\" refX=\"9\" \
                 refY=\"5\" markerUnits=\"userSpaceOnUse\" markerWidth=\"11\" markerHeight=\"11\" \
                 orient=\"auto\">\
                 <path d=\"M0 0L10 5L0 10z\"/></marker>",
                self.prefix
            );
        }
        _ = write!(
            heads,
            "<marker id=\"{}cross\" class=\"failed\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" \
             markerUnits=\"userSpaceOnUse\" markerWidth=\"15\" markerHeight=\"15\" orient=\"auto\">\
             <path d=\"M1 1L9 9M9 1L1 9\" class=\"x\"/></marker>",
            self.prefix
        );
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"story\" role=\"img\" \
             aria-label=\"sequence diagram\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\"><defs>{heads}</defs>{}</svg>",
            self.body
        )
    }
}

fn class_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "plain",
    }
}

/// At most so many characters; what is cut ends with an ellipsis.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text in lines of at most so many characters, broken at blanks where it can be.
fn wrap(text: &str, chars: usize) -> Vec<String> {
    let chars = chars.max(8);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let (head, tail) = match rest.char_indices().nth(chars) {
                Some((at, _)) => rest.split_at(at),
                None => (rest, ""),
            };
            match lines.last_mut() {
                Some(last) if last.chars().count() + 1 + head.chars().count() <= chars => {
                    last.push(' ');
                    last.push_str(head);
                }
                _ => lines.push(head.to_owned()),
            }
            rest = tail;
        }
    }
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}…", cut(last, chars - 2).trim_end_matches('…'));
        }
    }
    lines
}
