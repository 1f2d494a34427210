//! Numbers for plotters.

use std::fmt::Write as _;

use crate::recorder::{Metric, decode};
use crate::result::Document;

/// Steps between two halvings of what is above a percentile, as HdrHistogram's own writers have.
const TICKS_PER_HALF: u32 = 5;

/// A row for every window; latencies in microseconds.
pub(super) fn csv(document: &Document) -> String {
    let mut out = String::from(
        "at_s,sent,acked,refused,delivered,delivery_p50_us,delivery_p90_us,delivery_p99_us,\
         delivery_p999_us,delivery_max_us,cpu\n",
    );
    for window in &document.windows {
        let figures = &window.delivery;
        _ = writeln!(
            out,
            "{:.3},{},{},{},{},{},{},{},{},{},{:.3}",
            window.at as f64 / 1e6,
            window.sent,
            window.acked,
            window.refused,
            window.delivered,
            figures.p50,
            figures.p90,
            figures.p99,
            figures.p999,
            figures.max,
            window.cpu
        );
    }
    out
}

/// The percentiles of `delivery`, in milliseconds.
pub(super) fn hgrm(document: &Document) -> String {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let delivery = Metric::Delivery.name();
    let measured = document.metrics.iter().find(|one| one.name == delivery);
    let histogram = measured.and_then(|one| decode(&one.histogram).ok());
    let Some(histogram) = histogram else { return out };
    let mut count = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        count += step.count_since_last_iteration();
        let (value, part) = (step.value_iterated_to() as f64 / 1e3, step.quantile_iterated_to());
        _ = write!(out, "{value:>12.3} {part:>14.12} {count:>10}");
        match part < 1.0 {
            true => _ = writeln!(out, " {:>14.2}", 1.0 / (1.0 - part)),
            false => out.push('\n'),
        }
    }
    _ = writeln!(
        out,
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]\n#[Max     = {:>12.3}, Total count    = {:>12}]",
        histogram.mean() / 1e3,
        histogram.stdev() / 1e3,
        histogram.max() as f64 / 1e3,
        histogram.len()
    );
    out
}
