//! One JSON document. Its shape is [`super::SCHEMA`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::harmless::{block, line};
use super::{FormatError, SCHEMA, millis, moment};
use crate::results::{Case, Outcome, Results, Suite};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    title: &'a str,
    tool: &'a str,
    started: String,
    took_ms: f64,
    complete: bool,
    counts: Counts,
    suites: Vec<SuiteBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    cases: usize,
    pass: usize,
    non_strict: usize,
    skip: usize,
    fail: usize,
    error: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuiteBody {
    name: String,
    facts: BTreeMap<String, String>,
    counts: Counts,
    took_ms: f64,
    cases: Vec<CaseBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CaseBody {
    id: String,
    title: String,
    outcome: &'static str,
    took_ms: f64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceBody>,
}

#[derive(Serialize)]
struct PlaceBody {
    file: String,
    line: u32,
}

fn counts(cases: usize, count: impl Fn(Outcome) -> usize) -> Counts {
    Counts {
        cases,
        pass: count(Outcome::Pass),
        non_strict: count(Outcome::NonStrict),
        skip: count(Outcome::Skip),
        fail: count(Outcome::Fail),
        error: count(Outcome::Error),
    }
}

fn suite(suite: &Suite) -> SuiteBody {
    let fact = |(name, value): &(String, String)| (line(name).into(), block(value).into());
    SuiteBody {
        name: line(&suite.name).into_owned(),
        facts: suite.facts.iter().map(fact).collect(),
        counts: counts(suite.cases.len(), |outcome| suite.count(outcome)),
        took_ms: millis(suite.took()),
        cases: suite.cases.iter().map(case).collect(),
    }
}

fn case(case: &Case) -> CaseBody {
    let place = case.place.as_ref();
    CaseBody {
        id: line(&case.id).into_owned(),
        title: line(&case.title).into_owned(),
        outcome: case.outcome.name(),
        took_ms: millis(case.took),
        message: block(&case.message).into_owned(),
        output: case.output.as_deref().map(|output| block(output).into_owned()),
        place: place.map(|place| PlaceBody { file: line(&place.file).into(), line: place.line }),
    }
}

pub(super) fn write(results: &Results) -> Result<String, FormatError> {
    let document = Document {
        schema: SCHEMA,
        title: &results.title,
        tool: &results.tool,
        started: moment(results.started),
        took_ms: millis(results.took),
        complete: results.complete,
        counts: counts(results.cases(), |outcome| results.count(outcome)),
        suites: results.suites.iter().map(suite).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
