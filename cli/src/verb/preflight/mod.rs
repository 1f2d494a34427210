//! `trialogue preflight`: whether a target can do what its profile says, found out by trying.

mod doubts;
mod rig;

use serde_json::json;
use trialogue_client::Capabilities;
use trialogue_protocol::ErrorCode;
use trialogue_report::diagram::Row;
use trialogue_scenarios::file::{self, Profile};
use trialogue_scenarios::probes::{self, Probe};
use trialogue_scenarios::{Observer, RunError, run as play};

use self::doubts::{Seen, Tried, Troubles};
use super::Context;
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

/// What was found out.
#[derive(Default)]
struct Found {
    /// `presence: true`, where the profile says otherwise.
    other: Vec<String>,
    /// What this machine lacks for the load.
    missing: Vec<String>,
    untried: Vec<String>,
    /// The server would not be asked so often.
    limited: bool,
}

/// Registers fresh accounts, or uses the profile's, and tries one capability after the other.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let profile = target::find(&args.target, context.global.dialect)?;
    let names: Vec<&str> = probes::all().iter().flat_map(|probe| probe.names).copied().collect();
    if let Some(unknown) = args.only.iter().find(|only| !names.contains(&only.as_str())) {
        let known = names.join(", ");
        return Err(Failure::usage(format!("{unknown} cannot be tried; {known} can")).into());
    }
    match &profile.launch {
        Some(_) if args.connections.is_some() => {
            let why = "--connections needs a server that runs: start it yourself, and give its URL";
            return Err(Failure::usage(why).into());
        }
        Some(launch) => out.say(&format!("starts `{}`", profile.secrets.hide(&launch.start))),
        None => {
            let Some(answers) = until(&context.shutdown, target::answers(&profile)).await else {
                return Ok(context.stopped());
            };
            if let Err(error) = answers {
                let why = format!("{error:#}");
                return Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &why));
            }
        }
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut found = Found::default();
    if let Some(connections) = args.connections {
        let looked = rig::look((connections, &args.bind), &profile, context, out);
        let Some(looked) = until(&context.shutdown, looked).await else {
            return Ok(context.stopped());
        };
        (found.missing, found.untried) = looked?;
    }
    for probe in probes::all() {
        if !probe.names.iter().any(|name| wanted(name)) {
            continue;
        }
        let seen = match attempt(&probe, &profile, context, out).await? {
            Some(seen) => seen,
            None => return Ok(context.stopped()),
        };
        for (name, seen) in seen.into_iter().filter(|(name, _)| wanted(name)) {
            let said = profile.capabilities.table().any(|(known, can)| known == name && can);
            tell(name, said, &seen, out)?;
            match seen {
                Seen::Yes if !said => found.other.push(format!("{name}: true")),
                Seen::No if said => found.other.push(format!("{name}: false")),
                Seen::Unknown(why) => {
                    found.limited |= why.contains(ErrorCode::RateLimited.as_str())
                        || why.contains("answered 429");
                    found.untried.push(name.to_owned());
                }
                Seen::Yes | Seen::No => {}
            }
        }
    }
    if args.only.is_empty() {
        let of_profile = profile.capabilities.table().map(|(name, _)| name);
        let left: Vec<&str> = of_profile.filter(|name| !names.contains(name)).collect();
        out.say(&format!("not tried, since nothing shows them at once: {}", left.join(", ")));
    }
    Ok(found.verdict(out))
}

impl Found {
    fn verdict(&self, out: &mut Out) -> Exit {
        if !self.other.is_empty() {
            let text =
                format!("the profile should say capabilities: {{ {} }}", self.other.join(", "));
            return out.verdict(Exit::FAILED, "failed", &text);
        }
        if !self.missing.is_empty() {
            let text = format!("not enough for the load: {}", self.missing.join(", "));
            return out.verdict(Exit::FAILED, "failed", &text);
        }
        if self.untried.is_empty() {
            return Exit::DONE;
        }
        let mut text = format!("could not be tried: {}", self.untried.join(", "));
        if self.limited {
            text += &format!("; {}", crate::play::LIMITED_HINT);
        }
        out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &text)
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

/// Plays a scenario as if the target could do all that its steps try; nothing when it was told to
/// end. A server of the profile's is started for it, and ended.
async fn attempt(
    probe: &Probe,
    profile: &Profile,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Option<Vec<(&'static str, Seen)>>> {
    let scenario = file::read(&probe.source)?;
    let troubles = Troubles::default();
    let mut config = target::config(profile)?;
    let can = |all: Capabilities, name: &&str| all.with(name, true).unwrap_or(all);
    config.capabilities = Some(probe.assumed.iter().fold(profile.capabilities, can));
    config.trace = Some(troubles.trace());
    config.stop = context.shutdown.child_token();
    let each = |seen: &dyn Fn(&str) -> Seen| {
        Some(probe.names.iter().map(|name| (*name, seen(name))).collect())
    };
    Ok(match play(&scenario, config, &mut Waits(out)).await {
        Ok(report) => {
            let tried = Tried::new(&scenario, &report, &troubles, profile);
            each(&|name| tried.seen(name))
        }
        Err(RunError::Stopped) => None,
        Err(error) => {
            let why = format!("{:#}", anyhow::Error::from(error));
            each(&|_| Seen::Unknown(why.clone()))
        }
    })
}

/// Nothing is shown of the scenario but what it waits for.
struct Waits<'a>(&'a mut Out);

impl Observer for Waits<'_> {
    fn row(&mut self, _row: &Row) {}

    fn waits(&mut self, why: &str) {
        self.0.say(why);
    }
}
