//! Diagnostics: `tracing` to standard error, never to standard output.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, LogFormat};
use crate::out;

/// Overrides what `-q` and `-v` mean, in the language of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "TRIALOGUE_LOG";

/// Starts the log of this process. Called once, before anything logs.
pub(crate) fn start(cli: &Cli) {
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => cli.verb.log_level(),
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // Only our own crates get louder: nobody asked for the life of every TLS record.
    let wanted = format!("warn,trialogue={level}");
    let filter = EnvFilter::try_from_env(VARIABLE)
        .or_else(|_| EnvFilter::try_new(wanted))
        .unwrap_or_default();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let json = match cli.verb.log_format() {
        LogFormat::Json => true,
        LogFormat::Text => cli.global.json && !cli.verb.is_service(),
        LogFormat::Auto => {
            cli.global.json || (cli.verb.is_service() && !std::io::stderr().is_terminal())
        }
    };
    if json {
        log.json().init();
    } else {
        log.with_ansi(out::stderr_colors(cli.global.color)).init();
    }
}
