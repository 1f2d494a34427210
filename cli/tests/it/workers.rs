//! `trialogue worker` and `load --workers`: processes that share a run, one of which is killed; and
//! people who are there already.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// A database, a server, a debug build and a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker and where it is.
async fn worker(token: &Path) -> (Child, String) {
    let mut command = Command::from(trialogue());
    command.args(["--json", "worker", "--listen", "127.0.0.1:0", "--token-file"]).arg(token);
    let mut child = command.kill_on_drop(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["type"], "ready");
    (child, ready["address"].as_str().unwrap().to_owned())
}

/// Runs `load`: its exit code, its document, if there is one, and what it said; `seen` gets its lines
/// of progress.
async fn load(arguments: &[&str], mut seen: impl FnMut(&str)) -> (Option<i32>, String, String) {
    let mut command = Command::from(trialogue());
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    command.env("LC_ALL", "C").args(["load", "--warm-up", "0s"]).args(arguments);
    command.arg("--report").arg(format!("json={}", report.display()));
    let command = command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = async {
        let mut all = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            seen(&line);
            all += &line;
            all.push('\n');
        }
        all
    };
    let ended = async { tokio::join!(said, child.wait()) };
    let (said, status) = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    let document = std::fs::read_to_string(report).unwrap_or_default();
    (status.unwrap().code(), document, said)
}

#[tokio::test]
async fn workers_share_a_run_and_a_killed_one_is_told() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("workers").await.unwrap();
    let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let serve = serve.into_iter().chain(["--limits", "bench", "--listen", LISTEN]);
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve);
    let command = command.env("DATABASE_URL", &database.url());
    let mut server = ServerProcess::start(&command, Duration::from_secs(60)).await.unwrap();
    let url = server.url().to_owned();

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a token for the workers of a test\n").unwrap();
    let (_one, one) = worker(&token).await;
    let (mut two, second) = worker(&token).await;
    let (workers, token_file) = (format!("{one},{second}"), token.to_str().unwrap());
    let shared = ["--target", &url, "--workers", &workers, "--worker-token-file", token_file];
    let shared = [&shared[..], &["--rooms", "4", "--rate", "40/s"]].concat();

    let (code, document, said) = load(&[&shared[..], &["--for", "2s"]].concat(), |_| {}).await;
    // Four where the machine is busy with other tests: nothing was wrong all the same.
    assert!(matches!(code, Some(0 | 4)), "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((&document["plan"]["workers"], &document["reach"]), (&2.into(), &1.0.into()));
    assert!(document["counts"]["sent"].as_u64().unwrap().abs_diff(80) <= 4, "{said}");

    let mut killed = false;
    let seen = |line: &str| {
        let is_second = line.trim_start().starts_with(|first: char| first.is_ascii_digit());
        if is_second && line.contains(" of 8 s ") && !std::mem::replace(&mut killed, true) {
            two.start_kill().unwrap();
        }
    };
    let (code, document, said) = load(&[&shared[..], &["--for", "8s"]].concat(), seen).await;
    assert_eq!(code, Some(4), "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        (&document["complete"], &document["verdict"]),
        (&false.into(), &"inconclusive".into())
    );
    assert!(said.contains(&format!("with rooms 2 to 3: worker {second}")), "{said}");

    // Whoever is not there, or has another token.
    let (code, _, said) = load(&[&shared[..], &["--for", "1s"]].concat(), |_| {}).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("worker {second}: not there")), "{said}");
    std::fs::write(&token, "another token for the same workers").unwrap();
    let alone = ["--target", &url, "--workers", &one, "--worker-token-file", token_file];
    let (code, _, said) = load(&alone, |_| {}).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("it has another token"), "{said}");

    people(&url, folder.path()).await;
    returned(&url, folder.path()).await;
    server.stop(Duration::from_secs(15)).await.unwrap();
    cluster.stop().await.unwrap();
}

