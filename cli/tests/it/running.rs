//! `trialogue run`: what is chosen, what the exit code says, and what is left in reports, also when
//! things go wrong (SCENARIOS §8 to §10).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};
use crate::story::Story;

/// Two people in a chat, with these steps after it.
fn scenario(name: &str, tags: &str, steps: &str, check: &str) -> String {
    format!(
        "scenario: 1
name: {name}
tags: [{tags}]
actors: {{ customer: {{ role: customer }}, provider: {{ role: provider }} }}
steps:
  - {{ as: [customer, provider], login: true }}
  - {{ as: [customer, provider], connect: true }}
  - {{ id: booked, as: customer, do: book, with: {{ provider: provider }}, save: {{ chat: $.chat }} }}
{steps}
check: {{ {check} }}
"
    )
}

const WAITS: &str = "  - { wait: 60s }";
const HOLDS: &str = "  - { as: customer, join: \"${chat}\" }";
const FAILS: &str = "  - { id: never_comes, as: customer, receive: new_message, within: 200ms }
  - { id: after, as: customer, join: \"${chat}\" }";

fn files(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    write("holds.scn.yaml", scenario("holds", "quick, good", HOLDS, "no_server_errors: true"));
    fs::create_dir(folder.join("deep")).unwrap();
    write("deep/fails.scn.yaml", scenario("fails", "quick", FAILS, "delivery: exactly-once"));
    write("deep/unknown.scn.yaml", scenario("unknown", "good", HOLDS, "delivery: exactly-once"));
}

async fn with_database<T: Send + 'static>(test: impl FnOnce(&str) -> T + Send + 'static) -> T {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let done = tokio::task::spawn_blocking(move || test(&url)).await.unwrap();
    cluster.stop().await.unwrap();
    done
}

fn runs(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = trialogue();
    command.current_dir(folder).env("LC_ALL", "C").arg("run").args(arguments);
    command.args(["--database-url", url]);
    command
}

#[track_caller]
fn assert_ends(ran: &Ran, code: i32, last: &str) {
    assert_eq!(ran.code, Some(code), "{ran}");
    let line = ran.stderr.lines().last().unwrap_or_default();
    assert!(line.contains(last), "{last:?} is not in the last line of:\n{ran}");
}

/// The suite of that name in a JSON report.
fn suite<'a>(report: &'a Value, name: &str) -> &'a Value {
    let suites = report["suites"].as_array().unwrap();
    suites.iter().find(|suite| suite["name"] == name).unwrap_or_else(|| panic!("{report:#}"))
}

