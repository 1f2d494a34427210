//! `trialogue status`: which server, who, until when; with `-v` every setting and where it came from.

use std::time::{Duration, Instant};

use serde::Serialize;
use trialogue_client::Error;
use trialogue_protocol::{Timestamp, User};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::settings::Setting;
use crate::verb::Context;

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    profile: &'a str,
    server: &'a str,
    dialect: &'static str,
    /// Whether it can be reached and can work.
    ready: bool,
    /// The server's version, when it tells one.
    version: Option<String>,
    /// One question and its answer.
    round_trip_ms: Option<f64>,
    user: Option<User>,
    login: Option<Login>,
    settings: Vec<Setting>,
}

/// The token.
#[derive(Serialize)]
struct Login {
    /// When it ends, as it says itself.
    expires: Option<Timestamp>,
    /// Whether it is renewed without a word from the user.
    renews: bool,
}

/// Asks the server, and says what it is asked with.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut settings = context.settings.of_all_verbs();
    let account = Account::open(&context.global)?;
    account.describe(&context.global, &mut settings)?;
    // Whoever is not signed in may still ask about the server.
    let signed_in = Account::signed_in(&context.global);
    let account = signed_in.as_ref().unwrap_or(&account);

    let start = Instant::now();
    let health = context.within(async { Ok(account.rest.health().await?) }).await;
    let took = start.elapsed();
    let answers = health.as_ref().map_or_else(is_answer, |()| true);
    let version = if answers { version(account, context).await } else { None };
    let me = match (&signed_in, answers) {
        (Ok(account), true) => Some(context.within(async { Ok(account.rest.me().await?) }).await),
        (Ok(_) | Err(_), _) => None,
    };
    let (user, refused) = match me {
        Some(Ok(user)) => (Some(user), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let status = Status {
        profile: account.profile_name(),
        server: account.server(),
        dialect: account.rest.dialect().as_str(),
        ready: health.is_ok(),
        version,
        round_trip_ms: answers.then(|| round(took)),
        user,
        login: signed_in.as_ref().ok().and_then(login),
        settings,
    };
    show(&status, context, out)?;
    // All was said; the exit code tells what is in the way of working.
    match health.err().or(refused).or(signed_in.err()) {
        None => Ok(Exit::DONE),
        Some(error) => Ok(out.error(&error)),
    }
}

/// Whether somebody is there who answers, if only that it is not ready.
fn is_answer(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Refused(_) | Error::Garbled(_)))
}

fn round(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// From the server's own description (CONTRACT §1); not every server has one.
async fn version(account: &Account, context: &Context) -> Option<String> {
    let ask = async { Ok(account.rest.raw("GET", "/openapi.json", None).await?) };
    let (status, document) = context.within(ask).await.ok()?;
    let version = document["info"]["version"].as_str().filter(|_| status == 200)?;
    Some(version.to_owned())
}

fn login(account: &Account) -> Option<Login> {
    let credentials = account.rest.credentials();
    credentials.tokens()?;
    let expires = credentials.ends_at().map(Timestamp::from);
    Some(Login { expires, renews: credentials.renews() })
}

fn show(status: &Status<'_>, context: &Context, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.json(status);
    }
    let answers = match (status.ready, status.round_trip_ms) {
        (true, Some(ms)) => format!("answers in {ms} ms"),
        (false, Some(ms)) => format!("answers in {ms} ms and cannot work now"),
        (_, None) => "does not answer".to_owned(),
    };
    let version = status.version.as_deref().map(human::line);
    let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
    out.data(&format!("server   {} {answers}{version}", human::line(status.server)))?;
    out.data(&format!("profile  {}", status.profile))?;
    let account = match &status.user {
        Some(user) => format!("{}, user {}", human::user(user), user.id),
        None => "-".to_owned(),
    };
    out.data(&format!("account  {account}"))?;
    let login = match &status.login {
        None => "none".to_owned(),
        Some(Login { expires, renews }) => {
            let until = expires.map(|at| format!("until {}", human::time(at, human::today())));
            let until = until.unwrap_or_else(|| "until nobody knows when".to_owned());
            format!("{until}{}", if *renews { ", renewed by itself" } else { "" })
        }
    };
    out.data(&format!("login    {login}"))?;
    if context.global.verbose > 0 {
        out.data("")?;
        out.data(&human::settings(&status.settings))?;
    }
    Ok(())
}
