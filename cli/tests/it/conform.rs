//! `trialogue conform`: verdicts as exit codes, lines and reports, on servers good and bad.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use crate::binary::{Ran, run, trialogue};
use crate::story::Story;

#[path = "../../../lib/socketio/examples/profile/mod.rs"]
mod profile;

/// Longer than a busy machine needs for a step, shorter than a person's patience.
const SOON: Duration = Duration::from_secs(30);

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A server that is set up as every case wants it.
async fn good() -> String {
    let (listener, url) = listen().await;
    tokio::spawn(profile::Profile::new(profile::PINGS).serve(listener));
    url
}

/// A server whose handshake has one key too many, of a hostile name.
async fn bad() -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (times, hostile) =
            (r#""pingInterval":25000,"pingTimeout":20000"#, r"\u001b]52;c;x\u0007");
        let body = format!(r#"0{{"sid":"a","upgrades":[],{times},"maxPayload":1,"{hostile}":0}}"#);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", body.len());
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut ignored = [0; 4096];
            let _gone = stream.read(&mut ignored).await;
            let _gone = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
        }
    });
    url
}

fn conform(targets: &[&str], args: &[&str]) -> Command {
    let mut command = trialogue();
    command.arg("conform");
    for target in targets {
        command.args(["--target", target]);
    }
    command.args(args);
    command
}

