//! Numbers for plotters.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::story::ITERATION;
use crate::recorder::{Figures, Metric, decode};
use crate::result::{Document, Sample, Window};

/// Steps between two halvings of what is above a percentile, as HdrHistogram's own writers have.
const TICKS_PER_HALF: u32 = 5;
/// The value in the head of an interval log is in milliseconds; histograms are in microseconds.
const MILLI: f64 = 1_000.0;
/// Most figures of the server in a table: each is a column.
const SCRAPED_MAX: usize = 200;

/// A row for every window: counts, latencies of every metric in microseconds, and how the server
/// fared at its end.
pub(super) fn csv(document: &Document) -> String {
    let measured = |name: &str| document.metrics.iter().any(|one| one.name == name);
    let is_story = document.scenario.is_some();
    // Of a scenario these are its steps, too; else the order does not depend on what was measured.
    let metrics: Vec<&str> = match is_story {
        true => document.metrics.iter().map(|one| one.name.as_str()).collect(),
        false => Metric::ALL.map(Metric::name).into_iter().filter(|name| measured(name)).collect(),
    };
    let names: BTreeSet<&str> =
        document.server.iter().flat_map(|one| one.metrics.keys()).map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().take(SCRAPED_MAX).collect();
    let mut out = String::from(match is_story {
        true => "at_s,begun,passed,failed,cpu",
        false => "at_s,sent,acked,refused,delivered,cpu",
    });
    for name in &metrics {
        _ = write!(out, ",{}", quoted(&format!("{name}_count")));
        for figure in ["p50", "p90", "p99", "p999", "max"] {
            _ = write!(out, ",{}", quoted(&format!("{name}_{figure}_us")));
        }
    }
    if !document.server.is_empty() {
        out.push_str(",server_cores,server_resident_bytes");
        names.iter().for_each(|name| _ = write!(out, ",{}", quoted(name)));
    }
    out.push('\n');
    for window in &document.windows {
        let (at, cpu) = (window.at as f64 / 1e6, window.cpu);
        let Window { sent, acked, refused, delivered, .. } = window;
        _ = write!(out, "{at:.3},{sent},{acked},{refused}");
        if !is_story {
            _ = write!(out, ",{delivered}");
        }
        _ = write!(out, ",{cpu:.3}");
        for name in &metrics {
            let Figures { count, p50, p90, p99, p999, max, .. } =
                window.measured(name).map_or_else(Figures::default, |(figures, _)| figures);
            _ = write!(out, ",{count},{p50},{p90},{p99},{p999},{max}");
        }
        if !document.server.is_empty() {
            server(&mut out, document, window.at, &names);
        }
        out.push('\n');
    }
    out
}

/// The sample that is nearest to the end of a window.
fn server(out: &mut String, document: &Document, at: u64, names: &[&str]) {
    let nearest = document.server.iter().min_by_key(|sample| sample.at.abs_diff(at));
    let none = Sample::default();
    let Sample { cpu, resident, metrics, .. } = nearest.unwrap_or(&none);
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    _ = write!(out, ",{},{}", number(*cpu), number(resident.map(|bytes| bytes as f64)));
    names.iter().for_each(|name| _ = write!(out, ",{}", number(metrics.get(*name).copied())));
}

/// A cell as RFC 4180 has it. A name of somebody else's must be no formula in a table.
fn quoted(text: &str) -> String {
    let text = text.trim_start_matches(['=', '+', '-', '@']);
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// The percentiles of `delivery`, or of whole iterations, in milliseconds.
pub(super) fn hgrm(document: &Document) -> String {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let wanted = if document.scenario.is_some() { ITERATION } else { Metric::Delivery.name() };
    let measured = document.metrics.iter().find(|one| one.name == wanted);
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
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]\n\
         #[Max     = {:>12.3}, Total count    = {:>12}]",
        histogram.mean() / 1e3,
        histogram.stdev() / 1e3,
        histogram.max() as f64 / 1e3,
        histogram.len()
    );
    out
}

/// The histograms of every window and metric, each with its name as tag, as HdrHistogram's log
/// tools read them.
///
/// # Errors
/// A histogram that is none.
pub(super) fn hlog(document: &Document) -> io::Result<String> {
    let fault = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    let began = DateTime::parse_from_rfc3339(&document.started);
    let began = began.map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
    let (mut text, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    {
        let mut builder = IntervalLogWriterBuilder::new();
        let comment = format!("{}, run {}; microseconds", document.tool, document.run);
        builder.add_comment(&comment).with_start_time(began).with_base_time(began);
        builder.with_max_value_divisor(MILLI);
        let mut log = builder.begin_log_with(&mut text, &mut serializer)?;
        let mut before = Duration::ZERO;
        for window in &document.windows {
            let end = Duration::from_micros(window.at);
            for one in window.metrics() {
                let histogram = decode(&one.histogram).map_err(|error| fault(&error))?;
                // A tag holds none of these; without one, it would count as something else.
                let name = one.name.replace([' ', ',', '\n', '\r'], "_");
                let over = end.saturating_sub(before);
                let written = log.write_histogram(&histogram, before, over, Tag::new(&name));
                written.map_err(|error| fault(&format!("{error:?}")))?;
            }
            before = end;
        }
    }
    String::from_utf8(text).map_err(|error| fault(&error))
}
