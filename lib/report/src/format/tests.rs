//! Each format as text, and what a stranger may have sent in each.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::results::{Case, Outcome, Place, Suite};

fn case(id: &str, outcome: Outcome, message: &str) -> Case {
    Case {
        id: id.to_owned(),
        title: format!("what {id} is about"),
        outcome,
        took: Duration::from_micros(12_345),
        message: message.to_owned(),
        ..Case::default()
    }
}

fn results(suites: Vec<Suite>) -> Results {
    Results {
        title: "tool check".to_owned(),
        tool: "tool 1.2.3".to_owned(),
        started: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        took: Duration::from_millis(2_500),
        complete: true,
        suites,
    }
}

fn some() -> Results {
    let place = Some(Place { file: "a.scn.yaml".to_owned(), line: 34, column: 5 });
    let failed = Case {
        place,
        output: Some("a --> b\nb --> a".to_owned()),
        ..case("one.wrong", Outcome::Fail, "expected 1\n  got 2 # or so")
    };
    let one = Suite {
        name: "one".to_owned(),
        facts: vec![("target".to_owned(), "http://127.0.0.1:1".to_owned())],
        cases: vec![case("one.right", Outcome::Pass, ""), failed],
        ..Suite::default()
    };
    let two = Suite {
        name: "two".to_owned(),
        facts: Vec::new(),
        cases: vec![
            case("two.loose", Outcome::NonStrict, "404 instead of 400"),
            case("two.not", Outcome::Skip, "no echo"),
            case("two.lost", Outcome::Error, "connection refused"),
            Case { title: String::new(), ..case("two.bare", Outcome::Pass, "") },
        ],
        ..Suite::default()
    };
    results(vec![one, two])
}

#[test]
fn every_format_tells_the_same() {
    let results = some();
    insta::assert_snapshot!("junit", Format::Junit.write(&results).unwrap());
    insta::assert_snapshot!("json", Format::Json.write(&results).unwrap());
    insta::assert_snapshot!("tap", Format::Tap.write(&results).unwrap());
    insta::assert_snapshot!("markdown", Format::Markdown.write(&results).unwrap());
}

/// With every part that a result may have.
fn full() -> Results {
    use crate::diagram::{Arrow, Direction, Lane, LaneId, Row, Story, Tone, Wire};
    let (at, lane) = (Duration::from_millis(3), LaneId(0));
    let arrow = Arrow {
        at,
        hub: lane,
        spokes: vec![LaneId(1)],
        direction: Direction::Out,
        wire: Wire::Store,
        label: "a".to_owned(),
        detail: String::new(),
        failed: true,
    };
    let rows = vec![
        Row::Act { title: "one".to_owned(), lanes: vec![lane] },
        Row::Arrow(arrow),
        Row::Note { at, lane, text: "note".to_owned(), tone: Tone::Good },
        Row::Band { at, text: "band".to_owned(), tone: Tone::Bad },
        Row::Alive { lane, alive: false },
        Row::Gap,
    ];
    let cast = vec![Lane::new("A", ""), Lane::new("B", "(b)")];
    let mut results = some();
    results.suites[0].story = Some(Story { cast, rows });
    results.suites[0].cases[0].began = Some(at);
    let (who, title, body) = ("a".to_owned(), "GET /".to_owned(), "{}".to_owned());
    results.suites[0].wire = vec![crate::results::WireLine { at, who, title, body }];
    results
}

