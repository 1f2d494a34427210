//! A distribution of durations whose hot path is two atomic additions: the library's own histogram
//! takes a lock for each observation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Bounds of the buckets, ascending; one more bucket takes what is longer.
type Bounds = &'static [Duration];

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Durations(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    bounds: Bounds,
    buckets: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

impl Durations {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inside { bounds, buckets, sum_ns: AtomicU64::new(0) }))
    }

    /// Counts one.
    pub(crate) fn observe(&self, took: Duration) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < took);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts: Vec<u64> = self.0.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        let bounds = self.0.bounds.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = Duration::from_nanos(self.0.sum_ns.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn an_observation_falls_into_the_bucket_that_bounds_it() {
        const BOUNDS: Bounds = &[Duration::from_millis(1), Duration::from_millis(10)];
        let durations = Durations::new(BOUNDS);
        for ms in [1, 2, 10, 11] {
            durations.observe(Duration::from_millis(ms));
        }
        let mut registry = Registry::default();
        registry.register("took", "how long", durations);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "took_bucket{le=\"0.001\"} 1",
            "took_bucket{le=\"0.01\"} 3",
            "took_bucket{le=\"+Inf\"} 4",
            "took_count 4",
            "took_sum 0.024",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
