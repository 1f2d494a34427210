//! `trialogue preflight` at servers that are not simply there: accounts that exist, a server that the
//! profile starts, one that limits log-ins; and that `run` waits for those too.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_server::embedded::{Cluster, Database};

use crate::binary::{Ran, run, trialogue};

/// Rows of capabilities that are tried.
const TRIED: usize = 16;

async fn started(database: &Database, more: &[&str]) -> ServerProcess {
    let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let serve = serve.into_iter().chain(["--listen", LISTEN]).chain(more.iter().copied());
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve);
    let command = command.env("DATABASE_URL", &database.url()).without_env("TRIALOGUE_TARGET");
    ServerProcess::start(&command, Duration::from_secs(60)).await.unwrap()
}

async fn ran(mut command: Command) -> Ran {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

fn verb(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = trialogue();
    command.current_dir(folder).env("LC_ALL", "C").args(arguments);
    command
}

/// How many capabilities were seen like that.
fn seen(came: &Ran, word: &str) -> usize {
    came.stdout.lines().filter(|line| line.contains(&format!("seen: {word}"))).count()
}

async fn registered(folder: &Path, url: &str, who: &str, role: &str) {
    let mail = format!("{who}@example.test");
    let mut command = verb(folder, &["register", &mail, "--role", role, "--first-name", "A"]);
    command.args(["--last-name", "B", "--server", url, "--no-input"]);
    if role != "customer" {
        command.args(["--region", "North"]);
    }
    if role == "provider" {
        command.args(["--business-name", "B Ltd"]);
    }
    command.env("TRIALOGUE_PASSWORD", "demo-password").env("TRIALOGUE_DATA_DIR", folder.join(who));
    let came = ran(command).await;
    assert_eq!(came.code, Some(0), "{came}");
}

#[tokio::test]
async fn a_profile_with_one_account_for_each_role_is_found_out_like_one_without() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("accounts").await.unwrap();
    let mut server = started(&database, &["--limits", "bench"]).await;
    let (url, folder) = (server.url().to_owned(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    for role in ["customer", "provider", "lsm"] {
        registered(folder, &url, role, role).await;
    }
    let account = |role: &str| {
        format!("  {role}: {{ user: {role}@example.test, password: demo-password }}\n")
    };
    let write = |roles: &[&str]| {
        let accounts: String = roles.iter().map(|role| account(role)).collect();
        let profile = format!("target: 1\nurl: {url}\naccounts:\n{accounts}");
        fs::write(folder.join("mine.yaml"), profile).unwrap();
    };
    write(&["customer", "provider", "lsm"]);
    let came = ran(verb(folder, &["preflight", "--target", "mine.yaml"])).await;
    assert_eq!(came.code, Some(0), "{came}");
    assert_eq!(seen(&came, "yes"), TRIED, "{came}");

    // An LSM of nobody's region is asked into nothing: that is not known, and not no.
    write(&["customer", "provider"]);
    let came = ran(verb(folder, &["preflight", "--target", "mine.yaml"])).await;
    assert_eq!(came.code, Some(3), "{came}");
    assert_eq!((seen(&came, "no "), seen(&came, "unknown")), (0, 4), "{came}");
    assert!(came.stdout.contains("an account for `provider` and none for `lsm`"), "{came}");
    assert!(!came.stderr.contains("the profile should say"), "{came}");

    // So is everything where nobody can sign in.
    let wrong = format!(
        "target: 1\nurl: {url}\naccounts:\n  lsm: {{ user: nobody@example.test, password: x }}\n"
    );
    fs::write(folder.join("mine.yaml"), wrong).unwrap();
    let came = ran(verb(folder, &["preflight", "--target", "mine.yaml"])).await;
    assert_eq!((came.code, seen(&came, "unknown")), (Some(3), TRIED), "{came}");
    assert!(came.stdout.contains("login: lsm:"), "{came}");

    // A plan says who is who.
    write(&["customer", "provider", "lsm"]);
    let came =
        ran(verb(folder, &["run", "dispute-join", "--target", "mine.yaml", "--dry-run"])).await;
    let users = "customer (customer, as customer@example.test, of the profile)";
    assert!(came.stdout.contains(users), "{came}");
    let came = ran(verb(folder, &["run", "booking", "--target", "mine.yaml", "--dry-run"])).await;
    assert!(came.stdout.contains("lacks     the target has one account for customer"), "{came}");

    server.stop(Duration::from_secs(15)).await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_limits_log_ins_is_waited_for_or_said_to_do_so() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("limits").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let scenario = "scenario: 1\nname: hello\nactors: { ann: { role: customer } }\nsteps:\n  \
                    - { as: ann, login: true, within: 900ms }\n";
    fs::write(folder.join("t.scn.yaml"), scenario).unwrap();
    // A registration and a log-in are two, one a second.
    let mut server = started(&database, &["--limit", "logins-per-address=1/s:1"]).await;
    let url = server.url().to_owned();
    let came = ran(verb(folder, &["run", "t.scn.yaml", "--target", &url, "--diagram=none"])).await;
    assert_eq!(came.code, Some(0), "{came}");
    let waits = "the server has had too many log-ins: ann waits";
    assert!(came.stderr.contains(waits), "{came}");
    let only = ["preflight", "--target", &url, "--only", "acks"];
    let came = ran(verb(folder, &only)).await;
    assert_eq!(came.code, Some(0), "{came}");
    assert!(came.stderr.contains("too many log-ins"), "{came}");
    server.stop(Duration::from_secs(15)).await.unwrap();

    // A minute is too long: what to do is said, and nothing is taken for a no.
    let mut server = started(&database, &["--limit", "logins-per-address=1/m:1"]).await;
    let url = server.url().to_owned();
    let came = ran(verb(folder, &["run", "t.scn.yaml", "--target", &url])).await;
    assert_eq!(came.code, Some(3), "{came}");
    assert!(came.stdout.contains("ERROR hello could not run"), "{came}");
    assert!(!came.stdout.contains("FAIL"), "{came}");
    assert!(came.stderr.contains("`trialogue serve --limits bench`\n"), "{came}");
    let came = ran(verb(folder, &["preflight", "--target", &url])).await;
    assert_eq!((came.code, seen(&came, "unknown")), (Some(3), TRIED), "{came}");
    assert!(came.stderr.contains("`trialogue serve --limits bench`\n"), "{came}");
    server.stop(Duration::from_secs(15)).await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn preflight_starts_the_server_of_a_profile_and_ends_it() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("starts").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = env!("CARGO_BIN_EXE_trialogue");
    let profile = format!(
        "target: 1\nurl: http://127.0.0.1:{port}\nserver:\n  start: \"exec '{program}' serve \
         --listen 127.0.0.1:{port} --limits bench --open-registration\"\n  \
         ready: {{ get: /health/ready, within: 60s }}\n"
    );
    fs::write(folder.join("mine.yaml"), profile).unwrap();
    let preflight = |more: &[&str]| {
        let mut command = verb(folder, &["preflight", "--target", "mine.yaml"]);
        command.args(more).env("DATABASE_URL", database.url());
        command
    };
    let came = ran(preflight(&["--only", "acks,dispute_push"])).await;
    assert_eq!((came.code, seen(&came, "yes")), (Some(0), 2), "{came}");
    assert!(came.stderr.contains("starts `exec "), "{came}");
    assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok(), "the server is gone");
    let came = ran(preflight(&["--connections", "5"])).await;
    assert_eq!(came.code, Some(2), "{came}");
    cluster.stop().await.unwrap();
}
