//! One page with charts: latency spectrum, heat over time, throughput, reach, rig, server.

use hdrhistogram::Histogram;
use trialogue_report::diagram::Tone;
use trialogue_report::format::chart::{Axis, Plot, Scale, Series, heat, lines, short};
use trialogue_report::format::sheet::{Part, Sheet};

use super::{story, word};
use crate::plan::Pace;
use crate::recorder::{Figures, Metric, decode};
use crate::result::{Document, Measured, Sample, Window};

/// Latencies whose spectrum is drawn.
const DRAWN: [&str; 5] = ["delivery", "delivery_uncorrected", "ack", "last", "send_lag"];
/// Most points of a spectrum.
const STEPS_PER_HALF: u32 = 4;
/// Rows of a heat map for each power of ten, and how many times on each is: its twelfth root.
const ROWS_PER_TEN: f64 = 12.0;
pub(super) const ROW: f64 = 1.211_527_658_628_588_5;
/// Most series of what the server says of itself that are drawn.
const SCRAPED_MAX: usize = 6;

pub(super) const SECONDS: Axis =
    Axis { scale: Scale::Linear, label: |value| format!("{} s", short(value)) };
pub(super) const COUNT: Axis = Axis { scale: Scale::Linear, label: short };
pub(super) const MILLIS: Axis =
    Axis { scale: Scale::Log, label: |value| format!("{} ms", short(value)) };
const PERCENT: Axis = Axis { scale: Scale::Linear, label: |value| format!("{} %", short(value)) };
const MIB: Axis = Axis { scale: Scale::Linear, label: |value| format!("{} MiB", short(value)) };
/// One in so many is slower.
pub(super) const ONE_IN: Axis = Axis { scale: Scale::Log, label: one_in };

fn one_in(value: f64) -> String {
    match 1.0 - 1.0 / value.max(1.0) {
        part if part < 0.05 => "0 %".to_owned(),
        part => format!("{} %", (part * 1e9).round() / 1e7),
    }
}

pub(super) fn write(document: &Document) -> String {
    let mut parts = vec![Part::Table(Vec::new(), told(document))];
    parts.push(Part::Heading("Times in milliseconds".to_owned()));
    parts.push(latency_table(&document.metrics));
    parts.push(Part::Charts(charts(document)));
    if !document.slos.is_empty() {
        parts.push(Part::Heading("Objectives".to_owned()));
        parts.push(objectives(document));
    }
    let lead = format!(
        "{}, {}, run {}, {} ({})",
        document.tool, document.started, document.run, document.target, document.dialect
    );
    let title = "trialogue load".to_owned();
    let tone = crate::show::verdict_tone(document.verdict);
    Sheet { title, word: (word(document.verdict).to_owned(), tone), lead, parts }.write()
}

/// The facts without what has tables of its own.
fn told(document: &Document) -> Vec<(Tone, Vec<String>)> {
    let is_time = |name: &str| Metric::ALL.iter().any(|metric| metric.name() == name);
    let facts = crate::show::facts(document).into_iter();
    let has_table = |name: &str| {
        is_time(name) || story::is_time(name) || [crate::show::TIMES, "objective"].contains(&name)
    };
    let kept = facts.filter(|(name, ..)| !has_table(name));
    kept.map(|(name, value, tone)| (tone, vec![name.to_owned(), value])).collect()
}

