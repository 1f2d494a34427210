//! `trialogue load`: a run against a server of its own, what it says, and how it ends.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// A database, a server, a debug build and a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn load(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = trialogue();
    command.env("LC_ALL", "C").arg("load").args(arguments);
    command.args(["--rooms", "4", "--rate", "50/s", "--warm-up", "200ms", "--seed", "7"]);
    command.args(["--database-url", &cluster.url_of("postgres")]);
    command
}

async fn ran(command: Command) -> Ran {
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).stdin(Stdio::null()).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap().into()
}

#[tokio::test]
async fn every_delivery_of_our_own_server_is_counted_and_right() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let told = ran(load(&cluster, &["--for", "1s", "--json", "--slo", "reach==1"])).await;
    // A machine that does many other things may have been the limit.
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    let document: Value = serde_json::from_str(&told.stdout).expect("one document");
    assert_eq!(document["schema"], "trialogue-load/1");
    let count = |name: &str| document["counts"][name].as_u64().unwrap();
    assert!((59..=60).contains(&count("sent")), "{told}");
    assert_eq!((count("acked"), count("delivered")), (count("sent"), count("sent") * 3));
    assert_eq!(
        (document["reach"].as_f64(), document["faults"].as_array().unwrap().len()),
        (Some(1.0), 0)
    );
    assert_eq!(document["slos"][0]["held"], true);

    let missed = ran(load(&cluster, &["--for", "500ms", "--slo", "sent<3 && lost==0"])).await;
    assert_eq!(missed.code, Some(1), "{missed}");
    assert!(missed.stdout.contains("FAILED"), "{missed}");
    assert!(missed.stderr.contains("missed: sent<3 && lost==0 with sent 3"), "{missed}");

    let folder = tempfile::tempdir().unwrap();
    let formats = ["json", "junit", "md", "csv", "hgrm", "html"];
    let place = |format: &str| folder.path().join(format);
    let reports = formats.map(|format| format!("{format}={}", place(format).display())).join(",");
    let told = ran(load(&cluster, &["--for", "1s", "--report", &reports])).await;
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    let read = |format: &str| std::fs::read_to_string(place(format)).unwrap();
    let document: Value = serde_json::from_str(&read("json")).unwrap();
    assert_eq!(document["schema"], "trialogue-load/1");
    let begins = [("junit", "<?xml"), ("csv", "at_s,sent,"), ("html", "<!doctype html>")];
    for (format, begin) in begins {
        assert!(read(format).starts_with(begin), "{}", read(format));
    }
    assert!(read("md").contains("trialogue load") && read("hgrm").contains("Total count"));
    assert!(read("html").matches("<svg").count() >= 7);

    let json = place("json").display().to_string();
    let same = run(trialogue().args(["compare", &json, &json, "--fail-on", "delivery.p99>+0%"]));
    // Of a rig that was the limit nothing is said.
    assert!(matches!(same.code, Some(0 | 4)), "{same}");
    assert!(same.stdout.contains("delivery.p99: "), "{same}");
    let wrong = run(trialogue().args(["compare", &json, "/dev/null"]));
    assert_eq!(wrong.code, Some(2), "{wrong}");

    let find =
        ["--for", "300ms", "--find", "max-members", "--members", "2", "--slo", "delivered<40"];
    let found = ran(load(&cluster, &find)).await;
    // On a machine that is busy with other things not even one may hold three times.
    assert!(matches!(found.code, Some(0 | 1 | 4)), "{found}");
    let told = "max-members 2.0: failed: missed: delivered<40 with delivered";
    assert!(found.stderr.contains(told) && found.stdout.contains("max-members: "), "{found}");

    // Rooms are made on the way; nine sockets are one too many, and rooms have two.
    let mut command = trialogue();
    command.env("LC_ALL", "C").args(["load", "idle", "--rooms", "2", "--members", "2"]);
    command.args(["--for", "200ms", "--find", "max-connections", "--slo", "join.count<9"]);
    command.args(["--database-url", &cluster.url_of("postgres")]);
    let found = ran(command).await;
    assert!(matches!(found.code, Some(0 | 1 | 4)), "{found}");
    let told = "max-connections 16.0: failed: missed: join.count<9 with join.count 16";
    let is_busy = found.stderr.contains("inconclusive");
    assert!(is_busy || found.stderr.contains(told), "{found}");
    assert!(is_busy || found.stdout.contains("max-connections: 8.0, held 3 times"), "{found}");

    let closed = ["--for", "500ms", "--json", "--window", "2"];
    let mut command = trialogue();
    command.args(["load", "--rooms", "2", "--members", "5", "--warm-up", "0s"]).args(closed);
    command.args(["--database-url", &cluster.url_of("postgres")]);
    let told = ran(command).await;
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    cluster.stop().await.unwrap();
}

