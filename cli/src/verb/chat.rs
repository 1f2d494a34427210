//! `trialogue chat`: the terminal client.
//!
//! What lives here is only how accounts are opened; the client itself is the crate `tui`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap_complete::ArgValueCompleter;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use trialogue_client::profile::Desk;
use trialogue_client::session::SessionConfig;
use trialogue_client::{Error, Rest};
use trialogue_protocol::{ChatId, User};
use trialogue_tui::demo::Demo;
use trialogue_tui::model::{Settings, Who};
use trialogue_tui::shell::{self, Begin, Door, Ended, Entered, Start};
use url::Url;

use crate::account::Account;
use crate::args::Global;
use crate::chat::ChatGiven;
use crate::complete;
use crate::exit::{Exit, Failure};
use crate::out::{self, Out};
use crate::settings;
use crate::verb::Context;

/// The settings of the client, beside the configuration file.
pub(crate) const FILE: &str = "chat.toml";

/// Longest such file in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// How long to wait for an outbox that another process has open: a `send` ends soon, another
/// window does not.
const OUTBOX_WAIT: Duration = Duration::from_millis(500);

/// Arguments of `chat`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The chat to open: its id, or enough of the id's beginning or end to be unique
    #[arg(value_name = "CHAT", add = ArgValueCompleter::new(complete::chats))]
    chat: Option<ChatGiven>,
    /// Show nothing but ASCII
    #[arg(long)]
    ascii: bool,
    /// Lines instead of a screen, as `shell` does; chosen by itself on TERM=dumb
    #[arg(long)]
    plain: bool,
    /// A made-up day, without any server: the first look
    #[arg(long, conflicts_with = "chat")]
    demo: bool,
}

/// Opens the client; ends when the user wants it.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let global = &context.global;
    let is_plain = args.plain || std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if is_plain && args.demo {
        return lines(made_up(args.ascii, context), context).await;
    }
    if is_plain {
        return plain(args.chat.as_ref(), context).await;
    }
    may_draw(global)?;
    let start = match args.demo {
        true => made_up(args.ascii, context),
        false => {
            let account = Account::open(global)?;
            start(&account, args.chat.as_ref(), args.ascii, context).await?
        }
    };
    let ended = shell::run(vec![start], None, context.shutdown.clone()).await;
    match ended.context("no terminal to draw on")? {
        Ended::Quit | Ended::Script => Ok(Exit::DONE),
        Ended::Asked => Ok(context.stopped()),
        Ended::Demo => demo(context, out).await,
    }
}

/// The same client as lines.
pub(crate) async fn plain(chat: Option<&ChatGiven>, context: &Context) -> anyhow::Result<Exit> {
    if context.global.json {
        return Err(Failure::usage("shell has no --json: see listen and send").into());
    }
    // Where nothing is drawn there is no form for a password.
    let account = Account::signed_in(&context.global)?;
    lines(start(&account, chat, false, context).await?, context).await
}

async fn lines(start: Start, context: &Context) -> anyhow::Result<Exit> {
    match shell::run_plain(start, context.shutdown.clone()).await.map_err(out::closed)? {
        Ended::Quit | Ended::Demo | Ended::Script => Ok(Exit::DONE),
        Ended::Asked => Ok(context.stopped()),
    }
}

/// The day that needs no server.
fn made_up(ascii: bool, context: &Context) -> Start {
    let (settings, notices) = settings_of(&context.global, ascii);
    Start {
        who: Demo::who(),
        begin: Begin::Demo,
        door: Arc::new(Accounts { global: context.global.clone() }),
        settings,
        chat: None,
        notices,
        line: None,
    }
}

async fn start(
    account: &Account,
    chat: Option<&ChatGiven>,
    ascii: bool,
    context: &Context,
) -> anyhow::Result<Start> {
    let global = &context.global;
    let chat = match chat {
        Some(given) => Some(chat_of(account, given, context).await?),
        None => None,
    };
    let (settings, notices) = settings_of(global, ascii);
    let signed_in = account.rest.credentials().tokens().is_some();
    Ok(Start {
        who: Who {
            user: account.user().filter(|_| signed_in).cloned(),
            server: account.server().to_owned(),
            profile: account.profile_name().to_owned(),
            can: account.rest.dialect().capabilities(),
        },
        begin: match signed_in {
            true => Begin::In(account.rest.clone(), account.user().cloned()),
            false => Begin::SignIn,
        },
        door: Arc::new(Accounts { global: global.clone() }),
        settings,
        chat,
        notices,
        line: None,
    })
}

/// What the user chose, and sentences about words that mean nothing.
pub(crate) fn settings_of(global: &Global, ascii: bool) -> (Settings, Vec<String>) {
    let colors = out::stdout_colors(global.color);
    let mut settings = Settings::new(colors, ascii || is_ascii_only(), shell::local);
    let path = settings::beside(FILE);
    let notices = path.map(|path| read_settings(&path, &mut settings, colors));
    (settings, notices.unwrap_or_default())
}

#[cfg(unix)]
async fn demo(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    crate::trio::run(None, None, context, out).await
}

