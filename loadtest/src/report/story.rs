//! Charts of a scenario as load. The windows of such a run count iterations: `sent` has those that
//! were begun, `acked` those that passed, `refused` those that failed.

use trialogue_report::format::chart::{Plot, Series, heat, lines};

use super::html::{
    COUNT, MILLIS, ONE_IN, ROW, SECONDS, a_second, latencies, map, phases, spectrum_of,
};
use crate::result::{Document, Measured};

/// What an iteration takes, by its name.
pub(super) const ITERATION: &str = "iteration";
/// Most steps whose spectrum is drawn: those with the longest tail.
const STEPS_MAX: usize = 5;

/// Whether it stands in the table of times.
pub(super) fn is_time(row: &str) -> bool {
    [ITERATION, "step"].contains(&row)
}

pub(super) fn charts(document: &Document) -> Vec<(&'static str, String)> {
    let marks = phases(document);
    let over_time = |title, up| Plot { title, axes: (SECONDS, up), marks: &marks };
    let spectrum_plot = Plot { title: "time by percentile", axes: (ONE_IN, MILLIS), marks: &[] };
    let iterations = [
        a_second(document, "begun", &|one| one.sent),
        a_second(document, "passed", &|one| one.acked),
        a_second(document, "failed", &|one| one.refused),
    ];
    vec![
        ("Time by percentile: iterations, and their slowest steps", {
            lines(&spectrum_plot, &spectrum(document))
        }),
        (
            "Iterations by time over time (stronger: more)",
            heat(&over_time("iterations by time", MILLIS), ROW, &map(document, ITERATION)),
        ),
        (
            "Time of iterations over time",
            lines(&over_time("time of iterations", MILLIS), &latencies(document, ITERATION)),
        ),
        ("Iterations per second", lines(&over_time("iterations per second", COUNT), &iterations)),
    ]
}

fn spectrum(document: &Document) -> Vec<Series> {
    let is_iteration = |one: &&Measured| one.name == ITERATION;
    let mut steps: Vec<&Measured> =
        document.metrics.iter().filter(|one| one.name.starts_with("step:")).collect();
    steps.sort_by_key(|one| std::cmp::Reverse(one.figures.p99));
    let drawn = document.metrics.iter().filter(is_iteration);
    let drawn = drawn.chain(steps.into_iter().take(STEPS_MAX));
    drawn.map(|one| Series { name: one.name.clone(), points: spectrum_of(one) }).collect()
}
