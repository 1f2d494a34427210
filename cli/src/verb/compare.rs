//! `trialogue compare`: two results of `load` side by side.

use std::path::{Path, PathBuf};

use serde_json::json;
use trialogue_loadtest::compare::{Limit, changes};
use trialogue_loadtest::result::{Document, SCHEMA};

use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Longest result (256 MiB): a day of windows with their histograms.
const RESULT_BYTES_MAX: u64 = 256 << 20;

/// Arguments of `compare`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The result of before, as `load --report json=FILE` wrote it
    before: PathBuf,
    /// The result of after
    after: PathBuf,
    /// Fail when something changed by more, such as 'delivery.p99>+10%' or 'reach<-0.1%'; again for
    /// more
    #[arg(long, value_name = "LIMIT")]
    fail_on: Vec<Limit>,
}

/// Reads a result.
fn read(path: &Path) -> Result<Document, Failure> {
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if size > RESULT_BYTES_MAX {
        return Err(fault(format!("over {RESULT_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let document: Document =
        serde_json::from_str(&text).map_err(|error| fault(format!("no result: {error}")))?;
    match document.schema == SCHEMA {
        true => Ok(document),
        false => Err(fault(format!("its schema is not {SCHEMA}"))),
    }
}

/// Exits 0, 1 when a limit is passed, 2 when a file is no result, 4 when a limit cannot be judged.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let changes = changes(&before, &after);
    let (mut beyond, mut unknown) = (Vec::new(), Vec::new());
    for limit in &args.fail_on {
        match limit.judge(&before, &after) {
            Ok(fault) => beyond.extend(fault),
            Err(why) => unknown.push(why),
        }
    }
    if out.is_json() {
        out.json(&json!({ "changes": changes, "beyond": beyond, "unknown": unknown }))?;
    } else {
        for change in &changes {
            out.data(&change.line())?;
        }
    }
    let (exit, code) = match (beyond.is_empty(), unknown.is_empty()) {
        (true, true) => (Exit::DONE, "unchanged"),
        (true, false) => (Exit::INCONCLUSIVE, "inconclusive"),
        (false, _) => (Exit::FAILED, "changed"),
    };
    beyond.extend(unknown);
    Ok(out.verdict(exit, code, &beyond.join("; ")))
}
