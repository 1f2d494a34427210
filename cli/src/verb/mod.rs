//! The verbs: one file each. A verb parses its arguments, asks a library and prints.

mod completions;
mod db;
mod man;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::args::Global;
use crate::exit::Exit;
use crate::out::Out;

/// What every verb may look at.
pub(crate) struct Context {
    /// The flags before or after the verb.
    pub(crate) global: Global,
    /// Cancelled by Ctrl-C and SIGTERM; only a verb that [`Verb::tidies_up`] lives to see it.
    pub(crate) shutdown: CancellationToken,
}

impl Context {
    /// A context that nobody has asked to end yet.
    pub(crate) fn new(global: Global) -> Self {
        Self { global, shutdown: CancellationToken::new() }
    }
}

/// One word per thing that can be asked for; the doc comments are the help texts.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Look at, stop or remove the private PostgreSQL
    Db(db::Args),
    /// Write the man pages into a folder
    Man(man::Args),
}

impl Verb {
    /// Does it. Takes as long as it takes: waits are bounded where they happen.
    pub(crate) async fn run(self, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
        match self {
            Self::Completions(args) => completions::run(&args, context, out),
            Self::Db(args) => db::run(args, context, out).await,
            Self::Man(args) => man::run(&args, out),
        }
    }

    /// Whether the verb ends by itself once [`Context::shutdown`] is cancelled, because it has
    /// processes to stop or reports to write. The others are dropped where they stand.
    pub(crate) fn tidies_up(&self) -> bool {
        match self {
            Self::Completions(_) | Self::Db(_) | Self::Man(_) => false,
        }
    }

    /// What is logged when neither `-q` nor `-v` says otherwise.
    pub(crate) fn log_level(&self) -> LevelFilter {
        match self {
            Self::Completions(_) | Self::Db(_) | Self::Man(_) => LevelFilter::WARN,
        }
    }
}
