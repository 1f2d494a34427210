//! What is told of a history: a verdict, what was found, why it may be doubted, and the figures.

mod doubt;
mod text;

use serde::{Serialize, Serializer};

use crate::config::{Invariant, Invariants};
use crate::key::Micros;
use crate::latency::Latency;

pub use doubt::Doubt;
pub(crate) use doubt::Missing;

/// Whether a history kept every promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did, and enough happened to say so.
    Valid,
    /// Nothing wrong was found, and too little happened to say more.
    Unknown,
    /// Something was wrong.
    Invalid,
}

/// What can be wrong, by the names of RELIABILITY §3.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// I1: an acknowledged message is not in the table.
    Lost,
    /// I1: a message is told, or stored, in two ways.
    Mutated,
    /// I2: more than one row, frame or line of one message, or rows with one key.
    Duplicate,
    /// I3: a seq that no message has.
    Hole,
    /// I3: a seq that two messages have, or a counter that is not the last seq.
    Counter,
    /// I4: messages of two senders in a wrong order.
    Misordered,
    /// I4: messages of one sender in a wrong order.
    SenderMisordered,
    /// I5: a member has nothing from here on: its tail is lost.
    NeverRead,
    /// I5: a member has a later message and not this one.
    Skipped,
    /// I6: somebody saw, or the table holds, what nobody sent.
    Phantom,
    /// I6: somebody saw, or the table holds, what certainly failed.
    AbortedRead,
    /// I7: something of a chat came to somebody who is not in it.
    Leak,
    /// I8: somebody saw a message, or its acknowledgement, without a row.
    BroadcastBeforePersist,
    /// I9: visible too late.
    Stale,
    /// I10: a notification is missing, or is one too many.
    Notification,
}

impl Wrong {
    /// The word of RELIABILITY §3.0 for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Mutated => "mutated",
            Self::Duplicate => "duplicate",
            Self::Hole => "hole",
            Self::Counter => "counter",
            Self::Misordered | Self::SenderMisordered => "misordered",
            Self::NeverRead => "never-read",
            Self::Skipped => "skipped",
            Self::Phantom => "phantom",
            Self::AbortedRead => "aborted read",
            Self::Leak => "leak",
            Self::BroadcastBeforePersist => "broadcast before persist",
            Self::Stale => "stale",
            Self::Notification => "notification",
        }
    }

    /// The invariant that it breaks.
    pub fn invariant(self) -> Invariant {
        match self {
            Self::Lost | Self::Mutated => Invariant::I1,
            Self::Duplicate => Invariant::I2,
            Self::Hole | Self::Counter => Invariant::I3,
            Self::Misordered | Self::SenderMisordered => Invariant::I4,
            Self::NeverRead | Self::Skipped => Invariant::I5,
            Self::Phantom | Self::AbortedRead => Invariant::I6,
            Self::Leak => Invariant::I7,
            Self::BroadcastBeforePersist => Invariant::I8,
            Self::Stale => Invariant::I9,
            Self::Notification => Invariant::I10,
        }
    }
}

/// One case of something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The chat.
    pub chat: String,
    /// The client or the user that it happened to, if it did not happen to all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The message's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The print of the message, as histories write `h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When, microseconds of the run's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
    /// What exactly, in words.
    pub text: String,
}

/// Everything of one kind that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind, finer than its name.
    #[serde(skip)]
    pub wrong: Wrong,
    /// The invariant that is broken.
    pub invariant: Invariant,
    /// The name of the wrong.
    pub name: &'static str,
    /// How many cases there are.
    pub count: u64,
    /// The first of them, by chat, seq and name.
    pub examples: Vec<Example>,
}

/// How much happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Operations.
    pub ops: u64,
    /// Messages that somebody tried to send.
    pub sends: u64,
    /// Tries, with repeats.
    pub invokes: u64,
    /// Acknowledgements.
    pub oks: u64,
    /// Refusals.
    pub fails: u64,
    /// Tries with an unknown end.
    pub infos: u64,
    /// Frames.
    pub frames: u64,
    /// Lines that apps showed.
    pub lines: u64,
    /// Messages in pages of history.
    pub reads: u64,
    /// Rows of messages in the dump.
    pub rows: u64,
    /// Pairs of a client and a chat.
    pub receivers: u64,
    /// Faults that were fired.
    pub faults: u32,
    /// Sends that met one: an unknown end, a retry, or a fault while they were under way.
    pub met_faults: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.ops += other.ops;
        self.sends += other.sends;
        self.invokes += other.invokes;
        self.oks += other.oks;
        self.fails += other.fails;
        self.infos += other.infos;
        self.frames += other.frames;
        self.lines += other.lines;
        self.reads += other.reads;
        self.rows += other.rows;
        self.receivers += other.receivers;
        // All parts saw the same faults.
        self.faults = self.faults.max(other.faults);
        self.met_faults += other.met_faults;
    }
}

/// The whole judgement.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// In one word: invalid when anything was found, else unknown when anything is doubtful.
    pub verdict: Verdict,
    /// What was wrong, by invariant.
    pub findings: Vec<Finding>,
    /// Why nothing is proved.
    pub doubts: Vec<Doubt>,
    /// How much happened.
    pub counts: Counts,
    /// From an acknowledgement to the eyes of each receiver that was in the room.
    #[serde(serialize_with = "summary")]
    pub visible: Latency,
    #[serde(skip)]
    pub(crate) terms: Terms,
}

/// By what a report was made: merging makes the verdict again.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) faults_ordered: u32,
    pub(crate) examples_max: usize,
    pub(crate) missing: Missing,
}

fn summary<S: Serializer>(visible: &Latency, serializer: S) -> Result<S::Ok, S::Error> {
    visible.summary().serialize(serializer)
}

impl Report {
    pub(crate) fn new(
        findings: Vec<Finding>,
        counts: Counts,
        visible: Latency,
        terms: Terms,
    ) -> Self {
        let doubts = doubt::doubts(&counts, &terms);
        let verdict = verdict(!findings.is_empty(), !doubts.is_empty());
        Self { verdict, findings, doubts, counts, visible, terms }
    }

    /// The verdict over some invariants alone, for those who ask for less than everything.
    pub fn verdict_of(&self, invariants: Invariants) -> Verdict {
        let broken = self.findings.iter().any(|one| invariants.contains(one.invariant));
        verdict(broken, !self.doubts.is_empty())
    }

    /// How many cases of this kind there are.
    pub fn count(&self, wrong: Wrong) -> u64 {
        self.findings.iter().filter(|one| one.wrong == wrong).map(|one| one.count).sum()
    }

    /// Adds the judgement over another part of the same run, by another checker with the same
    /// configuration: chats that no other part has, and the same faults.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        let examples_max = self.terms.examples_max;
        for theirs in other.findings {
            match self.findings.iter_mut().find(|ours| ours.wrong == theirs.wrong) {
                Some(ours) => {
                    ours.count += theirs.count;
                    ours.examples.extend(theirs.examples);
                    ours.examples.truncate(examples_max);
                }
                None => self.findings.push(theirs),
            }
        }
        self.findings.sort_by_key(|one| one.wrong);
        self.counts.add(&other.counts);
        self.visible.add(&other.visible);
        self.terms.missing.add(other.terms.missing, examples_max);
        Self::new(self.findings, self.counts, self.visible, self.terms)
    }
}

fn verdict(broken: bool, doubtful: bool) -> Verdict {
    match (broken, doubtful) {
        (true, _) => Verdict::Invalid,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::Valid,
    }
}
