//! What other programs make of a run with a story: each format read back by a reader of its own.

use std::time::{Duration, UNIX_EPOCH};

use trialogue_report::diagram::{Arrow, Direction, Lane, LaneId, ROWS_MAX, Row, Story, Tone, Wire};
use trialogue_report::format::{Format, mermaid, read, svg};
use trialogue_report::results::{Case, Outcome, Place, Results, Suite, WireLine};

/// What ends texts, tags, commands, statements and lines somewhere.
const HOSTILE: &str =
    "</script></svg>]]><b onclick='x'>&amp;\"; end\n::error::x%0A`#\u{1b}[31m\u{202e}";

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn story(word: &str) -> Story {
    let arrow = |millis, direction, wire, label: &str, failed| {
        Row::Arrow(Arrow {
            at: at(millis),
            hub: LaneId(1),
            spokes: vec![LaneId(0)],
            direction,
            wire,
            label: label.to_owned(),
            detail: word.to_owned(),
            failed,
        })
    };
    let cast = vec![
        Lane::new("Customer", word),
        Lane::new("Backend", "Server"),
        Lane::new("Nobody", "is never drawn"),
    ];
    let mut story = Story { cast, ..Story::default() };
    for row in [
        Row::Act { title: word.to_owned(), lanes: vec![LaneId(0), LaneId(1)] },
        arrow(12, Direction::In, Wire::Http, "POST /jobs/create", false),
        arrow(24, Direction::Out, Wire::Http, "201", false),
        Row::Note { at: at(30), lane: LaneId(0), text: word.to_owned(), tone: Tone::Good },
        Row::Gap,
        Row::Band { at: at(40), text: "SIGKILL".to_owned(), tone: Tone::Bad },
        Row::Alive { lane: LaneId(1), alive: false },
        arrow(50, Direction::Out, Wire::Socket, "new_message", true),
    ] {
        story.push(&row);
    }
    story
}

fn results(word: &str) -> Results {
    let place = Place { file: "a.scn.yaml".to_owned(), line: 3, column: 5 };
    let case = |n: u64, outcome, message: &str| Case {
        id: format!("{n}"),
        title: format!("customer -> say {word}"),
        place: Some(place.clone()),
        outcome,
        began: Some(at(n * 10)),
        took: at(7),
        message: message.to_owned(),
        output: None,
    };
    let cases = vec![
        case(1, Outcome::Pass, ""),
        case(2, Outcome::Fail, &format!("expected  1\ngot       {word}")),
        case(3, Outcome::Skip, "not offered"),
        case(4, Outcome::Error, "no server"),
    ];
    let line = WireLine {
        at: at(5),
        who: "customer".to_owned(),
        title: word.to_owned(),
        body: word.to_owned(),
    };
    let suite = Suite {
        name: "booking".to_owned(),
        facts: vec![("seed".to_owned(), "7".to_owned())],
        began: Some(at(500)),
        cases,
        story: Some(story(word)),
        wire: vec![line],
    };
    Results {
        title: "trialogue run".to_owned(),
        tool: "trialogue 0".to_owned(),
        started: UNIX_EPOCH + at(1_790_000_000_123),
        took: at(1_234),
        complete: true,
        suites: vec![suite],
    }
}

#[test]
fn json_is_the_source_of_every_other_format() {
    let known = |results: &Results, again: &Results| {
        for format in Format::ALL {
            let (first, second) = (format.write(results), format.write(again));
            assert_eq!(first.unwrap(), second.unwrap(), "{}", format.name());
        }
    };
    let json = Format::Json.write(&results("plain")).unwrap();
    known(&results("plain"), &read(&json).unwrap());
    // What steers a terminal is spelled in JSON; from then on nothing changes.
    let once = read(&Format::Json.write(&results(HOSTILE)).unwrap()).unwrap();
    known(&once, &read(&Format::Json.write(&once).unwrap()).unwrap());
}

#[test]
fn a_document_of_another_shape_is_refused_by_its_name() {
    let json = Format::Json.write(&results("x")).unwrap();
    let check = |text: &str, expect: &str| {
        assert_eq!(read(text).unwrap_err().to_string(), expect);
    };
    check("{}", "this is no JSON report");
    let other = json.replace("trialogue-results/1", "trialogue-results/9");
    check(&other, "its schema is \"trialogue-results/9\", not \"trialogue-results/1\"");
    let other = json.replace("\"outcome\": \"fail\"", "\"outcome\": \"meh\"");
    check(&other, "\"meh\" is no outcome");
    // Nonsense of numbers harms nobody.
    assert!(read(&json.replace("\"tookMs\": 7.0", "\"tookMs\": -1e300")).is_ok());
    let lane = json.replace("\"hub\": 1", "\"hub\": 99");
    for format in Format::ALL {
        format.write(&read(&lane).unwrap()).unwrap();
    }
}

