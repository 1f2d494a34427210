//! What came of a run: the one document that all reports are made of.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

use crate::facts::Facts;
use crate::plan::{Plan, Way};
use crate::recorder::{Figures, Metric, decode, encode, figures};
use crate::rig::Rig;
use crate::slo::Judged;
pub use crate::unrest::{FailedIteration, Iterations, Recovery};
use crate::verdict::{Counts, Example, Fault};

/// The shape of the document, in its field `schema`. The number grows when a field changes its
/// meaning or goes; new fields may come without.
pub const SCHEMA: &str = "trialogue-load/1";

/// JSON Schema of the document, for those who read it with other tools.
pub const JSON_SCHEMA: &str = include_str!("../result.schema.json");

/// What follows from a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every message came to everybody once, in order, in time, and every objective was met.
    Passed,
    /// Something was wrong, or an objective was missed.
    Failed,
    /// Nothing wrong was seen, and too little follows: the rig was the limit, or nothing happened.
    Inconclusive,
}

/// A metric: its figures and its histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name, as in expressions.
    pub name: String,
    /// In microseconds.
    #[serde(flatten)]
    pub figures: Figures,
    /// HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

impl Measured {
    /// What was recorded of this metric.
    pub(crate) fn of(name: &str, histogram: &Histogram<u64>) -> Self {
        let (figures, histogram) = (figures(histogram), encode(histogram));
        Self { name: name.to_owned(), figures, histogram }
    }

    /// Adds what was measured elsewhere to the metrics of the same names.
    ///
    /// # Errors
    /// A histogram that is none: a sentence.
    pub(crate) fn add(to: &mut Vec<Self>, more: &[Self]) -> Result<(), String> {
        for one in more {
            let fault = |why: String| format!("{}: no histogram: {why}", one.name);
            match to.iter_mut().find(|known| known.name == one.name) {
                None => to.push(one.clone()),
                Some(known) => {
                    let mut sum = decode(&known.histogram).map_err(fault)?;
                    let more = decode(&one.histogram).map_err(fault)?;
                    sum.add(&more).map_err(|error| fault(error.to_string()))?;
                    *known = Self::of(&one.name, &sum);
                }
            }
        }
        Ok(())
    }
}

/// One second or more of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Its end, microseconds after the begin.
    pub at: Micros,
    /// Messages sent in it.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages refused.
    pub refused: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Of the deliveries that came in it, in microseconds.
    pub delivery: Figures,
    /// The same as a histogram; see [`Measured::histogram`].
    pub histogram: String,
    /// Everything else that was measured in it, so that any part of a run can be looked at alone.
    #[serde(default)]
    pub others: Vec<Measured>,
    /// Part of a core that the busiest worker had.
    pub cpu: f64,
}

impl Window {
    /// All that was measured in it.
    pub fn metrics(&self) -> Vec<Measured> {
        let delivery = (self.delivery.count > 0).then(|| Measured {
            name: Metric::Delivery.name().to_owned(),
            figures: self.delivery,
            histogram: self.histogram.clone(),
        });
        delivery.into_iter().chain(self.others.iter().cloned()).collect()
    }

    /// The figures of a metric, if it was measured.
    pub fn figures(&self, metric: Metric) -> Option<Figures> {
        self.measured(metric.name()).map(|(figures, _)| figures)
    }

    /// Figures and histogram of what has this name, if it was measured.
    pub(crate) fn measured(&self, name: &str) -> Option<(Figures, &str)> {
        if name == Metric::Delivery.name() {
            return (self.delivery.count > 0).then_some((self.delivery, self.histogram.as_str()));
        }
        let found = self.others.iter().find(|one| one.name == name);
        found.map(|one| (one.figures, one.histogram.as_str()))
    }
}

/// How the server fared at a moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Microseconds after the begin.
    pub at: Micros,
    /// Cores that its process had since the last sample: 1.5 is one and a half.
    pub cpu: Option<f64>,
    /// Its memory in bytes.
    pub resident: Option<u64>,
    /// What it says of itself, by names as in `sockets{namespace="/chat"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// One run of a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its name.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// What followed from it alone.
    pub verdict: Verdict,
    /// Messages sent.
    pub sent: u64,
    /// Whether all of it was done.
    pub complete: bool,
}

/// Connections that ended by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// How many.
    pub count: u64,
    /// Why, and how many for that.
    pub reasons: Vec<(String, u64)>,
    /// Those of them that were not let in, by the step of their way: TCP, TLS, upgrade (the
    /// websocket or the first poll), handshake (Engine.IO), CONNECT, join.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<(String, u64)>,
}

