//! Serves what the public test suites of Engine.IO v4 and Socket.IO v5 expect:
//! `cargo run -p trialogue-socketio --example conformance -- --listen 127.0.0.1:3000`
//!
//! The suites need a ping every 300 ms that dies after 200 ms. For a client that is no test of that
//! and may be started beside a busy compiler: `--ping-interval-ms N`, `--ping-timeout-ms N`.

mod profile;

use std::error::Error;
use std::time::Duration;

use tokio::net::TcpListener;

const USAGE: &str =
    "usage: conformance [--listen ADDRESS] [--ping-interval-ms N] [--ping-timeout-ms N]";

// On one thread, requests of different connections are read in the order in which they came, also
// when a busy machine lets several of them pile up. The suites send two polls 5 ms apart.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut address = "127.0.0.1:3000".to_owned();
    let mut pings = profile::PINGS;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(value)) => address = value,
            ("--ping-interval-ms", Some(value)) => {
                pings.interval = Duration::from_millis(value.parse()?);
            }
            ("--ping-timeout-ms", Some(value)) => {
                pings.timeout = Duration::from_millis(value.parse()?);
            }
            _ => return Err(USAGE.into()),
        }
    }
    let listener = TcpListener::bind(address).await?;
    say(&format!("listening on {}", listener.local_addr()?));
    profile::Profile::new(pings).serve(listener).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the ready line of a program, which this is")]
fn say(line: &str) {
    println!("{line}");
}