fn outcomes(suite: &Value) -> Vec<(&str, &str)> {
    let cases = suite["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["id"].as_str().unwrap(), case["outcome"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_worst_decides_the_exit_code_and_every_report_tells_it() {
    with_database(|url| {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let reports = "junit=o.xml,json=o.json,tap=o.tap,md=o.md,html=o.html,github";
        let mut command =
            runs(folder.path(), url, &[".", "--report", reports, "--trace", "failed"]);
        command.env("GITHUB_STEP_SUMMARY", folder.path().join("summary.md"));
        let ran = run(&mut command);
        // A failure is worse than what is unknown.
        assert_ends(&ran, 1, "exit 1: 1 of 3 scenarios did not hold (fails: never_comes)");
        assert!(ran.stdout.contains("3 scenarios: 1 ok, 1 failed, 1 unknown"), "{ran}");
        let place = "deep/fails.scn.yaml,line=9,col=5::";
        assert!(ran.stderr.contains(place), "{ran}");

        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let report: Value = serde_json::from_str(&read("o.json")).unwrap();
        assert_eq!(report["complete"], true);
        let fails = suite(&report, "fails");
        let expect = [
            ("line 6", "pass"),
            ("line 7", "pass"),
            ("booked", "pass"),
            ("never_comes", "fail"),
            ("after", "skip"),
            ("check delivery", "skip"),
        ];
        assert_eq!(outcomes(fails), expect);
        let rows = fails["story"]["rows"].as_array().unwrap();
        let failed = rows.iter().filter(|row| row["failed"] == true).count();
        assert_eq!(failed, 1, "the failing arrow is marked");
        assert!(outcomes(suite(&report, "unknown")).contains(&("check delivery", "error")));
        assert!(outcomes(suite(&report, "holds")).iter().all(|(_, outcome)| *outcome == "pass"));

        let junit = read("o.xml");
        let sums = "tests=\"16\" skipped=\"2\" failures=\"1\" errors=\"1\"";
        assert!(junit.contains(sums), "{junit}");
        assert!(read("o.tap").contains("not ok 4 - never_comes "));
        assert!(read("o.md").contains("```mermaid\nsequenceDiagram\n"));
        assert_eq!(read("o.md"), read("summary.md"));
        assert!(read("o.html").contains("class=\"suite fail\" id=\"s0\" open"));
        // Of what held there is no journal.
        assert!(read("trialogue-traces/fails.trace.ndjson").contains("\"came\":\"broken\""));
        assert!(!folder.path().join("trialogue-traces/holds.trace.ndjson").exists());
        assert!(!read("trialogue-traces/fails.trace.ndjson").contains("eyJ"), "a token");
    })
    .await;
}

#[tokio::test]
async fn scenarios_are_chosen_by_tag_name_and_pattern() {
    with_database(|url| {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let names = |arguments: &[&str]| {
            let ran = run(&mut runs(folder.path(), url, arguments));
            let lines = ran.stdout.lines().filter_map(|line| line.split_once(" ("));
            let mut names: Vec<String> = lines
                .filter_map(|(line, _)| line.split_whitespace().nth(1).map(str::to_owned))
                .filter(|name| name != "scenarios:")
                .collect();
            names.sort();
            (ran.code, names.join(" "))
        };
        let none = "--diagram=none";
        let check = |arguments: &[&str], code, expect: &str| {
            let arguments: Vec<&str> = arguments.iter().copied().chain([none]).collect();
            assert_eq!(names(&arguments), (Some(code), expect.to_owned()), "{arguments:?}");
        };
        check(&[".", "--tags", "good"], 4, "holds unknown");
        check(&[".", "--tags", "good,!quick"], 4, "unknown");
        check(&["**/*.scn.yaml", "--filter", "^h"], 0, "holds");
        check(&["*.scn.yaml"], 0, "holds");
        check(&[".", "--tags", "nobody"], 2, "");
        check(&[".", "--tags", "nobody", "--allow-empty"], 0, "");
        check(&["deep/fails.scn.yaml", "--exit-zero"], 0, "fails");
        check(&["deep/unknown.scn.yaml", "--exit-zero"], 0, "unknown");
        // A name that is wrong is never nothing at all.
        check(&["nobody.scn.yaml", "--allow-empty"], 2, "");
    })
    .await;
}

#[tokio::test]
async fn repetitions_end_with_the_first_that_does_not_hold() {
    with_database(|url| {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let both = ["holds.scn.yaml", "deep/fails.scn.yaml", "--jobs", "1", "--seed", "7"];
        let played = |more: &[&str]| {
            let arguments: Vec<&str> = both.iter().chain(more).copied().collect();
            let ran = run(runs(folder.path(), url, &arguments).arg("--json"));
            assert_eq!(ran.code, Some(1), "{ran}");
            let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let reports: Vec<Value> = lines.filter(|line| line["type"] == "report").collect();
            assert!(reports.iter().all(|report| report["seed"] == 7), "{ran}");
            reports.iter().map(|r| r["scenario"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(played(&["--repeat", "2"]), ["holds #1", "fails #1", "holds #2", "fails #2"]);
        assert_eq!(played(&["--until-fail"]), ["holds #1", "fails #1"]);
        assert_eq!(played(&["--repeat", "9", "--fail-fast"]), ["holds #1", "fails #1"]);
    })
    .await;
}

/// Of rounds beyond those whose stories are kept, what came is still told, and the worst of it.
#[test]
fn of_many_rounds_all_are_counted_and_the_first_tell_their_story() {
    const ROUNDS: usize = 203;
    let story = Story::begin();
    let folder = tempfile::tempdir().unwrap();
    let text = "scenario: 1\nname: t\nactors: { a: { role: customer } }\nsteps:\n  \
                    - { id: seen, as: a, get: /health/live, expect: { status: 200 } }\n";
    fs::write(folder.path().join("t.scn.yaml"), text).unwrap();
    let mut command = trialogue();
    command.current_dir(folder.path()).args(["run", "t.scn.yaml", "--target", story.url()]);
    let ran = run(command.args(["--repeat", &ROUNDS.to_string(), "--report", "json=r.json"]));
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.contains(&format!("{ROUNDS} scenarios: {ROUNDS} ok")), "{ran}");
    let report = fs::read_to_string(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    // Rounds end in any order, as several are played at once.
    let suites = report["suites"].as_array().unwrap();
    assert_eq!(suites.len(), ROUNDS);
    assert_eq!(suites.iter().filter(|suite| !suite["story"].is_null()).count(), 200);
    assert!(suites.iter().all(|suite| outcomes(suite) == [("seen", "pass")]), "{ran}");
}

#[test]
fn what_could_not_be_played_is_no_failure_of_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path());
    let run_at = |target: &str, more: &[&str]| {
        let mut command = trialogue();
        command.current_dir(folder.path()).args(["run", "holds.scn.yaml", "--target", target]);
        run(command.args(more))
    };
    // Nobody listens there: the first step is told so.
    let ran = run_at("http://127.0.0.1:9", &["--report", "json=o.json", "--diagram=none"]);
    assert_ends(&ran, 3, "exit 3: could not run holds: http://127.0.0.1:9/ cannot be reached");
    let text = fs::read_to_string(folder.path().join("o.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outcomes(suite(&report, "holds")), [("run", "error")]);
    // Each has a journal of its own, whatever it is called.
    fs::create_dir(folder.path().join("again")).unwrap();
    fs::copy(folder.path().join("holds.scn.yaml"), folder.path().join("again/h.scn.yaml")).unwrap();
    let more = ["again/h.scn.yaml", "--trace", "on", "--repeat", "2"];
    assert_eq!(run_at("http://127.0.0.1:9", &more).code, Some(3));
    for name in ["holds@1-1", "holds@1-2", "holds@2-1", "holds@2-2"] {
        let path = format!("trialogue-traces/{name}.trace.ndjson");
        assert!(folder.path().join(&path).exists(), "{path}");
    }
    // A database that is not there.
    let database = "postgres://127.0.0.1:9/x";
    let mut command = runs(folder.path(), database, &["holds.scn.yaml"]);
    assert_ends(&run(&mut command), 3, "exit 3: ");
    // Somebody else's machine, without the owner's word.
    let ran = run_at("https://chat.example.test", &[]);
    assert_ends(&ran, 2, "chat.example.test is another machine: only its owner may test it");
    assert_ends(&run_at("staging", &[]), 2, "no target is called staging");
    assert_ends(&run_at("http://127.0.0.1:9", &["--step"]), 2, "--step asks at the terminal");
    let nowhere = ["--report", "junit=no/such/folder/o.xml"];
    assert_ends(&run_at("http://127.0.0.1:9", &nowhere), 2, "no report can be written to");
}

#[tokio::test]
async fn an_interrupt_writes_every_report_and_leaves_nothing() {
    with_database(|url| {
        let folder = tempfile::tempdir().unwrap();
        let text = scenario("waits", "", WAITS, "");
        fs::write(folder.path().join("waits.scn.yaml"), text).unwrap();
        let reports = "junit=o.xml,json=o.json,html=o.html";
        fs::write(folder.path().join("z.scn.yaml"), scenario("later", "", HOLDS, "")).unwrap();
        let files = ["waits.scn.yaml", "z.scn.yaml", "--jobs", "1"];
        let arguments = [&files[..], &["--report", reports, "--json"]].concat();
        let mut command = runs(folder.path(), url, &arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Steps are told as they happen: by the third, the long wait has begun.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let third = lines.by_ref().map(Result::unwrap).nth(2).unwrap();
        assert!(third.contains("\"id\":\"booked\""), "{third}");
        let pid = i32::try_from(child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        lines.for_each(drop);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let report: Value = serde_json::from_str(&read("o.json")).unwrap();
        assert_eq!(report["complete"], false);
        // Never green, and what was to come is named.
        let waits = outcomes(suite(&report, "waits"));
        assert_eq!(waits[2..], [("booked", "pass"), ("line 9", "skip"), ("cut short", "error")]);
        assert_eq!(outcomes(suite(&report, "later")), [("run", "skip")]);
        assert!(read("o.xml").contains("name=\"complete\" value=\"false\""));
        assert!(read("o.html").contains("The run was cut short"));
    })
    .await;
}
