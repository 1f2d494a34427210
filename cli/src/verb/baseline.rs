//! `trialogue baseline`: claims that were published, each with the plan that measures it, the
//! result that it was made of, and how far it may drift.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use clap::{Subcommand, ValueHint};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use trialogue_loadtest::compare::{Limit, is_again};
use trialogue_loadtest::result::{Document, Verdict};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::measured;
use crate::out::Out;

/// The version of the format.
const VERSION: u32 = 1;
/// Longest list of claims (1 MiB).
const BYTES_MAX: u64 = 1 << 20;

/// Arguments of `baseline`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measure every claim again; fails when one has drifted
    Check(Claims),
    /// Measure every claim again, and keep what came of it as the new baseline
    Update(Claims),
}

#[derive(clap::Args)]
struct Claims {
    /// The list of claims, such as claims.baseline.yaml
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Only the claim of this name; again for more
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measure nothing: take NAME.json of this folder as what was measured
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    results: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    baseline: u32,
    claims: Vec<Claim>,
}

/// A claim.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    name: String,
    /// The plan that measures it, beside the list.
    plan: PathBuf,
    /// More flags of `load`.
    #[serde(default)]
    args: Vec<String>,
    /// What it was made of, beside the list.
    result: PathBuf,
    /// How far it may go, as `compare --fail-on` has it.
    drift: Vec<String>,
}

/// What came of a claim.
#[derive(Debug, Serialize)]
struct Came {
    name: String,
    outcome: Outcome,
    why: Vec<String>,
}

/// Later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Held,
    Inconclusive,
    Drifted,
    CouldNotRun,
}

impl Outcome {
    fn exit(self) -> (Exit, &'static str) {
        match self {
            Self::Held => (Exit::DONE, "held"),
            Self::Inconclusive => (Exit::INCONCLUSIVE, "inconclusive"),
            Self::Drifted => (Exit::FAILED, "drifted"),
            Self::CouldNotRun => (Exit::COULD_NOT_RUN, "could_not_run"),
        }
    }
}

/// Exits 0 when all hold, 1 when one drifted, 2 for a list that makes no sense, 3 when one could not
/// be measured, 4 when nothing follows for one.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let (claims, updates) = match &args.what {
        What::Check(claims) => (claims, false),
        What::Update(claims) => (claims, true),
    };
    let list = read(claims)?;
    let mut all = Vec::new();
    for (claim, limits) in list {
        let now = match &claims.results {
            Some(folder) => Ok(measured::read(&folder.join(format!("{}.json", claim.name)))?),
            None => measure(&claim, context).await,
        };
        if context.shutdown.is_cancelled() {
            return Ok(context.stopped());
        }
        let came = match now {
            Err(why) => Came { name: claim.name.clone(), outcome: Outcome::CouldNotRun, why },
            Ok(now) if updates => update(&claim, &now)?,
            Ok(now) => judge(&claim, &limits, &measured::read(&claim.result)?, &now),
        };
        tell(&came, out)?;
        all.push(came);
    }
    if out.is_json() {
        out.json(&all)?;
    }
    let worst = all.iter().map(|came| came.outcome).max().unwrap_or(Outcome::Held);
    let bad = all.iter().filter(|came| came.outcome != Outcome::Held);
    let names: Vec<&str> = bad.map(|came| came.name.as_str()).collect();
    let (exit, code) = worst.exit();
    Ok(out.verdict(exit, code, &format!("{code}: {}", names.join(", "))))
}

