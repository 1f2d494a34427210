//! The examples for CI: their own lines, run in a fresh folder as a pipeline runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/");
/// What a runner has already, and what takes a network.
const NOT_HERE: &[&str] = &["cargo install", "apt-get"];

const SCENARIO: &str = "scenario: 1
name: two-meet
actors: { customer: { role: customer }, provider: { role: provider } }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: hello } }
  - { delivered: { message: m1, to: [customer, provider] } }
check: { delivery: exactly-once }
";

/// Shell lines of a step (`- run: …`) or of a script (`- …` under `script:`), in their order.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{EXAMPLES}{file}")).unwrap();
    let mut in_script = false;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        let step = line.strip_prefix("- run: ");
        let item = line.strip_prefix("- ").filter(|_| in_script);
        if let Some(line) = step.or(item) {
            lines.push(line.to_owned());
        } else if line.ends_with(':') {
            in_script = line.ends_with("script:");
        }
    }
    lines.retain(|line| !NOT_HERE.iter().any(|begin| line.contains(begin)));
    lines
}

/// One line after the other in one folder, until one fails.
fn in_pipeline(file: &str, folder: &Path, database_url: &str) -> Vec<(String, Ran)> {
    fs::create_dir(folder.join("scenarios")).unwrap();
    fs::write(folder.join("scenarios/two-meet.scn.yaml"), SCENARIO).unwrap();
    let own = trialogue();
    let beside = Path::new(own.get_program()).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut all = Vec::new();
    for line in lines(file) {
        let mut shell = Command::new("sh");
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        // As a job has them; the database is the only one that is this machine's.
        shell.args(["-ec", &line]).current_dir(folder).env("CI", "true");
        shell.env("PATH", format!("{}:{path}", beside.display()));
        shell.env("GITHUB_STEP_SUMMARY", folder.join("summary.md"));
        shell.env("TRIALOGUE_TEST_DATABASE_URL", database_url);
        let ran = run(&mut shell);
        let is_over = ran.code != Some(0);
        all.push((line, ran));
        if is_over {
            break;
        }
    }
    all
}

async fn check(file: &'static str, count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::throwaway(true).await.unwrap();
    let (url, place) = (cluster.url_of("postgres"), folder.path().to_owned());
    let work = move || in_pipeline(file, &place, &url);
    let ran = tokio::task::spawn_blocking(work).await.unwrap();
    cluster.stop().await.unwrap();
    assert_eq!(ran.len(), count, "{:?}", lines(file));
    for (line, ran) in ran {
        assert_eq!(ran.code, Some(0), "{line}\n{ran}");
    }
    let junit = fs::read_to_string(folder.path().join("out/junit.xml")).unwrap();
    assert!(junit.contains("two-meet") && junit.contains("failures=\"0\""), "{junit}");
    let html = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(html.contains("two-meet"), "{html}");
    folder
}

#[tokio::test]
async fn the_lines_of_the_github_workflow_work_and_the_summary_is_written() {
    let folder = check("github-workflow.yml", 2).await;
    let summary = fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert!(summary.contains("two-meet"), "{summary}");
}

#[tokio::test]
async fn the_lines_of_the_gitlab_job_work() {
    check("gitlab-ci.yml", 3).await;
}
