//! What happened between the lanes of a sequence diagram, one row at a time.
//!
//! Rows are facts in the order in which they are shown; every writer (terminal, and later Mermaid
//! and SVG) reads the same ones.

use std::time::Duration;

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