/// A short run of one workload on a server of our own.
async fn document(cluster: &Cluster, arguments: &[&str]) -> Value {
    let told = ran(load(cluster, &[arguments, &["--for", "1s", "--json"][..]].concat())).await;
    // A machine that does many other things may have been the limit.
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    let document: Value = serde_json::from_str(&told.stdout).expect("one document");
    assert_eq!(document["faults"].as_array().unwrap().len(), 0, "{told}");
    document
}

#[tokio::test]
async fn our_server_bears_every_workload() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let back = ["--back-off", "100ms"];
    let storm = ["storm", "--storm-at", "300ms", "--down", "200ms"];
    let told = document(&cluster, &[&storm[..], &back].concat()).await;
    // It was killed in between, and nobody has lost anything.
    let recovery = &told["recovery"];
    assert_eq!((&recovery["lost"], &recovery["back"]), (&12.into(), &12.into()), "{told}");
    assert!(recovery["failedAttempts"].as_u64().unwrap() > 0, "{told}");
    assert_eq!((&told["reach"], &told["cut"]["count"]), (&1.0.into(), &0.into()));

    let jitter = ["jitter", "--every", "400ms", "--away", "100ms"];
    let told = document(&cluster, &[&jitter[..], &back].concat()).await;
    assert_eq!((&told["recovery"]["neverBack"], &told["reach"]), (&0.into(), &1.0.into()));
    assert!(told["counts"]["caughtUp"].as_u64().unwrap() > 0, "{told}");

    let told = document(&cluster, &["churn", "--every", "300ms", "--away", "50ms"]).await;
    assert_eq!(told["reach"], 1.0, "{told}");
    let moves = told["metrics"].as_array().unwrap().iter().find(|one| one["name"] == "move");
    assert!(moves.unwrap()["count"].as_u64().unwrap() > 4, "{told}");

    let history = ["history", "--history", "30", "--page", "10"];
    let told = document(&cluster, &history).await;
    let pages = told["counts"]["pages"].as_u64().unwrap();
    assert!(
        (59..=60).contains(&pages) && told["counts"]["pageMessages"].as_u64() > Some(pages * 5)
    );

    let told = document(&cluster, &["ack"]).await;
    assert_eq!(told["counts"]["acked"], told["counts"]["sent"]);
    assert_eq!(told["counts"]["delivered"], 0);

    let ways = ["--transport", "polling:25%,upgrade:50%"];
    let told = document(&cluster, &ways).await;
    let travelled = told["travelled"].as_array().unwrap();
    let upgrade = travelled.iter().find(|one| one["way"] == "upgrade").unwrap();
    assert_eq!((&upgrade["sockets"], &upgrade["onWebsocket"]), (&6.into(), &6.into()), "{told}");
    assert_eq!(told["reach"], 1.0);

    let crowd = ["--typing", "50%", "--read", "10%", "--members", "6", "--slow-readers", "5%"];
    let told = document(&cluster, &[&crowd[..], &["--spread", "zipf:0.5"]].concat()).await;
    let count = |name: &str| told["counts"][name].as_u64().unwrap();
    assert!(count("typedSeen") > 0 && count("readSeen") > 0 && count("errors") == 0, "{told}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_scenario_is_told_again_and_again_and_judged_by_its_own_checks() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let tell = |scenario: &str, more: &[&str]| {
        let mut command = trialogue();
        command.env("LC_ALL", "C").args(["load", "--scenario", scenario, "--database-url", &url]);
        command.args(["--rate", "4/s", "--for", "1s", "--warm-up", "0s", "--json"]).args(more);
        command
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let formats = ["html", "csv", "md", "junit", "hlog", "hgrm"];
    let reports = formats.map(|format| format!("{format}={}", at(format))).join(",");
    let slo = ["--slo", "passed==4 && iteration.count==4 && step:m1_seen.p99<60s"];
    let told = ran(tell("booking", &[&slo[..], &["--report", &reports]].concat())).await;
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    let document: Value = serde_json::from_str(&told.stdout).expect("one document");
    let scenario = &document["scenario"];
    assert_eq!((&scenario["begun"], &scenario["failed"]), (&4.into(), &0.into()), "{told}");

    stories_are_told_in_every_format(&document, &at);

    let file = folder.path().join("wrong.scn.yaml");
    let text = "scenario: 1\nname: wrong\nactors:\n  customer: { role: customer }\nsteps:\n  \
                - { as: customer, login: true }\n  \
                - { as: customer, get: /jobs, expect: { status: 418 } }\n";
    std::fs::write(&file, text).unwrap();
    let junit = ["--report".to_owned(), format!("junit={}", at("wrong.xml"))];
    let told = ran(tell(file.to_str().unwrap(), &[&junit[0], &junit[1]])).await;
    assert_eq!(told.code, Some(1), "{told}");
    let document: Value = serde_json::from_str(&told.stdout).expect("one document");
    let scenario = &document["scenario"];
    assert_eq!((&scenario["failed"], &scenario["passed"]), (&4.into(), &0.into()), "{told}");
    assert!(scenario["failures"][0]["why"].as_str().unwrap().contains("418"), "{told}");
    assert!(told.stderr.contains("4 of 4 iterations failed"), "{told}");
    let junit = std::fs::read_to_string(at("wrong.xml")).unwrap();
    assert!(junit.contains("failures=\"2\"") && junit.contains("418"), "{junit}");
    cluster.stop().await.unwrap();
}

