//! `trialogue doctor`: what is wrong with my set-up, and what to do about it.
//!
//! Nothing is mended here, and one thing that is broken does not keep the others from being looked
//! at.

mod local;
mod remote;

use serde::Serialize;
use serde_json::json;

use crate::account::Account;
use crate::exit::{self, Exit};
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// What was looked at, and how it looked.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    /// Nothing: it could not be looked at, because of something above, or there is nothing.
    ok: Option<bool>,
    detail: String,
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: Some(true), detail: detail.into(), exit: Exit::DONE }
    }

    fn bad(name: &'static str, exit: Exit, detail: impl Into<String>) -> Self {
        Self { name, ok: Some(false), detail: detail.into(), exit }
    }

    fn failed(name: &'static str, error: &anyhow::Error) -> Self {
        Self::bad(name, exit::of(error).0, format!("{error:#}"))
    }

    fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, ok: None, detail: why.into(), exit: Exit::DONE }
    }
}

/// Looks at everything; the exit code is that of the first thing that is wrong.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut checks = vec![local::handles(), local::config(&context.settings)];
    match Account::open(&context.global) {
        Err(error) => checks.push(Check::failed("profile", &error)),
        Ok(account) => {
            let detail = format!("{} for {}", account.profile_name(), account.server());
            checks.push(Check::good("profile", detail));
            checks.push(local::files(&account));
            checks.push(local::outbox(&account).await);
            checks.push(local::proxy(&account));
            checks.push(remote::dialect(&account));
            checks.push(remote::server(&account, context).await);
            checks.extend(remote::sign_in_and_sockets(context).await);
        }
    }
    let worst = checks.iter().find(|check| check.ok == Some(false));
    let exit = worst.map_or(Exit::DONE, |check| check.exit);
    if out.is_json() {
        out.json(&json!({"ok": exit == Exit::DONE, "checks": checks}))?;
    } else {
        for Check { name, ok, detail, .. } in &checks {
            let word = match ok {
                Some(true) => "ok ",
                Some(false) => "BAD",
                None => "-- ",
            };
            out.data(&format!("{word} {name:<10} {}", human::line(detail)))?;
        }
    }
    let word = worst.map_or("", |check| check.name);
    let detail = worst.map_or("", |check| check.detail.as_str());
    Ok(match out.is_json() {
        true => out.verdict(exit, "doctor", &format!("{word}: {detail}")),
        // It stands there, marked.
        false => exit,
    })
}