/// Runs it beside the servers of the test.
async fn ran(mut command: Command) -> Ran {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

/// The transcript without what is not the same from run to run: ports and times.
fn transcript(ran: &Ran, urls: &[&str]) -> String {
    let mut text = ran.to_string();
    for (number, url) in (1..).zip(urls) {
        text = text.replace(url, &format!("http://server-{number}"));
    }
    let timeless = |line: &str| match line.split_once(" ms") {
        Some((before, after)) if before.len() == 57 => {
            format!("{}     - ms{after}", &before[..51])
        }
        _ => line.to_owned(),
    };
    text.lines().map(timeless).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_names_of_the_cases_stay() {
    insta::assert_snapshot!(run(trialogue().args(["conform", "--list"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_profile_passes_every_case_and_every_report_says_so() {
    let (url, folder) = (good().await, tempfile::tempdir().unwrap());
    let reports = ["--report", "junit=j.xml,json=j.json", "--report", "tap=t.tap,md=m.md"];
    let args = [&["--jobs", "8", "--patience", "10s"], &reports[..]].concat();
    let mut command = conform(&[&url], &args);
    command.current_dir(folder.path());
    let ran = ran(command).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("ok ")).count(), 122, "{ran}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let junit =
        r#"<testsuites name="trialogue conform" tests="122" skipped="0" failures="0" errors="0""#;
    assert!(read("j.xml").contains(junit), "{:.300}", read("j.xml"));
    let json: Value = serde_json::from_str(&read("j.json")).unwrap();
    assert_eq!((&json["complete"], &json["counts"]["pass"]), (&true.into(), &122.into()));
    assert!(read("t.tap").ends_with("ok 3 - ext\n1..3\n"));
    assert!(read("m.md").contains("| sio5 | 32 | 32 | 0 | 0 | 0 | 0 |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_what_was_expected_and_what_came() {
    let (good, bad) = (good().await, bad().await);
    let case = ["--case", "sio5.handshake.polling"];
    let failed = ran(conform(&[&bad], &case)).await;
    insta::assert_snapshot!("failure", transcript(&failed, &[&bad]));
    let both = ran(conform(&[&good, &bad], &case)).await;
    insta::assert_snapshot!("side_by_side", transcript(&both, &[&good, &bad]));
    // A report on standard output has it for itself; the rest is talk.
    let tap = ran(conform(&[&bad], &[&case[..], &["--report", "tap=-"]].concat())).await;
    assert!(
        tap.stdout.starts_with("TAP version 14\n") && tap.stdout.ends_with("\n1..1\n"),
        "{tap}"
    );
    assert!(tap.stderr.contains("FAILED") && tap.stderr.contains("exit 1: 1 case failed"), "{tap}");
    let json = ran(conform(&[&bad], &[&case[..], &["--json"]].concat())).await;
    let lines: Vec<Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["verdict"], "failed", "{json}");
    assert_eq!(lines[2]["suites"]["sio5"]["failed"], 1, "{json}");
    assert!(json.stderr.starts_with("{\"error\":{\"code\":\"failed\""), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, url) = listen().await;
    drop(listener);
    let mut nobody = conform(&[&url], &["--report", "json=r.json"]);
    nobody.current_dir(folder.path());
    let nobody = ran(nobody).await;
    assert_eq!(nobody.code, Some(3), "{nobody}");
    let line = format!("exit 3: {url} cannot be checked: no Engine.IO there: cannot reach");
    assert!(nobody.stderr.starts_with(&line), "{nobody}");
    let report = std::fs::read_to_string(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["suites"][0]["cases"][0]["outcome"], "error", "{report}");
    // Nothing of that kind is offered: neither good nor bad.
    let nothing = ran(conform(&[&bad().await], &["--case", "ext.rooms.*"])).await;
    assert_eq!(nothing.code, Some(4), "{nothing}");
}

#[test]
fn a_wrong_command_line_tries_nothing() {
    let check = |args: &[&str], words: &str| {
        let ran = run(trialogue().arg("conform").args(args));
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains(words), "{ran}");
    };
    let target = ["--target", "http://127.0.0.1:9"];
    check(&["--target", "http://192.0.2.1"], "--i-own-this-target");
    check(&["--target", "http://127.0.0.1:9/chat"], "--path /chat");
    check(&["--target", "127.0.0.1:9"], "it begins with http://");
    check(&["--case", "nothing.*", "--list"], "no case has such a name");
    check(&[&target[..], &["--report", "junit=/nowhere/at/all.xml"]].concat(), "no report can be");
    check(&[&target[..], &["--report", "tap=-,md=-"]].concat(), "only one report");
    check(&[&target[..], &["--auth", "{\"token\":\"x\"}"]].concat(), "a secret is no argument");
    check(&[&target[..], &["--patience", "11m"]].concat(), "at most 600s");
    check(&[&target[..], &["--patience", "99999999999999999ms"]].concat(), "at most 600s");
    check(&[], "--target <URL>");
    for secret in ["ftp://a:hunter2@b/?hunter2", "http://b/?hunter2", "http://a:hunter2@:b"] {
        let ran = run(trialogue().args(["conform", "--target", secret]));
        assert!(ran.code == Some(2) && !ran.to_string().contains("hunter2"), "{ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_it_with_its_reports() {
    let (url, folder) = (good().await, tempfile::tempdir().unwrap());
    let mut command = conform(&[&url], &["--report", "json=r.json"]);
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, stderr) = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("ok ")));
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        lines.for_each(|line| drop(line.unwrap()));
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (child.wait().unwrap().code(), stderr)
    })
    .await
    .unwrap();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.starts_with("exit 130: stopped after "), "{stderr}");
    let report = std::fs::read_to_string(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["complete"], false);
    assert!(report["counts"]["pass"].as_u64() > Some(0), "{report}");
}

/// Our own server, as one of its users: what it does not offer is not held against it.
#[test]
fn the_server_of_this_house_fails_nothing() {
    let story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let conform = |more: &[&str]| {
        let args = ["conform", "--target", story.url(), "--namespace", "/chat", "--signed-in"];
        run(&mut story.command("amna", &[&args[..], more].concat()))
    };
    let all = conform(&["--jobs", "4"]);
    assert_eq!(all.code, Some(0), "{all}");
    let of = |word: &str| all.stdout.lines().filter(|line| line.starts_with(word)).count();
    assert!(of("ok ") > 50 && of("unimplemented ") > 50, "{all}");
    assert_eq!((of("non-strict "), of("FAILED ")), (0, 0), "{all}");
    assert!(all.stdout.contains("the server is not set up as the suites want it"), "{all}");
    let strict = conform(&["--case", "sio5.message.plain", "--strict"]);
    assert_eq!(strict.code, Some(1), "{strict}");
    let echo = conform(&["--only", "eio4"]);
    assert_eq!(echo.code, Some(4), "{echo}");
}

/// Waits for what other processes do.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "{what} did not happen within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_lives_as_long_as_the_check() {
    let folder = tempfile::tempdir().unwrap();
    // The port is ours from the beginning, but nobody listens before the command has begun.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let command = ["-c", "echo $$ > pid; sleep 600 & echo $! > child; wait"];
    let mut command = conform(&[&url], &[&command[..], &["--case", "sio5.connect.main"]].concat());
    command.current_dir(folder.path());
    let checked = tokio::spawn(ran(command));
    until("the command", || folder.path().join("child").exists()).await;
    tokio::spawn(profile::Profile::new(profile::PINGS).serve(socket.listen(16).unwrap()));
    let checked = checked.await.unwrap();
    assert_eq!(checked.code, Some(0), "{checked}");
    for name in ["pid", "child"] {
        let pid = std::fs::read_to_string(folder.path().join(name)).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        // A child without a parent may be a zombie until somebody buries it.
        let state = || Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
        let gone = || {
            let state = String::from_utf8(state().unwrap().stdout).unwrap();
            state.trim().is_empty() || state.starts_with('Z')
        };
        until("its end", gone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_or_comes_too_late_is_no_verdict() {
    let (listener, url) = listen().await;
    let early = ran(conform(&[&url], &["-c", "sleep 600"])).await;
    assert_eq!(early.code, Some(3), "{early}");
    assert!(early.stderr.contains("answers before the command has begun"), "{early}");
    drop(listener);
    let failed = ran(conform(&[&url], &["-c", "echo no database >&2; exit 7"])).await;
    assert_eq!(failed.code, Some(3), "{failed}");
    let words = "the command ended before its server listened; its last words: no database";
    assert!(failed.stderr.contains(words), "{failed}");
    let json = ran(conform(&[&url], &["--json", "-c", "echo no database >&2; exit 7"])).await;
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&document["type"], &document["target"]), (&"unreachable".into(), &url.into()));
    assert!(document["message"].as_str().unwrap().contains(words), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_is_told_with_the_verdict_and_the_others_are_written() {
    let (url, folder) = (bad().await, tempfile::tempdir().unwrap());
    // It looks possible before the check.
    std::os::unix::fs::symlink("nowhere/r.json", folder.path().join("r.json")).unwrap();
    let reports = ["--report", "json=r.json,tap=t.tap", "--case", "sio5.handshake.polling"];
    let mut command = conform(&[&url], &reports);
    command.current_dir(folder.path());
    let ran = ran(command).await;
    assert_eq!(ran.code, Some(5), "{ran}");
    assert!(ran.stderr.starts_with("exit 5: cannot write r.json: "), "{ran}");
    assert!(ran.stderr.ends_with("; besides, 1 case failed (sio5.handshake.polling)\n"), "{ran}");
    let tap = std::fs::read_to_string(folder.path().join("t.tap")).unwrap();
    assert!(tap.ends_with("\n1..1\n"), "{tap}");
}

/// Answers every request with a refusal that repeats the token.
async fn parrot() -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let token = request.split_once("bearer ").and_then(|(_, rest)| rest.lines().next());
            let token = token.unwrap_or_default().to_owned();
            let said = format!("not you: {token}");
            let body = serde_json::json!({"statusCode": 403, "error": "denied", "message": said});
            let body = body.to_string();
            let length = body.len();
            let head =
                "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_log_in_is_no_verdict_and_shows_no_token() {
    let (parrot, bad) = (parrot().await, bad().await);
    let (listener, nobody) = listen().await;
    drop(listener);
    for (url, token) in [(&parrot, true), (&bad, true), (&nobody, true), (&bad, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = conform(&[url], &["--signed-in", "--report", "json=r.json"]);
        command.current_dir(folder.path()).env("TRIALOGUE_DATA_DIR", folder.path());
        if token {
            command.env("TRIALOGUE_TOKEN", "hunter2hunter2");
        }
        let ran = ran(command).await;
        assert_eq!(ran.code, Some(3), "{ran}");
        let report = std::fs::read_to_string(folder.path().join("r.json")).unwrap();
        assert!(report.contains("cannot") || report.contains("signed"), "{report}");
        assert!(!format!("{ran}{report}").contains("hunter2"), "{ran}\n{report}");
        if *url == parrot {
            assert!(ran.stderr.contains("***"), "{ran}");
        }
    }
}

/// There is nobody to sign in at before the command has begun.
#[test]
fn an_account_signs_in_at_the_server_that_the_command_starts() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.kill_server();
    let listen = story.url().strip_prefix("http://").unwrap();
    // Its secret is where the first one has left it.
    let serve = format!(
        "exec env -u TRIALOGUE_DATA_DIR \"$BINARY\" serve --listen {listen} --unsafe-durability --limits bench"
    );
    let args = ["conform", "--target", story.url(), "--namespace", "/chat", "--signed-in"];
    let case = ["--case", "sio5.connect.unknown", "--case", "ext.connect.twice", "-c", &serve];
    let mut command = story.command("amna", &[&args[..], &case[..]].concat());
    command
        .env("BINARY", env!("CARGO_BIN_EXE_trialogue"))
        .env("DATABASE_URL", story.database_url());
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stdout.contains("refused"), "{ran}");
}
