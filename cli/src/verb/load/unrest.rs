//! The flags of what happens besides messages: who is away when, who types, reads or stops reading.

use std::time::Duration;

use trialogue_loadtest::plan::{Absence, BackOff, Crowd, Spread, Stage, Unrest, Ways, parse_part};
use trialogue_server::config::parse_duration;

use super::args::Workload;
use crate::exit::Failure;

/// What happens besides messages.
#[derive(clap::Args)]
pub(super) struct UnrestArgs {
    /// jitter, churn: the part of the sockets that are away now and then
    #[arg(long, value_name = "PART", default_value = "100%", value_parser = parse_part)]
    share: f64,
    /// jitter, churn: from one absence of a socket to its next
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    every: Duration,
    /// jitter, churn: how long it is away
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    away: Duration,
    /// storm: when the server is lost, after a third of --for unless this is given
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    storm_at: Option<Duration>,
    /// storm: how long there is no server, where it is ended and started again
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    down: Duration,
    /// storm: cut the connections, and leave the server alone
    #[arg(long, conflicts_with = "end_with")]
    pub(super) cut_only: bool,
    /// storm: the command that ends somebody else's server, such as 'docker kill chat'
    #[arg(long, value_name = "COMMAND", requires_all = ["start_with", "targets"])]
    pub(super) end_with: Option<String>,
    /// storm: the command that starts it again
    #[arg(long, value_name = "COMMAND", requires = "end_with")]
    pub(super) start_with: Option<String>,
    /// jitter, storm: how long clients wait before they try again: real, as socket.io-client does, or
    /// the same time for each attempt
    #[arg(long, value_name = "TIME", default_value = "real")]
    back_off: BackOff,
    /// history: messages of each room, sent before the run begins
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    history: u32,
    /// history: messages of a page
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    page: u32,
    /// For so many of the messages the sender is seen typing
    #[arg(long, value_name = "PART", default_value = "0%", value_parser = parse_part)]
    typing: f64,
    /// So many of the deliveries are marked as read
    #[arg(long, value_name = "PART", default_value = "0%", value_parser = parse_part)]
    read: f64,
    /// So many of the sockets stop reading once they are in their room; nothing is owed to them
    #[arg(long, value_name = "PART", default_value = "0%", value_parser = parse_part)]
    slow_readers: f64,
    /// How rooms differ in size: same, or zipf:S around the same mean
    #[arg(long, value_name = "HOW", default_value = "same")]
    spread: Spread,
    /// How sockets travel: websocket, polling, upgrade (begun over polling, as stock clients do), or a mix
    /// such as polling:20%,upgrade:30% of them
    #[arg(long, value_name = "HOW", default_value = "websocket", conflicts_with = "scenario")]
    transport: Ways,
    /// How long messages are sent after the run proper, judged and not measured
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    cool_down: Duration,
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

impl UnrestArgs {
    /// What happens in this workload; `warm_up` and `length` are those of the run.
    pub(super) fn unrest(&self, of: Workload, warm_up: Duration, length: Duration) -> Unrest {
        let absence =
            Absence { share: self.share, every: micros(self.every), away: micros(self.away) };
        match of {
            Workload::Broadcast | Workload::Idle | Workload::Connect => Unrest::Calm,
            Workload::Ack => Unrest::Apart,
            Workload::Jitter => Unrest::Jitter(absence),
            Workload::Churn => Unrest::Churn(absence),
            Workload::Storm => {
                let at = self.storm_at.unwrap_or(warm_up + length / 3);
                Unrest::Storm { at: micros(at), down: micros(self.down) }
            }
            Workload::History => Unrest::History { messages: self.history, page: self.page },
        }
    }

    pub(super) fn crowd(&self) -> Crowd {
        let Self { typing, read, slow_readers, spread, transport, .. } = *self;
        Crowd { typing, read, slow_readers, spread, transport }
    }

    pub(super) fn back_off(&self) -> BackOff {
        self.back_off
    }

    /// The stages, and the cool-down behind them.
    pub(super) fn stages(&self, mut stages: Vec<Stage>) -> Vec<Stage> {
        if let Some(last) = stages.last().filter(|_| !self.cool_down.is_zero()) {
            let end = Stage::steady("cool-down", self.cool_down, last.to);
            stages.push(Stage { recorded: false, ..end });
        }
        stages
    }
}

/// Flags that some workloads alone look at.
const OF_WORKLOADS: [(&[&str], &[&str]); 5] = [
    (&["share", "every", "away"], &["jitter", "churn"]),
    (&["storm_at", "down", "cut_only", "end_with", "start_with"], &["storm"]),
    (&["back_off"], &["jitter", "storm"]),
    (&["history", "page"], &["history"]),
    (
        &["rate", "ramp", "arrivals", "phases", "window", "typing", "read"],
        &["broadcast", "ack", "jitter", "churn", "storm", "history"],
    ),
];

/// Whether everything that was typed means something: a flag that is not looked at makes a result
/// of something else than was asked.
pub(super) fn fits(typed: &super::file::Given, workload: &str) -> Result<(), Failure> {
    for (flags, workloads) in OF_WORKLOADS {
        let typed = typed.iter().find(|(name, _)| flags.contains(&name.as_str()));
        if let Some((flag, _)) = typed.filter(|_| !workloads.contains(&workload)) {
            let (flag, fit) = (flag.replace('_', "-"), workloads.join(", "));
            let what = format!("--{flag} is for {fit}, and not for {workload}");
            return Err(Failure::usage(what));
        }
    }
    Ok(())
}
