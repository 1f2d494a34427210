//! `trialogue preflight`: whether a target can do what its profile says, found out by trying.

use serde_json::json;
use trialogue_client::Capabilities;
use trialogue_scenarios::file::{self, Profile};
use trialogue_scenarios::probes::{self, Probe};
use trialogue_scenarios::{Came, RunConfig, Target, run as play};

use super::{Context, preflight_rig};
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::play::until;
use crate::target;

/// Arguments of `preflight`.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 the target is as its profile says, 1 it is not, 2 usage, 3 it \
    could not be tried, 130 Ctrl-C"
)]
pub(crate) struct Args {
    /// A profile, its name, or a URL
    #[arg(long, value_name = "TARGET", env = "TRIALOGUE_TARGET")]
    target: String,
    /// Only these capabilities
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Also whether this machine can burden the target with so many connections, and what a small
    /// run comes to
    #[arg(long, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    connections: Option<u64>,
    /// From these addresses of this machine in turn, as `load --bind` does
    #[arg(long, value_name = "IP", value_delimiter = ',', requires = "connections")]
    bind: Vec<std::net::IpAddr>,
}

/// What trying one capability came to.
enum Seen {
    Yes,
    No,
    /// The way to it failed already.
    Unknown(String),
}

/// Registers fresh accounts, or uses the profile's, and tries one capability after the other.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let profile = target::find(&args.target, context.global.dialect)?;
    let names: Vec<&str> = probes::all().iter().flat_map(|probe| probe.names).copied().collect();
    if let Some(unknown) = args.only.iter().find(|only| !names.contains(&only.as_str())) {
        let known = names.join(", ");
        return Err(Failure::usage(format!("{unknown} cannot be tried; {known} can")).into());
    }
    if let Err(error) = target::answers(&profile).await {
        return Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &format!("{error:#}")));
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let (mut other, mut untried) = (Vec::new(), Vec::new());
    let mut missing = Vec::new();
    if let Some(connections) = args.connections {
        let looked = preflight_rig::look((connections, &args.bind), &profile, context, out);
        let Some(looked) = until(&context.shutdown, looked).await else {
            return Ok(context.stopped());
        };
        (missing, untried) = looked?;
    }
    for probe in probes::all() {
        if !probe.names.iter().any(|name| wanted(name)) {
            continue;
        }
        let Some(seen) = until(&context.shutdown, attempt(&probe, &profile)).await else {
            return Ok(context.stopped());
        };
        for (name, seen) in seen?.into_iter().filter(|(name, _)| wanted(name)) {
            let said = profile.capabilities.table().any(|(known, can)| known == name && can);
            tell(name, said, &seen, out)?;
            match seen {
                Seen::Yes if !said => other.push(format!("{name}: true")),
                Seen::No if said => other.push(format!("{name}: false")),
                Seen::Unknown(_) => untried.push(name.to_owned()),
                Seen::Yes | Seen::No => {}
            }
        }
    }
    if args.only.is_empty() {
        let of_profile = profile.capabilities.table().map(|(name, _)| name);
        let left: Vec<&str> = of_profile.filter(|name| !names.contains(name)).collect();
        out.say(&format!("not tried, since nothing shows them at once: {}", left.join(", ")));
    }
    if !other.is_empty() {
        let text = format!("the profile should say capabilities: {{ {} }}", other.join(", "));
        return Ok(out.verdict(Exit::FAILED, "failed", &text));
    }
    if !missing.is_empty() {
        let text = format!("not enough for the load: {}", missing.join(", "));
        return Ok(out.verdict(Exit::FAILED, "failed", &text));
    }
    match untried.is_empty() {
        true => Ok(Exit::DONE),
        false => {
            let text = format!("could not be tried: {}", untried.join(", "));
            Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &text))
        }
    }
}

fn tell(name: &str, said: bool, seen: &Seen, out: &mut Out) -> anyhow::Result<()> {
    let (word, why) = match seen {
        Seen::Yes => ("yes", ""),
        Seen::No => ("no", ""),
        Seen::Unknown(why) => ("unknown", why.as_str()),
    };
    if out.is_json() {
        let document =
            json!({"type": "capability", "name": name, "profile": said, "seen": word, "why": why});
        return out.json(&document);
    }
    let says = if said { "yes" } else { "no" };
    let mark = if word == says || word == "unknown" { "" } else { "  <- differs" };
    let why = human::line(why);
    out.data(format!("{name:<22}profile: {says:<5}seen: {word:<8}{why}{mark}").trim_end())
}

/// Plays a scenario as if the target could do all that its steps try.
async fn attempt(probe: &Probe, profile: &Profile) -> anyhow::Result<Vec<(&'static str, Seen)>> {
    let scenario = file::read(&probe.source)?;
    let mut config = RunConfig::new(Target::Url(profile.url.clone()));
    config.dialect = profile.dialect;
    config.plain_http = profile.plain_http;
    config.accounts.clone_from(&profile.accounts);
    let can = |all: Capabilities, name: &&str| all.with(name, true).unwrap_or(all);
    config.capabilities = Some(probe.assumed.iter().fold(profile.capabilities, can));
    let mut rows = Vec::new();
    let report = match play(&scenario, config, &mut rows).await {
        Ok(report) => report,
        Err(error) => {
            let why = format!("{:#}", anyhow::Error::from(error));
            return Ok(probe
                .names
                .iter()
                .map(|name| (*name, Seen::Unknown(why.clone())))
                .collect());
        }
    };
    let seen = |name: &'static str| {
        let id = format!("probe_{name}");
        let step = report.steps.iter().find(|step| step.id.as_deref() == Some(&id));
        let seen = match step.map(|step| step.came) {
            Some(Came::Held) => Seen::Yes,
            Some(Came::Broken) => Seen::No,
            _ => {
                let first = report.failures.first();
                let why = first.map(|failure| format!("{}: {}", failure.what, failure.got));
                Seen::Unknown(why.unwrap_or_default())
            }
        };
        (name, seen)
    };
    Ok(probe.names.iter().map(|name| seen(name)).collect())
}