/// Files of a scenario as load, its result again, and two of them together.
fn stories_are_told_in_every_format(document: &Value, at: &dyn Fn(&str) -> String) {
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let csv = read("csv");
    let head = "at_s,begun,passed,failed,cpu,iteration_count,iteration_p50_us,";
    assert!(csv.starts_with(head) && csv.contains(",step:m1_seen_count,"), "{csv}");
    let column = |name: &str| csv.lines().next().unwrap().split(',').position(|one| one == name);
    let count = column("step:m1_seen_count").unwrap();
    let counts = csv.lines().skip(1).map(|line| line.split(',').nth(count).unwrap());
    assert_eq!(counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), 4, "{csv}");
    let page = read("html");
    assert!(page.contains("Iterations per second") && page.contains("step:m1_seen"), "{page}");
    assert!(!page.contains("Deliveries"), "{page}");
    assert!(read("hlog").contains("Tag=iteration,") && read("hlog").contains("Tag=step:m1_seen,"));
    assert!(read("hgrm").contains("Total count    =            4"), "{}", read("hgrm"));
    assert!(read("md").contains("iterations") && !read("md").contains("nothing is lost"));
    assert!(read("junit").contains("iterations: every iteration passes"), "{}", read("junit"));

    let mut other = document.clone();
    std::fs::write(at("a.json"), document.to_string()).unwrap();
    other["run"] = "other".into();
    std::fs::write(at("b.json"), other.to_string()).unwrap();
    let sh = |arguments: &[&str]| run(trialogue().env("LC_ALL", "C").args(arguments));
    let merged = sh(&["merge", &at("a.json"), &at("b.json"), "--json"]);
    let sum: Value = serde_json::from_str(&merged.stdout).expect("a sum");
    assert_eq!(sum["scenario"]["begun"], 8, "{merged}");
    assert!(sum["rate"].as_f64() > Some(0.0), "{merged}");
    let changes = sh(&["compare", &at("a.json"), &at("b.json"), "--fail-on", "passed<-0"]);
    assert!(changes.code == Some(0) && changes.stdout.contains("step:m1_seen.p99: "), "{changes}");
    let late = ["--from", "10ms", "--to", "1h", "--report"];
    let part = sh(&[&["report", &at("a.json")], &late[..], &["json=-"]].concat());
    let part: Value = serde_json::from_str(&part.stdout).expect("a part");
    let names: Vec<_> =
        part["metrics"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert!(names.contains(&&"iteration".into()) && !names.contains(&&"delivery".into()));
    assert_eq!(part["scenario"]["begun"], 4, "{part}");
}

