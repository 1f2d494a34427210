//! What a person, a drawing and a report are told of a step that does not hold at some of those
//! whom it is about.

use std::fs;
use std::process::Command;

use serde_json::Value;
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// Three people, one of whom never enters the chat.
const HALF_TOLD: &str = "scenario: 1
name: t
defaults: { within: 10s }
actors:
  amna: { role: customer }
  ravi: { role: provider }
  eve: { role: customer }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: amna, provider: ravi } }
  - { as: eve, login: true }
  - { as: eve, connect: true }
  - { id: m0, as: amna, send: { chat: \"${chat}\", text: hello } }
  - { delivered: { message: m0, to: [amna, ravi] } }
  - { id: m1, as: amna, send: { chat: \"${chat}\", text: good morning } }
  - { delivered: { message: m1, to: [amna, ravi, eve] }, within: 1s }
  - { id: m2, as: ravi, send: { chat: \"${chat}\", text: not reached } }
order:
  - m1.sent < m1@ravi
  - m1@ravi < m2
  - m1@ravi < m0@ravi
check: { delivery: exactly-once, room_isolation: true }
";

/// The words of one lane's arrows in the story of a report: who, what, and whether it failed.
fn arrows<'a>(suite: &'a Value, label: &str) -> Vec<(Vec<&'a str>, bool)> {
    let lanes: Vec<&str> = suite["story"]["lanes"].as_array().unwrap().iter().map(title).collect();
    let rows = suite["story"]["rows"].as_array().unwrap().iter();
    let these = rows.filter(|row| row["label"].as_str().is_some_and(|own| own.contains(label)));
    let ends = |row: &Value| {
        let spokes = row["spokes"].as_array().unwrap().iter();
        spokes.map(|lane| lanes[usize::try_from(lane.as_u64().unwrap()).unwrap()]).collect()
    };
    these.map(|row| (ends(row), row["failed"] == true)).collect()
}

fn title(lane: &Value) -> &str {
    lane["title"].as_str().unwrap()
}

async fn with_database<T: Send + 'static>(test: impl FnOnce(&str) -> T + Send + 'static) -> T {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let done = tokio::task::spawn_blocking(move || test(&url)).await.unwrap();
    cluster.stop().await.unwrap();
    done
}

fn play(text: &str, url: &str) -> (Ran, Value) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.scn.yaml"), text).unwrap();
    let mut command: Command = trialogue();
    command.current_dir(folder.path()).env("LC_ALL", "C").args(["run", "t.scn.yaml"]);
    let ran = run(command.args(["--database-url", url, "--report", "json=o.json"]));
    let report = fs::read_to_string(folder.path().join("o.json")).unwrap_or_default();
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{ran}"));
    (ran, report["suites"][0].clone())
}

#[tokio::test]
async fn only_those_who_lack_a_message_are_blamed_with_the_reason() {
    with_database(|url| {
        let (ran, suite) = play(HALF_TOLD, url);
        assert_eq!(ran.code, Some(1), "{ran}");
        for words in [
            "t.scn.yaml:15:5: delivered m1 to eve did not hold",
            "expected  m1 (live) at amna, ravi, eve",
            "got       eve does not have it: it has not joined this chat",
            "the last that eve saw (the link is connected):",
            "   the last that amna saw (",
            "   ravi (the link is connected), last: ",
        ] {
            assert!(ran.stderr.contains(words), "{words:?} is not in:\n{ran}");
        }
        // Under the word that failed, not under the bracket before it.
        let under = |line: &str| {
            let mut lines = ran.stderr.lines().skip_while(|own| !own.contains(line));
            let (line, carets) = (lines.next().unwrap(), lines.next().unwrap());
            line[carets.find('^').unwrap()..].trim_end_matches('}').trim().to_owned()
        };
        let marked = under("   15 |   - { delivered:");
        assert!(marked.starts_with("delivered: { message: m1"), "{marked}\n{ran}");

        // What arrived is drawn, and the failing arrow only where nothing did.
        let mut came = arrows(&suite, "new_message");
        came.retain(|(_, failed)| !failed);
        assert_eq!(came, [(vec!["Amna", "Ravi"], false), (vec!["Amna", "Ravi"], false)]);
        assert_eq!(arrows(&suite, "amna, ravi, eve <- m1"), [(vec!["Eve"], true)]);
    })
    .await;
}

#[tokio::test]
async fn after_a_failed_step_everything_is_judged_that_can_be() {
    with_database(|url| {
        let (ran, suite) = play(HALF_TOLD, url);
        let cases = suite["cases"].as_array().unwrap().iter();
        let of = |case: &Value, name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let cases: Vec<(String, String, String)> =
            cases.map(|case| (of(case, "id"), of(case, "outcome"), of(case, "message"))).collect();
        let check = |id: &str, outcome: &str, words: &str| {
            let (_, came, why) = cases.iter().find(|(own, ..)| own == id).expect(id);
            assert_eq!(came, outcome, "{id}: {why}\n{ran}");
            assert!(why.contains(words), "{id}: {why}");
        };
        check("order 1", "pass", "");
        check("order 2", "skip", "m2 never happened");
        check("order 3", "fail", "m1@ravi at ");
        check("check delivery", "pass", "");
        check("check room_isolation", "pass", "");
        let last = ran.stderr.lines().last().unwrap();
        assert!(last.ends_with("(t: line 15, order)"), "{last}");
    })
    .await;
}

#[tokio::test]
async fn everybody_at_whom_a_step_fails_is_told() {
    let steps = "  - { as: [amna, ravi, eve], receive: user_typing, within: 300ms }\n";
    let (head, _) = HALF_TOLD.split_once("  - { id: m0").unwrap();
    let typing = "  - { as: amna, emit: typing, data: { chatId: \"${chat}\", isTyping: true } }\n";
    let text = format!("{head}{typing}{steps}");
    with_database(move |url| {
        let (ran, suite) = play(&text, url);
        let got = "got       amna: no `user_typing` at all; the link is connected; eve: no `user";
        assert!(ran.stderr.contains(got), "{ran}");
        assert_eq!(
            arrows(&suite, "user_typing"),
            [(vec!["Ravi"], false), (vec!["Amna", "Eve"], true),]
        );
    })
    .await;
}
