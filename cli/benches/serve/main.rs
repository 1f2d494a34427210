//! The whole server under load: `trialogue serve` and its PostgreSQL together on one core, the
//! driver on another, every message durable:
//! `cargo bench -p trialogue --bench serve -- [rooms|half|open|hall|hot|history|million|connect|idle|back|all]`
//!
//! `rooms`: 200 rooms of three people, one message in flight in each. `half`: the same rooms at half
//! that rate. `open`: 50 rooms of 20 sockets at rising rates. Both with the latency from the
//! intended start. `hall`: one room of 500, 8 in flight. `hot`: one chat, 64 in flight. `history`:
//! 1,000 messages per request. `million`: pages of a chat with a million messages. `connect`: token,
//! connect, join. `idle`: memory of joined sockets. `back`: 10,000 clients that come back after a
//! SIGKILL and catch up. Every delivery is counted and its order checked.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

mod crowd;
mod driver;
mod measure;
mod stage;

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::Builder;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "serve") {
        return serve(&words[1..]);
    }
    let all = words.is_empty() || words.iter().any(|word| word == "all");
    let wants = |name: &str| all || words.iter().any(|word| word == name);
    pin(0);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut server = stage::Server::start().await?;
        if wants("rooms") {
            measure::rooms(&server, 200).await?;
        }
        if wants("half") {
            measure::at_rate(&server, "half", 200, 3, 15_000).await?;
        }
        if wants("open") {
            measure::open(&server, 50, 20).await?;
        }
        if wants("hall") {
            measure::in_flight(&server, "hall", 500, 8).await?;
        }
        if wants("hot") {
            measure::in_flight(&server, "hot", 3, 64).await?;
        }
        if wants("history") {
            measure::history(&server).await?;
        }
        if wants("million") {
            crowd::million(&server).await?;
        }
        if wants("connect") {
            measure::connect(&server).await?;
        }
        if wants("idle") {
            crowd::idle(&server).await?;
        }
        if wants("back") {
            crowd::back(&mut server).await?;
        }
        Ok(())
    })
}

/// Gives this process, and all that it starts, one core, when there is that one.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        println!("not pinned to core {core}: {error}");
    }
}

/// Becomes the server, on the other core; PostgreSQL, its child, stays there with it.
fn serve(arguments: &[String]) -> Result<(), Failure> {
    pin(1);
    Err(Command::new(env!("CARGO_BIN_EXE_trialogue")).args(arguments).exec().into())
}
