//! `trialogue outbox`: what was said and is not stored yet, on this machine.
//!
//! To look at it takes no server, no login, no room on the disk and no turn after another process.

use std::collections::HashSet;
use std::time::Duration;

use clap_complete::ArgValueCompleter;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use trialogue_client::outbox::{Draft, Restored};
use trialogue_client::session::Update;
use trialogue_client::{Error, LinkState, Refusal};
use trialogue_protocol::{ChatId, ClientMessageId, ErrorCode};

use crate::account::Account;
use crate::complete;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Ids that an error names; of more it says how many.
const NAMED_MAX: usize = 5;

/// Arguments of `outbox`.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(crate) struct Args {
    /// Send everything that waits, and wait until it is stored; --timeout is for each message
    #[arg(long)]
    flush: bool,
    /// Give these messages up, and wipe them from the disk
    #[arg(long, value_name = "ID", num_args = 1.., add = ArgValueCompleter::new(complete::unsent))]
    discard: Vec<ClientMessageId>,
    /// Give all of them up, and wipe them from the disk
    #[arg(long)]
    discard_all: bool,
}

/// One message as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting<'a> {
    client_message_id: &'a ClientMessageId,
    chat_id: ChatId,
    message: &'a str,
    /// Nothing: it waits to be stored.
    refused: Option<ErrorCode>,
    /// The server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl<'a> Waiting<'a> {
    fn of(draft: &'a Draft, refused: Option<&'a Refusal>) -> Self {
        Self {
            client_message_id: &draft.id,
            chat_id: draft.chat,
            message: &draft.text,
            refused: refused.map(|refusal| refusal.code),
            why: refused.map(|refusal| refusal.message.as_str()),
        }
    }

    fn all(kept: &'a [Restored]) -> Vec<Self> {
        kept.iter().map(|kept| Self::of(&kept.draft, kept.refused.as_ref())).collect()
    }
}

/// Lists, sends or gives up.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if args.flush {
        return flush(&Account::signed_in(&context.global)?, context.global.timeout, out).await;
    }
    let account = Account::of_profile(&context.global)?;
    let nobody = || {
        let (profile, server) = (account.profile_name(), account.server());
        Failure::not_signed_in(format!("nobody has signed in with profile {profile} at {server}"))
    };
    if args.discard.is_empty() && !args.discard_all {
        let looked = account.look_at_outbox()?.ok_or_else(nobody)?;
        looked.notices.iter().for_each(|notice| out.say(notice));
        show(&Waiting::all(&looked.restored), out)?;
        return Ok(Exit::DONE);
    }
    let (ids, all) = (args.discard.clone(), args.discard_all);
    let is_meant = move |id: &ClientMessageId| all || ids.contains(id);
    let done = account.discard(context.global.timeout, is_meant).await?.ok_or_else(nobody)?;
    for Restored { draft, refused, .. } in &done.gone {
        // Nobody knows whether an answer was lost on its way here.
        let perhaps =
            if refused.is_none() { "; if it was on its way, it may be stored" } else { "" };
        out.say(&format!("given up: {}{perhaps}", draft.id));
    }
    show(&Waiting::all(&done.left), out)?;
    let is_gone = |id: &&ClientMessageId| done.gone.iter().any(|gone| gone.draft.id == **id);
    let unknown: Vec<&ClientMessageId> = args.discard.iter().filter(|id| !is_gone(id)).collect();
    if unknown.is_empty() {
        return Ok(Exit::DONE);
    }
    Err(Failure::not_found(format!("not in the outbox: {}", names(&unknown))).into())
}

/// Sends what waits; ends when nothing does, or when nothing was answered for this long.
async fn flush(account: &Account, wait: Duration, out: &mut Out) -> anyhow::Result<Exit> {
    let Some(opened) = account.outbox(wait).await? else {
        return Err(Failure::usage("a token of the environment has no outbox").into());
    };
    let waiting = opened.restored.iter().filter(|kept| kept.refused.is_none());
    let mut waiting: HashSet<ClientMessageId> = waiting.map(|kept| kept.draft.id.clone()).collect();
    let (handle, mut updates) = account.session_with(Some(opened), !waiting.is_empty())?;
    let sent = send_all(&mut waiting, &mut updates, wait, out).await;
    let kept = handle.kept().await?;
    handle.close().await;
    let left: Vec<Waiting<'_>> =
        kept.iter().map(|kept| Waiting::of(&kept.draft, kept.refused.as_ref())).collect();
    show(&left, out)?;
    sent?;
    let refused = left.iter().filter(|left| left.refused.is_some());
    let refused: Vec<&ClientMessageId> = refused.map(|left| left.client_message_id).collect();
    match left.iter().find_map(|left| left.refused) {
        None => Ok(Exit::DONE),
        Some(code) => {
            let what = format!("not stored, and not sent again: {}", names(&refused));
            Err(Failure::refused(code, what).into())
        }
    }
}

/// Takes out of `waiting` what is stored or refused, until it is empty.
async fn send_all(
    waiting: &mut HashSet<ClientMessageId>,
    updates: &mut mpsc::Receiver<Update>,
    wait: Duration,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut end = Instant::now() + wait;
    while !waiting.is_empty() {
        let Ok(update) = tokio::time::timeout_at(end, updates.recv()).await else {
            let left = waiting.len();
            let what = format!("{left} not stored, and nothing was answered within {wait:?}");
            return Err(Failure::left_in_outbox(what).into());
        };
        match update.ok_or(Error::Closed)? {
            Update::Outcome { client_message_id, outcome, .. } if outcome.is_final() => {
                waiting.remove(&client_message_id);
                end = Instant::now() + wait;
            }
            Update::Link(LinkState::LoginNeeded { why }) => {
                return Err(Error::LoginNeeded(why.sentence).into());
            }
            Update::Link(state @ LinkState::Reconnecting { .. }) => out.say_link(&state),
            Update::Journal { sentence } => out.say(&sentence),
            _ => {}
        }
    }
    Ok(())
}

fn names(ids: &[&ClientMessageId]) -> String {
    let named: Vec<&str> = ids.iter().take(NAMED_MAX).map(|id| id.as_str()).collect();
    let named = named.join(", ");
    match ids.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn show(items: &[Waiting<'_>], out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.json(&serde_json::json!({"items": items}));
    }
    if items.is_empty() {
        out.say("nothing waits");
        return Ok(());
    }
    let rows: Vec<[String; 4]> = items
        .iter()
        .map(|item| {
            let state = item.refused.map_or("waits", ErrorCode::as_str).to_owned();
            let id = item.client_message_id.to_string();
            [id, item.chat_id.to_string(), state, human::line(item.message)]
        })
        .collect();
    out.data(&human::table(["ID", "CHAT", "STATE", "TEXT"], &rows))
}
