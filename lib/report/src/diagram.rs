//! What happened between the lanes of a sequence diagram, one row at a time.
//!
//! Rows are facts in the order in which they are shown; every writer (terminal, Mermaid, SVG) reads
//! the same ones.

use std::time::Duration;

/// Most rows of one story (5,000): a picture of more is looked at by nobody.
pub const ROWS_MAX: usize = 5_000;

/// Everything of one diagram.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Story {
    /// Everybody who has a lane; a [`LaneId`] is a place in it.
    pub cast: Vec<Lane>,
    /// What happened, at most [`ROWS_MAX`] and one that says that there was more.
    pub rows: Vec<Row>,
}

impl Story {
    /// Adds a row, as long as there is room.
    pub fn push(&mut self, row: &Row) {
        match self.rows.len() {
            n if n < ROWS_MAX => self.rows.push(row.clone()),
            ROWS_MAX => {
                let text = format!("more than {ROWS_MAX} things happened: the rest is not drawn");
                let at = row.at().unwrap_or_default();
                self.rows.push(Row::Band { at, text, tone: Tone::Plain });
            }
            _ => {}
        }
    }

    /// Whether there is anything to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.rows.iter().any(|row| !matches!(row, Row::Act { .. } | Row::Gap))
    }

    /// The name of a lane.
    #[must_use]
    pub fn title(&self, lane: LaneId) -> &str {
        self.cast.get(lane.0).map_or("?", |lane| lane.title.as_str())
    }
}

/// A lane by its place in the cast: who appears in the diagram at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub usize);

/// One vertical line: a person, the server, the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Name above the line.
    pub title: String,
    /// Second line under the name; may be empty.
    pub detail: String,
}

impl Lane {
    /// A lane with a name and a second line under it.
    pub fn new(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { title: title.into(), detail: detail.into() }
    }
}

/// What an arrow stands for, as in the legend of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A request over HTTP and its answer.
    Http,
    /// An event on the socket, and the connection of the socket itself.
    Socket,
    /// Something that the server does with its database.
    Store,
}

/// In which direction an arrow between one lane (the hub) and others (the spokes) points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From every spoke to the hub.
    In,
    /// From the hub to every spoke.
    Out,
}

/// An arrow, or several that have one end in common: a broadcast is one hub and many spokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// When it was complete, since the beginning.
    pub at: Duration,
    /// The end that all have in common.
    pub hub: LaneId,
    /// The other ends; never the hub, never empty.
    pub spokes: Vec<LaneId>,
    /// Which end has the head.
    pub direction: Direction,
    /// What it stands for.
    pub wire: Wire,
    /// What goes over it.
    pub label: String,
    /// What is in it; may be empty.
    pub detail: String,
    /// It did not arrive.
    pub failed: bool,
}

/// How a note or a band is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Says what happens.
    Plain,
    /// Something that was verified and held.
    Good,
    /// Something broke, on purpose or not.
    Bad,
    /// Neither: nothing follows from it.
    Open,
}

/// One fact, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A new act begins, with its lanes from left to right.
    Act {
        /// Heading.
        title: String,
        /// Who takes part.
        lanes: Vec<LaneId>,
    },
    /// Something went from lane to lane.
    Arrow(Arrow),
    /// Something that a lane did or noticed by itself.
    Note {
        /// When, since the beginning.
        at: Duration,
        /// Whose.
        lane: LaneId,
        /// What.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// Something that concerns everybody: a fault, a verdict.
    Band {
        /// When, since the beginning.
        at: Duration,
        /// What.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// From here on a lane is gone (`false`) or there again (`true`). Draws nothing by itself.
    Alive {
        /// Which.
        lane: LaneId,
        /// There or gone.
        alive: bool,
    },
    /// One line of nothing, between steps that do not belong together.
    Gap,
}

impl Row {
    /// When it was, since the beginning; headings and gaps are at no time.
    #[must_use]
    pub fn at(&self) -> Option<Duration> {
        match self {
            Self::Arrow(arrow) => Some(arrow.at),
            Self::Note { at, .. } | Self::Band { at, .. } => Some(*at),
            Self::Act { .. } | Self::Alive { .. } | Self::Gap => None,
        }
    }
}