#[tokio::test]
async fn an_interrupt_is_followed_by_the_result_so_far() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let mut command = load(&cluster, &["--for", "10m"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let going = async {
        while let Some(line) = said.next_line().await.unwrap() {
            if line.contains(" of 600 s ") {
                return;
            }
        }
        panic!("it never began");
    };
    tokio::time::timeout(PATIENCE, going).await.expect("it begins");
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let drained = tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    let mut stdout = String::new();
    let mut output = child.stdout.take().unwrap();
    let read = output.read_to_string(&mut stdout);
    tokio::time::timeout(PATIENCE, read).await.expect("it ends").unwrap();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    drained.await.unwrap();
    assert_eq!(status.code(), Some(130), "{stdout}");
    assert!(stdout.contains("(cut short)") && stdout.contains("0 lost"), "{stdout}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_longer_than_the_tokens_it_has_made_gets_newer_ones() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("short_tokens").await.unwrap();
    let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration", "--access-ttl"];
    let serve = serve.into_iter().chain(["15s", "--limits", "bench", "--listen", LISTEN]);
    let server = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve);
    let server = server.env("DATABASE_URL", &database.url()).without_env("TRIALOGUE_TARGET");
    let mut server = ServerProcess::start(&server, Duration::from_secs(60)).await.unwrap();
    let mut command = trialogue();
    command.args(["load", "--rooms", "1", "--members", "2", "--rate", "5/s", "--warm-up", "0s"]);
    command.args(["--for", "32s", "--json", "--target", server.url()]);
    let told = ran(command).await;
    assert!(matches!(told.code, Some(0 | 4)), "{told}");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&document["cut"]["count"], &document["reach"]), (&0.into(), &1.0.into()));
    server.stop(Duration::from_secs(15)).await.unwrap();
}

