//! One page that opens without a network, from an artifact's zip too: verdict, diagrams, timelines,
//! every case, and what went over the wire.

use std::fmt::Write as _;

use super::harmless::{html, html_block};
use super::{moment, svg};
use crate::results::{Case, Outcome, Results, Suite};

/// Most suites with a diagram, those with something bad first (100): a page is read by a person.
const STORIES_MAX: usize = 100;
/// Most lines of a suite's wire on the page (2,000).
const WIRE_MAX: usize = 2_000;
/// Most bars of a timeline.
const BARS_MAX: usize = 300;
/// Width of a timeline's bars and of the names beside them, and the height of one.
const BARS: f64 = 620.0;
const NAMES: usize = 330;
const BAR: usize = 18;
/// Characters of a name that have room.
const NAME_CHARS: usize = 45;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) fn write(results: &Results) -> String {
    let mut page = String::new();
    head(&mut page, results);
    overview(&mut page, results);
    let drawn = drawn(results);
    for (number, suite) in results.suites.iter().enumerate() {
        section(&mut page, number, suite, drawn.contains(&number));
    }
    _ = writeln!(page, "</main><script>{SCRIPT}</script></body></html>");
    page
}

/// Suites that get a diagram.
fn drawn(results: &Results) -> Vec<usize> {
    let with = |bad: bool| {
        let all = results.suites.iter().enumerate();
        all.filter(move |(_, suite)| suite.story.is_some() && is_bad(suite) == bad)
            .map(|(number, _)| number)
    };
    with(true).chain(with(false)).take(STORIES_MAX).collect()
}

fn is_bad(suite: &Suite) -> bool {
    suite.cases.iter().any(|case| case.outcome.is_bad())
}

/// The worst outcome of cases; skipped ones decide only when there is nothing else.
fn worst<'a>(cases: impl Iterator<Item = &'a Case>) -> Outcome {
    let outcomes: Vec<Outcome> = cases.map(|case| case.outcome).collect();
    let has = |outcome| outcomes.contains(&outcome);
    [Outcome::Error, Outcome::Fail, Outcome::NonStrict, Outcome::Pass]
        .into_iter()
        .find(|outcome| has(*outcome))
        .unwrap_or(Outcome::Skip)
}

fn head(page: &mut String, results: &Results) {
    let title = html(&results.title);
    let all = results.suites.iter().flat_map(|suite| &suite.cases);
    let outcome = if results.cases() == 0 { Outcome::Error } else { worst(all) };
    _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\
         <title>{title}: {word}</title><style>{}{STYLE}</style></head><body><header>\
         <h1>{title} {}</h1><button id=\"theme\" type=\"button\">light / dark</button></header>\
         <main>",
        svg::STYLE,
        badge(outcome),
        word = outcome.name(),
    );
    let (tool, started) = (html(&results.tool), moment(results.started));
    let took = results.took.as_secs_f64();
    _ = write!(page, "<p class=\"soft\">{tool}, {started}, {took:.2} s</p>");
    if !results.complete {
        page.push_str("<p class=\"cut\">The run was cut short: this is not everything.</p>");
    }
}

fn badge(outcome: Outcome) -> String {
    let name = outcome.name();
    format!("<span class=\"badge {name}\">{name}</span>")
}

fn overview(page: &mut String, results: &Results) {
    page.push_str(
        "<label class=\"filter\"><input type=\"checkbox\" id=\"bad\"> only what is not as it \
         should be</label><div class=\"wide\"><table class=\"suites\"><thead><tr><th></th>\
         <th>suite</th>",
    );
    for outcome in Outcome::ALL {
        _ = write!(page, "<th class=\"number\">{}</th>", outcome.name());
    }
    page.push_str("<th class=\"number\">time</th></tr></thead><tbody>");
    for (number, suite) in results.suites.iter().enumerate() {
        let outcome = worst(suite.cases.iter());
        _ = write!(
            page,
            "<tr class=\"{}\"><td>{}</td><td><a href=\"#s{number}\">{}</a></td>",
            outcome.name(),
            badge(outcome),
            html(&suite.name)
        );
        for outcome in Outcome::ALL {
            let count = suite.count(outcome);
            let class = if count > 0 && outcome.is_bad() { "number bad" } else { "number" };
            _ = write!(page, "<td class=\"{class}\">{count}</td>");
        }
        let took = suite.took().as_secs_f64();
        _ = write!(page, "<td class=\"number\">{took:.2} s</td></tr>");
    }
    page.push_str("</tbody></table></div>");
}

fn section(page: &mut String, number: usize, suite: &Suite, drawn: bool) {
    let outcome = worst(suite.cases.iter());
    let open = if outcome.is_bad() || number == 0 { " open" } else { "" };
    _ = write!(
        page,
        "<details class=\"suite {}\" id=\"s{number}\"{open}><summary><h2>{} {}</h2></summary>",
        outcome.name(),
        html(&suite.name),
        badge(outcome)
    );
    if !suite.facts.is_empty() {
        page.push_str("<dl>");
        for (name, value) in &suite.facts {
            _ = write!(page, "<dt>{}</dt><dd>{}</dd>", html(name), html(value));
        }
        page.push_str("</dl>");
    }
    for case in suite.cases.iter().filter(|case| case.outcome.is_bad()) {
        failure(page, case);
    }
    if let Some(story) = suite.story.as_ref().filter(|story| drawn && !story.is_empty()) {
        let picture = svg::draw(story, &format!("s{number}-"));
        _ = write!(page, "<h3>what happened</h3><div class=\"wide\">{picture}</div>");
    }
    timeline(page, suite);
    cases(page, suite);
    wire(page, suite);
    page.push_str("</details>");
}

