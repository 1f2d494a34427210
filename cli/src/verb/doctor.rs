//! `trialogue doctor`: what is wrong with my set-up, and what to do about it.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use trialogue_client::session::{Session, SessionConfig, Update};
use trialogue_client::{Error, LinkState};
use trialogue_protocol::Connected;
use trialogue_socketio::client::Transports;

use crate::account::Account;
use crate::exit::{self, Exit};
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Difference of clocks that still does no harm: tokens are checked with 5 s of leeway.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);

/// Fewest file handles for a client: its sockets, files and threads use far less.
const HANDLES_MIN: u64 = 256;

/// What was looked at, and how it looked.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    /// Nothing: it could not be looked at, because of something above.
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

    fn skipped(name: &'static str, why: &str) -> Self {
        Self { name, ok: None, detail: why.to_owned(), exit: Exit::DONE }
    }
}

/// Looks at everything; the exit code is that of the first thing that is wrong.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut checks = Vec::new();
    checks.push(handles());
    match Account::open(&context.global) {
        Err(error) => checks.push(Check::failed("profile", &error)),
        Ok(account) => {
            let detail = format!("{} for {}", account.profile_name(), account.server());
            checks.push(Check::good("profile", detail));
            checks.push(server(&account).await);
            checks.extend(sign_in_and_sockets(context).await);
        }
    }
    let worst = checks.iter().find(|check| check.ok == Some(false));
    let exit = worst.map_or(Exit::DONE, |check| check.exit);
    if out.is_json() {
        out.json(&json!({"ok": exit == Exit::DONE, "checks": checks}))?;
        return Ok(exit);
    }
    for Check { name, ok, detail, .. } in &checks {
        let word = match ok {
            Some(true) => "ok ",
            Some(false) => "BAD",
            None => "-- ",
        };
        out.data(&format!("{word} {name:<10} {}", human::line(detail)))?;
    }
    Ok(exit)
}

#[cfg(unix)]
fn handles() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    match limit {
        Some(limit) if limit < HANDLES_MIN => {
            let detail = format!("{limit} open files are allowed: ulimit -n {HANDLES_MIN}");
            Check::bad("handles", Exit::UNEXPECTED, detail)
        }
        Some(limit) => Check::good("handles", format!("{limit} open files are allowed")),
        None => Check::good("handles", "as many open files as you like"),
    }
}

#[cfg(not(unix))]
fn handles() -> Check {
    Check::skipped("handles", "this system has no such limit")
}

async fn server(account: &Account) -> Check {
    let start = Instant::now();
    match account.rest.health().await {
        Ok(()) => Check::good("server", format!("answers and is ready in {:?}", start.elapsed())),
        Err(error) => Check::failed("server", &error.into()),
    }
}

/// The token, then each way of travelling with it.
async fn sign_in_and_sockets(context: &Context) -> Vec<Check> {
    const WAYS: [(&str, Transports); 3] = [
        ("websocket", Transports::Websocket),
        ("polling", Transports::Polling),
        ("upgrade", Transports::PollingUpgrade),
    ];
    let me = async {
        let account = Account::signed_in(&context.global)?;
        let user = account.rest.me().await?;
        anyhow::Ok((account, user))
    };
    let (account, user) = match me.await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            let skipped = WAYS.map(|(name, _)| Check::skipped(name, "needs a token that works"));
            return [Check::failed("token", &error)].into_iter().chain(skipped).collect();
        }
    };
    let mut checks = vec![Check::good("token", human::user(&user))];
    let mut clock = None;
    for (name, transports) in WAYS {
        let start = Instant::now();
        let ready = tokio::time::timeout(context.global.timeout, ready(&account, transports));
        match ready.await {
            Ok(Ok(connected)) => {
                clock = clock.or_else(|| connected.server_time.map(|time| skew(time.millis())));
                checks.push(Check::good(name, format!("ready in {:?}", start.elapsed())));
            }
            Ok(Err(error)) => checks.push(Check::failed(name, &error.into())),
            Err(_) => checks.push(Check::bad(name, Exit::NO_CONNECTION, "no answer")),
        }
    }
    checks.extend(clock);
    checks
}

/// Connects in one way until the server says `connected`.
async fn ready(account: &Account, transports: Transports) -> Result<Connected, Error> {
    let config = SessionConfig { transports, ..SessionConfig::new(account.rest.clone()) };
    let (handle, mut updates) = Session::start(config)?;
    while let Some(update) = updates.recv().await {
        match update {
            Update::Ready(connected) => {
                handle.close().await;
                return Ok(connected);
            }
            Update::Link(LinkState::Reconnecting { why, .. }) => {
                return Err(Error::Unanswered(why.sentence));
            }
            Update::Link(LinkState::LoginNeeded { why }) => {
                return Err(Error::LoginNeeded(why.sentence));
            }
            _ => {}
        }
    }
    Err(Error::Closed)
}

fn skew(server_ms: i64) -> Check {
    let ahead_ms = chrono::Utc::now().timestamp_millis() - server_ms;
    let skew = Duration::from_millis(ahead_ms.unsigned_abs());
    let word = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let detail = format!("{skew:?} {word} the server's");
    match skew <= CLOCK_SKEW_MAX {
        true => Check::good("clock", detail),
        false => Check::bad("clock", Exit::UNEXPECTED, format!("{detail}: set it")),
    }
}