/// At a server that tells nobody what it missed, everybody reads the whole history.
async fn returned(url: &str, folder: &Path) {
    let profile = folder.join("forgetful.yaml");
    let text = format!("target: 1\nurl: {url}\ncapabilities: {{ resume: false }}\n");
    std::fs::write(&profile, text).unwrap();
    let jitter =
        ["jitter", "--target", profile.to_str().unwrap(), "--rooms", "2", "--rate", "20/s"];
    let times = ["--for", "2s", "--every", "600ms", "--away", "200ms", "--back-off", "100ms"];
    let (code, document, said) = load(&[&jitter[..], &times].concat(), |_| {}).await;
    assert!(matches!(code, Some(0 | 4)), "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    let recovery = &document["recovery"];
    assert!(recovery["lost"].as_u64() > Some(5), "{document}");
    assert_eq!(
        (&recovery["neverBack"], &document["reach"]),
        (&0.into(), &1.0.into()),
        "{document}"
    );
    assert!(document["counts"]["caughtUp"].as_u64() > Some(0), "{document}");
}

/// A server that a script starts and another one ends.
#[cfg(target_os = "linux")]
struct Scripts(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Scripts {
    fn write(database: &str, address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (bin, log, pid) = (env!("CARGO_BIN_EXE_trialogue"), at("log"), at("pid"));
        let start = format!(
            "DATABASE_URL='{database}' setsid '{bin}' serve --open-registration --limits bench \
             --jwt-secret-file '{secret}' --listen {address} >'{log}' 2>&1 </dev/null &\n\
             echo $! >'{pid}'\n\
             until '{bin}' health --server http://{address} >/dev/null 2>&1; do sleep 0.1; done\n",
            secret = at("secret"),
        );
        std::fs::write(at("secret"), "a secret that is the same after each start of it\n").unwrap();
        let owner = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(at("secret"), owner).unwrap();
        std::fs::write(at("start"), start).unwrap();
        std::fs::write(at("end"), format!("kill -9 $(cat '{pid}')\n")).unwrap();
        Self(folder)
    }

    fn command(&self, name: &str) -> String {
        format!("sh '{}'", self.0.path().join(name).display())
    }

    fn run(&self, name: &str) {
        let ran = std::process::Command::new("sh").arg(self.0.path().join(name)).status();
        assert!(ran.unwrap().success(), "{name}");
    }
}

#[cfg(target_os = "linux")]
impl Drop for Scripts {
    fn drop(&mut self) {
        let _gone = std::process::Command::new("sh").arg(self.0.path().join("end")).status();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_storm_ends_and_starts_somebody_elses_server_by_its_commands() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("storm").await.unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scripts = Scripts::write(&database.url(), &free.to_string());
    scripts.run("start");
    let (url, end, start) =
        (format!("http://{free}"), scripts.command("end"), scripts.command("start"));
    let storm = ["storm", "--target", &url, "--rooms", "2", "--rate", "20/s", "--for", "3s"];
    let how = ["--storm-at", "500ms", "--down", "300ms", "--back-off", "200ms"];
    let by = ["--end-with", &end, "--start-with", &start];
    let (code, document, said) = load(&[&storm[..], &how, &by].concat(), |_| {}).await;
    assert!(matches!(code, Some(0 | 4)), "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    let recovery = &document["recovery"];
    assert_eq!((&recovery["lost"], &recovery["back"]), (&6.into(), &6.into()), "{document}");
    assert!(recovery["failedAttempts"].as_u64() > Some(0), "it was gone: {document}");
    assert_eq!(document["reach"], 1.0, "{document}");

    // A command that fails is told, and nothing follows.
    let by = ["--end-with", "false", "--start-with", "true"];
    let (code, document, said) = load(&[&storm[..], &how, &by].concat(), |_| {}).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(document.contains("was not taken away and brought back"), "{document}");
    drop(scripts);
    cluster.stop().await.unwrap();
}

/// As people who are there already, in the chat that they have.
async fn people(url: &str, folder: &Path) {
    let verb = |who: &str, arguments: &[&str]| -> Ran {
        let mut command = trialogue();
        command.env("TRIALOGUE_DATA_DIR", folder).env("TRIALOGUE_SERVER", url);
        command.env("TRIALOGUE_PASSWORD", "a long password").args(["--profile", who, "--json"]);
        let ran = run(command.args(arguments));
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    };
    let register = |who: &str, role: &str| {
        let email = format!("{who}@example.test");
        let names = ["--first-name", who, "--last-name", "Load"];
        let mut all = vec!["register", &email, "--role", role];
        all.extend(names);
        let told = verb(who, &all).stdout;
        serde_json::from_str::<Value>(&told).unwrap()
    };
    register("amna", "customer");
    let provider = register("ravi", "provider");
    let id = provider["id"].as_u64().or(provider["user"]["id"].as_u64()).unwrap().to_string();
    verb("amna", &["book", "--provider", &id, "--title", "sink"]);
    let file = folder.join("people.csv");
    let password = "a long password";
    let text =
        format!("email,password\namna@example.test,{password}\nravi@example.test,{password}\n");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["--target", url, "--users", file, "--members", "2", "--rate", "20/s"];
    let from = if cfg!(target_os = "linux") { "127.0.0.2,127.0.0.3" } else { "127.0.0.1" };
    let arguments = [&arguments[..], &["--bind", from]].concat();
    let (code, document, said) = load(&[&arguments[..], &["--for", "1s"]].concat(), |_| {}).await;
    assert!(matches!(code, Some(0 | 4)), "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((&document["plan"]["rooms"], &document["reach"]), (&1.into(), &1.0.into()));

    // Whether this machine and the target are up to it; no machine has a million ports.
    let rig = |connections: &str| {
        run(trialogue()
            .args(["preflight", "--target", url, "--only", "seq"])
            .args(["--connections", connections]))
    };
    let told = rig("100");
    assert_eq!(told.code, Some(0), "{told}");
    assert!(
        told.stdout.contains("ok      a small run: ") && told.stdout.contains("reach 1, "),
        "{told}"
    );
    let told = rig("1000000");
    assert_eq!(told.code, Some(1), "{told}");
    assert!(told.stdout.contains("        fix: sysctl -w net.ipv4.ip_local_port_range"), "{told}");
    assert!(told.stderr.contains("not enough for the load: "), "{told}");
}

#[test]
fn a_worker_needs_a_token_and_a_lead_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "short").unwrap();
    let check = |arguments: &[&str], words: &str| {
        let told = run(trialogue().args(arguments));
        assert_eq!(told.code, Some(2), "{told}");
        assert!(told.stderr.contains(words), "{told}");
    };
    check(&["worker"], "--token-file");
    check(&["worker", "--token-file", short.to_str().unwrap()], "16 bytes at least");
    check(
        &["load", "--target", "http://127.0.0.1:9", "--workers", "127.0.0.1:9"],
        "--worker-token-file",
    );
    check(&["load", "--users", "people.csv"], "--target");
    std::fs::write(&short, "a token that is long enough").unwrap();
    let far = ["load", "--target", "http://127.0.0.1:9", "--workers", "192.0.2.1:9"];
    let far = [&far[..], &["--worker-token-file", short.to_str().unwrap()]].concat();
    check(&far, "for worker 192.0.2.1:9 the target http://127.0.0.1:9/ is itself");
}
