//! One page with charts: latency spectrum, heat over time, throughput, reach, rig.

use hdrhistogram::Histogram;
use trialogue_report::diagram::Tone;
use trialogue_report::format::chart::{Axis, Scale, Series, heat, lines};
use trialogue_report::format::sheet::{Part, Sheet};

use super::word;
use crate::recorder::decode;
use crate::result::{Document, Verdict, Window};

/// Latencies whose spectrum is drawn.
const DRAWN: [&str; 4] = ["delivery", "delivery_uncorrected", "ack", "send_lag"];
/// Most points of a spectrum.
const STEPS_PER_HALF: u32 = 4;
/// Rows of a heat map for each power of ten.
const ROWS_PER_TEN: f64 = 12.0;

const SECONDS: Axis = Axis { scale: Scale::Linear, label: |value| format!("{value:.0} s") };
const COUNT: Axis = Axis { scale: Scale::Linear, label: |value| format!("{value:.0}") };
const MILLIS: Axis = Axis { scale: Scale::Log, label: |value| format!("{value} ms") };
const PART: Axis = Axis { scale: Scale::Linear, label: |value| format!("{:.0} %", value * 100.0) };
/// One in so many is slower.
const ONE_IN: Axis = Axis { scale: Scale::Log, label: one_in };

fn one_in(value: f64) -> String {
    match 1.0 - 1.0 / value.max(1.0) {
        part if part < 0.5 => "0 %".to_owned(),
        part => format!("{} %", (part * 1e9).round() / 1e7),
    }
}

pub(super) fn write(document: &Document) -> String {
    let tone = if document.verdict == Verdict::Passed { Tone::Good } else { Tone::Bad };
    let facts = crate::show::facts(document);
    let facts = facts.into_iter().map(|(name, value, tone)| (tone, vec![name.to_owned(), value]));
    let mut parts = vec![Part::Table(Vec::new(), facts.collect())];
    let mut chart = |heading: &str, svg: String| {
        parts.push(Part::Heading(heading.to_owned()));
        parts.push(Part::Chart(svg));
    };
    chart(
        "Latency spectrum",
        lines("latency by percentile", (ONE_IN, MILLIS), &spectrum(document)),
    );
    chart(
        "Deliveries over time and latency",
        heat("deliveries", (SECONDS, MILLIS), &map(document)),
    );
    chart("Latency over time", lines("latency", (SECONDS, MILLIS), &latencies(document)));
    chart("A second", lines("messages and deliveries", (SECONDS, COUNT), &throughput(document)));
    chart("Reach and rig", lines("reach and processor", (SECONDS, PART), &health(document)));
    let lead = format!(
        "{}, {}, run {}, {} ({})",
        document.tool, document.started, document.run, document.target, document.dialect
    );
    let title = "trialogue load".to_owned();
    Sheet { title, word: (word(document.verdict).to_owned(), tone), lead, parts }.write()
}

fn spectrum(document: &Document) -> Vec<Series> {
    let measured = document.metrics.iter().filter(|one| DRAWN.contains(&one.name.as_str()));
    let series = measured.map(|one| {
        let points = decode(&one.histogram).map(|histogram| points(&histogram));
        Series { name: one.name.clone(), points: points.unwrap_or_default() }
    });
    series.collect()
}

fn points(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = histogram.len() as f64;
    let steps = histogram.iter_quantiles(STEPS_PER_HALF);
    let points = steps.map(|step| {
        let part = step.quantile_iterated_to();
        let one_in = if part < 1.0 { (1.0 / (1.0 - part)).min(most) } else { most };
        (one_in.max(1.0), step.value_iterated_to() as f64 / 1e3)
    });
    points.collect()
}

fn map(document: &Document) -> Vec<(f64, Vec<(f64, u64)>)> {
    let column = |window: &Window| {
        let mut cells: Vec<(f64, u64)> = Vec::new();
        if let Ok(histogram) = decode(&window.histogram) {
            for step in histogram.iter_recorded() {
                let value = (step.value_iterated_to() as f64 / 1e3).max(1e-3);
                let row = (value.log10() * ROWS_PER_TEN).floor() / ROWS_PER_TEN;
                let (row, count) = (10_f64.powf(row), step.count_at_value());
                match cells.last_mut() {
                    Some((last, sum)) if (*last - row).abs() < 1e-9 => *sum += count,
                    Some(_) | None => cells.push((row, count)),
                }
            }
        }
        (window.at as f64 / 1e6, cells)
    };
    document.windows.iter().map(column).collect()
}

fn over_time(document: &Document, name: &str, value: impl Fn(&Window) -> f64) -> Series {
    let points = document.windows.iter().map(|one| (one.at as f64 / 1e6, value(one)));
    Series { name: name.to_owned(), points: points.collect() }
}

fn latencies(document: &Document) -> Vec<Series> {
    let measured: Vec<Window> =
        document.windows.iter().filter(|window| window.delivery.count > 0).cloned().collect();
    let series = |name: &str, value: &dyn Fn(&Window) -> u64| Series {
        name: name.to_owned(),
        points: measured.iter().map(|one| (one.at as f64 / 1e6, value(one) as f64 / 1e3)).collect(),
    };
    vec![
        series("p50", &|one| one.delivery.p50),
        series("p90", &|one| one.delivery.p90),
        series("p99", &|one| one.delivery.p99),
        series("max", &|one| one.delivery.max),
    ]
}

fn throughput(document: &Document) -> Vec<Series> {
    vec![
        over_time(document, "sent", |one| one.sent as f64),
        over_time(document, "stored", |one| one.acked as f64),
        over_time(document, "refused", |one| one.refused as f64),
        over_time(document, "delivered", |one| one.delivered as f64),
    ]
}

fn health(document: &Document) -> Vec<Series> {
    let members = f64::from(document.plan.members);
    vec![
        over_time(document, "delivered of sent", |one| match one.sent {
            0 => 1.0,
            sent => (one.delivered as f64 / (sent as f64 * members)).min(1.0),
        }),
        over_time(document, "a worker's core", |one| one.cpu),
    ]
}
