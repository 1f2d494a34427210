//! `trialogue send` in a loop, as a script has it, while what it talks to is killed, or it is itself:
//! every message once, in order.
//!
//! `cargo test` runs the short form; `TRIALOGUE_CHAOS=long` (`.ci/nightly`) has as many kills as it
//! takes to believe it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use trialogue_faults::{Signal, pid_in, send_signal, wait_until_gone};

use crate::binary::{Ran, run};
use crate::story::Story;

/// Messages that are stored between two kills.
const BETWEEN: u64 = 3;
/// Longest moment between the last of these and the kill: anything may be under way by then.
const MOMENT_MS_MAX: u64 = 150;
/// How long a message may take over all kills on a loaded machine.
const STORED_WITHIN: Duration = Duration::from_secs(120);
/// How long the database may take to recover.
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One of two numbers: for `cargo test`, and for the night.
fn of<T>(short: T, long: T) -> T {
    match std::env::var("TRIALOGUE_CHAOS").as_deref() {
        Ok("long") => long,
        Ok(other) if !other.is_empty() => panic!("TRIALOGUE_CHAOS is `long` or nothing"),
        Ok(_) | Err(_) => short,
    }
}

/// A customer, a provider and a chat of theirs.
fn cast(mut story: Story) -> (Story, String) {
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    (story, chat)
}

/// What the chat holds, as the other one reads it.
fn said(story: &Story, chat: &str) -> Vec<(u64, u64)> {
    let ran = run(&mut story.command("ravi", &["--json", "history", chat, "--all"]));
    assert_eq!(ran.code, Some(0), "{ran}");
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let read = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = message["message"].as_str().unwrap();
        (number(&message["seq"]), text.parse().unwrap())
    };
    ran.stdout.lines().map(read).collect()
}

fn flush(story: &Story) {
    let flush = ["--timeout", "60s", "outbox", "--flush"];
    let ran = run(&mut story.command("amna", &flush));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
}

/// Waits for something that tells nobody.
fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let by = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < by, "{what} not within {within:?}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// A moment at which anything may be under way.
fn moment() {
    thread::park_timeout(Duration::from_millis(rand::random_range(0..MOMENT_MS_MAX)));
}

/// SIGKILL for the database; its owner starts it again, and it recovers from its log what it had
/// promised.
fn crash_database(story: &Story) {
    let wait = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    wait.block_on(async {
        let url = story.database_url();
        let mut outside = PgConnection::connect(&url).await.unwrap();
        let sql = "select current_setting('data_directory')";
        let data: String = sqlx::query_scalar(sql).fetch_one(&mut outside).await.unwrap();
        let postmaster = pid_in(&Path::new(&data).join("postmaster.pid")).unwrap();
        send_signal(postmaster, Signal::Kill).unwrap();
        assert!(wait_until_gone(postmaster, RECOVERS_WITHIN).await, "it does not end");
        let by = Instant::now() + RECOVERS_WITHIN;
        loop {
            // The first attempts may find the last of the old processes in the way.
            let revived = story.own_cluster().revive().await;
            if PgConnection::connect(&url).await.is_ok() {
                return;
            }
            assert!(Instant::now() < by, "the database does not recover: {revived:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

#[test]
fn a_loop_of_sends_loses_nothing_while_server_and_database_are_killed() {
    let (mut story, chat) = cast(Story::begin_apart());
    let (servers, databases) = of((4, 1), (20, 2));
    let (stored, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let send = story.command_of("amna");
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut number = 0;
            while !enough.load(Ordering::Relaxed) {
                number += 1;
                let text = number.to_string();
                let ran = run(&mut send(&["--timeout", "90s", "-q", "send", &chat, &text]));
                // Stored; or kept, and the next one takes it along.
                assert!(matches!(ran.code, Some(0 | 75)), "{ran}");
                stored.fetch_add(1, Ordering::Relaxed);
            }
            number
        });
        let total = servers + databases;
        for kill in 1..=total {
            let seen = stored.load(Ordering::Relaxed);
            let more = || stored.load(Ordering::Relaxed) >= seen + BETWEEN || sender.is_finished();
            until("more messages", STORED_WITHIN, more);
            moment();
            // The database's turns are spread among the server's.
            let turn = total / (databases + 1);
            if kill % turn == 0 && kill / turn <= databases {
                crash_database(&story);
            } else {
                story.kill_server();
                moment();
                story.restart_server();
            }
        }
        enough.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    flush(&story);
    let expect: Vec<(u64, u64)> = (1..=sent).map(|number| (number, number)).collect();
    assert_eq!(said(&story, &chat), expect);
    assert!(sent >= (servers + databases) * BETWEEN, "{sent}");
}

/// Runs a verb and kills it when its time is over; nothing when it was faster.
fn run_or_kill(command: &mut Command, after: Duration) -> Option<Ran> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + after;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= by {
            child.kill().unwrap();
            let ran: Ran = child.wait_with_output().unwrap().into();
            // It may have ended between the look and the kill.
            return ran.code.is_some().then_some(ran);
        }
        thread::park_timeout(Duration::from_micros(200));
    }
    Some(child.wait_with_output().unwrap().into())
}

#[test]
fn a_sender_that_is_killed_at_any_moment_loses_nothing_that_it_kept_and_doubles_nothing() {
    let (story, chat) = cast(Story::begin());
    let kills = of(10, 100);
    let mut killed = 0;
    // As long as a send takes here, and then some.
    let start = Instant::now();
    let first = run(&mut story.command("amna", &["-q", "send", &chat, "1", "--id", "m1"]));
    assert_eq!(first.code, Some(0), "{first}");
    let mut whole = start.elapsed();
    let (mut number, mut must) = (1, vec![1]);
    while killed < kills {
        number += 1;
        let (text, id) = (number.to_string(), format!("m{number}"));
        // Every other message is repeated by the script until it is told that it is stored; of
        // the others nobody knows, unless they say so.
        let repeats = number % 2 == 0;
        loop {
            let mut command = story.command("amna", &["-q", "send", &chat, &text, "--id", &id]);
            let after = whole.mul_f64(rand::random_range(0.0..1.2));
            match run_or_kill(&mut command, after) {
                Some(ran) => {
                    assert_eq!(ran.code, Some(0), "{ran}");
                    must.push(number);
                    break;
                }
                None => killed += 1,
            }
            if !repeats {
                break;
            }
            // On a machine that has become slower even the longest time may be too short.
            whole = whole.mul_f64(1.05);
        }
    }
    flush(&story);
    let said = said(&story, &chat);
    let numbers: Vec<u64> = said.iter().map(|(_, number)| *number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "once and in order: {numbers:?}");
    let missing: Vec<&u64> = must.iter().filter(|number| !numbers.contains(number)).collect();
    assert_eq!(missing, Vec::<&u64>::new(), "of those that were stored: {numbers:?}");
}
