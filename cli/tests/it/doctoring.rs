//! `trialogue doctor`: what is well and what is broken, one thing at a time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::binary::{Ran, run};
use crate::story::Story;

fn healthy() -> Story {
    let story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story
}

/// What it says of one thing.
#[track_caller]
fn check(ran: &Ran, name: &str) -> (Option<bool>, String) {
    let report: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not looked at: {ran}"));
    (found["ok"].as_bool(), found["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_healthy_set_up_is_well_in_all_respects() {
    let story = healthy();
    let ran = run(&mut story.command("amna", &["doctor", "--json"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    let names = [
        "handles",
        "profile",
        "files",
        "outbox",
        "dialect",
        "server",
        "token",
        "websocket",
        "polling",
        "upgrade",
        "clock",
    ];
    for name in names {
        assert_eq!(check(&ran, name).0, Some(true), "{name}: {ran}");
    }
    // There is neither, and neither is needed.
    for name in ["config", "proxy"] {
        assert_eq!(check(&ran, name).0, None, "{name}: {ran}");
    }
    assert!(check(&ran, "token").1.starts_with("Amna Khan (customer), until "), "{ran}");
    let people = run(&mut story.command("amna", &["doctor"]));
    assert_eq!(people.code, Some(0), "{people}");
    assert!(people.stdout.lines().all(|line| line.starts_with("ok ") || line.starts_with("-- ")));
}

#[test]
fn a_file_that_others_may_read_is_named_with_the_command_that_mends_it() {
    let mut story = healthy();
    let chat = story.book("amna", "2");
    story.run("amna", &["send", &chat, "hello"]);
    let folder = story.folder("amna").join("outbox");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let ran = run(&mut story.command("amna", &["doctor", "--json"]));
    let (ok, detail) = check(&ran, "files");
    assert_eq!((ran.code, ok), (Some(1), Some(false)), "{ran}");
    assert!(detail.ends_with(&format!("chmod 600 '{}'", file.display())), "{detail}");
    assert!(ran.stderr.contains("doctor") && ran.stderr.lines().count() == 1, "{ran}");
    // The rest was looked at all the same.
    assert_eq!(check(&ran, "upgrade").0, Some(true));
}

#[test]
fn what_waits_is_counted_and_an_outbox_in_use_is_no_fault() {
    let mut story = healthy();
    let chat = story.book("amna", "2");
    story.kill_server();
    story.run("amna", &["--timeout", "100ms", "-q", "send", &chat, "one"]);
    let ran = run(&mut story.command("amna", &["doctor", "--json"]));
    assert_eq!(check(&ran, "outbox"), (Some(true), "1 wait to be sent, 0 were refused".into()));
    assert_eq!((ran.code, check(&ran, "server").0), (Some(5), Some(false)), "{ran}");
    assert_eq!(check(&ran, "upgrade").0, None, "nothing can be said of it: {ran}");

    let mut sender = story.command("amna", &["--timeout", "60s", "send", &chat, "two"]);
    let mut sender = sender.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It has the outbox once it says that the server is not there.
    let mut word = [0; 12];
    sender.stderr.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"reconnecting");
    let ran = run(&mut story.command("amna", &["doctor", "--json"]));
    let (ok, detail) = check(&ran, "outbox");
    assert_eq!(ok, None, "{ran}");
    assert!(detail.contains("another trialogue of this account"), "{detail}");
    sender.kill().unwrap();
    sender.wait().unwrap();
}

/// In front of a server, and lets no websocket through, as some proxies do.
fn without_websockets(upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || pass(caller, upstream));
        }
    });
    address
}

fn pass(mut caller: TcpStream, upstream: SocketAddr) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(1) = caller.read(&mut byte) else { return };
        head.push(byte[0]);
    }
    if String::from_utf8_lossy(&head).to_lowercase().contains("upgrade: websocket") {
        let _ = caller.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(upstream).unwrap();
    server.write_all(&head).unwrap();
    let (mut from_server, mut to_caller) =
        (server.try_clone().unwrap(), caller.try_clone().unwrap());
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_caller);
        let _ = to_caller.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut caller, &mut server);
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}

#[test]
fn a_line_that_lets_no_websocket_through_is_found_out() {
    let mut story = healthy();
    let minted = story.operate(&["--json", "token", "mint", "--user", "1"]);
    let minted: Value = serde_json::from_str(&minted.stdout).unwrap();
    let address = story.url().strip_prefix("http://").unwrap().parse().unwrap();
    let server = format!("http://{}", without_websockets(address));
    let mut command = story.command("amna", &["doctor", "--json", "--timeout", "2"]);
    command.env("TRIALOGUE_SERVER", server);
    let ran = run(command.env("TRIALOGUE_TOKEN", minted["token"].as_str().unwrap()));
    assert_eq!(ran.code, Some(5), "{ran}");
    assert_eq!(check(&ran, "polling").0, Some(true), "{ran}");
    assert_eq!(check(&ran, "websocket").0, Some(false), "{ran}");
    assert_eq!(check(&ran, "upgrade"), (Some(false), "it stays with polling".into()));
}

#[test]
fn too_few_file_handles_are_told_with_the_command_that_gives_more() {
    let story = healthy();
    let doctor = story.command("amna", &["doctor", "--json"]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("ulimit -n 200; exec \"$0\" \"$@\"").arg(doctor.get_program());
    shell.args(doctor.get_args());
    for (name, value) in doctor.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ran = run(&mut shell);
    assert_eq!(check(&ran, "handles").0, Some(false), "{ran}");
    assert!(check(&ran, "handles").1.contains("ulimit -n 256"), "{ran}");
}
