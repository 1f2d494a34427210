//! `trialogue chat`: the terminal client.
//!
//! What lives here is only how accounts are opened; the client itself is the crate `tui`.

mod door;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap_complete::ArgValueCompleter;
use trialogue_protocol::ChatId;
use trialogue_tui::demo::Demo;
use trialogue_tui::model::{Settings, Who};
use trialogue_tui::shell::{self, Begin, Ended, Start};

use self::door::Accounts;
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

/// Roles of its theme, likewise.
const THEME: &str = "theme.toml";

/// Longest such file in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

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
    if args.demo {
        let ended = drawn(made_up(args.ascii, context), context).await?;
        return after(ended, context, out).await;
    }
    let (mut global, mut chat) = (context.global.clone(), args.chat);
    let mut account = Account::in_or_out(&global)?;
    loop {
        let start = start(&account, chat.take().as_ref(), args.ascii, &global, context).await?;
        match drawn(start, context).await? {
            Ended::Profile(name) => {
                global = as_profile(&global, &name)?;
                // A token of the environment is of no profile, so it is not of this one either.
                account = Account::open(&global)?;
            }
            ended => return after(ended, context, out).await,
        }
    }
}

async fn drawn(start: Start, context: &Context) -> anyhow::Result<Ended> {
    let ended = shell::run(vec![start], None, context.shutdown.clone()).await;
    ended.context("no terminal to draw on")
}

async fn after(ended: Ended, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    match ended {
        Ended::Quit | Ended::Script | Ended::Profile(_) => Ok(Exit::DONE),
        Ended::HungUp => Ok(Exit::HUNG_UP),
        Ended::Asked | Ended::Unheard => Ok(context.stopped()),
        Ended::Demo => demo(context, out).await,
    }
}

/// Another account, at the server that its profile remembers.
fn as_profile(global: &Global, name: &str) -> anyhow::Result<Global> {
    let profile = name.parse().map_err(|why: &str| Failure::usage(why))?;
    Ok(Global { profile, server: None, dialect: None, ..global.clone() })
}

/// The same client as lines.
pub(crate) async fn plain(chat: Option<&ChatGiven>, context: &Context) -> anyhow::Result<Exit> {
    if context.global.json {
        return Err(Failure::usage("shell has no --json: see listen and send").into());
    }
    // Where nothing is drawn there is no form for a password.
    let account = Account::signed_in(&context.global)?;
    lines(start(&account, chat, false, &context.global, context).await?, context).await
}

async fn lines(start: Start, context: &Context) -> anyhow::Result<Exit> {
    match shell::run_plain(start, context.shutdown.clone()).await.map_err(out::closed)? {
        Ended::Quit | Ended::Demo | Ended::Script | Ended::Profile(_) => Ok(Exit::DONE),
        Ended::HungUp => Ok(Exit::HUNG_UP),
        Ended::Asked => Ok(context.stopped()),
        Ended::Unheard => {
            let what = "the list of chats did not come: nothing was taken from the pipe";
            Err(Failure::time(what).into())
        }
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
    global: &Global,
    context: &Context,
) -> anyhow::Result<Start> {
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
    let mut notices = Vec::new();
    for (name, read) in [(FILE, Settings::read as Reader), (THEME, Settings::read_theme)] {
        if let Some(path) = settings::beside(name) {
            notices.extend(read_settings(&path, read, &mut settings, colors));
        }
    }
    (settings, notices)
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
    if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        return Err(Failure::usage("TERM is dumb: nothing can be drawn there, see shell").into());
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

/// What reads a file's text, and answers sentences about what means nothing in it.
type Reader = fn(&mut Settings, &str, bool) -> Vec<String>;

/// The file's sentences; a file that is not there says nothing.
fn read_settings(
    path: &Path,
    reader: Reader,
    settings: &mut Settings,
    colors: bool,
) -> Vec<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => reader(settings, &text, colors),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![format!("{}: {error}", path.display())],
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
