//! Latencies, each metric in a histogram of three digits, and their figures.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

use crate::result::Measured;

/// Digits of a value that are kept: it is off by a thousandth at most.
const DIGITS: u8 = 3;

/// What is measured, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// From the intended moment of a send to each receiver.
    Delivery,
    /// The same from the moment at which it was sent.
    Uncorrected,
    /// From the intended moment to the acknowledgement.
    Ack,
    /// From the intended moment to the moment at which it was sent.
    SendLag,
    /// From the intended moment to the moment at which the rig got round to it.
    Slip,
    /// From the intended moment to the first receiver.
    First,
    /// From the intended moment to the last receiver.
    Last,
    /// From the first receiver to the last.
    Spread,
    /// From the begin of a connection to its place in a room.
    Join,
    /// From the fault to the moment at which a socket saw that it had lost the server.
    Seen,
    /// From the fault to the socket's next session.
    Reconnected,
    /// From the fault to its place in its room.
    Rejoined,
    /// From the fault to the last page of what it had missed.
    CaughtUp,
    /// From the begin of the connection that succeeded to each message that was caught up with.
    Replay,
    /// From asking to leave a room, or to enter it again, to the answer.
    Move,
    /// From the intended moment of asking for a page of history to the page.
    Page,
    /// Deliveries to sockets that travel so, where they travel in several ways.
    OverWebsocket,
    /// See `OverWebsocket`.
    OverPolling,
    /// See `OverWebsocket`.
    OverUpgrade,
    /// From the moment at which a worker's loop should have woken to the one at which it did.
    Loop,
}

impl Metric {
    /// Those of messages that were answered or came: of what never did there is nothing in them.
    pub(crate) const OF_ANSWERS: [Self; 6] =
        [Self::Delivery, Self::Uncorrected, Self::Ack, Self::First, Self::Last, Self::Spread];

    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Delivery,
        Self::Uncorrected,
        Self::Ack,
        Self::SendLag,
        Self::Slip,
        Self::First,
        Self::Last,
        Self::Spread,
        Self::Join,
        Self::Seen,
        Self::Reconnected,
        Self::Rejoined,
        Self::CaughtUp,
        Self::Replay,
        Self::Move,
        Self::Page,
        Self::OverWebsocket,
        Self::OverPolling,
        Self::OverUpgrade,
        Self::Loop,
    ];

    /// Its name in results and expressions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Uncorrected => "delivery_uncorrected",
            Self::Ack => "ack",
            Self::SendLag => "send_lag",
            Self::Slip => "slip",
            Self::First => "first",
            Self::Last => "last",
            Self::Spread => "spread",
            Self::Join => "join",
            Self::Seen => "seen",
            Self::Reconnected => "reconnected",
            Self::Rejoined => "rejoined",
            Self::CaughtUp => "caught_up",
            Self::Replay => "replay",
            Self::Move => "move",
            Self::Page => "page",
            Self::OverWebsocket => "delivery_websocket",
            Self::OverPolling => "delivery_polling",
            Self::OverUpgrade => "delivery_upgrade",
            Self::Loop => "loop",
        }
    }
}

/// A histogram of every metric. Between machines it travels as [`encode`] writes each of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct Recording(Vec<Histogram<u64>>);

/// The figures of one metric, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Values.
    pub count: u64,
    /// The least one.
    pub min: Micros,
    /// Their mean.
    pub mean: f64,
    /// Half of them are at most this.
    pub p50: Micros,
    /// 90 %.
    pub p90: Micros,
    /// 99 %.
    pub p99: Micros,
    /// 99.9 %.
    pub p999: Micros,
    /// All of them.
    pub max: Micros,
}

impl Figures {
    /// By the name that it has in expressions; none when nothing was measured.
    pub fn value(&self, figure: &str) -> Option<f64> {
        let value = match figure {
            "count" => return Some(self.count as f64),
            "min" => self.min as f64,
            "mean" => self.mean,
            "p50" => self.p50 as f64,
            "p90" => self.p90 as f64,
            "p99" => self.p99 as f64,
            "p99.9" | "p999" => self.p999 as f64,
            "max" => self.max as f64,
            _ => return None,
        };
        (self.count > 0).then_some(value)
    }
}

pub(crate) fn empty() -> Histogram<u64> {
    // It grows with its largest value. Three digits are within the library's bounds.
    Histogram::new(DIGITS).expect("three digits")
}

