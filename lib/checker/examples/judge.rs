//! Judges a history: `cargo run -p trialogue-checker --example judge -- FILE...`
//!
//! Prints the report (with `--json` as JSON) and ends with 0 when it is valid, 1 when it is
//! invalid, 4 when nothing is proved, 2 when it is not a history.

use std::process::ExitCode;

use trialogue_checker::{Checker, History, HistoryError, Report, Verdict};

fn main() -> ExitCode {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let json = files.iter().position(|file| file == "--json");
    let json = json.map(|at| files.remove(at)).is_some();
    match judge(&files) {
        Ok(report) => tell(&report, json),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "an example is a main")]
            {
                eprintln!("{error}");
            }
            ExitCode::from(2)
        }
    }
}

fn judge(files: &[String]) -> Result<Report, HistoryError> {
    let history = History::open(files)?;
    let config = history.plan().map(|plan| plan.config()).unwrap_or_default();
    let mut checker = Checker::new(config);
    history.read(&mut checker)?;
    Ok(checker.judge())
}

#[expect(clippy::print_stdout, reason = "an example is a main")]
fn tell(report: &Report, json: bool) -> ExitCode {
    match serde_json::to_string_pretty(report) {
        Ok(text) if json => println!("{text}"),
        _ => println!("{report}"),
    }
    ExitCode::from(match report.verdict {
        Verdict::Valid => 0,
        Verdict::Invalid => 1,
        Verdict::Unknown => 4,
    })
}
