//! The page of two servers that took turns.

use trialogue_report::diagram::Tone;
use trialogue_report::format::chart::{Plot, Series, lines};
use trialogue_report::format::sheet::{Part, Sheet};
use trialogue_report::results::{Results, Suite};

use super::html::{MILLIS, ONE_IN, SECONDS, spectrum_of};
use super::{cases, word};
use crate::recorder::Metric;
use crate::result::{Document, Window};
use crate::versus::{Delta, Versus, facts};

/// What is drawn of both.
const DRAWN: [Metric; 3] = [Metric::Delivery, Metric::Ack, Metric::Last];

/// Both as suites, and what differs as facts of a third one, whose case is the worse verdict.
pub(super) fn results(versus: &Versus) -> Results {
    let sides = [("first", &versus.first), ("second", &versus.second)];
    let mut suites: Vec<Suite> = sides
        .into_iter()
        .map(|(side, document)| {
            let suite = cases::suite(document);
            Suite { name: format!("{side}: {}", suite.name), ..suite }
        })
        .collect();
    let is_side = |name: &str| sides.iter().any(|(side, _)| *side == name);
    let told = facts(versus).into_iter().filter(|(name, ..)| !is_side(name));
    let verdict = cases::outcome_of(versus.verdict());
    let why = versus.why().join("; ");
    suites.push(Suite {
        name: "both".to_owned(),
        facts: told.map(|(name, value, _)| (name.to_owned(), value)).collect(),
        cases: vec![cases::case("verdict", "both passed", verdict, why)],
        ..Suite::default()
    });
    let complete = versus.first.complete && versus.second.complete;
    Results { suites, complete, ..cases::results(&versus.first) }
}

/// One page with the differences and both latency spectra.
pub(super) fn page(versus: &Versus) -> String {
    let is_delta = |name: &str| versus.deltas.iter().any(|delta| delta.name == name);
    let told = facts(versus).into_iter().filter(|(name, ..)| !is_delta(name));
    let told = told.map(|(name, value, tone)| (tone, vec![name.to_owned(), value]));
    let parts = vec![
        Part::Table(Vec::new(), told.collect()),
        Part::Heading("Milliseconds, and the interval of the difference (95 %)".to_owned()),
        deltas(&versus.deltas),
        Part::Charts(charts(versus)),
    ];
    let (first, second) = (&versus.first, &versus.second);
    let lead = format!("{}, {}", first.tool, first.started);
    let title = format!("trialogue load: {} and {}", first.target, second.target);
    let tone = crate::show::verdict_tone(versus.verdict());
    Sheet { title, word: (word(versus.verdict()).to_owned(), tone), lead, parts }.write()
}

fn deltas(deltas: &[Delta]) -> Part {
    let names = ["metric", "first", "second", "difference", "at least", "at most", ""];
    let row = |delta: &Delta| {
        let tone = match delta.is_sure() {
            false => Tone::Plain,
            true if delta.delta > 0.0 => Tone::Bad,
            true => Tone::Good,
        };
        let plain = [delta.first, delta.second].map(|micros| format!("{:.3}", micros / 1e3));
        let signed = [delta.delta, delta.low, delta.high];
        let signed = signed.map(|micros| format!("{:+.3}", micros / 1e3));
        let word = if delta.is_sure() { "sure" } else { "not sure" };
        let mut cells = vec![delta.name.clone()];
        cells.extend(plain.into_iter().chain(signed));
        cells.push(word.to_owned());
        (tone, cells)
    };
    Part::Table(names.map(str::to_owned).into(), deltas.iter().map(row).collect())
}

fn charts(versus: &Versus) -> Vec<(String, String)> {
    let both = [("first", &versus.first), ("second", &versus.second)];
    let mut charts = Vec::new();
    for metric in DRAWN {
        let series = both.iter().filter_map(|(side, document)| {
            let measured = document.metrics.iter().find(|one| one.name == metric.name())?;
            let points = spectrum_of(measured);
            Some(Series { name: (*side).to_owned(), points })
        });
        let series: Vec<Series> = series.collect();
        let plot = Plot { title: "latency by percentile", axes: (ONE_IN, MILLIS), marks: &[] };
        if !series.is_empty() {
            let heading = format!("Latency by percentile: {}", metric.name());
            charts.push((heading, lines(&plot, &series)));
        }
    }
    let series: Vec<Series> = both
        .iter()
        .flat_map(|(side, document)| [(*side, *document, "p50"), (*side, *document, "p99")])
        .map(|(side, document, figure)| over_time(side, document, figure))
        .collect();
    let plot = Plot { title: "latency over time", axes: (SECONDS, MILLIS), marks: &[] };
    charts.push((
        "Deliveries over the time of each, its runs joined".to_owned(),
        lines(&plot, &series),
    ));
    charts
}

fn over_time(side: &str, document: &Document, figure: &str) -> Series {
    let point = |window: &Window| {
        let value = window.delivery.value(figure)?;
        Some((window.at as f64 / 1e6, (value / 1e3).max(1e-3)))
    };
    let points = document.windows.iter().filter_map(point).collect();
    Series { name: format!("{side}: {figure}"), points }
}
