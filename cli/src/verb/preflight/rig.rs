//! The part of `preflight` that is about load: whether this machine can hold so many connections,
//! and what a small run at the target comes to.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use trialogue_client::Http;
use trialogue_loadtest::plan::{Arrivals, BackOff, Crowd, Pace, Plan, Ramp, Sizes, Unrest};
use trialogue_loadtest::preflight::{Check, Machine};
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::target::Target;
use trialogue_loadtest::users::{self, Person};
use trialogue_loadtest::{RunConfig, cast, clock, run_in};
use trialogue_scenarios::file::Profile;

use super::super::Context;
use crate::account;
use crate::args::Global;
use crate::human;
use crate::out::Out;

/// What the small run says: as often as anybody types, so that no limit is in its way.
const TRIAL_RATE: f64 = 4.0;
const TRIAL_LENGTH: Duration = Duration::from_secs(3);

/// Looks at this machine and tries the target; answers what is not enough, and what could not be
/// tried.
pub(super) async fn look(
    (connections, bind): (u64, &[IpAddr]),
    profile: &Profile,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut checks = Machine::look().judge(connections, bind.len() as u64);
    let mut untried = Vec::new();
    match trial(profile, bind, context).await {
        Ok(document) => checks.push(judged(&document)),
        Err(error) => untried.push(format!("a small run: {}", human::line(&format!("{error:#}")))),
    }
    match clock(profile, context).await {
        Ok(check) => checks.push(check),
        Err(error) => untried.push(format!("the clock: {}", human::line(&format!("{error:#}")))),
    }
    for check in &checks {
        tell(check, out)?;
    }
    let failed = checks.iter().filter(|check| check.held == Some(false));
    Ok((failed.map(|check| check.name.to_owned()).collect(), untried))
}

fn tell(check: &Check, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        let mut document = json!(check);
        document["type"] = "check".into();
        return out.json(&document);
    }
    let word = match check.held {
        Some(true) => "ok",
        Some(false) => "NO",
        None if check.fix.is_some() => "warning",
        None => "unknown",
    };
    out.data(&format!("{word:<8}{}: {}", check.name, check.seen))?;
    check.fix.as_ref().map_or(Ok(()), |fix| out.data(&format!("        fix: {fix}")))
}

fn http(profile: &Profile, context: &Context) -> anyhow::Result<Http> {
    let plain_http = profile.plain_http || context.global.plain_http;
    account::http(&Global { plain_http, ..context.global.clone() }, &profile.url)
}

async fn clock(profile: &Profile, context: &Context) -> anyhow::Result<Check> {
    Ok(clock::look(&http(profile, context)?).await?)
}

/// One room of two, a few messages each way, judged as any run is.
async fn trial(profile: &Profile, bind: &[IpAddr], context: &Context) -> anyhow::Result<Document> {
    let http = http(profile, context)?;
    let mut target = Target::new(http, profile.dialect);
    target.capabilities = profile.capabilities;
    target.bind = bind.to_vec();
    let rate = (TRIAL_RATE, TRIAL_RATE);
    let stages = Ramp::Const.stages(rate, TRIAL_LENGTH, Duration::ZERO);
    let plan = Plan {
        seed: 1,
        rooms: 1,
        members: 2,
        senders: 2,
        pace: Pace::Open { stages, arrivals: Arrivals::Uniform },
        sizes: Sizes::of(100),
        workers: 1,
        unrest: Unrest::Calm,
        back_off: BackOff::Real,
        crowd: Crowd::default(),
    };
    let rooms = if profile.accounts.is_empty() {
        cast::make(&target, &plan, |_| {}).await?.rooms
    } else {
        let person = |account: &trialogue_scenarios::KnownAccount| Person {
            email: account.email.clone(),
            password: account.password.clone(),
            ..Person::default()
        };
        let people = profile.accounts.iter().map(person).collect();
        let mut seated = users::seat(&target, people, None, |_| {}).await?;
        seated.rooms.truncate(1);
        seated.rooms
    };
    let mut config = RunConfig::new(target, "preflight");
    config.only_ours = profile.accounts.is_empty();
    Ok(run_in(&plan, &config, rooms, &context.shutdown, &mut |_| {}).await?)
}

fn judged(document: &Document) -> Check {
    let counts = &document.counts;
    let p99 = document.value("delivery.p99").map_or(0.0, |micros| micros / 1e3);
    let seen = format!(
        "{} messages, {} deliveries, reach {}, delivery p99 {p99:.1} ms, {} refused",
        counts.sent, counts.delivered, document.reach, counts.refused
    );
    let limited = counts.limited > 0;
    let fix = match document.verdict {
        _ if limited => Some(format!(
            "the server limits a user to fewer than {TRIAL_RATE} messages a second: more rooms and \
             a lower rate for each, or lift its limits for the run"
        )),
        Verdict::Failed => Some(document.why.join("; ")),
        // What nothing follows from is the rig's, and was looked at.
        Verdict::Passed | Verdict::Inconclusive => None,
    };
    Check { name: "a small run", held: Some(fix.is_none()), seen, fix }
}