/// The shape that CI systems agree on: which element may stand in which, and sums that are right.
#[test]
fn junit_has_the_shape_that_ci_systems_read() {
    let xml = Format::Junit.write(&results(HOSTILE)).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    // A suite that followed others began later than the run.
    let stamps = document.descendants().filter_map(|of| of.attribute("timestamp"));
    let stamps: Vec<&str> = stamps.collect();
    assert!(matches!(&stamps[..], [run, suite] if run.contains(".123") && suite.contains(".623")));
    let inside = |name: &str| match name {
        "testsuites" => &["testsuite"][..],
        "testsuite" => &["properties", "testcase", "system-out", "system-err"],
        "properties" => &["property"],
        "testcase" => &["failure", "error", "skipped", "system-out", "system-err"],
        _ => &[],
    };
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        let name = element.tag_name().name();
        for child in element.children().filter(roxmltree::Node::is_element) {
            assert!(inside(name).contains(&child.tag_name().name()), "{name} {child:?}");
        }
        if ["testsuites", "testsuite"].contains(&name) {
            let of = |tag: &str| {
                element.descendants().filter(|node| node.has_tag_name(tag)).count().to_string()
            };
            assert_eq!(element.attribute("tests"), Some(&*of("testcase")));
            assert_eq!(element.attribute("failures"), Some(&*of("failure")));
            assert_eq!(element.attribute("errors"), Some(&*of("error")));
        }
    }
    let failed = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    let case = failed.parent().unwrap();
    let attribute = |name: &str| case.attribute(name).unwrap();
    assert_eq!((attribute("file"), attribute("line")), ("a.scn.yaml", "3"));
    let drawn = document.descendants().find(|node| node.has_tag_name("system-out")).unwrap();
    assert!(drawn.text().unwrap().contains("POST /jobs/create"), "{xml}");
}

/// A reader of TAP 14: answers test points as (depth, ok, number) and checks plans on its way.
fn read_tap(tap: &str) -> Vec<(usize, bool, usize)> {
    let mut lines = tap.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    let mut points = Vec::new();
    let mut counts = [0, 0];
    let mut yaml: Option<usize> = None;
    for line in lines {
        let depth = line.len() - line.trim_start().len();
        let text = line.trim_start();
        if let Some(inside) = yaml {
            assert!(depth >= inside, "{line:?} leaves its YAML block");
            if text == "..." && depth == inside {
                yaml = None;
            }
            continue;
        }
        let level = depth / 4;
        if text == "---" {
            yaml = Some(depth);
        } else if let Some(plan) = text.strip_prefix("1..") {
            assert_eq!(plan.parse(), Ok(counts[level]), "{line}");
            if level == 1 {
                counts[1] = 0;
            }
        } else if !text.starts_with('#') {
            let (ok, rest) = match text.strip_prefix("not ok ") {
                Some(rest) => (false, rest),
                None => (true, text.strip_prefix("ok ").unwrap_or_else(|| panic!("{line:?}"))),
            };
            let number = rest.split(' ').next().unwrap().parse().unwrap();
            counts[level] += 1;
            assert_eq!(number, counts[level], "{line}");
            points.push((level, ok, number));
        }
    }
    assert_eq!(yaml, None, "a YAML block without an end");
    points
}

#[test]
fn tap_is_read_by_a_tap_reader() {
    let expect = [(1, true, 1), (1, false, 2), (1, true, 3), (1, false, 4), (0, false, 1)];
    for word in ["plain", HOSTILE] {
        assert_eq!(read_tap(&Format::Tap.write(&results(word)).unwrap()), expect);
    }
}

/// The elements of a page, as a browser's tokenizer finds them; text between is not looked at.
fn elements(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if end > 0 {
            found.push(&rest[..end]);
        }
        // Nothing inside a style or a script is an element.
        if let Some(raw) = ["style", "script"].into_iter().find(|raw| *raw == &rest[..end]) {
            rest = &rest[rest.find(&format!("</{raw}>")).unwrap()..];
        }
    }
    found
}

