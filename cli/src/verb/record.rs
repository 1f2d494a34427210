//! `trialogue record`: a proxy that writes what goes through it as a scenario.
//!
//! The file is whole and valid whenever there is one: it is written anew beside itself and then
//! put in its place.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::json;
use trialogue_scenarios::recorder::{Accounts, RecordConfig, RecordError, Recorder};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::target;

/// What comes within this time of something new is written together with it.
const WRITE_AFTER: Duration = Duration::from_millis(300);

/// Arguments of `record`.
#[derive(clap::Args)]
#[command(after_help = "Ctrl-C ends it. Exit codes: 0 the file is written, 2 usage, \
                        4 nothing was recorded, 5 what was recorded is no scenario")]
pub(crate) struct Args {
    /// Where clients find the proxy; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Listen where other machines can reach it: whoever comes there has the target's log-in page
    /// over plain http
    #[arg(long)]
    open_to_others: bool,
    /// The server: a profile, its name, or a URL
    #[arg(long, value_name = "TARGET", env = "TRIALOGUE_TARGET")]
    target: String,
    /// The file
    #[arg(short, long, value_name = "FILE", default_value = "recorded.scn.yaml")]
    output: PathBuf,
    /// Whose accounts it will be played with
    #[arg(long, value_enum, default_value = "fresh")]
    accounts: Whose,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Whose accounts a recording is played with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whose {
    /// Fresh ones, or those of the target's profile
    Fresh,
    /// Those that the environment has: CUSTOMER_USER, CUSTOMER_PASSWORD and so on
    Env,
}

/// Records until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if args.output.exists() && !args.force {
        let path = args.output.display();
        return Err(Failure::usage(format!("{path} is there already (--force)")).into());
    }
    if !args.listen.ip().is_loopback() && !args.open_to_others {
        let why = format!(
            "{} is open to other machines, over plain http: --open-to-others if that is meant",
            args.listen
        );
        return Err(Failure::usage(why).into());
    }
    let profile = target::find(&args.target, context.global.dialect)?;
    let target = profile.url.clone();
    let config = RecordConfig {
        listen: args.listen,
        target: target.clone(),
        plain_http: profile.plain_http,
        name: name_of(&args.output),
        accounts: match args.accounts {
            Whose::Fresh => Accounts::Fresh,
            Whose::Env => Accounts::Environment,
        },
    };
    let mut recorder = match Recorder::start(config).await {
        Ok(recorder) => recorder,
        Err(RecordError::Target(why)) => return Err(Failure::usage(why).into()),
        Err(error) => return Err(error.into()),
    };
    let url = recorder.url();
    if out.is_json() {
        out.json(&json!({"type": "ready", "url": url, "target": target}))?;
    } else {
        out.data(&format!("recording at {url}, for {target}"))?;
    }
    if args.open_to_others {
        out.say("other machines can reach it: passwords and tokens travel there in the clear");
    }
    loop {
        let more = tokio::select! {
            () = recorder.changed() => true,
            () = context.shutdown.cancelled() => false,
        };
        if !more {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(WRITE_AFTER) => {}
            () = context.shutdown.cancelled() => break,
        }
        // What is no scenario yet may be one at the end; else it is told then.
        if let Ok(Some(text)) = recorder.file() {
            write(&args.output, &text)?;
        }
    }
    end(&args.output, &recorder, out)
}

fn end(path: &Path, recorder: &Recorder, out: &mut Out) -> anyhow::Result<Exit> {
    let left_out = recorder.left_out();
    for (what, times) in &left_out {
        out.say(&format!("left out: {what} ({times})"));
    }
    match recorder.file() {
        Ok(Some(text)) => write(path, &text)?,
        Ok(None) => {
            let why = "nothing was recorded: nobody logged in through the proxy";
            return Ok(out.verdict(Exit::INCONCLUSIVE, "nothing_recorded", why));
        }
        Err(error) => return Ok(out.verdict(Exit::INTERNAL, "unreadable", &error.to_string())),
    }
    let shown = path.display();
    if out.is_json() {
        let left_out: serde_json::Map<_, _> =
            left_out.into_iter().map(|(what, times)| (what.to_owned(), json!(times))).collect();
        out.json(&json!({"type": "recorded", "file": path, "leftOut": left_out}))?;
    } else {
        out.data(&shown.to_string())?;
        out.say(&format!("next: trialogue check {shown}, then trialogue run {shown}"));
    }
    Ok(Exit::DONE)
}

/// Puts the text in the place of the file; whoever reads it sees the old one or the new one.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

/// What a scenario in that file is called: a-z, 0-9 and -.
fn name_of(path: &Path) -> String {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "recorded".to_owned() } else { name.to_owned() }
}
