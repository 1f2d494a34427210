//! A story as JSON: lanes, and rows with a `type` each.

use serde::{Deserialize, Serialize};

use super::harmless::line;
use super::json::duration;
use super::millis;
use crate::diagram::{Arrow, Direction, Lane, LaneId, ROWS_MAX, Row, Story, Tone, Wire};

#[derive(Serialize, Deserialize)]
pub(super) struct StoryBody {
    lanes: Vec<LaneBody>,
    rows: Vec<RowBody>,
}

#[derive(Serialize, Deserialize)]
struct LaneBody {
    title: String,
    detail: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum RowBody {
    Act {
        title: String,
        lanes: Vec<usize>,
    },
    Arrow {
        at_ms: f64,
        hub: usize,
        spokes: Vec<usize>,
        direction: DirectionWord,
        wire: WireWord,
        label: String,
        detail: String,
        failed: bool,
    },
    Note {
        at_ms: f64,
        lane: usize,
        text: String,
        tone: ToneWord,
    },
    Band {
        at_ms: f64,
        text: String,
        tone: ToneWord,
    },
    Alive {
        lane: usize,
        alive: bool,
    },
    Gap,
}

/// Words for a type of the diagram's, in both directions.
macro_rules! words {
    ($word:ident of $of:ident: $($name:ident),*) => {
        #[derive(Serialize, Deserialize, Clone, Copy)]
        #[serde(rename_all = "camelCase")]
        enum $word {
            $($name),*
        }

        impl From<$of> for $word {
            fn from(of: $of) -> Self {
                match of {
                    $($of::$name => Self::$name),*
                }
            }
        }

        impl From<$word> for $of {
            fn from(word: $word) -> Self {
                match word {
                    $($word::$name => Self::$name),*
                }
            }
        }
    };
}

words!(DirectionWord of Direction: In, Out);
words!(WireWord of Wire: Http, Socket, Store);
words!(ToneWord of Tone: Plain, Good, Bad, Open);

impl From<&Story> for StoryBody {
    fn from(story: &Story) -> Self {
        let lanes = story.cast.iter().map(|lane| LaneBody {
            title: line(&lane.title).into_owned(),
            detail: line(&lane.detail).into_owned(),
        });
        Self { lanes: lanes.collect(), rows: story.rows.iter().map(RowBody::from).collect() }
    }
}

impl From<&Row> for RowBody {
    fn from(row: &Row) -> Self {
        let text = |text: &str| line(text).into_owned();
        match row {
            Row::Act { title, lanes } => {
                Self::Act { title: text(title), lanes: lanes.iter().map(|lane| lane.0).collect() }
            }
            Row::Arrow(arrow) => Self::Arrow {
                at_ms: millis(arrow.at),
                hub: arrow.hub.0,
                spokes: arrow.spokes.iter().map(|lane| lane.0).collect(),
                direction: arrow.direction.into(),
                wire: arrow.wire.into(),
                label: text(&arrow.label),
                detail: text(&arrow.detail),
                failed: arrow.failed,
            },
            Row::Note { at, lane, text: words, tone } => Self::Note {
                at_ms: millis(*at),
                lane: lane.0,
                text: text(words),
                tone: (*tone).into(),
            },
            Row::Band { at, text: words, tone } => {
                Self::Band { at_ms: millis(*at), text: text(words), tone: (*tone).into() }
            }
            Row::Alive { lane, alive } => Self::Alive { lane: lane.0, alive: *alive },
            Row::Gap => Self::Gap,
        }
    }
}

impl StoryBody {
    /// Back again; of a file that somebody else wrote, no more rows than a story has.
    pub(super) fn story(self) -> Story {
        let cast = self.lanes.into_iter().map(|lane| Lane::new(lane.title, lane.detail)).collect();
        let rows = self.rows.into_iter().take(ROWS_MAX + 1).map(RowBody::row).collect();
        Story { cast, rows }
    }
}

impl RowBody {
    fn row(self) -> Row {
        match self {
            Self::Act { title, lanes } => {
                Row::Act { title, lanes: lanes.into_iter().map(LaneId).collect() }
            }
            Self::Arrow { at_ms, hub, spokes, direction, wire, label, detail, failed } => {
                Row::Arrow(Arrow {
                    at: duration(at_ms),
                    hub: LaneId(hub),
                    spokes: spokes.into_iter().map(LaneId).collect(),
                    direction: direction.into(),
                    wire: wire.into(),
                    label,
                    detail,
                    failed,
                })
            }
            Self::Note { at_ms, lane, text, tone } => {
                Row::Note { at: duration(at_ms), lane: LaneId(lane), text, tone: tone.into() }
            }
            Self::Band { at_ms, text, tone } => {
                Row::Band { at: duration(at_ms), text, tone: tone.into() }
            }
            Self::Alive { lane, alive } => Row::Alive { lane: LaneId(lane), alive },
            Self::Gap => Row::Gap,
        }
    }
}