#[test]
fn every_result_is_valid_by_the_schema_and_no_other_field_is() {
    let schema = jsonschema::validator_for(&result_schema()).unwrap();
    let cut = Results { complete: false, suites: Vec::new(), ..some() };
    for results in [some(), full(), hostile(), cut] {
        let text = Format::Json.write(&results).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    let document: serde_json::Value =
        serde_json::from_str(&Format::Json.write(&full()).unwrap()).unwrap();
    for place in [
        "",
        "/counts",
        "/suites/0",
        "/suites/0/cases/1",
        "/suites/0/cases/1/place",
        "/suites/0/story",
        "/suites/0/story/rows/1",
        "/suites/0/wire/0",
    ] {
        let mut odd = document.clone();
        odd.pointer_mut(place).unwrap()["odd"] = 1.into();
        assert!(!schema.is_valid(&odd), "{place}");
    }
}

#[test]
fn a_run_that_was_cut_short_says_so_in_every_format() {
    let cut = Results { complete: false, ..some() };
    let text = |format: Format| format.write(&cut).unwrap();
    assert!(text(Format::Junit).contains(r#"<property name="complete" value="false"/>"#));
    assert!(text(Format::Json).contains(r#""complete": false"#));
    assert!(text(Format::Tap).ends_with("Bail out! The run was cut short.\n"));
    assert!(text(Format::Markdown).contains("The run was cut short"));
    let nothing = Results { suites: Vec::new(), ..cut };
    roxmltree::Document::parse(&Format::Junit.write(&nothing).unwrap()).unwrap();
}

/// Ends of CDATA and comments, entities, terminal commands, reordering, separators, what XML and
/// YAML and TAP and Markdown take for their own.
const HOSTILE: &str = concat!(
    "]]>--><x a='\"'>&amp;&#0;&bogus; \u{1b}[31m\u{1b}]52;c;x\u{7} \0 \u{b} \u{9b}2J \u{7f} ",
    "\u{202e}evil\u{2066} \u{2028} \u{fffe} \u{ffff} \u{e0041} \u{200b} # SKIP \\# ``` | ... ",
    "**b** @who ![x](http://y)\r\nnot ok 1 - forged\n  ---\n1..0\nBail out!"
);

fn hostile() -> Results {
    let mut all = Vec::new();
    for outcome in Outcome::ALL {
        let case = case(HOSTILE, outcome, HOSTILE);
        let place = Some(Place { file: HOSTILE.to_owned(), line: 1, column: 1 });
        all.push(Case {
            title: HOSTILE.to_owned(),
            output: Some(HOSTILE.to_owned()),
            place,
            ..case
        });
    }
    let facts = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
    let suite = Suite { name: HOSTILE.to_owned(), facts, cases: all, ..Suite::default() };
    results(vec![suite])
}

#[test]
fn hostile_text_is_well_formed_xml_and_nothing_of_it_is_lost() {
    let xml = Format::Junit.write(&hostile()).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let of = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!((of("testsuite"), of("testcase"), of("x")), (1, 5, 0));
    assert_eq!((of("failure"), of("error"), of("skipped")), (1, 1, 1));
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    let message = failure.attribute("message").unwrap();
    assert!(message.starts_with("]]>--><x a='\"'>&amp;&#0;&bogus; \\u{1b}[31m\\u{1b}]52"), "{xml}");
    assert!(message.contains("\\u{202e}evil\\u{2066}") && message.contains("\\u{fffe}"));
    assert!(failure.text().unwrap().contains("\nnot ok 1 - forged"));
    assert_harmless(&xml);
}

#[track_caller]
fn assert_harmless(text: &str) {
    let found =
        text.chars().find(|c| *c != '\n' && harmless::line(&c.to_string()) != c.to_string());
    assert_eq!(found, None, "{text}");
}

#[test]
fn hostile_text_forges_no_line_of_tap_and_no_markup() {
    let tap = Format::Tap.write(&hostile()).unwrap();
    assert_harmless(&tap);
    let points = |line: &&str| ["ok ", "not ok "].iter().any(|word| line.trim().starts_with(word));
    let points: Vec<&str> = tap.lines().filter(points).collect();
    assert_eq!(points.len(), 6, "{tap}");
    assert_eq!(points.iter().filter(|line| line.contains(" # SKIP ")).count(), 1, "{tap}");
    assert!(!tap.lines().any(|line| line.starts_with("Bail out")), "{tap}");
    let markdown = Format::Markdown.write(&hostile()).unwrap();
    assert_harmless(&markdown);
    let tables = markdown.lines().filter(|line| line.starts_with('|'));
    // Seven cells have eight bars, and those of the name are escaped.
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(tables.map(bars).eq([8, 8, 8]), "{markdown}");
    let json = Format::Json.write(&hostile()).unwrap();
    assert_harmless(&json);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["suites"][0]["cases"][0]["outcome"], "pass");
    assert_eq!(value["counts"]["cases"], 5);
}

#[test]
fn long_texts_are_cut_and_a_summary_stays_below_its_limit() {
    let long = "x".repeat(1_000_000);
    let cases = (0..100).map(|_| case("long", Outcome::Fail, &long)).collect();
    let results = results(vec![Suite { name: "s".to_owned(), cases, ..Suite::default() }]);
    let markdown = Format::Markdown.write(&results).unwrap();
    assert!(markdown.len() < 1_000_000 && markdown.ends_with("There is more than fits here.\n"));
    assert!(Format::Tap.write(&results).unwrap().contains("… (983616 bytes more)"));
}

#[test]
fn what_has_no_width_can_be_seen() {
    let hidden = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];
    for c in hidden.into_iter().chain('\u{2061}'..='\u{2064}') {
        let seen = format!("a\\u{{{:x}}}b", u32::from(c));
        assert_eq!(harmless::line(&format!("a{c}b")), seen);
    }
    assert_eq!(harmless::line("a\u{2010}\u{e9}\u{1f600}"), "a\u{2010}\u{e9}\u{1f600}");
}
