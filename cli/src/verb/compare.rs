//! `trialogue compare`: two results of `load` side by side.

use std::path::PathBuf;

use serde_json::json;
use trialogue_loadtest::compare::{Limit, changes, differs};

use crate::exit::Exit;
use crate::measured;
use crate::out::Out;

/// Arguments of `compare`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The result of before, as `load --report json=FILE` wrote it
    before: PathBuf,
    /// The result of after
    after: PathBuf,
    /// Fail when something changed by more, such as 'delivery.p99>+10%', 'delivery.p99>+5ms' or
    /// 'reach<-0.1%'; again for more
    #[arg(long, value_name = "LIMIT")]
    fail_on: Vec<Limit>,
}

/// Exits 0, 1 when a limit is passed, 2 when a file is no result, 4 when a limit cannot be judged.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let (before, after) = (measured::read(&args.before)?, measured::read(&args.after)?);
    let changes = changes(&before, &after);
    let differs = differs(&before, &after);
    let (mut beyond, mut unknown) = (Vec::new(), Vec::new());
    for limit in &args.fail_on {
        match limit.judge(&before, &after) {
            Ok(fault) => beyond.extend(fault),
            Err(why) => unknown.push(why),
        }
    }
    for difference in &differs {
        out.say(&format!("not the same: {difference}"));
    }
    if out.is_json() {
        out.json(&json!({
            "changes": changes, "differs": differs, "beyond": beyond, "unknown": unknown,
        }))?;
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
