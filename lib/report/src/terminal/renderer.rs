//! The sequence diagram as text, row by row, in the manner of the flow's own drawings.
//!
//! A column of times, then a lane per role. Labels stand above their arrow, details below it.
//! A row is drawn the moment it comes and never touched again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Style;
use super::canvas::{Canvas, Paint};
use super::text::{clean, columns, wrap};
use crate::diagram::{Arrow, Direction, Lane, LaneId, Row, Tone, Wire};

/// Columns of the time at the left, with the blank after it.
const TIME_WIDTH: usize = 9;
/// Widest distance between two lanes, in columns: the longest labels need no more.
const LANE_GAP_MAX: usize = 30;
/// Narrowest distance between two lanes: an arrow with both ends and something between them.
const LANE_GAP_MIN: usize = 6;
/// Most lines that one label, detail or note takes.
const LABEL_LINES_MAX: usize = 3;

/// Characters of the drawing.
struct Glyphs {
    bar: char,
    gone: char,
    http: char,
    socket: char,
    left: char,
    right: char,
    failed: char,
    both: char,
    band: char,
    corners: [char; 4],
    edge: char,
    side: char,
}

const UNICODE: Glyphs = Glyphs {
    bar: '│',
    gone: '╎',
    http: '─',
    socket: '═',
    left: '◄',
    right: '►',
    failed: 'X',
    both: '┼',
    band: '─',
    corners: ['┌', '┐', '└', '┘'],
    edge: '─',
    side: '│',
};

const ASCII: Glyphs = Glyphs {
    bar: '|',
    gone: ':',
    http: '-',
    socket: '=',
    left: '<',
    right: '>',
    failed: 'X',
    both: '+',
    band: '-',
    corners: ['+', '+', '+', '+'],
    edge: '-',
    side: '|',
};

/// Draws rows. Holds nothing but the act that is going on and who is gone.
pub struct Renderer {
    style: Style,
    cast: Vec<Lane>,
    /// Lanes of the act, from left to right, with their columns.
    lanes: Vec<(LaneId, usize)>,
    gone: BTreeSet<LaneId>,
}

impl Renderer {
    /// A drawing with these lanes; a [`LaneId`] is a place in `cast`.
    pub fn new(style: Style, cast: Vec<Lane>) -> Self {
        Self { style, cast, lanes: Vec::new(), gone: BTreeSet::new() }
    }

    /// The lines of one row, each with its line end. May be nothing.
    pub fn row(&mut self, row: &Row) -> String {
        let mut out = String::new();
        match row {
            Row::Act { title, lanes } => self.act(title, lanes, &mut out),
            Row::Arrow(arrow) => self.arrow(arrow, &mut out),
            Row::Note { at, lane, text, tone } => self.note(*at, *lane, text, *tone, &mut out),
            Row::Band { at, text, tone } => self.band(*at, text, *tone, &mut out),
            Row::Alive { lane, alive: true } => {
                self.gone.remove(lane);
            }
            Row::Alive { lane, alive: false } => {
                self.gone.insert(*lane);
            }
            Row::Gap => self.bars(None).finish(&mut out),
        }
        out
    }

