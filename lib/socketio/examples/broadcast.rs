//! A bare chat server for load drivers, on namespace `/chat`:
//! `cargo run --release -p trialogue-socketio --example broadcast -- --listen 127.0.0.1:3000`

mod chat;

use std::error::Error;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => "127.0.0.1:3000",
        ["--listen", address] => address,
        _ => return Err("usage: broadcast [--listen ADDRESS]".into()),
    };
    // Pinned to one core, the scheduler of many threads only costs.
    let one_core = std::thread::available_parallelism()?.get() == 1;
    let mut runtime =
        if one_core { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    runtime.enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        say(&format!("listening on {}", listener.local_addr()?));
        chat::serve(listener, chat::lifted()).await;
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "the ready line of a program, which this is")]
fn say(line: &str) {
    println!("{line}");
}
