//! `trialogue`: the composition root. Parses, calls a verb, exits with its code.
//!
//! No business of its own lives here: a verb asks a library and hands what comes back to
//! [`out::Out`], the only room that prints.

mod account;
mod args;
mod chat;
mod complete;
mod database;
mod exit;
mod human;
mod json;
mod library;
mod logs;
mod measured;
mod out;
mod owned;
mod paging;
mod password;
#[cfg(unix)]
mod play;
mod prompt;
mod recent;
mod reports;
mod settings;
mod signals;
mod target;
mod trace;
#[cfg(unix)]
mod trio;
mod verb;

use std::process::ExitCode;
use std::time::Duration;

use crate::args::Cli;
use crate::exit::Exit;
use crate::out::Out;
use crate::settings::Parsed;
use crate::signals::Signals;
use crate::verb::{Context, Verb};

/// How long tasks that a verb has left behind may take to notice that the runtime ends.
const RUNTIME_END_MAX: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    if let Some(exit) = complete::answer() {
        return exit.into();
    }
    let Parsed { cli, settings } = match settings::parse() {
        Ok(parsed) => parsed,
        Err(error) => return out::usage(error).into(),
    };
    logs::start(&cli);
    let Cli { global, verb } = cli;
    let context = Context::new(global, settings);
    let mut out = Out::new(&context.global);
    let exit = match runtime() {
        Ok(runtime) => {
            let exit = runtime.block_on(run(verb, &context, &mut out));
            // A thread that waits for the keyboard never ends by itself.
            runtime.shutdown_timeout(RUNTIME_END_MAX);
            exit
        }
        Err(error) => out.error(&anyhow::Error::new(error).context("no runtime")),
    };
    exit.into()
}

/// On one core a scheduler of many threads only costs: what two threads share is locked and woken
/// for nobody.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

/// Runs the verb until it is done or a signal ends it.
async fn run(verb: Verb, context: &Context, out: &mut Out) -> Exit {
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return out.error(&anyhow::Error::new(error).context("no signals")),
    };
    let tidies_up = verb.tidies_up();
    let done = {
        let verb = verb.run(context, out);
        tokio::pin!(verb);
        tokio::select! {
            // A signal first: one that came while an editor had the terminal must be seen before
            // the client goes on without the editor.
            biased;
            signal = signals.next() => {
                context.stop(signal);
                if !tidies_up {
                    return signal;
                }
                tokio::select! {
                    done = verb => done,
                    second = signals.next() => return second,
                }
            }
            done = &mut verb => done,
        }
    };
    match done {
        Ok(exit) => exit,
        Err(error) => out.error(&account::explained(error, &context.global).await),
    }
}
