//! One room over real sockets, the server pinned to one core and the driver to the other:
//! `cargo bench -p trialogue-socketio --bench load -- [fanout|idle|connect|client|all]`
//!
//! `fanout`: deliveries per second into one room of 500, closed loop with 8 in flight, then open
//! loop at rising rates with the latency of each; every delivery is counted and its order checked.
//! `idle`: server memory per idle socket. `connect`: handshakes with CONNECT per second.
//! `client`: memory per idle client of ours, and how many deliveries per second they receive.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

#[path = "../../examples/chat/mod.rs"]
mod chat;
mod client;
mod driver;
mod measure;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

type Failure = Box<dyn Error>;

/// The room of the fan-out.
const MEMBERS: usize = 500;
/// Idle sockets, and connections that are opened and closed.
const SOCKETS: usize = 5_000;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "serve") {
        return serve();
    }
    let all = words.is_empty() || words.iter().any(|word| word == "all");
    let wants = |name: &str| all || words.iter().any(|word| word == name);
    pin(0);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if wants("fanout") {
        let server = Server::start()?;
        runtime.block_on(measure::closed_loop(&server.address, server.process.id(), MEMBERS))?;
        runtime.block_on(measure::open_loop(&server.address, server.process.id(), MEMBERS))?;
    }
    if wants("idle") {
        let server = Server::start()?;
        runtime.block_on(measure::idle(&server.address, server.process.id(), SOCKETS))?;
    }
    if wants("connect") {
        let server = Server::start()?;
        runtime.block_on(measure::connects(&server.address, server.process.id(), SOCKETS))?;
    }
    if wants("client") {
        let server = Server::start()?;
        runtime.block_on(client::idle(&server.address, SOCKETS))?;
        let server = Server::start()?;
        runtime.block_on(client::receive(&server.address, MEMBERS))?;
    }
    Ok(())
}

/// Gives this process one core, when there is that one. Not asked for by the number of cores: a
/// child sees only the one that its parent was given.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        println!("not pinned to core {core}: {error}");
    }
}

/// The server's side, in a process of its own.
fn serve() -> Result<(), Failure> {
    pin(1);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        chat::serve(listener, chat::lifted()).await;
        Ok(())
    })
}

/// A server that ends with us.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg("serve").stdout(Stdio::piped()).spawn()?;
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
