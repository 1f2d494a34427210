//! What strangers cost: the attacks that other servers were measured with, against a server in a
//! process of its own with the default limits, an honest client beside each.
//!
//! `cargo bench -p trialogue-socketio --bench hostile -- [m4|m5|m6|m7|all]`
//!
//! m4: events right behind CONNECT. m5: ten messages of 60 MiB that never end. m6: 5,000 half request
//! heads. m7: 20,000 handshakes of nobody. `--target ADDRESS --pid PID` attacks a server that runs
//! already: on this machine, because its memory is looked at. Memory per idle socket (m8) is
//! `--bench load -- idle`.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

mod attack;
#[path = "../../examples/chat/mod.rs"]
mod chat;
mod flood;
mod honest;
mod target;

use std::error::Error;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use trialogue_socketio::server::ServerConfig;

use crate::target::Target;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match words[..] {
        ["serve"] => runtime.block_on(serve()),
        ["--target", address, "--pid", process, ref attacks @ ..] => {
            let running = (address.parse::<SocketAddr>()?, process.parse::<u32>()?);
            runtime.block_on(attacks_on(Some(running), attacks))
        }
        ref attacks => runtime.block_on(attacks_on(None, attacks)),
    }
}

/// The server's side, in a process of its own.
async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    chat::serve(listener, ServerConfig::default()).await;
    Ok(())
}

async fn attacks_on(running: Option<(SocketAddr, u32)>, attacks: &[&str]) -> Result<(), Failure> {
    let all = attacks.is_empty() || attacks.contains(&"all");
    for attack in ["m4", "m5", "m6", "m7"] {
        if !all && !attacks.contains(&attack) {
            continue;
        }
        // A fresh one each, so that no attack is measured on memory that another has made.
        let target = match running {
            Some((address, process)) => Target::running(address, process),
            None => Target::start()?,
        };
        match attack {
            "m4" => attack::events_behind_connect(&target).await?,
            "m5" => attack::messages_without_end(&target).await?,
            "m6" => flood::half_heads(&target).await?,
            _ => flood::handshakes_of_nobody(&target).await?,
        }
    }
    Ok(())
}
