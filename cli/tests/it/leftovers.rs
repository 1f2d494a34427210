//! What is left when a process that owns a database is killed: its data, and nothing that runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use trialogue_server::embedded::{Options, running};

use crate::binary::trialogue;

/// A first start makes a cluster; the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

struct Served {
    child: Child,
    url: String,
}

/// A bare `serve`, which owns a private database in `home`.
fn serve(home: &Path) -> Served {
    let mut command = trialogue();
    for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("TRIALOGUE_DATA_DIR", home).args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    command.env_remove("DATABASE_URL").stdout(Stdio::piped()).stderr(Stdio::null());
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

async fn until_nothing_runs(options: &Options) {
    let start = Instant::now();
    while !running(options).unwrap().is_empty() {
        assert!(start.elapsed() < SOON, "the database still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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
