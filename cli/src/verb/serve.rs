//! `trialogue serve`: the server, until it is told to stop.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;
use trialogue_server::Running;
use trialogue_server::accept;
use trialogue_server::config::Config;

use crate::args::LogFormat;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `serve`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: Config,
    /// Format of the log on standard error
    #[arg(long, env = "TRIALOGUE_LOG_FORMAT", value_name = "FORMAT", value_enum)]
    #[arg(default_value_t = LogFormat::Auto, help_heading = "Server")]
    log_format: LogFormat,
    /// TOML file with settings, named like the flags; flags and variables win [default: the user's
    /// config.toml]
    #[arg(long = "config", id = "config_file", env = "TRIALOGUE_CONFIG", value_name = "FILE")]
    #[arg(help_heading = "Server")]
    config_file: Option<PathBuf>,
    /// Stop when standard input ends: for a program that owns this server and may be killed
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

impl Args {
    /// The settings of the server.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// How to write the log.
    pub(crate) fn log_format(&self) -> LogFormat {
        self.log_format
    }
}

/// Serves until Ctrl-C or SIGTERM, then drains within 10 s.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let shutdown = context.shutdown.clone();
    if args.exit_with_stdin {
        tokio::spawn(stop_with_stdin(shutdown.clone()));
    }
    let address = args.config.listen;
    let listener =
        accept::listen(address).with_context(|| format!("cannot listen on {address}"))?;
    let running = tokio::select! {
        running = Running::start(listener, args.config) => running?,
        () = shutdown.cancelled() => return Ok(Exit::DONE),
    };
    let url = running.url();
    let metrics = running.metrics_address().map(|address| format!("http://{address}/metrics"));
    if out.is_json() {
        let mut ready = json!({ "type": "ready", "url": url });
        if let Some(metrics) = metrics {
            ready["metrics"] = json!(metrics);
        }
        out.json(&ready)?;
    } else {
        out.data(&format!("serving at {url}"))?;
        if let Some(metrics) = metrics {
            out.data(&format!("metrics at {metrics}"))?;
        }
    }
    running.serve(shutdown).await;
    Ok(Exit::DONE)
}

/// Cancels when whoever holds the other end of standard input is gone.
async fn stop_with_stdin(shutdown: CancellationToken) {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 256];
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
    shutdown.cancel();
}
