//! The verbs: one file each. A verb parses its arguments, asks a library and prints.

#[cfg(unix)]
mod baseline;
mod book;
pub(crate) mod chat;
mod chats;
mod check;
mod compare;
mod completions;
mod config;
mod conform;
#[cfg(unix)]
mod db;
#[cfg(unix)]
mod demo;
mod dispute;
mod doctor;
mod fmt;
mod health;
mod history;
mod invites;
mod jobs;
mod join;
mod leave;
mod listen;
#[cfg(unix)]
mod load;
mod login;
mod logout;
mod man;
mod members;
#[cfg(unix)]
mod merge;
mod migrate;
mod new;
mod notifications;
mod outbox;
#[cfg(unix)]
mod preflight;
mod providers;
mod read;
mod record;
mod register;
mod report;
mod resolve;
#[cfg(unix)]
mod run;
mod schema;
mod send;
mod serve;
mod shell;
mod status;
mod token;
mod trace;
mod user;
mod whoami;
#[cfg(unix)]
mod worker;

use std::sync::OnceLock;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::args::{Global, LogFormat};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::settings::Settings;

/// What every verb may look at.
pub(crate) struct Context {
    /// The flags before or after the verb.
    pub(crate) global: Global,
    /// Where they, and those of `serve`, came from.
    pub(crate) settings: Settings,
    /// Cancelled by Ctrl-C and SIGTERM; only a verb that [`Verb::tidies_up`] lives to see it.
    pub(crate) shutdown: CancellationToken,
    /// Which of the two it was.
    signal: OnceLock<Exit>,
}

impl Context {
    /// A context that nobody has asked to end yet.
    pub(crate) fn new(global: Global, settings: Settings) -> Self {
        Self { global, settings, shutdown: CancellationToken::new(), signal: OnceLock::new() }
    }

    /// Asks the verb to end, because of this signal.
    pub(crate) fn stop(&self, signal: Exit) {
        let _first_one_stands = self.signal.set(signal);
        self.shutdown.cancel();
    }

    /// The exit code of a verb that was asked to end.
    pub(crate) fn stopped(&self) -> Exit {
        self.signal.get().copied().unwrap_or(Exit::INTERRUPTED)
    }

    /// Gives up when `--timeout` is over.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let limit = self.global.timeout;
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => Err(Failure::time(format!("not done within {limit:?} (--timeout)")).into()),
        }
    }
}

/// One word per thing that can be asked for; the doc comments are the help texts.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Make an account and sign in
    Register(register::Args),
    /// Sign in
    Login(login::Args),
    /// Sign out
    Logout,
    /// Show who is signed in
    Whoami,
    /// List the providers that can be booked
    Providers(providers::Args),
    /// Book a job; prints the id of its chat
    Book(book::Args),
    /// List my jobs; show, complete or cancel one
    Jobs(jobs::Args),
    /// Chat, on the whole terminal
    Chat(chat::Args),
    /// Chat, as plain lines: for screen readers and dumb terminals
    Shell(shell::Args),
    /// List my chats
    Chats(chats::Args),
    /// List who is in a chat, and who is there now
    Members(members::Args),
    /// Show what was said
    History(history::Args),
    /// Say something and wait until it is stored
    Send(send::Args),
    /// Show what happens as it happens; comes back by itself
    #[command(visible_alias = "tail")]
    Listen(listen::Args),
    /// List, send or give up what is not stored yet
    Outbox(outbox::Args),
    /// Mark a chat as read
    Read(read::Args),
    /// Open a dispute: call the local service manager in
    Dispute(dispute::Args),
    /// List the disputes that I am invited into, as a local service manager
    Invites(invites::Args),
    /// Accept the invitation into a dispute
    Join(join::Args),
    /// Leave a chat's room, which a command line is never in
    #[command(hide = true)]
    Leave(leave::Args),
    /// End a dispute and leave its chat
    Resolve(resolve::Args),
    /// List what happened while I was away, or mark it as read
    Notifications(notifications::Args),
    /// Show the server, the account and the login; with -v where each setting came from
    Status,
    /// Find out what is wrong: server, token, transports, clock
    Doctor,
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Look at, stop or remove the private PostgreSQL
    #[cfg(unix)]
    Db(db::Args),
    /// See the whole flow happen: three people, a real database, a server that is killed
    #[cfg(unix)]
    Demo(demo::Args),
    /// Play scripted scenarios with several roles, faults and checks
    #[cfg(unix)]
    Run(run::Args),
    /// Measure how a server broadcasts to rooms, and judge every delivery
    #[cfg(unix)]
    Load(Box<load::Args>),
    /// Do a part of the load of another machine
    #[cfg(unix)]
    Worker(worker::Args),
    /// Put two results of `load` side by side
    Compare(compare::Args),
    /// Make one result of several of `load`
    #[cfg(unix)]
    Merge(merge::Args),
    /// Measure again what was claimed, and tell what has drifted
    #[cfg(unix)]
    Baseline(baseline::Args),
    /// Check scenario files without running them
    Check(check::Args),
    /// Write scenario files in one layout, or show them as arrows
    Fmt(fmt::Args),
    /// Begin a new scenario file
    New(new::Args),
    /// Stand between clients and a server, and write what they do as a scenario
    Record(record::Args),
    /// Find out what a target can do, and whether its profile says so
    #[cfg(unix)]
    Preflight(preflight::Args),
    /// Tell a JSON report or a result of `load` again in other formats
    Report(report::Args),
    /// Show the journal of a run
    Trace(trace::Args),
    /// Check how well a Socket.IO server keeps to the protocol, ours or any other
    Conform(Box<conform::Args>),
    /// Print the JSON Schema of our files, for editors
    Schema(schema::Args),
    /// Write the man pages into a folder
    Man(man::Args),
    /// Run the server, with a private PostgreSQL unless it is given one
    Serve(Box<serve::Args>),
    /// Show what `serve` would run with, and where each setting came from
    Config(Box<config::Args>),
    /// Find out whether a server can work, for health checks
    Health,
    /// Bring a database up to date, apart from serving
    Migrate(migrate::Args),
    /// Add, list and change accounts, as an operator
    User(Box<user::Args>),
    /// Make access tokens for testers
    Token(Box<token::Args>),
}