#[test]
fn a_page_is_one_file_and_nothing_of_a_stranger_is_markup_in_it() {
    let page = Format::Html.write(&results(HOSTILE)).unwrap();
    let plain = Format::Html.write(&results("plain")).unwrap();
    assert_eq!(elements(&page).iter().filter(|name| **name == "script").count(), 1);
    assert!(!elements(&page).contains(&"b onclick"), "{page}");
    // The same elements, but for the lines into which longer labels break.
    let but_texts = |page| {
        let all: Vec<String> = elements(page).iter().map(|name| (*name).to_owned()).collect();
        all.into_iter().filter(|name| name != "text").collect::<Vec<_>>()
    };
    assert_eq!(but_texts(&page), but_texts(&plain));
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http://", "https://", "//cdn", "<link", "<img", "<iframe", "@import", "url(h"]
    {
        assert!(!without_names.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("data-theme=dark"));
    for words in
        ["what happened", "timeline", "on the wire (1)", "a.scn.yaml:3:5", "class=\"badge error\""]
    {
        assert!(plain.contains(words), "{words}");
    }
}

#[test]
fn a_picture_is_xml_with_the_failing_arrow_marked() {
    for word in ["plain", HOSTILE] {
        let picture = svg(&story(word));
        let document = roxmltree::Document::parse(&picture).unwrap();
        let class = |class: &str| {
            let with = |node: &roxmltree::Node<'_, '_>| node.attribute("class") == Some(class);
            document.descendants().filter(with).count()
        };
        assert_eq!((class("arrow http"), class("arrow failed")), (2, 1));
        assert_eq!(class("band bad"), 1);
        // After the kill the server's lane is broken, the other one is not.
        assert_eq!(class("lane gone"), 1);
        assert_eq!(class("head"), 2, "lanes without a part are not drawn");
    }
}

#[test]
fn a_note_at_the_last_lane_stays_inside_the_picture() {
    let cast = vec![Lane::new("Customer", ""), Lane::new("Provider", "")];
    let mut story = Story { cast, ..Story::default() };
    story.push(&Row::Act { title: "act".to_owned(), lanes: vec![LaneId(0), LaneId(1)] });
    for lane in [LaneId(0), LaneId(1)] {
        let text = "Status: Reconnecting (attempt 1)".to_owned();
        story.push(&Row::Note { at: at(1), lane, text, tone: Tone::Bad });
    }
    let picture = svg(&story);
    let document = roxmltree::Document::parse(&picture).unwrap();
    let number = |node: roxmltree::Node<'_, '_>, name| -> f64 {
        node.attribute(name).unwrap().parse().unwrap()
    };
    let width = number(document.root_element(), "width");
    let notes = document.descendants().filter(|node| node.attribute("class") == Some("note bad"));
    let notes: Vec<_> = notes.collect();
    assert_eq!(notes.len(), 4);
    for note in notes {
        let long = note.text().unwrap().chars().count() as f64 * 7.3;
        let (x, ends) = (number(note, "x"), note.attribute("text-anchor") == Some("end"));
        let (left, right) = if ends { (x - long, x) } else { (x, x + long) };
        assert!(left > 70.0 && right < width, "{left} to {right} of {width}");
    }
}

/// Every line is one statement of a sequence diagram, whatever was in a label.
#[test]
fn mermaid_is_one_statement_a_line() {
    for word in ["plain", HOSTILE] {
        let text = mermaid(&story(word));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("sequenceDiagram"));
        for line in lines {
            let statement = line.strip_prefix("  ").unwrap();
            let (head, label) = match statement.split_once(": ") {
                Some(parts) => parts,
                None => statement.split_once(" as ").unwrap(),
            };
            let is_lane =
                |lane: &str| lane.strip_prefix('L').is_some_and(|n| n.parse::<u8>().is_ok());
            let arrow = ["-->>", "->>", "-x"].into_iter().find_map(|shaft| head.split_once(shaft));
            let is_fine = match (arrow, head.split_once(' ')) {
                (Some((from, to)), _) => is_lane(from) && is_lane(to),
                (None, Some(("Note", over))) => {
                    over.strip_prefix("over ").unwrap().split(',').all(is_lane)
                }
                (None, Some(("participant", lane))) => is_lane(lane),
                _ => false,
            };
            assert!(is_fine, "{line:?}");
            let numbers = label.split('#').skip(1).all(|rest| {
                rest.split_once(';').is_some_and(|(number, _)| number.parse::<u32>().is_ok())
            });
            assert!(numbers && !label.contains(['<', '>', '`', '"', '%']), "{line:?}");
        }
        assert!(text.contains("L1-xL0: FAILED 0.050s new_message"), "{text}");
    }
    let markdown = Format::Markdown.write(&results(HOSTILE)).unwrap();
    assert_eq!(markdown.lines().filter(|line| line.starts_with("```")).count(), 2, "{markdown}");
}

#[test]
fn annotations_are_few_and_forge_nothing() {
    let text = Format::Github.write(&results(HOSTILE)).unwrap();
    let commands: Vec<&str> = text.lines().collect();
    assert_eq!(commands.len(), 3, "{text}");
    assert!(commands[0].starts_with("::error title=booking%3A 4,file=a.scn.yaml,line=3,col=5::"));
    assert!(commands[2].starts_with("::warning title=1 not tried::booking: 3"), "{text}");
    let mut many = results("x");
    let failed = many.suites[0].cases[1].clone();
    many.suites[0].cases = vec![failed; 30];
    let text = Format::Github.write(&many).unwrap();
    assert_eq!(text.lines().count(), 10, "{text}");
    assert!(text.ends_with("::error title=and 21 more::the report has all of them\n"), "{text}");
}

#[test]
fn a_story_without_an_end_is_cut_and_says_so() {
    let mut story = story("x");
    let row = story.rows[1].clone();
    (0..ROWS_MAX).for_each(|_| story.push(&row));
    assert_eq!(story.rows.len(), ROWS_MAX + 1);
    assert!(
        matches!(story.rows.last(), Some(Row::Band { text, .. }) if text.contains("more than"))
    );
    let text = mermaid(&story);
    assert!(text.len() < 50_000 && text.ends_with("… and more than fits here\n"));
}
