//! `trialogue record`: what clients do through the proxy is a scenario, and playing it holds.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;
use trialogue_faults::{Signal, send_signal};

use crate::binary::{run, trialogue};
use crate::story::Story;

/// A recorder at work.
struct Recording {
    child: Child,
    url: String,
    said: BufReader<ChildStdout>,
}

impl Recording {
    fn start(folder: &Path, target: &str) -> Self {
        let mut command = trialogue();
        command.current_dir(folder).args(["--json", "record", "--target", target]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        said.read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).expect("a ready line");
        let url = ready["url"].as_str().unwrap().to_owned();
        Self { child, url, said }
    }

    /// Ctrl-C: its exit code, and its last word.
    fn end(mut self) -> (Option<i32>, Value) {
        send_signal(self.child.id(), Signal::Interrupt).unwrap();
        let mut last = String::new();
        self.said.read_line(&mut last).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, serde_json::from_str(&last).unwrap_or_default())
    }
}

#[test]
fn what_is_recorded_holds_when_it_is_played_again() {
    let story = Story::begin();
    let folder = tempfile::tempdir().unwrap();
    let play = |what: &[&str], target: &str| {
        let mut command = trialogue();
        command.current_dir(folder.path()).arg("run").args(what).args(["--target", target]);
        run(&mut command)
    };
    let recording = Recording::start(folder.path(), story.url());
    // At the same time, so that everything is under way while something else is.
    let clients = ["booking", "dispute-join", "lsm-resolves", "idempotent-retry", "rapid-typing"];
    let ran = play(&clients, &recording.url);
    assert_eq!(ran.code, Some(0), "{ran}");
    let (code, last) = recording.end();
    assert_eq!((code, &last["file"]), (Some(0), &Value::from("recorded.scn.yaml")), "{last}");

    let text = std::fs::read_to_string(folder.path().join("recorded.scn.yaml")).unwrap();
    assert!(!text.contains("eyJ") && !text.contains("assword"), "a secret:\n{text}");
    for step in [
        "do: book, with: {",
        "do: dispute, with: {",
        "do: resolve_dispute, with: {",
        "delivered: { message: m1",
        "receive: user_typing, where: {",
        "expect: { error: { code: idempotency_conflict } }",
        "expect: { error: { code: denied } }",
    ] {
        assert!(text.contains(step), "no {step} in:\n{text}");
    }
    for verb in [&["check"][..], &["fmt", "--check"]] {
        let mut command = trialogue();
        command.current_dir(folder.path()).args(verb).arg("recorded.scn.yaml");
        let ran = run(&mut command);
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    let ran = play(&["recorded.scn.yaml"], story.url());
    assert_eq!(ran.code, Some(0), "{ran}\n{text}");
}

#[test]
fn a_file_that_is_there_stays_and_of_nothing_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let target = "http://127.0.0.1:9";
    let recording = Recording::start(folder.path(), target);
    let mut get = trialogue();
    get.current_dir(folder.path()).args(["--server", &recording.url, "health"]);
    assert_ne!(run(&mut get).code, Some(0), "nobody is behind the proxy");
    assert_eq!(recording.end().0, Some(4));
    let file = folder.path().join("recorded.scn.yaml");
    assert!(!file.exists());
    std::fs::write(&file, "mine").unwrap();
    let mut again = trialogue();
    again.current_dir(folder.path()).args(["record", "--target", target]);
    let ran = run(&mut again);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("recorded.scn.yaml is there already (--force)"), "{ran}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let mut open = trialogue();
    let open = open.current_dir(folder.path()).args(["record", "--target", target, "--force"]);
    let ran = run(open.args(["--listen", "0.0.0.0:0"]));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("--open-to-others"), "{ran}");
}