impl Verb {
    /// Does it. Takes as long as it takes: waits are bounded where they happen.
    pub(crate) async fn run(self, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
        match self {
            Self::Register(args) => register::run(args, context, out).await,
            Self::Login(args) => login::run(args, context, out).await,
            Self::Logout => logout::run(context, out).await,
            Self::Whoami => context.within(whoami::run(context, out)).await,
            Self::Providers(args) => context.within(providers::run(args, context, out)).await,
            Self::Book(args) => context.within(book::run(args, context, out)).await,
            Self::Jobs(args) => context.within(jobs::run(args, context, out)).await,
            Self::Chat(args) => chat::run(args, context, out).await,
            Self::Shell(args) => shell::run(args, context).await,
            Self::Chats(args) => context.within(chats::run(&args, context, out)).await,
            Self::Members(args) => context.within(members::run(&args, context, out)).await,
            Self::History(args) => history::run(&args, context, out).await,
            Self::Send(args) => send::run(args, context, out).await,
            Self::Listen(args) => listen::run(args, context, out).await,
            Self::Outbox(args) => outbox::run(&args, context, out).await,
            Self::Read(args) => context.within(read::run(&args, context, out)).await,
            Self::Dispute(args) => context.within(dispute::run(&args, context, out)).await,
            Self::Invites(args) => context.within(invites::run(&args, context, out)).await,
            Self::Join(args) => context.within(join::run(&args, context, out)).await,
            Self::Leave(args) => Err(leave::run(&args)),
            Self::Resolve(args) => context.within(resolve::run(&args, context, out)).await,
            Self::Notifications(args) => {
                context.within(notifications::run(&args, context, out)).await
            }
            Self::Status => status::run(context, out).await,
            Self::Doctor => doctor::run(context, out).await,
            Self::Completions(args) => completions::run(&args, context, out),
            #[cfg(unix)]
            Self::Db(args) => db::run(args, context, out).await,
            #[cfg(unix)]
            Self::Demo(args) => demo::run(args, context, out).await,
            #[cfg(unix)]
            Self::Run(args) => run::run(args, context, out).await,
            #[cfg(unix)]
            Self::Load(args) => load::run(*args, context, out).await,
            #[cfg(unix)]
            Self::Worker(args) => worker::run(args, context, out).await,
            Self::Compare(args) => compare::run(&args, out),
            #[cfg(unix)]
            Self::Merge(args) => merge::run(&args, out),
            #[cfg(unix)]
            Self::Baseline(args) => baseline::run(&args, context, out).await,
            Self::Check(args) => check::run(&args, context, out),
            Self::Fmt(args) => fmt::run(&args, context, out),
            Self::New(args) => new::run(args, context, out).await,
            Self::Record(args) => record::run(args, context, out).await,
            #[cfg(unix)]
            Self::Preflight(args) => preflight::run(args, context, out).await,
            Self::Report(args) => report::run(&args, context, out),
            Self::Trace(args) => trace::run(&args, context, out),
            Self::Conform(args) => conform::run(*args, context, out).await,
            Self::Schema(args) => schema::run(&args, out),
            Self::Man(args) => man::run(&args, out),
            Self::Serve(args) => serve::run(*args, context, out).await,
            Self::Config(args) => config::run(&args, context, out),
            Self::Health => context.within(health::run(context, out)).await,
            Self::Migrate(args) => migrate::run(&args, out).await,
            Self::User(args) => user::run(*args, context, out).await,
            Self::Token(args) => token::run(*args, out).await,
        }
    }

    /// Whether the verb ends by itself once [`Context::shutdown`] is cancelled, because it has
    /// processes to stop or reports to write. The others are dropped where they stand.
    pub(crate) fn tidies_up(&self) -> bool {
        #[cfg(unix)]
        if matches!(
            self,
            Self::Demo(_) | Self::Run(_) | Self::Load(_) | Self::Baseline(_) | Self::Preflight(_)
        ) {
            return true;
        }
        self.is_service()
            || matches!(self, Self::Conform(_) | Self::Chat(_) | Self::Shell(_) | Self::Record(_))
    }

    /// Whether it draws on the terminal, where nothing else may be written.
    pub(crate) fn owns_the_terminal(&self) -> bool {
        #[cfg(unix)]
        match self {
            Self::Demo(args) => return args.is_drawn(),
            Self::Load(args) => return args.is_drawn(),
            _ => {}
        }
        matches!(self, Self::Chat(_) | Self::Shell(_))
    }

    /// What is logged when neither `-q` nor `-v` says otherwise.
    pub(crate) fn log_level(&self) -> LevelFilter {
        if self.is_service() { LevelFilter::INFO } else { LevelFilter::WARN }
    }

    /// How its log is written.
    pub(crate) fn log_format(&self) -> LogFormat {
        match self {
            Self::Serve(args) => args.log_format(),
            _ => LogFormat::Auto,
        }
    }

    /// Whether its log is read by programs when nobody sits at a terminal.
    pub(crate) fn is_service(&self) -> bool {
        #[cfg(unix)]
        if matches!(self, Self::Worker(_)) {
            return true;
        }
        matches!(self, Self::Serve(_))
    }
}
