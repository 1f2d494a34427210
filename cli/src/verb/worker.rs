//! `trialogue worker`: does a part of the load of another machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;
use trialogue_loadtest::remote::{Key, serve};
use url::Url;

use super::Context;
use crate::account;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Longest file of a token.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// Arguments of `worker`.
#[derive(clap::Args)]
#[command(after_help = "\
Both sides prove that they know the token, which itself never travels; what they say then is not \
encrypted, and has tokens of the target's users in it: between machines, use a network that is \
yours or a tunnel. A worker burdens whatever the lead names, so that whoever has the token may \
burden with this machine.")]
pub(crate) struct Args {
    /// Where leads come in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
    listen: SocketAddr,
    /// A file with the token that leads must know: 16 bytes at least
    #[arg(long, value_name = "FILE", env = "TRIALOGUE_WORKER_TOKEN_FILE")]
    token_file: PathBuf,
}

/// The token in a file.
pub(super) fn key(path: &PathBuf) -> anyhow::Result<Key> {
    let size = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    let text = match size <= TOKEN_BYTES_MAX {
        true => std::fs::read_to_string(path).map_err(|error| error.to_string()),
        false => Err(format!("over {TOKEN_BYTES_MAX} bytes")),
    };
    let key = text.and_then(|text| Key::new(&text));
    Ok(key.map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?)
}

/// Works until Ctrl-C or SIGTERM; a run that is on then is judged and told first.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let key = key(&args.token_file)?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    if out.is_json() {
        out.json(&json!({ "type": "ready", "address": address }))?;
    } else {
        out.data(&format!("working at {address}"))?;
    }
    let global = context.global.clone();
    let reach = move |url: &Url, plain_http: bool| {
        account::http(&Global { plain_http, ..global.clone() }, url)
            .map_err(|error| format!("{error:#}"))
    };
    serve(listener, key, Arc::new(reach), context.shutdown.clone()).await;
    Ok(Exit::DONE)
}