fn place(case: &Case) -> String {
    case.place.as_ref().map_or_else(String::new, |place| {
        let column = if place.column > 0 { format!(":{}", place.column) } else { String::new() };
        format!("<code>{}:{}{column}</code>", html(&place.file), place.line)
    })
}

fn failure(page: &mut String, case: &Case) {
    _ = write!(
        page,
        "<div class=\"failure\"><p><b>{}</b> {} {}</p>",
        html(&case.id),
        html(&case.title),
        place(case)
    );
    for text in [Some(&case.message), case.output.as_ref()].into_iter().flatten() {
        if !text.is_empty() {
            _ = write!(page, "<pre>{}</pre>", html_block(text));
        }
    }
    page.push_str("</div>");
}

/// A bar for every case whose beginning is known.
fn timeline(page: &mut String, suite: &Suite) {
    let bars: Vec<(f64, f64, &Case)> = suite
        .cases
        .iter()
        .filter_map(|case| Some((case.began?.as_secs_f64(), case.took.as_secs_f64(), case)))
        .take(BARS_MAX)
        .collect();
    let end = bars.iter().map(|(began, took, _)| began + took).fold(0.0, f64::max);
    if bars.len() < 2 || end <= 0.0 {
        return;
    }
    let (height, width) = (bars.len() * BAR + 22, NAMES + 720);
    _ = write!(
        page,
        "<h3>timeline</h3><div class=\"wide\"><svg class=\"timeline\" role=\"img\" \
         aria-label=\"timeline\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">"
    );
    for tick in 0..=4 {
        let at = end * f64::from(tick) / 4.0;
        let x = NAMES as f64 + BARS * f64::from(tick) / 4.0;
        _ = write!(
            page,
            "<line class=\"tick\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.2} s</text>",
            height - 20,
            height - 6
        );
    }
    for (n, (began, took, case)) in bars.iter().enumerate() {
        let (y, x) = (n * BAR, NAMES as f64 + BARS * began / end);
        let long = (BARS * took / end).max(2.0);
        let name = if case.title.is_empty() { &case.id } else { &case.title };
        let whole = html(&format!("{} {}", case.id, case.title));
        let short = super::svg::cut(name, NAME_CHARS);
        _ = write!(
            page,
            "<g><title>{whole}</title><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{}\" x=\"{x:.1}\" y=\"{}\" width=\"{long:.1}\" height=\"{}\" rx=\"2\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{}\">{:.0} ms</text></g>",
            NAMES - 8,
            y + 13,
            html(&short),
            case.outcome.name(),
            y + 3,
            BAR - 6,
            x + long + 5.0,
            y + 13,
            took * 1e3
        );
    }
    page.push_str("</svg></div>");
}

fn cases(page: &mut String, suite: &Suite) {
    page.push_str(
        "<h3>cases</h3><div class=\"wide\"><table class=\"cases\"><thead><tr><th></th>\
         <th>case</th><th>place</th><th class=\"number\">time</th></tr></thead><tbody>",
    );
    for case in &suite.cases {
        let took = case.took.as_secs_f64() * 1e3;
        _ = write!(
            page,
            "<tr class=\"{}\"><td>{}</td><td><b>{}</b> {}",
            case.outcome.name(),
            badge(case.outcome),
            html(&case.id),
            html(&case.title)
        );
        if !case.message.is_empty() {
            let message = html_block(&case.message);
            _ = write!(page, "<details><summary>why</summary><pre>{message}</pre></details>");
        }
        let place = place(case);
        _ = write!(page, "</td><td>{place}</td><td class=\"number\">{took:.1} ms</td></tr>");
    }
    page.push_str("</tbody></table></div>");
}

fn wire(page: &mut String, suite: &Suite) {
    if suite.wire.is_empty() {
        return;
    }
    let count = suite.wire.len();
    _ = write!(
        page,
        "<details class=\"wire\"><summary><h3>on the wire ({count})</h3></summary>\
         <div class=\"wide\"><table><tbody>"
    );
    for line in suite.wire.iter().take(WIRE_MAX) {
        let (at, who, title) = (line.at.as_secs_f64(), html(&line.who), html(&line.title));
        _ = write!(page, "<tr><td class=\"number\">{at:.3} s</td><td>{who}</td><td>");
        if line.body.is_empty() {
            page.push_str(&title);
        } else {
            let body = html_block(&line.body);
            _ = write!(page, "<details><summary>{title}</summary><pre>{body}</pre></details>");
        }
        page.push_str("</td></tr>");
    }
    page.push_str("</tbody></table></div>");
    if count > WIRE_MAX {
        _ = write!(page, "<p class=\"soft\">{} more are in the trace.</p>", count - WIRE_MAX);
    }
    page.push_str("</details>");
}