#[test]
fn what_cannot_be_run_says_why() {
    let told = |arguments: &[&str]| run(trialogue().env("LC_ALL", "C").arg("load").args(arguments));
    let check = |arguments: &[&str], code: i32, words: &str| {
        let told = told(arguments);
        assert_eq!(told.code, Some(code), "{told}");
        assert!(told.stderr.contains(words), "{told}");
    };
    check(&["--target", "http://chat.example"], 2, "--i-own-this-target");
    check(&["--target", "http://ann:hunter2@localhost"], 2, "has a password");
    check(&["--slo", "speed<1"], 2, "nothing that is measured");
    check(&["--rate", "1/s..5/s"], 2, "--ramp");
    check(&["--size", "3"], 2, "size");
    check(&["--rooms", "0"], 2, "rooms");
    check(&["--window", "2", "--rate", "5/s"], 2, "cannot be used with");
    check(&["--report", "html=/nowhere/x"], 2, "no report can be written");
    check(&["--report", "pdf=x"], 2, "no format");
    check(&["--find", "max-fun"], 2, "max-connections");
    check(&["jitter", "--window", "2"], 2, "closed loop");
    check(&["idle", "--rate", "5/s"], 2, "--rate is for broadcast, ack");
    check(&["--storm-at", "5s"], 2, "--storm-at is for storm, and not for broadcast");
    check(&["--rate", "5/s..1/s"], 2, "--ramp");
    check(&["--arrivals", "burst:9999999", "--for", "1s"], 2, "a burst of 1 to");
    check(&["churn", "--senders", "3"], 2, "churn");
    check(&["--phase", "peak:5s"], 2, "NAME:TIME:RATE");
    check(&["--back-off", "never"], 2, "real");
    check(&["--spread", "pareto"], 2, "zipf");
    check(&["--transport", "smoke"], 2, "polling:20%,upgrade:30%");
    check(&["--transport", "polling", "--scenario", "booking"], 2, "cannot be used with");
    check(&["--scenario", "nothing-like-it"], 2, "neither a file");
    let here = ["--target", "http://127.0.0.1:9", "--seats"];
    check(&[&here[..], &["/dev/null"]].concat(), 2, "no line has a chat");
    let folder = tempfile::tempdir().unwrap();
    let seats = folder.path().join("seats");
    std::fs::write(&seats, "chat-1,token\n").unwrap();
    let many: String = (0..60).map(|n| format!("chat-{n},token\n")).collect();
    std::fs::write(folder.path().join("many"), many).unwrap();
    let many = folder.path().join("many").display().to_string();
    let workers = [&many, "--local-workers", "60", "--dry-run"];
    let plan = told(&[&here[..], &workers].concat());
    assert!(plan.code == Some(0) && plan.stdout.contains("60 workers"), "{plan}");
    check(&["--local-workers", "60"], 2, "as many as rooms (50)");
    check(&["idle", "--find", "max-rate"], 2, "nobody speaks");
    check(&["--bind", "127.0.0.1,127.0.0.1"], 2, "127.0.0.1 is there twice");
    // An address for examples is nobody's.
    check(&["--bind", "192.0.2.1"], 2, "--bind 192.0.2.1: ");
    let stm = ["--target", "http://127.0.0.1:9", "--dialect", "stm", "--dry-run", "--warm-up=0s"];
    let plan = told(&stm);
    assert!(plan.stdout.contains("1000 messages, 2000 deliveries"), "{plan}");
    check(&["--find", "max-rate", "--slo", "page.p99<1ms"], 2, "does not measure page.p99");
    // Somebody else's rooms: nothing is made, and nobody is there.
    check(&[&here[..], &[seats.to_str().unwrap()]].concat(), 3, "127.0.0.1:9");
    // Port 9 discards, where anybody listens at all.
    check(&["--target", "http://127.0.0.1:9"], 3, "cannot set the stage");
    let ways = ["--dry-run", "--transport", "polling:20%", "--rooms", "10", "--members", "3"];
    let plan = told(&ways);
    let line = "transport: websocket 80 %, polling 20 %, upgrade 0 %";
    assert!(plan.stdout.contains(line) && plan.stdout.contains("36 file handles"), "{plan}");
    let plan = told(&["--dry-run", "--seed", "7", "--rate", "10/s..50/s", "--ramp", "spike"]);
    insta::assert_snapshot!(plan);
    let phases = ["--phase", "low:5s:10/s", "--phase", "up:5s:10/s..50/s", "--cool-down", "1s"];
    let plan = told(&[&["storm", "--dry-run", "--seed", "7"], &phases[..]].concat());
    for line in ["low: 5.0 s", "up: 5.0 s at 10.0 to 50.0", "cool-down: 1.0 s", "loses the server"]
    {
        assert!(plan.stdout.contains(line), "{plan}");
    }
}
