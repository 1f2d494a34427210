//! Tries a server with every black-box case, or with those whose name contains a word:
//! `cargo run -p trialogue-socketio --example conform -- URL [WORD]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a report")]

use std::process::ExitCode;

use trialogue_socketio::conform::{Subject, Target, Verdict, cases};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().and_then(|url| url.parse().ok());
    let Some(url) = url else {
        eprintln!("usage: conform URL [WORD]");
        return ExitCode::from(2);
    };
    let word = arguments.next().unwrap_or_default();
    let subject = match Subject::discover(Target::new(url)).await {
        Ok(subject) => subject,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    println!("{:#?}", subject.offers());
    let mut failed = 0;
    for case in cases().into_iter().filter(|case| case.id.contains(&word)) {
        let (verdict, took) = case.check(&subject).await;
        let (word, why) = match verdict {
            Verdict::Ok => ("ok", String::new()),
            Verdict::NonStrict(why) => ("non-strict", why),
            Verdict::Unimplemented(why) => ("unimplemented", why),
            Verdict::Failed(why) => {
                failed += 1;
                ("FAILED", why)
            }
        };
        println!("{word:14}{:34}{:5} ms  {why:.200}", case.id, took.as_millis());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