impl Cut {
    /// At which steps sockets were not let in, to be shown behind the reasons.
    pub(crate) fn told_steps(&self) -> String {
        let told = self.steps.iter().map(|(step, times)| format!("{times} at {step}"));
        let told = told.collect::<Vec<_>>().join(", ");
        if told.is_empty() { told } else { format!(" (not let in: {told})") }
    }
}

/// Sockets that went one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Travelled {
    /// Which way.
    pub way: Way,
    /// How many.
    pub sockets: u64,
    /// How many of them were on a websocket at the end: of those that were to move, the others stayed
    /// with polling, or were gone.
    pub on_websocket: u64,
}

impl Travelled {
    /// Adds the sockets of another worker or run.
    pub(crate) fn add(to: &mut Vec<Self>, more: &[Self]) {
        for one in more {
            match to.iter_mut().find(|known| known.way == one.way) {
                None => to.push(one.clone()),
                Some(known) => {
                    known.sockets += one.sockets;
                    known.on_websocket += one.on_websocket;
                }
            }
        }
    }
}

/// How many cases there are of a wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cases {
    /// Which wrong.
    pub fault: Fault,
    /// How many.
    pub count: u64,
}

/// Older documents are of servers that promise it.
fn yes() -> bool {
    true
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// Who made it, with its version.
    pub tool: String,
    /// When the run began, RFC 3339.
    pub started: String,
    /// Its name, which is in every text that it sent.
    pub run: String,
    /// Scheme, host and port.
    pub target: String,
    /// How it speaks.
    pub dialect: String,
    /// Whether it promises to keep the order of one sender; else misorder is counted, and is no fault.
    #[serde(default = "yes")]
    pub order_promised: bool,
    /// What was to be done.
    pub plan: Plan,
    /// Whether all of that was done; not so after an interrupt.
    pub complete: bool,
    /// Somebody has changed its rate or paused it while it went on.
    #[serde(default)]
    pub steered: bool,
    /// What follows.
    pub verdict: Verdict,
    /// The expression that ended it early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<Judged>,
    /// Why it is not passed: sentences.
    pub why: Vec<String>,
    /// Microseconds until every socket was in its room.
    #[serde(default)]
    pub joining: Micros,
    /// The part of a run that this is, from and to, where it is not all of it: what was wrong, and
    /// the reach, are of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(Micros, Micros)>,
    /// Microseconds from the first send to the last.
    pub took: Micros,
    /// How much happened, the warm-up included.
    pub counts: Counts,
    /// Part of what was owed that came.
    pub reach: f64,
    /// Messages a second that went out.
    pub rate: f64,
    /// Deliveries a second.
    pub delivery_rate: f64,
    /// What was wrong, and how often.
    pub faults: Vec<Cases>,
    /// The first cases of each.
    pub examples: Vec<Example>,
    /// Connections that ended by themselves.
    pub cut: Cut,
    /// What became of sockets that lost the server on purpose; absent where none was to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Microseconds after the last send until the last delivery.
    #[serde(default)]
    pub behind: Micros,
    /// How sockets travelled, where not all went over a websocket from the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub travelled: Vec<Travelled>,
    /// The scenario that was the load, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Iterations>,
    /// What was measured, the warm-up left out.
    pub metrics: Vec<Measured>,
    /// The run in the order of time.
    pub windows: Vec<Window>,
    /// How the rig fared.
    pub rig: Rig,
    /// How the server fared, where that was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server: Vec<Sample>,
    /// The runs of which this is the sum; none when it is of one run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Objectives and what came of them.
    pub slos: Vec<Judged>,
}

impl Document {
    /// The value of a name in an expression: `delivery.p99` in microseconds, `lost`, `reach`. None
    /// when nothing was measured.
    pub fn value(&self, name: &str) -> Option<f64> {
        let figures = |metric: &str| {
            self.metrics.iter().find(|one| one.name == metric).map(|one| one.figures)
        };
        let facts = Facts {
            took: self.took,
            sockets: figures(Metric::Join.name()).map_or(0, |join| join.count),
            joining: self.joining,
            cut: self.cut.count,
            recovery: self.recovery.as_ref(),
            iterations: self.scenario.as_ref(),
            cpu: self.rig.cpu,
            rig: Some(&self.rig),
            ..Facts::of(&self.counts, &figures)
        };
        facts.value(name)
    }

    /// When the last message was sent, microseconds after the begin.
    pub(crate) fn until(&self) -> Micros {
        self.span.map_or(self.took, |(_, to)| to)
    }

    /// Whether cases of it are held against the server, and not only told.
    pub(crate) fn is_wrong(&self, fault: Fault) -> bool {
        match fault {
            // A late rig makes everything late.
            Fault::Late => !self.rig.is_saturated(),
            Fault::Reordered => self.order_promised,
            _ => true,
        }
    }
}