impl From<Recording> for Vec<String> {
    fn from(recording: Recording) -> Self {
        recording.0.iter().map(encode).collect()
    }
}

impl TryFrom<Vec<String>> for Recording {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.len() != Metric::ALL.len() {
            return Err("another number of metrics".to_owned());
        }
        texts.iter().map(|text| decode(text)).collect::<Result<_, _>>().map(Self)
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self(Metric::ALL.map(|_| empty()).into())
    }
}

impl Recording {
    /// Takes a value in.
    pub fn record(&mut self, metric: Metric, value: Micros) {
        // A histogram that grows refuses nothing.
        let recorded = self.0[metric as usize].record(value);
        debug_assert!(recorded.is_ok(), "{recorded:?}");
    }

    /// Adds another recording.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            let added = ours.add(theirs);
            debug_assert!(added.is_ok(), "{added:?}");
        }
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Self {
        let taken = self.clone();
        self.0.iter_mut().for_each(Histogram::reset);
        taken
    }

    /// The histogram of one metric.
    pub fn of(&self, metric: Metric) -> &Histogram<u64> {
        &self.0[metric as usize]
    }

    /// The usual figures of one metric.
    pub fn figures(&self, metric: Metric) -> Figures {
        figures(self.of(metric))
    }
}

/// What results keep of the metrics that have any values, as far as they are wanted.
pub(crate) fn measured(of: &Recording, wanted: impl Fn(Metric) -> bool) -> Vec<Measured> {
    let metrics = Metric::ALL.into_iter().filter(|metric| wanted(*metric));
    let metrics = metrics.filter(|metric| !of.of(*metric).is_empty());
    metrics.map(|metric| Measured::of(metric.name(), of.of(metric))).collect()
}

/// The usual figures.
pub fn figures(of: &Histogram<u64>) -> Figures {
    if of.is_empty() {
        return Figures::default();
    }
    let at = |part| of.value_at_quantile(part).min(of.max());
    Figures {
        count: of.len(),
        min: of.min(),
        mean: of.mean(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: of.max(),
    }
}

/// As results keep it: HdrHistogram V2, deflated, in base64. Empty for an empty one.
pub fn encode(of: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    if of.is_empty() || V2DeflateSerializer::new().serialize(of, &mut bytes).is_err() {
        // Writing into memory fails for nobody.
        return String::new();
    }
    BASE64_STANDARD.encode(bytes)
}

/// The histogram that [`encode`] wrote.
///
/// # Errors
/// It is not one: a sentence.
pub fn decode(text: &str) -> Result<Histogram<u64>, String> {
    if text.is_empty() {
        return Ok(empty());
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?;
    let read = Deserializer::new().deserialize(&mut bytes.as_slice());
    let mut histogram: Histogram<u64> = read.map_err(|error| error.to_string())?;
    // Others are added to it, whose values are larger.
    histogram.auto(true);
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_comes_back_from_results() {
        let mut one = Recording::default();
        (1..=1_000).for_each(|n| one.record(Metric::Delivery, n * 1_000));
        let mut sum = one.take();
        assert_eq!(one.figures(Metric::Delivery), Figures::default());
        one.record(Metric::Delivery, 90_000_000);
        sum.add(&one);
        let told = sum.figures(Metric::Delivery);
        assert_eq!((told.count, told.min, told.max / 1_000_000), (1_001, 1_000, 90));
        assert!(told.p50.abs_diff(500_000) <= 2_000 && told.p99.abs_diff(990_000) <= 2_000);
        let words = serde_json::to_string(&sum).unwrap();
        let back: Recording = serde_json::from_str(&words).unwrap();
        assert_eq!(back.figures(Metric::Delivery), told);
        assert!(serde_json::from_str::<Recording>("[\"\"]").is_err());
        let back = decode(&encode(sum.of(Metric::Delivery))).unwrap();
        assert_eq!(figures(&back), told);
        assert_eq!(figures(&decode(&encode(sum.of(Metric::Ack))).unwrap()), Figures::default());
        assert!(decode("nonsense").is_err());
        let mut small = Recording::default();
        small.record(Metric::Delivery, 5);
        let mut small = decode(&encode(small.of(Metric::Delivery))).unwrap();
        small.add(&back).expect("it grows");
    }
}
