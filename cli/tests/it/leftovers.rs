//! What is left when a process that owns a database is killed: its data, and nothing that runs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use trialogue_server::embedded::{Options, running};

use crate::binary::trialogue;

/// A first start makes a cluster; the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

/// The program with its data in `home` and its PostgreSQL from wherever the tester has it.
fn at_home(home: &Path) -> Command {
    let mut command = trialogue();
    for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("TRIALOGUE_DATA_DIR", home).env_remove("DATABASE_URL");
    command
}

struct Served {
    child: Child,
    url: String,
}

/// A bare `serve`, which owns a private database in `home`.
fn serve(home: &Path) -> Served {
    let mut command = at_home(home);
    command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["type"], "ready");
    Served { child, url: ready["url"].as_str().unwrap().to_owned() }
}

async fn post(url: &str, path: &str, body: &Value) -> StatusCode {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{url}{path}")).json(body).send().await.unwrap().status()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "{what} did not happen within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_nothing_runs(options: &Options) {
    until("the end of the database", || running(options).unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_killed_server_leaves_no_database_running_and_the_next_finds_its_data() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { data: Some(home.path().to_owned()), ..Options::from_env() };
    let account = json!({"email": "amna@example.org", "password": "correct horse"});
    let mut register = account.clone();
    for (name, value) in [("firstName", "Amna"), ("lastName", "Khan"), ("role", "customer")] {
        register[name] = value.into();
    }

    let mut first = serve(home.path());
    assert_eq!(running(&options).unwrap().len(), 1);
    assert_eq!(post(&first.url, "/auth/register", &register).await, StatusCode::CREATED);
    first.child.kill().unwrap(); // SIGKILL
    first.child.wait().unwrap();
    until_nothing_runs(&options).await;

    let mut second = serve(home.path());
    assert_eq!(post(&second.url, "/auth/login", &account).await, StatusCode::OK);
    let mut third = serve(home.path());
    assert_eq!(running(&options).unwrap().len(), 1, "the third adopts it");
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    assert_eq!(post(&third.url, "/auth/login", &account).await, StatusCode::OK);
    third.child.kill().unwrap();
    third.child.wait().unwrap();
    until_nothing_runs(&options).await;
}

#[tokio::test]
async fn two_demos_after_a_killed_one_share_the_server_and_leave_no_database_in_it() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { data: Some(home.path().to_owned()), ..Options::from_env() };
    let mut command = at_home(home.path());
    command.arg("demo").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = command.spawn().unwrap();
    // Once the customer's booking is on screen a server has answered.
    let mut rows = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(rows.any(|row| row.unwrap().contains("POST /jobs/create")));
    let url = running(&options).unwrap().remove(0).url;
    demo.kill().unwrap();
    demo.wait().unwrap();
    until_nothing_runs(&options).await;
    until("the end of the socket's folder", || !sockets(&url).exists()).await;

    // What the killed one has left in the database is dropped by the next, which is not disturbed.
    let shows: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = at_home(home.path());
            command.args(["demo", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for show in shows {
        let output = show.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
    until_nothing_runs(&options).await;
    let claims = std::fs::read_dir(cluster_folder(home.path()).join("databases")).unwrap();
    assert_eq!(claims.count(), 0, "a database of a demo is left");
}

/// The folder of the socket in a URL of ours.
fn sockets(url: &str) -> PathBuf {
    let url = url::Url::parse(url).unwrap();
    let (_, host) = url.query_pairs().find(|(name, _)| name == "host").unwrap();
    PathBuf::from(host.into_owned())
}

fn cluster_folder(home: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
    let named = |name: &str| name.starts_with("pg");
    entries.find(|entry| named(&entry.file_name().to_string_lossy())).unwrap().path()
}