fn latency_table(metrics: &[Measured]) -> Part {
    let names = ["metric", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max"];
    let millis = |micros: u64| format!("{:.3}", micros as f64 / 1e3);
    let row = |one: &Measured| {
        let of = &one.figures;
        let times = [of.p50, of.p90, of.p99, of.p999, of.max].map(millis);
        let mut cells = vec![one.name.clone(), of.count.to_string(), millis(of.min)];
        cells.push(format!("{:.3}", of.mean / 1e3));
        cells.extend(times);
        (Tone::Plain, cells)
    };
    Part::Table(names.map(str::to_owned).into(), metrics.iter().map(row).collect())
}

fn objectives(document: &Document) -> Part {
    let row = |slo: &crate::slo::Judged| {
        let (word, tone) = match slo.held {
            Some(true) => ("held", Tone::Good),
            Some(false) => ("missed", Tone::Bad),
            None => ("open", Tone::Open),
        };
        (tone, vec![word.to_owned(), slo.to_string()])
    };
    let names = ["", "expression and values"].map(str::to_owned).into();
    Part::Table(names, document.slos.iter().map(row).collect())
}

fn charts(document: &Document) -> Vec<(String, String)> {
    let mut charts = match document.scenario {
        Some(_) => story::charts(document),
        None => of_messages(document),
    };
    charts.extend(of_the_rig(document));
    charts.extend(of_the_server(document));
    charts.into_iter().map(|(heading, svg)| (heading.to_owned(), svg)).collect()
}

fn of_messages(document: &Document) -> Vec<(&'static str, String)> {
    let delivery = Metric::Delivery.name();
    let marks = phases(document);
    let over_time = |title, up| Plot { title, axes: (SECONDS, up), marks: &marks };
    let spectrum_plot = Plot { title: "latency by percentile", axes: (ONE_IN, MILLIS), marks: &[] };
    let by_latency = over_time("deliveries by latency over time", MILLIS);
    vec![
        ("Latency by percentile", lines(&spectrum_plot, &spectrum(document))),
        (
            "Deliveries by latency over time (stronger: more)",
            heat(&by_latency, ROW, &map(document, delivery)),
        ),
        (
            "Latency of deliveries over time",
            lines(&over_time("latency over time", MILLIS), &latencies(document, delivery)),
        ),
        (
            "Messages per second",
            lines(&over_time("messages per second", COUNT), &messages(document)),
        ),
        (
            "Deliveries per second",
            lines(&over_time("deliveries per second", COUNT), &deliveries(document)),
        ),
        ("Reach, as far as it has come", lines(&over_time("reach", PERCENT), &reach(document))),
    ]
}

fn of_the_rig(document: &Document) -> [(&'static str, String); 2] {
    let marks = phases(document);
    let over_time = |title, up| Plot { title, axes: (SECONDS, up), marks: &marks };
    let processor = match document.scenario {
        Some(_) => "Rig: all cores of this machine (80 % on average is the limit)",
        None => "Rig: core of the busiest worker (80 % on average is the limit)",
    };
    [
        (processor, lines(&over_time("processor of the rig", PERCENT), &cores(document))),
        (
            "Rig: sends attempted too late (a p99 of 5 ms is the limit)",
            lines(&over_time("lateness of the rig", MILLIS), &slips(document)),
        ),
    ]
}

fn of_the_server(document: &Document) -> Vec<(&'static str, String)> {
    let marks = phases(document);
    let over_time = |title, up| Plot { title, axes: (SECONDS, up), marks: &marks };
    let mut charts = Vec::new();
    let server = |value: &dyn Fn(&Sample) -> Option<f64>, name: &str| Series {
        name: name.to_owned(),
        points: points_of(&document.server, value),
    };
    let cpu = server(&|one| one.cpu.map(|cores| cores * 100.0), "of a core");
    if !cpu.points.is_empty() {
        charts.push(("Server: processor", lines(&over_time("server processor", PERCENT), &[cpu])));
    }
    let mib = |one: &Sample| one.resident.map(|bytes| bytes as f64 / f64::from(1 << 20));
    let resident = server(&mib, "resident memory");
    if !resident.points.is_empty() {
        let plot = over_time("server memory", MIB);
        charts.push(("Server: memory", lines(&plot, &[resident])));
    }
    let said = scraped(&document.server);
    if !said.is_empty() {
        let heading = "Server: what changed of its own figures, per second";
        charts.push((heading, lines(&over_time("server figures", COUNT), &said)));
    }
    charts
}

fn points_of(samples: &[Sample], value: &dyn Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    samples.iter().filter_map(|one| Some((one.at as f64 / 1e6, value(one)?))).collect()
}

/// Where phases begin.
pub(super) fn phases(document: &Document) -> Vec<(f64, String)> {
    let Pace::Open { stages, .. } = &document.plan.pace else { return Vec::new() };
    let mut begin = 0.0;
    let mut marks = Vec::new();
    for stage in stages {
        marks.push((begin, stage.name.clone()));
        begin += stage.length as f64 / 1e6;
    }
    // One phase is no news.
    if marks.len() > 1 { marks } else { Vec::new() }
}

fn spectrum(document: &Document) -> Vec<Series> {
    let measured = document.metrics.iter().filter(|one| DRAWN.contains(&one.name.as_str()));
    measured.map(|one| Series { name: one.name.clone(), points: spectrum_of(one) }).collect()
}

/// One in so many is slower than so many milliseconds.
pub(super) fn spectrum_of(measured: &Measured) -> Vec<(f64, f64)> {
    decode(&measured.histogram).map(|histogram| points(&histogram)).unwrap_or_default()
}

fn points(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = histogram.len() as f64;
    let steps = histogram.iter_quantiles(STEPS_PER_HALF);
    let points = steps.map(|step| {
        let part = step.quantile_iterated_to();
        let one_in = if part < 1.0 { (1.0 / (1.0 - part)).min(most) } else { most };
        (one_in.max(1.0), (step.value_iterated_to() as f64 / 1e3).max(1e-3))
    });
    points.collect()
}

pub(super) fn map(document: &Document, metric: &str) -> Vec<(f64, Vec<(f64, u64)>)> {
    let column = |window: &Window| {
        let mut cells: Vec<(f64, u64)> = Vec::new();
        if let Some(Ok(histogram)) = window.measured(metric).map(|(_, text)| decode(text)) {
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

pub(super) fn latencies(document: &Document, metric: &str) -> Vec<Series> {
    let series = |name: &str, value: &dyn Fn(Figures) -> u64| {
        let point = |one: &Window| {
            let millis = value(one.measured(metric)?.0) as f64 / 1e3;
            Some((one.at as f64 / 1e6, millis.max(1e-3)))
        };
        let points = document.windows.iter().filter_map(point).collect();
        Series { name: name.to_owned(), points }
    };
    vec![
        series("p50", &|one| one.p50),
        series("p90", &|one| one.p90),
        series("p99", &|one| one.p99),
        series("max", &|one| one.max),
    ]
}

/// How long after the last send a window may end and still be one of sending, in microseconds.
const AFTER: u64 = 100_000;

/// Messages are sent in it; or scenarios are told, whose last one goes on long after its begin.
fn goes_on(document: &Document, window: &Window) -> bool {
    document.scenario.is_some() || window.at <= document.until() + AFTER
}

/// A count of every window in which something was begun, a second.
pub(super) fn a_second(document: &Document, name: &str, count: &dyn Fn(&Window) -> u64) -> Series {
    let mut before = 0.0;
    let mut points = Vec::new();
    for window in &document.windows {
        let at = window.at as f64 / 1e6;
        let over = at - before;
        if over > 0.25 && goes_on(document, window) {
            points.push((at, count(window) as f64 / over));
        }
        before = at;
    }
    Series { name: name.to_owned(), points }
}

fn messages(document: &Document) -> Vec<Series> {
    vec![
        a_second(document, "sent", &|one| one.sent),
        a_second(document, "stored", &|one| one.acked),
        a_second(document, "refused", &|one| one.refused),
    ]
}

fn deliveries(document: &Document) -> Vec<Series> {
    vec![a_second(document, "delivered", &|one| one.delivered)]
}

/// Of everything sent so far, how much has come.
fn reach(document: &Document) -> Vec<Series> {
    let counts = &document.counts;
    let (mut sent, mut delivered) = (0, 0);
    // What nobody answered is owed to nobody, and has not come all the same.
    let stored = counts.sent.saturating_sub(counts.refused + counts.unanswered);
    let each = counts.owed as f64 / stored.max(1) as f64;
    let mut points = Vec::new();
    for window in &document.windows {
        sent += window.sent.saturating_sub(window.refused);
        delivered += window.delivered;
        if sent > 0 && each > 0.0 && document.span.is_none() {
            let part = (delivered as f64 / (sent as f64 * each)).min(1.0);
            points.push((window.at as f64 / 1e6, part * 100.0));
        }
    }
    vec![Series { name: "delivered of what was owed".to_owned(), points }]
}

fn cores(document: &Document) -> Vec<Series> {
    // Afterwards it has nothing to do.
    let windows = document.windows.iter().filter(|one| goes_on(document, one));
    let points = windows.map(|one| (one.at as f64 / 1e6, one.cpu * 100.0));
    let name = if document.scenario.is_some() { "of all cores" } else { "of a core" };
    vec![Series { name: name.to_owned(), points: points.collect() }]
}

fn slips(document: &Document) -> Vec<Series> {
    let mut all = latencies(document, Metric::Slip.name());
    all.retain(|one| ["p50", "p99"].contains(&one.name.as_str()));
    all
}

/// The figures of the server that moved most, as changes a second.
fn scraped(samples: &[Sample]) -> Vec<Series> {
    let Some(last) = samples.iter().rev().find(|one| !one.metrics.is_empty()) else {
        return Vec::new();
    };
    let mut all: Vec<Series> = Vec::new();
    for name in last.metrics.keys().filter(|name| name.contains("_total")) {
        let value = |one: &Sample| one.metrics.get(name).copied();
        let raw = points_of(samples, &value);
        let pairs = raw.windows(2).filter_map(|pair| match pair {
            [(t, was), (u, is)] if u > t => Some((*u, ((is - was) / (u - t)).max(0.0))),
            _ => None,
        });
        let points: Vec<(f64, f64)> = pairs.collect();
        if points.iter().any(|(_, change)| *change > 0.0) {
            all.push(Series { name: name.clone(), points });
        }
    }
    let sum = |one: &Series| one.points.iter().map(|(_, change)| *change).sum::<f64>();
    all.sort_by(|one, other| sum(other).total_cmp(&sum(one)));
    all.truncate(SCRAPED_MAX);
    all
}
