//! A story as a Mermaid sequence diagram, which Markdown of code hosts draws.

use std::fmt::Write as _;

use super::harmless::line;
use crate::diagram::{Arrow, Direction, LaneId, Row, Story, Wire};

/// Longest diagram in bytes: Mermaid refuses texts of over 50,000 characters.
const BYTES_MAX: usize = 40 * 1024;
/// Longest label in characters: the picture has no place for more.
const LABEL_CHARS_MAX: usize = 120;

/// The diagram's text, with a newline at its end and without a fence. A story that is too long is
/// cut, and says so in its last line.
#[must_use]
pub fn write(story: &Story) -> String {
    let mut text = String::from("sequenceDiagram\n");
    let used = used(story);
    for lane in &used {
        let detail = story.cast.get(lane.0).map_or("", |lane| lane.detail.as_str());
        let name = format!("{} {detail}", story.title(*lane));
        _ = writeln!(text, "  participant L{} as {}", lane.0, label(name.trim()));
    }
    let (Some(first), Some(last)) = (used.first(), used.last()) else { return text };
    let over = match first == last {
        true => format!("L{}", first.0),
        false => format!("L{},L{}", first.0, last.0),
    };
    for row in &story.rows {
        let before = text.len();
        write_row(&mut text, row, &used, &over);
        if text.len() > BYTES_MAX {
            text.truncate(before);
            _ = writeln!(text, "  Note over {over}: … and more than fits here");
            break;
        }
    }
    text
}

/// Lanes of the cast that anything happens at, from left to right as acts place them.
fn used(story: &Story) -> Vec<LaneId> {
    let mut used: Vec<LaneId> = Vec::new();
    let mut see = |lane: &LaneId| {
        if lane.0 < story.cast.len() && !used.contains(lane) {
            used.push(*lane);
        }
    };
    for row in &story.rows {
        match row {
            Row::Act { lanes, .. } => lanes.iter().for_each(&mut see),
            Row::Arrow(arrow) => arrow.spokes.iter().chain([&arrow.hub]).for_each(&mut see),
            Row::Note { lane, .. } => see(lane),
            Row::Band { .. } | Row::Alive { .. } | Row::Gap => {}
        }
    }
    used
}

fn write_row(text: &mut String, row: &Row, used: &[LaneId], over: &str) {
    let seconds = |at: std::time::Duration| format!("{:.3}s", at.as_secs_f64());
    match row {
        Row::Act { title, .. } => _ = writeln!(text, "  Note over {over}: == {}", label(title)),
        Row::Arrow(arrow) => write_arrow(text, arrow, used),
        Row::Note { at, lane, text: words, .. } if used.contains(lane) => {
            let at = seconds(*at);
            _ = writeln!(text, "  Note over L{}: {at} {}", lane.0, label(words));
        }
        Row::Note { at, text: words, .. } | Row::Band { at, text: words, .. } => {
            _ = writeln!(text, "  Note over {over}: {} {}", seconds(*at), label(words));
        }
        Row::Alive { .. } | Row::Gap => {}
    }
}

fn write_arrow(text: &mut String, arrow: &Arrow, used: &[LaneId]) {
    // A solid line asks or tells, a dashed one answers; a cross is an arrow that failed.
    let shaft = match (arrow.failed, arrow.wire, arrow.direction) {
        (true, ..) => "-x",
        (false, Wire::Http | Wire::Store, Direction::Out) => "-->>",
        (false, ..) => "->>",
    };
    for spoke in arrow.spokes.iter().filter(|spoke| used.contains(spoke)) {
        let (from, to) = match arrow.direction {
            Direction::In => (spoke, &arrow.hub),
            Direction::Out => (&arrow.hub, spoke),
        };
        let words = format!("{} {}", arrow.label, arrow.detail);
        let mark = if arrow.failed { "FAILED " } else { "" };
        let (at, words) = (arrow.at.as_secs_f64(), label(words.trim()));
        _ = writeln!(text, "  L{}{shaft}L{}: {mark}{at:.3}s {words}", from.0, to.0);
    }
}

/// Text that ends no statement and is no markup: what means something is written as its number.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in line(text).chars().take(LABEL_CHARS_MAX) {
        match c {
            '#' | ';' | '<' | '>' | '&' | '`' | '"' | '%' | '{' | '}' | '\\' => {
                _ = write!(label, "#{};", u32::from(c));
            }
            c => label.push(c),
        }
    }
    // Nothing at all would be half a statement.
    if label.is_empty() { "-".to_owned() } else { label }
}