/// The claims that are wanted, their files where they are, and their limits.
fn read(claims: &Claims) -> anyhow::Result<Vec<(Claim, Vec<Limit>)>> {
    let path = &claims.file;
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(fault(format!("it is over {BYTES_MAX} bytes")).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let list: List = serde_saphyr::from_str(&text).map_err(|error| fault(error.to_string()))?;
    if list.baseline != VERSION {
        return Err(fault(format!("`baseline` must be {VERSION}, the format's version")).into());
    }
    if list.claims.is_empty() {
        return Err(fault("it claims nothing".to_owned()).into());
    }
    for (n, claim) in list.claims.iter().enumerate() {
        if list.claims[..n].iter().any(|known| known.name == claim.name) {
            return Err(fault(format!("two claims are called {}", claim.name)).into());
        }
    }
    for name in &claims.only {
        if !list.claims.iter().any(|claim| claim.name == *name) {
            return Err(fault(format!("no claim is called {name}")).into());
        }
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut wanted = Vec::new();
    for claim in list.claims {
        let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        // The name is also a file's.
        if claim.name.is_empty() || claim.name.starts_with('.') || !claim.name.chars().all(is_plain)
        {
            return Err(fault(format!("a claim cannot be called {:?}", claim.name)).into());
        }
        let limits = claim.drift.iter().map(|limit| limit.parse::<Limit>());
        let limits: Vec<Limit> = limits
            .collect::<Result<_, _>>()
            .map_err(|why| fault(format!("{}: drift: {why}", claim.name)))?;
        if limits.is_empty() {
            return Err(fault(format!("{}: no drift is named", claim.name)).into());
        }
        let (plan, result) = (folder.join(&claim.plan), folder.join(&claim.result));
        if claims.only.is_empty() || claims.only.contains(&claim.name) {
            wanted.push((Claim { plan, result, ..claim }, limits));
        }
    }
    Ok(wanted)
}

/// Runs this very program with the plan; what it says while it runs goes where ours goes.
async fn measure(claim: &Claim, context: &Context) -> Result<Document, Vec<String>> {
    let asked = ask(claim, context).await;
    asked.map_err(|error| vec![format!("{error:#}")])
}

async fn ask(claim: &Claim, context: &Context) -> anyhow::Result<Document> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = tokio::process::Command::new(program);
    command.arg("load").arg("--json").arg("-f").arg(&claim.plan).args(&claim.args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot start this program")?;
    let mut stdout = child.stdout.take().context("no output")?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let reading = async {
        let mut text = String::new();
        stdout.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>((child.wait().await?, text))
    };
    tokio::pin!(reading);
    let (status, text) = tokio::select! {
        ended = &mut reading => ended,
        () = context.shutdown.cancelled() => {
            // It judges what happened and tidies up; a Ctrl-C of the terminal has told it already.
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            reading.await
        }
    }?;
    match serde_json::from_str(&text) {
        Ok(document) => Ok(document),
        Err(_) => anyhow::bail!("`load -f {}` ended with {status}", claim.plan.display()),
    }
}

fn judge(claim: &Claim, limits: &[Limit], before: &Document, now: &Document) -> Came {
    let name = claim.name.clone();
    let is_proof = match (before.verdict, before.complete) {
        (Verdict::Passed, true) => is_again(before, now),
        (Verdict::Passed, false) => Err("its baseline was cut short".to_owned()),
        (Verdict::Failed | Verdict::Inconclusive, _) => {
            Err(format!("its baseline did not pass: {}", before.why.join("; ")))
        }
    };
    if let Err(why) = is_proof {
        return Came { name, outcome: Outcome::Inconclusive, why: vec![why] };
    }
    let (mut beyond, mut open) = (Vec::new(), Vec::new());
    for limit in limits {
        match limit.judge(before, now) {
            Ok(fault) => beyond.extend(fault),
            Err(why) => open.push(why),
        }
    }
    match now.verdict {
        Verdict::Passed => {}
        Verdict::Failed => beyond.extend(now.why.iter().cloned()),
        // What a saturated rig says of latency and rates is no drift.
        Verdict::Inconclusive => {
            let why = std::mem::take(&mut beyond);
            return Came {
                name,
                outcome: Outcome::Inconclusive,
                why: [now.why.clone(), why].concat(),
            };
        }
    }
    let outcome = match (beyond.is_empty(), open.is_empty()) {
        (false, _) => Outcome::Drifted,
        (true, false) => Outcome::Inconclusive,
        (true, true) => Outcome::Held,
    };
    Came { name, outcome, why: [beyond, open].concat() }
}

/// Keeps what was measured, where it can be claimed.
fn update(claim: &Claim, now: &Document) -> anyhow::Result<Came> {
    let name = claim.name.clone();
    let outcome = match now.verdict {
        Verdict::Passed => Outcome::Held,
        Verdict::Failed => Outcome::Drifted,
        Verdict::Inconclusive => Outcome::Inconclusive,
    };
    if outcome == Outcome::Held {
        let text = serde_json::to_string(now)? + "\n";
        let shown = claim.result.display();
        std::fs::write(&claim.result, text).with_context(|| format!("cannot write {shown}"))?;
    }
    Ok(Came { name, outcome, why: now.why.clone() })
}

fn tell(came: &Came, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(());
    }
    let (_, word) = came.outcome.exit();
    let why =
        if came.why.is_empty() { String::new() } else { format!(": {}", came.why.join("; ")) };
    out.data(&format!("{}: {}{why}", came.name, word.replace('_', " ")))
}
