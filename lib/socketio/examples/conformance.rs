//! Serves what the public test suites of Engine.IO v4 and Socket.IO v5 expect:
//! `cargo run -p trialogue-socketio --example conformance -- --listen 127.0.0.1:3000`

mod profile;

use std::error::Error;

use tokio::net::TcpListener;

// On one thread, requests of different connections are read in the order in which they came, also
// when a busy machine lets several of them pile up. The suites send two polls 5 ms apart.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => "127.0.0.1:3000",
        ["--listen", address] => address,
        _ => return Err("usage: conformance [--listen ADDRESS]".into()),
    };
    let listener = TcpListener::bind(address).await?;
    say(&format!("listening on {}", listener.local_addr()?));
    profile::Profile::new().serve(listener).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the ready line of a program, which this is")]
fn say(line: &str) {
    println!("{line}");
}