    fn glyphs(&self) -> &'static Glyphs {
        if self.style.unicode() { &UNICODE } else { &ASCII }
    }

    fn act(&mut self, title: &str, lanes: &[LaneId], out: &mut String) {
        let glyphs = self.glyphs();
        let width = self.style.width();
        let edge = |corners: [char; 2], out: &mut String| {
            let mut line = Canvas::new(width);
            line.fill(1, width - 1, glyphs.edge, Paint::Faint);
            line.put(0, corners[0], Paint::Faint);
            line.put(width - 1, corners[1], Paint::Faint);
            line.finish(out);
        };
        out.push('\n');
        edge([glyphs.corners[0], glyphs.corners[1]], out);
        for text in wrap(&clean(title, self.style), width - 4, LABEL_LINES_MAX, self.style) {
            let mut line = Canvas::new(width);
            line.put(0, glyphs.side, Paint::Faint);
            line.text((width - columns(&text)) / 2, &text, Paint::Strong);
            line.put(width - 1, glyphs.side, Paint::Faint);
            line.finish(out);
        }
        edge([glyphs.corners[2], glyphs.corners[3]], out);
        out.push('\n');
        self.place(lanes);
        self.names(out);
        self.bars(None).finish(out);
    }

    /// Spreads the lanes of an act over the width.
    fn place(&mut self, lanes: &[LaneId]) {
        let half = |lane: Option<&LaneId>| lane.map_or(0, |lane| self.name_width(*lane) / 2);
        let first = TIME_WIDTH + half(lanes.first());
        let room = self.style.width().saturating_sub(first + half(lanes.last()) + 1);
        let gaps = lanes.len().saturating_sub(1).max(1);
        let gap = (room / gaps).clamp(LANE_GAP_MIN, LANE_GAP_MAX);
        self.lanes = lanes.iter().enumerate().map(|(n, lane)| (*lane, first + n * gap)).collect();
    }

    fn name_width(&self, lane: LaneId) -> usize {
        let lane = self.cast.get(lane.0);
        lane.map_or(0, |lane| columns(&lane.title).max(columns(&lane.detail)))
    }

    fn names(&self, out: &mut String) {
        let line = |text: fn(&Lane) -> &str, paint: Paint, out: &mut String| {
            let mut canvas = Canvas::new(self.style.width());
            for (id, x) in &self.lanes {
                let text = self.cast.get(id.0).map_or("", text);
                let text = clean(text, self.style);
                canvas.text(x.saturating_sub(columns(&text) / 2), &text, paint);
            }
            canvas.finish(out);
        };
        line(|lane| &lane.title, Paint::Strong, out);
        if self
            .lanes
            .iter()
            .any(|(id, _)| self.cast.get(id.0).is_some_and(|l| !l.detail.is_empty()))
        {
            line(|lane| &lane.detail, Paint::Faint, out);
        }
    }

    /// A line with every lane on it, and the time where there is one.
    fn bars(&self, at: Option<Duration>) -> Canvas {
        let mut canvas = Canvas::new(self.style.width());
        if let Some(at) = at {
            canvas.text(0, &format!("{:>7.3}s", at.as_secs_f64()), Paint::Faint);
        }
        for (lane, x) in &self.lanes {
            let gone = self.gone.contains(lane);
            canvas.put(*x, if gone { self.glyphs().gone } else { self.glyphs().bar }, Paint::Faint);
        }
        canvas
    }

    fn column(&self, lane: LaneId) -> Option<usize> {
        self.lanes.iter().find(|(id, _)| *id == lane).map(|(_, x)| *x)
    }

    fn arrow(&self, arrow: &Arrow, out: &mut String) {
        let hub = self.column(arrow.hub);
        let spokes: Vec<usize> = arrow.spokes.iter().filter_map(|id| self.column(*id)).collect();
        let (Some(hub), false) = (hub, spokes.is_empty()) else {
            // Not a lane of this act: better a plain line than an arrow between the wrong two.
            return self.text_line(arrow.at, &self.sentence(arrow), Paint::Plain, out);
        };
        let paint = match (arrow.failed, arrow.wire) {
            (true, _) => Paint::Bad,
            (false, Wire::Http) => Paint::Http,
            (false, Wire::Socket) => Paint::Socket,
            (false, Wire::Store) => Paint::Store,
        };
        let ends = spokes.iter().fold((hub, hub), |(a, b), x| (a.min(*x), b.max(*x)));
        self.beside(ends, &arrow.label, if arrow.failed { Paint::Bad } else { Paint::Plain }, out);
        self.shaft(arrow, hub, &spokes, paint, out);
        self.beside(ends, &arrow.detail, Paint::Faint, out);
    }

    fn shaft(&self, arrow: &Arrow, hub: usize, spokes: &[usize], paint: Paint, out: &mut String) {
        let glyphs = self.glyphs();
        let stroke = match arrow.wire {
            Wire::Http | Wire::Store => glyphs.http,
            Wire::Socket => glyphs.socket,
        };
        let mut line = self.bars(Some(arrow.at));
        let left = spokes.iter().copied().min().map_or(hub, |x| x.min(hub));
        let right = spokes.iter().copied().max().map_or(hub, |x| x.max(hub));
        line.fill(left + 1, right, stroke, paint);
        for x in spokes.iter().copied().chain([hub]) {
            line.put(x, glyphs.bar, Paint::Faint);
        }
        if arrow.direction == Direction::Out && left < hub && hub < right {
            line.put(hub, glyphs.both, paint);
        }
        for spoke in spokes.iter().copied() {
            let (head, glyph) = match (arrow.direction, spoke < hub) {
                (Direction::In, true) => (hub - 1, glyphs.right),
                (Direction::In, false) => (hub + 1, glyphs.left),
                (Direction::Out, true) => (spoke + 1, glyphs.left),
                (Direction::Out, false) => (spoke - 1, glyphs.right),
            };
            line.put(head, glyph, paint);
        }
        if arrow.failed {
            let targets = if arrow.direction == Direction::In { &[hub][..] } else { spokes };
            targets.iter().for_each(|x| line.put(*x, glyphs.failed, paint));
        }
        line.finish(out);
    }

    /// Text between the ends of an arrow: beside the first lane where it fits, over the lanes
    /// between when it must, broken into lines when even that is not enough.
    fn beside(&self, (left, right): (usize, usize), text: &str, paint: Paint, out: &mut String) {
        let text = clean(text, self.style);
        let from = left + 2;
        let next = self.lanes.iter().map(|(_, x)| *x).find(|x| *x > left).unwrap_or(right);
        let near = next.saturating_sub(from);
        let room = if columns(&text) <= near { near } else { right.saturating_sub(from) };
        for text in wrap(&text, room.max(1), LABEL_LINES_MAX, self.style) {
            let mut line = self.bars(None);
            let end = from + columns(&text);
            line.fill(from, end, ' ', paint);
            line.text(from, &text, paint);
            line.finish(out);
        }
    }

    fn note(&self, at: Duration, lane: LaneId, text: &str, tone: Tone, out: &mut String) {
        let paint = paint_of(tone);
        let Some(x) = self.column(lane) else {
            return self.text_line(at, text, paint, out);
        };
        let text = clean(text, self.style);
        let next = self.lanes.iter().map(|(_, x)| *x).find(|other| *other > x);
        let room_right = next.unwrap_or(self.style.width()).saturating_sub(x + 3);
        let before = self.lanes.iter().map(|(_, x)| *x).rfind(|other| *other < x);
        let room_left = x.saturating_sub(before.unwrap_or(TIME_WIDTH) + 3);
        // The last lane has its words on its left when there is no room on its right.
        let to_left = next.is_none() && columns(&text) > room_right && room_left > room_right;
        let room = if to_left { room_left } else { room_right };
        let mut at = Some(at);
        for text in wrap(&text, room.max(1), LABEL_LINES_MAX, self.style) {
            let mut line = self.bars(at.take());
            let from = if to_left { x - 1 - columns(&text) } else { x + 2 };
            line.text(from, &text, paint);
            line.finish(out);
        }
    }

    fn band(&self, at: Duration, text: &str, tone: Tone, out: &mut String) {
        let ends = self.lanes.iter().map(|(_, x)| *x).fold(None, |ends, x| {
            Some(ends.map_or((x, x), |(left, right): (usize, usize)| (left.min(x), right.max(x))))
        });
        let paint = paint_of(tone);
        let Some((left, right)) = ends.filter(|(left, right)| left < right) else {
            return self.text_line(at, text, paint, out);
        };
        let left = left.saturating_sub(2);
        let right = (right + 3).min(self.style.width());
        let mut at = Some(at);
        let room = (right - left).saturating_sub(6);
        for text in wrap(&clean(text, self.style), room, LABEL_LINES_MAX, self.style) {
            let mut line = self.bars(at.take());
            line.fill(left, right, self.glyphs().band, paint);
            let from = left + (right - left - columns(&text)) / 2;
            line.put(from - 1, ' ', paint);
            line.text(from, &text, paint);
            line.put(from + columns(&text), ' ', paint);
            line.finish(out);
        }
    }

    fn text_line(&self, at: Duration, text: &str, paint: Paint, out: &mut String) {
        let room = self.style.width() - TIME_WIDTH;
        let mut at = Some(at);
        for text in wrap(&clean(text, self.style), room, LABEL_LINES_MAX, self.style) {
            let mut line = Canvas::new(self.style.width());
            if let Some(at) = at.take() {
                line.text(0, &format!("{:>7.3}s", at.as_secs_f64()), Paint::Faint);
            }
            line.text(TIME_WIDTH, &text, paint);
            line.finish(out);
        }
    }

    fn sentence(&self, arrow: &Arrow) -> String {
        let name = |id: &LaneId| self.cast.get(id.0).map_or("?", |lane| lane.title.as_str());
        let spokes = arrow.spokes.iter().map(name).collect::<Vec<_>>().join(", ");
        let (from, to) = match arrow.direction {
            Direction::In => (spokes.as_str(), name(&arrow.hub)),
            Direction::Out => (name(&arrow.hub), spokes.as_str()),
        };
        let failed = if arrow.failed { " (failed)" } else { "" };
        format!("{from} → {to}: {} {}{failed}", arrow.label, arrow.detail)
    }
}

fn paint_of(tone: Tone) -> Paint {
    match tone {
        Tone::Plain => Paint::Plain,
        Tone::Good => Paint::Good,
        Tone::Bad => Paint::Bad,
        Tone::Open => Paint::Open,
    }
}
