//! `trialogue trace`: the journal of a run, for people.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use trialogue_client::sanitize;
use trialogue_scenarios::trace::SCHEMA;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::trace::{is_folded, wire_line};

/// Longest body in a line, in characters; `-v` shows all of it below.
const BODY_CHARS_MAX: usize = 100;

/// Arguments of `trace`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with a journal.
#[derive(Subcommand)]
enum Verb {
    /// Show a journal line by line; -v shows whole bodies
    View(View),
}

/// Arguments of `trace view`.
#[derive(clap::Args)]
struct View {
    /// What `run --trace` has written
    file: PathBuf,
    /// Only what these actors did and saw
    #[arg(long = "actor", value_name = "NAME", value_delimiter = ',')]
    actors: Vec<String>,
    /// Only lines of these kinds
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Kind>,
}

/// Kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Requests and their answers
    Http,
    /// Events that were received
    Event,
    /// Every packet of Engine.IO and Socket.IO, heartbeats too
    Packet,
    /// The state of connections
    Link,
    /// What the client made of it
    Saw,
    /// Steps of the scenario
    Step,
}

impl Kind {
    fn is(self, kind: &str) -> bool {
        let name = match self {
            Self::Http => "http",
            Self::Event => "event",
            Self::Packet => "packet",
            Self::Link => "link",
            Self::Saw => "saw",
            Self::Step => "step",
        };
        name == kind
    }
}

/// Shows it.
pub(crate) fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let Verb::View(view) = &args.verb;
    let lines = read(view)?;
    let actors: BTreeSet<&str> = lines.iter().filter_map(|line| line["actor"].as_str()).collect();
    if let Some(unknown) = view.actors.iter().find(|name| !actors.contains(name.as_str())) {
        let known = actors.iter().copied().collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("no actor is called {unknown}: {known}")).into());
    }
    let mut folded = 0_usize;
    let column = actors.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for line in &lines {
        let kind = line["type"].as_str().unwrap_or_default();
        let of = |name: &str| line["actor"].as_str() == Some(name);
        let by_actor = view.actors.is_empty() || view.actors.iter().any(|name| of(name));
        let by_kind = view.only.is_empty() || view.only.iter().any(|only| only.is(kind));
        let frames = !["trace", "end"].contains(&kind) || out.is_json();
        if frames && !(by_actor && by_kind) {
            continue;
        }
        if out.is_json() {
            out.json(line)?;
        } else if view.only.is_empty() && is_folded(line) {
            folded += 1;
        } else {
            show(line, kind, column, context.global.verbose > 0, out)?;
        }
    }
    if folded > 0 {
        out.say(&format!("{folded} packets are folded, heartbeats and told events: --only packet"));
    }
    Ok(Exit::DONE)
}

/// The lines of a journal; one that was cut in its last line is a journal too.
fn read(view: &View) -> anyhow::Result<Vec<Value>> {
    let shown = view.file.display();
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {error}"));
    let file = File::open(&view.file).map_err(|error| wrong(&error))?;
    let mut lines = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| wrong(&error))?;
        match serde_json::from_str::<Value>(&line) {
            Ok(line) => lines.push(line),
            Err(_) => break,
        }
    }
    let schema = lines.first().and_then(|line| line["schema"].as_str());
    match schema {
        Some(SCHEMA) => Ok(lines),
        Some(other) => Err(wrong(&format!("its schema is {other:?}, not {SCHEMA:?}")).into()),
        None => Err(wrong(&"this is no journal of `run --trace`").into()),
    }
}

fn show(line: &Value, kind: &str, column: usize, whole: bool, out: &mut Out) -> anyhow::Result<()> {
    let text = |name: &str| sanitize::line(line[name].as_str().unwrap_or_default());
    match kind {
        "trace" => {
            let (scenario, started) = (text("scenario"), text("started"));
            return out.data(&format!("{scenario} ({}), {started}", text("file")));
        }
        "end" => {
            let took = line["tookMs"].as_f64().unwrap_or_default() / 1e3;
            return out.data(&format!("{} after {took:.3} s, seed {}", text("came"), line["seed"]));
        }
        _ => {}
    }
    let Some(wire) = wire_line(line) else { return Ok(()) };
    let style = match kind {
        "http" => AnsiColor::Cyan.on_default(),
        "event" | "packet" => AnsiColor::Blue.on_default(),
        "step" if line["came"] == "broken" => AnsiColor::Red.on_default().bold(),
        "step" => Style::new().bold(),
        _ => Style::new().dimmed(),
    };
    let (at, who) = (wire.at.as_secs_f64(), sanitize::line(&wire.who));
    let title = sanitize::line(&wire.title);
    let body = match (whole, wire.body.is_empty()) {
        (_, true) | (true, false) => String::new(),
        (false, false) => {
            let flat = wire.body.split_whitespace().collect::<Vec<_>>().join(" ");
            let flat = sanitize::line(&flat);
            match flat.char_indices().nth(BODY_CHARS_MAX) {
                Some((at, _)) => format!("  {}…", &flat[..at]),
                None => format!("  {flat}"),
            }
        }
    };
    out.data(&format!("{at:>9.3} s  {who:<column$}  {style}{title}{style:#}{body}"))?;
    if whole {
        for line in wire.body.lines() {
            out.data(&format!("{:14}{:column$}  {}", "", "", sanitize::line(line)))?;
        }
    }
    Ok(())
}
