//! The command line's outside: flags that every verb understands.

use clap::{ArgAction, Args, Parser, ValueEnum};

use crate::exit;
use crate::verb::Verb;

/// Three people, one job, one chat: customer, provider and local service manager (LSM).
#[derive(Parser)]
#[command(name = "trialogue", version = env!("TRIALOGUE_VERSION"), after_help = exit::HELP)]
#[command(propagate_version = true, infer_subcommands = false, max_term_width = 100)]
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
    /// Print JSON only: one document, or one object per line for streams
    #[arg(long, global = true, env = "TRIALOGUE_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Never ask anything, even at a terminal
    #[arg(long, global = true, env = "TRIALOGUE_NO_INPUT", value_parser = clap::builder::FalseyValueParser::new())]
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

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// At a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    Auto,
    Always,
    Never,
}
