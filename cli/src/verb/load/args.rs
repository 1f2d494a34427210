//! The flags of `load`, and the plan that they make.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use trialogue_loadtest::find::Wanted;
use trialogue_loadtest::plan::{Arrivals, Pace, Plan, Ramp, Rate, Sizes, Unrest};
use trialogue_loadtest::slo::Slo;
use trialogue_server::config::parse_duration;

use super::phase::Phase;
use super::place::PlaceArgs;
use super::reports::Report;
use super::unrest::UnrestArgs;
use super::versus::TurnArgs;
use super::watch::WatchArgs;
use crate::exit::Failure;

/// Arguments of `load`.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Take the plan of this file; flags override what it says
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Write the plan that this command line makes as such a file (- is standard output), and do
    /// nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) write_plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    #[command(flatten)]
    pub(super) watch: WatchArgs,
    #[command(flatten)]
    pub(super) turns: TurnArgs,
    /// Tell whole stories instead: a scenario's file or the name of a bundled one, begun at --rate, each
    /// with people of its own
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["window", "seats", "find"])]
    pub(super) scenario: Option<String>,
    /// What must hold, such as 'delivery.p99<50ms && reach==1'; again for more
    #[arg(long = "slo", value_name = "EXPRESSION")]
    pub(super) slos: Vec<Slo>,
    /// End the run, as failed, as soon as this holds, such as 'delivery.p99>2s'; again for more
    #[arg(long = "abort-on", value_name = "EXPRESSION")]
    pub(super) aborts: Vec<Slo>,
    /// Look for the most that the objectives permit: max-rate, max-members of a room, or
    /// max-connections
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["window", "reports"])]
    pub(super) find: Option<Wanted>,
    /// Write the result as json=FILE, junit=FILE, md=FILE, csv=FILE, hgrm=FILE, hlog=FILE or
    /// html=FILE; - is standard output
    #[arg(long = "report", value_name = "FORMAT=FILE", value_delimiter = ',')]
    pub(super) reports: Vec<Report>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Args {
    /// Whether it draws on the whole terminal.
    pub(crate) fn is_drawn(&self) -> bool {
        self.watch.is_screen()
            && self.find.is_none()
            && !self.turns.interleave
            && !self.dry_run
            && self.write_plan.is_none()
    }
}

const HELP: &str = "\
Every delivery is judged, under any load: lost, duplicated, reordered, misrouted, phantom, late and \
mutated ones are counted and shown. Latencies begin at the intended moment of a send, so that a \
server that stalls cannot hide it; the usual figures stand beside them as delivery_uncorrected. \
When the rig itself was the limit, the run is inconclusive: then its verdict on what was wrong \
stands, and what it says of latency and rates does not.

Exit codes: 0 passed, 1 something was wrong or an objective was missed, 2 usage, 3 it could not be \
run, 4 inconclusive, 130 Ctrl-C, 143 SIGTERM (both after what happened was judged)";

/// What kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Workload {
    /// Messages to rooms, judged at every receiver
    Broadcast,
    /// Sockets in their rooms, and nobody speaks
    Idle,
    /// As many sockets as there are, in their rooms as fast as they get there
    Connect,
    /// Messages and their acknowledgements; nobody is in a room
    Ack,
    /// Broadcast, while connections are cut and come back
    Jitter,
    /// Broadcast, while those who do not speak leave their rooms and enter them again
    Churn,
    /// Broadcast, and everybody loses the server at the same moment
    Storm,
    /// Pages of a history that is known to the last message
    History,
}

