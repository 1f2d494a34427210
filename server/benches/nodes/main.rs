//! What several servers on one database cost it and each other, compared with one that is alone:
//! `cargo bench -p trialogue-server --bench nodes`
//!
//! Every room has a customer and a provider; of two servers each has one of them, so that every
//! message has to reach the other one, the worst case. Statements are PostgreSQL's own count of
//! transactions, processor time is that of its processes and of each server's threads.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod stage;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use stage::{Costs, Pair, Stage};

/// How long each measurement runs.
const RUN: Duration = Duration::from_secs(15);
/// Rooms of the larger measurements.
const ROOMS: usize = 500;
/// Messages per second that are tried, over all rooms.
const RATES: [u32; 5] = [10, 100, 500, 1_000, 2_000];
/// How long what was said may take to come, on a machine that has other things to do too.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{}", Costs::HEADER);
        let mut stage = Stage::new().await;
        stage.start().await;
        idle(&stage, "one server, nobody there").await;
        let lone = stage.pairs(ROOMS).await;
        idle(&stage, "one server, 1,000 sockets").await;
        for rate in RATES {
            talk(&stage, &lone, rate).await;
        }
        drop(lone);
        stage.start().await;
        sleep(Duration::from_secs(5)).await;
        idle(&stage, "two servers, nobody there").await;
        let split = stage.pairs(ROOMS).await;
        idle(&stage, "two servers, 1,000 sockets").await;
        for rate in RATES {
            talk(&stage, &split, rate).await;
        }
        churn(&stage, &split).await;
        drop(split);
        stage.start().await;
        stage.start().await;
        sleep(Duration::from_secs(5)).await;
        idle(&stage, "four servers, nobody there").await;
        stage.end().await;
    });
}

async fn idle(stage: &Stage, what: &str) {
    // An idle backend reports what it did before 10 s late.
    sleep(Duration::from_secs(12)).await;
    let before = stage.costs().await;
    sleep(RUN).await;
    println!("{}", stage.costs().await.since(&before).row(what, &mut []));
}

/// One after the other says something, at a fixed rate, whatever comes back.
async fn talk(stage: &Stage, pairs: &[Pair], rate: u32) {
    pairs.iter().for_each(Pair::forget);
    let (before, stored_before) = (stage.costs().await, stage.stored().await);
    let begun = Instant::now();
    let mut said = 0_u32;
    while begun.elapsed() < RUN {
        sleep_until(begun + Duration::from_secs(1) * said / rate).await;
        pairs[said as usize % pairs.len()].say();
        said += 1;
    }
    let costs = stage.costs().await.since(&before);
    let deadline = Instant::now() + PATIENCE;
    let answered = || pairs.iter().map(Pair::answered).sum::<usize>();
    while answered() < said as usize && Instant::now() < deadline {
        sleep(Duration::from_millis(100)).await;
    }
    // A server that is behind refuses; what it has stored must come.
    let stored = stage.stored().await - stored_before;
    let came = || pairs.iter().flat_map(Pair::delays).collect::<Vec<_>>();
    while came().len() < stored && Instant::now() < deadline {
        sleep(Duration::from_millis(100)).await;
    }
    let mut delays = came();
    let servers = ["no", "one", "two"].get(stage.len()).unwrap_or(&"many");
    let what = format!("servers: {servers}, {rate} messages/s");
    println!("{}", costs.row(&what, &mut delays));
    assert_eq!(delays.len(), stored, "messages that did not come");
    if stored < said as usize {
        println!("    refused: {} of {said}; the delays say nothing", said as usize - stored);
    }
}

/// Sockets leave their rooms and come back, twenty a second.
async fn churn(stage: &Stage, pairs: &[Pair]) {
    let before = stage.costs().await;
    let begun = Instant::now();
    let mut steps = 0_u32;
    while begun.elapsed() < RUN {
        sleep_until(begun + Duration::from_millis(50) * steps).await;
        pairs[steps as usize % pairs.len()].leave_and_join().await;
        steps += 1;
    }
    println!("{}", stage.costs().await.since(&before).row("two servers, 20 joins/s", &mut []));
}
