//! One JSON document, written and read. Its shape is [`super::SCHEMA`].
//!
//! It holds everything that any other format is made of, so that one run can be told in all of
//! them, and later too.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::harmless::{block, line};
use super::story::StoryBody;
use super::{FormatError, ReadError, SCHEMA, millis, moment};
use crate::results::{Case, Outcome, Place, Results, Suite, WireLine};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: String,
    title: String,
    tool: String,
    started: String,
    took_ms: f64,
    complete: bool,
    #[serde(skip_deserializing)]
    counts: Counts,
    suites: Vec<SuiteBody>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Counts {
    cases: usize,
    pass: usize,
    non_strict: usize,
    skip: usize,
    fail: usize,
    error: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuiteBody {
    name: String,
    facts: Map<String, Value>,
    #[serde(skip_deserializing)]
    counts: Counts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began_ms: Option<f64>,
    took_ms: f64,
    cases: Vec<CaseBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    story: Option<StoryBody>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wire: Vec<WireBody>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseBody {
    id: String,
    title: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began_ms: Option<f64>,
    took_ms: f64,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<PlaceBody>,
}

#[derive(Serialize, Deserialize)]
struct PlaceBody {
    file: String,
    line: u32,
    #[serde(default, skip_serializing_if = "is_unknown")]
    column: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBody {
    at_ms: f64,
    who: String,
    title: String,
    body: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_unknown(column: &u32) -> bool {
    *column == 0
}

/// Milliseconds of a file as a duration; nonsense is none.
pub(super) fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
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
        began_ms: suite.began.map(millis),
        took_ms: millis(suite.took()),
        cases: suite.cases.iter().map(case).collect(),
        story: suite.story.as_ref().map(StoryBody::from),
        wire: suite.wire.iter().map(wire).collect(),
    }
}

fn case(case: &Case) -> CaseBody {
    let place =
        |of: &Place| PlaceBody { file: line(&of.file).into(), line: of.line, column: of.column };
    CaseBody {
        id: line(&case.id).into_owned(),
        title: line(&case.title).into_owned(),
        outcome: case.outcome.name().to_owned(),
        began_ms: case.began.map(millis),
        took_ms: millis(case.took),
        message: block(&case.message).into_owned(),
        output: case.output.as_deref().map(|output| block(output).into_owned()),
        place: case.place.as_ref().map(place),
    }
}

fn wire(of: &WireLine) -> WireBody {
    WireBody {
        at_ms: millis(of.at),
        who: line(&of.who).into_owned(),
        title: line(&of.title).into_owned(),
        body: block(&of.body).into_owned(),
    }
}

pub(super) fn write(results: &Results) -> Result<String, FormatError> {
    let document = Document {
        schema: SCHEMA.to_owned(),
        title: line(&results.title).into_owned(),
        tool: line(&results.tool).into_owned(),
        started: moment(results.started),
        took_ms: millis(results.took),
        complete: results.complete,
        counts: counts(results.cases(), |outcome| results.count(outcome)),
        suites: results.suites.iter().map(suite).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Results from the document that [`write`] made.
pub(super) fn read(text: &str) -> Result<Results, ReadError> {
    let document: Document = serde_json::from_str(text)?;
    if document.schema != SCHEMA {
        return Err(ReadError::Schema(document.schema));
    }
    let started = DateTime::parse_from_rfc3339(&document.started)
        .map_err(|_| ReadError::Started(document.started.clone()))?;
    let suites = document.suites.into_iter().map(suite_of).collect::<Result<Vec<_>, _>>()?;
    Ok(Results {
        title: document.title,
        tool: document.tool,
        started: SystemTime::from(started.with_timezone(&Utc)),
        took: duration(document.took_ms),
        complete: document.complete,
        suites,
    })
}

fn suite_of(body: SuiteBody) -> Result<Suite, ReadError> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(Suite {
        name: body.name,
        facts: body.facts.into_iter().map(|(name, value)| (name, text(value))).collect(),
        began: body.began_ms.map(duration),
        cases: body.cases.into_iter().map(case_of).collect::<Result<Vec<_>, _>>()?,
        story: body.story.map(StoryBody::story),
        wire: body
            .wire
            .into_iter()
            .map(|of| WireLine {
                at: duration(of.at_ms),
                who: of.who,
                title: of.title,
                body: of.body,
            })
            .collect(),
    })
}

fn case_of(body: CaseBody) -> Result<Case, ReadError> {
    let outcome = Outcome::parse(&body.outcome).ok_or(ReadError::Outcome(body.outcome))?;
    let place = |of: PlaceBody| Place { file: of.file, line: of.line, column: of.column };
    Ok(Case {
        id: body.id,
        title: body.title,
        place: body.place.map(place),
        outcome,
        began: body.began_ms.map(duration),
        took: duration(body.took_ms),
        message: body.message,
        output: body.output,
    })
}
