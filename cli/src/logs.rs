//! Diagnostics: `tracing` to standard error, never to standard output.

use std::fs::File;
use std::io::IsTerminal;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::account;
use crate::args::{Cli, LogFormat};
use crate::out;

/// Overrides what `-q` and `-v` mean, in the language of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "TRIALOGUE_LOG";

/// The log of a verb that draws on the terminal, in the data folder.
const FILE: &str = "chat.log";

/// Its length in bytes from which a new start begins it anew.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Starts the log of this process. Called once, before anything logs.
pub(crate) fn start(cli: &Cli) {
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => cli.verb.log_level(),
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // Only our own crates get louder: nobody asked for the life of every TLS record. What they
    // use is heard in a service's log and by those who ask: a slow database of a verb's own is no
    // news for whoever runs the verb.
    let is_asked = cli.verb.is_service() || cli.global.verbose > 0;
    let others = if is_asked { LevelFilter::WARN } else { LevelFilter::ERROR };
    let wanted = format!("{others},trialogue={level}");
    let filter = EnvFilter::try_from_env(VARIABLE)
        .or_else(|_| EnvFilter::try_new(wanted))
        .unwrap_or_default();
    if cli.verb.owns_the_terminal() {
        return to_file(filter);
    }
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

/// A log of a verb that draws must not be drawn over; where there is no file there is no log.
fn to_file(filter: EnvFilter) {
    let open = || -> Option<File> {
        let folder = account::data_folder().ok()?;
        std::fs::create_dir_all(&folder).ok()?;
        let path = folder.join(FILE);
        let is_long = path.metadata().is_ok_and(|file| file.len() > FILE_BYTES_MAX);
        let mut options = File::options();
        options.create(true).write(true);
        if is_long {
            options.truncate(true)
        } else {
            options.append(true)
        };
        options.open(path).ok()
    };
    if let Some(file) = open() {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        log.with_writer(Mutex::new(file)).init();
    }
}
