//! How the WebSocket layer of `trialogue-socketio` was chosen: one room of a chat, served with three
//! WebSocket crates, with our framing in the same shape, and with our whole engine. The same driver,
//! the same bytes on the wire, the server on one core and the driver on the other.
//!
//! `cargo run --release [ROUNDS]`     (3 rounds, interleaved; prints the median of each)

#[path = "../../../lib/socketio/examples/chat/mod.rs"]
mod chat;
mod closed;
#[path = "../../../lib/socketio/benches/load/driver.rs"]
mod driver;
mod layers;
mod talk;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::closed::Measured;

type Failure = Box<dyn Error>;

const LAYERS: [&str; 5] = [
    "tokio-tungstenite 0.29",
    "tokio-websockets 0.13",
    "fastwebsockets 0.10",
    "our framing",
    "our engine",
];
/// The room, and the sockets that only wait.
const MEMBERS: usize = 500;
const IDLE: usize = 2_000;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, layer] = &words[..]
        && verb == "serve"
    {
        return serve(layer);
    }
    let rounds: usize = words.first().map_or(Ok(3), |rounds| rounds.parse())?;
    pin(0);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut all = vec![Vec::new(); LAYERS.len()];
    for round in 1..=rounds {
        for (layer, results) in LAYERS.iter().zip(&mut all) {
            let server = Server::start(layer)?;
            let (address, process) = (&server.address, server.process.id());
            let mut measured = runtime.block_on(closed::room(address, process, MEMBERS))?;
            drop(server);
            let server = Server::start(layer)?;
            let (address, process) = (&server.address, server.process.id());
            measured.idle_bytes = runtime.block_on(closed::idle(address, process, IDLE))?;
            println!("round {round}, {layer}: {measured}");
            results.push(measured);
        }
    }
    println!("\n| | deliveries/s | server's processor time | of it in the kernel | idle socket |");
    println!("|---|---|---|---|---|");
    for (layer, results) in LAYERS.iter().zip(&all) {
        println!("| {layer} | {}", median(results));
    }
    Ok(())
}

fn median(results: &[Measured]) -> String {
    let of = |value: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = results.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    format!(
        "{:.0} | {:.2} us | {:.2} us | {:.1} KB |",
        of(|one| one.per_second),
        of(|one| one.micros),
        of(|one| one.kernel_micros),
        of(|one| one.idle_bytes as f64) / 1_000.0
    )
}

/// Gives this process one core.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("not pinned to core {core}: {error}");
    }
}

/// The server's side, in a process of its own.
fn serve(layer: &str) -> Result<(), Failure> {
    pin(1);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        match layer {
            "our engine" => chat::serve(listener, chat::lifted()).await,
            "our framing" => layers::framing::serve(listener).await,
            layer if layer.starts_with("tokio-tungstenite") => {
                layers::tungstenite::serve(listener).await;
            }
            layer if layer.starts_with("tokio-websockets") => {
                layers::websockets::serve(listener).await;
            }
            layer if layer.starts_with("fastwebsockets") => layers::fast::serve(listener).await,
            layer => return Err(format!("no such layer: {layer}").into()),
        }
        Ok(())
    })
}

/// A server that ends with us.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(layer: &str) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(["serve", layer]).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}