#[cfg(not(unix))]
async fn demo(_: &Context, _: &mut Out) -> anyhow::Result<Exit> {
    Err(Failure::usage("this system has no demo").into())
}

/// A screen needs a terminal on both sides, and somebody who may be asked.
pub(crate) fn may_draw(global: &Global) -> anyhow::Result<()> {
    use std::io::IsTerminal;
    if global.json {
        return Err(Failure::usage("chat has no --json: see listen and send").into());
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Failure::usage("chat needs a terminal: see shell, listen and send").into());
    }
    Ok(())
}

/// What a name of a chat means: by what was seen last, so that it works offline, else by the list.
async fn chat_of(
    account: &Account,
    given: &ChatGiven,
    context: &Context,
) -> anyhow::Result<ChatId> {
    match account.recent_messages(given) {
        Ok((chat, _)) => Ok(chat),
        Err(_) => context.within(account.chat(given)).await,
    }
}

/// The file's sentences; a file that is not there says nothing.
fn read_settings(path: &Path, settings: &mut Settings, colors: bool) -> Vec<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => settings.read(&text, colors),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![format!("{FILE}: {error}")],
    }
}

/// The Linux console and places that name another encoding show ASCII. A place that names none is
/// believed to know UTF-8, as containers and remote shells do.
fn is_ascii_only() -> bool {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = named("LC_ALL").or_else(|| named("LC_CTYPE")).or_else(|| named("LANG"));
    let other = locale.is_some_and(|locale| {
        let locale = locale.to_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    });
    other || named("TERM").is_some_and(|term| term == "linux")
}

/// Opens accounts as the command line and the profile say.
struct Accounts {
    global: Global,
}

impl Accounts {
    fn open(&self, server: &Url) -> anyhow::Result<Account> {
        Account::open(&Global { server: Some(server.clone()), ..self.global.clone() })
    }
}

impl Door for Accounts {
    fn at(&self, server: &Url) -> Result<Rest, Error> {
        let account = self.open(server).map_err(|error| Error::Invalid(format!("{error:#}")))?;
        Ok(account.rest)
    }

    fn enter(&self, rest: Rest, user: User) -> BoxFuture<'static, Entered> {
        let global = self.global.clone();
        async move {
            let mut notices = Vec::new();
            let server = rest.http().server().clone();
            let accounts = Self { global };
            let mut config = SessionConfig::new(rest);
            match keep(&accounts, &server, &user).await {
                Ok((journal, backup)) => (config.journal, config.backup) = (journal, backup),
                Err(error) => {
                    tracing::info!("the outbox is kept in memory: {error:#}");
                    notices.push(format!("the outbox is not on disk here: {error:#}"));
                }
            }
            if let Some(journal) = &config.journal {
                notices.extend(journal.notices.iter().cloned());
            }
            let find = |account: Account| match is_of(&account, &user) {
                true => account.desk(),
                false => Ok(Desk::default()),
            };
            let desk = accounts.open(&server).and_then(find).unwrap_or_else(|error| {
                notices.push(format!("drafts of before are not here: {error:#}"));
                Desk::default()
            });
            Entered { config, desk, notices }
        }
        .boxed()
    }

    fn keep(&self, rest: &Rest, user: &User, desk: &Desk) {
        let account = self.open(rest.http().server());
        let keep = |account: Account| match is_of(&account, user) {
            true => account.keep_desk(desk),
            false => Ok(()),
        };
        if let Err(error) = account.and_then(keep) {
            tracing::warn!("drafts are not kept: {error:#}");
        }
    }

    fn forget(&self, rest: &Rest) {
        let account = self.open(rest.http().server());
        if let Err(error) = account.and_then(|account| account.wipe_recent()) {
            tracing::warn!("recent chats are still kept: {error:#}");
        }
    }
}

/// Whether a profile is this user's: a token from the environment may be somebody else's.
fn is_of(account: &Account, user: &User) -> bool {
    account.user().is_some_and(|known| known.id == user.id)
}

type Kept = (Option<trialogue_client::journal::Opened>, Option<trialogue_client::backup::Opened>);

/// Remembers the user and opens what is kept for them.
async fn keep(accounts: &Accounts, server: &Url, user: &User) -> anyhow::Result<Kept> {
    let account = accounts.open(server)?;
    // A token from the environment belongs to no profile.
    if account.rest.credentials().tokens().is_some() {
        account.remember(user)?;
    }
    let account = accounts.open(server)?;
    let backup = account.open_recent();
    match account.outbox(OUTBOX_WAIT).await {
        Ok(journal) => Ok((journal, backup)),
        Err(error) if backup.is_none() => Err(error),
        Err(error) => {
            tracing::info!("the outbox is kept in memory: {error:#}");
            Ok((None, backup))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_file_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "preset = \"vim\"\n").unwrap();
        let mut settings = Settings::new(true, false, shell::local);
        assert_eq!(read_settings(&path, &mut settings, true), Vec::<String>::new());
        std::fs::write(&path, [0xFF]).unwrap();
        assert_eq!(read_settings(&path, &mut settings, true).len(), 1);
    }
}
