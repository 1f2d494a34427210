//! How long acknowledged messages take to become visible: one histogram, exact to 0.1 %.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::key::Micros;

/// Three digits: a thousandth of the value.
const DIGITS: u8 = 3;
/// Longer ones count as this: an hour.
const RECORDED_MAX: Micros = 3_600_000_000;

/// Every wait of a run. It takes about 200 kB, however many there are.
#[derive(Debug, Clone)]
pub struct Latency {
    waits: Histogram<u64>,
    max: Micros,
}

/// The figures of [`Latency`], in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// Waits that were measured.
    pub samples: u64,
    /// Half of them were at most this.
    pub p50: Micros,
    /// 95 % of them.
    pub p95: Micros,
    /// 99 % of them.
    pub p99: Micros,
    /// All of them.
    pub max: Micros,
}

impl Default for Latency {
    fn default() -> Self {
        let waits = Histogram::new_with_bounds(1, RECORDED_MAX, DIGITS);
        Self { waits: waits.expect("1 us and 1 h are bounds in order"), max: 0 }
    }
}

impl Latency {
    pub(crate) fn record(&mut self, wait: Micros) {
        self.waits.saturating_record(wait);
        self.max = self.max.max(wait);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so this cannot fail.
        let added = self.waits.add(&other.waits);
        debug_assert!(added.is_ok(), "{added:?}");
        self.max = self.max.max(other.max);
    }

    /// The wait that this part (0 to 1) of all did not exceed.
    pub fn quantile(&self, part: f64) -> Micros {
        self.waits.value_at_quantile(part).min(self.max)
    }

    /// The usual figures.
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            samples: self.waits.len(),
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            max: self.max,
        }
    }
}