/// What is done.
#[derive(clap::Args)]
pub(super) struct PlanArgs {
    /// What kind of load
    #[arg(value_enum, default_value_t = Workload::Broadcast)]
    workload: Workload,
    /// Rooms, each with people of its own
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    rooms: u32,
    /// Sockets in each room: of a customer, a provider and an LSM in turn
    #[arg(long, visible_alias = "sockets-per-room", value_name = "COUNT", default_value_t = 3)]
    members: u32,
    /// Those of them that speak
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    senders: u32,
    /// Messages over all rooms, such as 200/s, or 100/s..1000/s for a ramp
    #[arg(long, value_name = "RATE", default_value = "100/s", conflicts_with = "window")]
    rate: Rate,
    /// A part of the run with a rate of its own, instead of one for all, such as climb:60s:1/s..9/s;
    /// again for more, and :unmeasured behind a warm-up
    #[arg(long = "phase", value_name = "NAME:TIME:RATE")]
    #[arg(conflicts_with_all = ["rate", "ramp", "window", "length", "warm_up"])]
    phases: Vec<Phase>,
    /// How the rate goes from its first value to its second: const, line, step, step:N, spike
    #[arg(long, value_name = "SHAPE", default_value = "const", conflicts_with = "window")]
    ramp: Ramp,
    /// How moments lie around the rate: uniform, poisson, or burst:N for N at once
    #[arg(long, value_name = "HOW", default_value = "uniform", value_parser = arrivals)]
    #[arg(conflicts_with = "window")]
    arrivals: Arrivals,
    /// Closed loop: keep so many messages of every room under way, as fast as the server goes
    #[arg(long, value_name = "COUNT")]
    window: Option<u32>,
    /// How long messages are sent and recorded
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    length: Duration,
    /// How long they are sent before that, judged and not measured
    #[arg(long, visible_alias = "warmup", value_name = "TIME", default_value = "2s")]
    #[arg(value_parser = parse_duration)]
    warm_up: Duration,
    /// Bytes of a text: 100, 50..500, or shares as in 80%:100,20%:1000..2000
    #[arg(long, value_name = "BYTES", default_value = "100")]
    size: Sizes,
    /// Decides everything random: the same number, the same plan
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Threads that send and receive, each with rooms of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    local_workers: u32,
    #[command(flatten)]
    pub(super) unrest: UnrestArgs,
}

fn arrivals(text: &str) -> Result<Arrivals, String> {
    let what = || "it is uniform, poisson or burst:N".to_owned();
    match text {
        "uniform" => Ok(Arrivals::Uniform),
        "poisson" => Ok(Arrivals::Poisson),
        _ => {
            let size = text.strip_prefix("burst:").and_then(|size| size.parse().ok());
            size.map(Arrivals::Burst).ok_or_else(what)
        }
    }
}

impl PlanArgs {
    /// Whether what was typed is for this kind of load.
    pub(super) fn fits(&self, typed: &super::file::Given) -> Result<(), Failure> {
        let workload = self.workload.to_possible_value();
        let workload = workload.as_ref().map_or("", |one| one.get_name());
        super::unrest::fits(typed, workload)
    }

    /// What the flags say: whether it makes sense is known once its rooms are.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let pace = match (self.workload, self.window) {
            (Workload::Idle, _) => Pace::Silent { length: micros(self.length) },
            (Workload::Connect, _) => Pace::Silent { length: 0 },
            (_, Some(window)) => {
                Pace::Closed { window, warm_up: micros(self.warm_up), length: micros(self.length) }
            }
            (_, None) if !self.phases.is_empty() => {
                let stages = self.phases.iter().map(Phase::stage).collect();
                let stages = self.unrest.stages(stages);
                Pace::Open { stages, arrivals: self.arrivals }
            }
            (_, None) => {
                let Rate { from, to } = self.rate;
                if self.ramp == Ramp::Const && (from - to).abs() > f64::EPSILON {
                    let what = "two rates need a shape between them: --ramp line, step or spike";
                    return Err(Failure::usage(what));
                }
                let stages = self.ramp.stages((from, to), self.length, self.warm_up);
                let stages = self.unrest.stages(stages);
                Pace::Open { stages, arrivals: self.arrivals }
            }
        };
        let unrest = self.unrest.unrest(self.workload, self.warm_up, self.length);
        // Of a send alone nobody is a witness.
        let members = if unrest == Unrest::Apart { self.senders } else { self.members };
        Ok(Plan {
            // Short enough to be typed, and for every reader of JSON.
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            rooms: self.rooms,
            members,
            senders: self.senders.min(members),
            pace,
            sizes: self.size.clone(),
            workers: self.local_workers,
            unrest,
            back_off: self.unrest.back_off(),
            crowd: self.unrest.crowd(),
        })
    }
}
