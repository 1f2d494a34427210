//! The command line's outside: flags that every verb understands.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, ValueEnum, ValueHint};
use clap_complete::ArgValueCompleter;
use trialogue_client::Dialect;
use trialogue_client::profile::ProfileName;
use trialogue_server::config::parse_duration;
use url::Url;

use crate::complete;
use crate::exit;
use crate::settings::server;
use crate::verb::Verb;

/// Three people, one job, one chat: customer, provider and local service manager (LSM).
#[derive(Parser)]
#[command(name = "trialogue", version = env!("TRIALOGUE_VERSION"), after_help = exit::HELP)]
#[command(max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags before or after any verb.
#[derive(Args, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The account to speak as: a name of your own choice
    #[arg(long, global = true, value_name = "NAME", env = "TRIALOGUE_PROFILE")]
    #[arg(default_value = "default", add = ArgValueCompleter::new(complete::profiles))]
    pub(crate) profile: ProfileName,
    /// The server [default: the profile's, else http://127.0.0.1:3000]
    #[arg(long, global = true, value_name = "URL", env = "TRIALOGUE_SERVER")]
    #[arg(value_parser = server::Parser)]
    pub(crate) server: Option<Url>,
    /// The configuration file's server, for profiles that remember none
    #[arg(skip)]
    pub(crate) usual_server: Option<Url>,
    /// How the server speaks: trialogue, or stm as the deployed NestJS backend does
    /// [default: as at login, else trialogue]
    #[arg(long, global = true, value_name = "DIALECT", env = "TRIALOGUE_DIALECT")]
    #[arg(value_parser = dialect())]
    pub(crate) dialect: Option<Dialect>,
    /// How long to wait for an answer, such as 500ms, 30s or 5m; a bare number is seconds
    #[arg(long, global = true, value_name = "TIME", env = "TRIALOGUE_TIMEOUT")]
    #[arg(default_value = "30s", value_parser = waiting_time)]
    pub(crate) timeout: Duration,
    /// Somebody has named that time; else it is the usual one
    #[arg(skip)]
    pub(crate) is_timeout_named: bool,
    /// Trust the certificate authorities of this PEM file too
    #[arg(long, global = true, value_name = "FILE", env = "TRIALOGUE_CACERT")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) cacert: Vec<PathBuf>,
    /// Permit http:// to another machine, which shows the token to the network
    #[arg(long, global = true, env = "TRIALOGUE_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    pub(crate) plain_http: bool,
    /// Print JSON only: one document, or one object per line for streams
    #[arg(long, global = true, env = "TRIALOGUE_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Never ask anything, even at a terminal
    #[arg(long, global = true, env = "TRIALOGUE_NO_INPUT", value_parser = FalseyValueParser::new())]
    pub(crate) no_input: bool,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", env = "TRIALOGUE_COLOR")]
    #[arg(value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Say less: errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; again for yet more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The dialects by their names, so that help and completions know them.
fn dialect() -> impl TypedValueParser<Value = Dialect> {
    let names = [Dialect::Trialogue, Dialect::Stm].map(|dialect| dialect.as_str());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Dialect>())
}

/// Longest time that can be asked for: its sum with any clock stays a time.
const TIME_MAX: Duration = Duration::from_secs(365 * 86_400);

/// A time with its unit; without one it is seconds, as most programs have it.
pub(crate) fn time_limit(text: &str) -> Result<Duration, &'static str> {
    let time = text.parse().map(Duration::from_secs).or_else(|_| parse_duration(text))?;
    if time > TIME_MAX { Err("a time is at most 365d") } else { Ok(time) }
}

/// The same for an answer, which takes more than no time.
fn waiting_time(text: &str) -> Result<Duration, &'static str> {
    match time_limit(text)? {
        Duration::ZERO => Err("nothing is answered in no time: leave it out, or give it longer"),
        time => Ok(time),
    }
}

/// How a service writes its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people at a terminal, for programs elsewhere
    Auto,
    /// One JSON object per line
    Json,
    /// Lines for people
    Text,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// At a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    Auto,
    Always,
    Never,
}
