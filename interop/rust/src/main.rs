//! rust_socketio plays the flow against a Trialogue server, and what the flow does not ask for
//! against the bare protocol server. It must never import anything of ours.
//!
//! `TRIALOGUE_URL`          the server, such as `http://127.0.0.1:4000`
//! `TRIALOGUE_RESTART`      a program that kills it and starts it again at the same address
//! `TRIALOGUE_PROFILE_URL`  `examples/conformance`, with its pings every 300 ms
//! `TRIALOGUE_CALM_PROFILE_URL`  the same with pings every 25 s
//!
//! An act is a process of its own, since a client of this crate that has lost its connection for
//! good never gives its thread back. Exit code 0: all acts held. 1: one did not, and the last line
//! says which.

mod flow;
mod profile;
mod rest;
mod voice;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rust_socketio::TransportType;

use crate::voice::Failure;

/// An act that takes longer hangs.
const ACT_MAX: Duration = Duration::from_secs(90);

type Act = fn(TransportType) -> Result<(), Failure>;

const PINGS: &str = "pings are answered";

const ACTS: &[(&str, Act)] = &[
    ("the flow", flow::the_flow),
    ("a bad token is refused", flow::a_bad_token_is_refused),
    ("killed and restarted: back by itself", flow::killed_and_restarted_it_comes_back_by_itself),
    ("many events in their order", profile::order),
    ("acknowledgements", profile::acknowledgements),
    ("attachments both ways", profile::binary_both_ways),
    ("two namespaces", profile::two_namespaces),
    (PINGS, profile::pings_are_answered),
];

fn transport(name: &str) -> Option<TransportType> {
    match name {
        "websocket" => Some(TransportType::Websocket),
        "polling" => Some(TransportType::Polling),
        "polling, upgraded" => Some(TransportType::WebsocketUpgrade),
        _ => None,
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all(),
        [transport, act] => one(transport, act),
        _ => Err("usage: peer [TRANSPORT ACT]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("FAILED  {failure}");
            ExitCode::FAILURE
        }
    }
}

fn one(transport_name: &str, act_name: &str) -> Result<(), Failure> {
    let transport = transport(transport_name).ok_or("no such transport")?;
    let (_, act) = ACTS.iter().find(|(name, _)| *name == act_name).ok_or("no such act")?;
    act(transport)
}

fn all() -> Result<(), Failure> {
    for transport in ["websocket", "polling", "polling, upgraded"] {
        for (act, _) in ACTS {
            if (transport, *act) == ("polling", PINGS) {
                println!("left out: {transport}: {act}: this client's requests would overlap");
                continue;
            }
            let begun = Instant::now();
            let mut child =
                Command::new(std::env::current_exe()?).args([transport, act]).spawn()?;
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
                if begun.elapsed() > ACT_MAX {
                    child.kill()?;
                    child.wait()?;
                    return Err(format!("{transport}: {act}: no end within {ACT_MAX:?}").into());
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            if !status.success() {
                return Err(format!("{transport}: {act}").into());
            }
            println!("ok  {transport}: {act} ({} ms)", begun.elapsed().as_millis());
        }
    }
    Ok(())
}
