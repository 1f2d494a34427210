//! `trialogue history CHAT`: what was said.

use serde::Serialize;
use trialogue_protocol::{ChatId, HISTORY_PAGE_MAX, Message, PageQuery, Seq};

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `history`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=HISTORY_PAGE_MAX))]
    limit: i64,
    /// Only what came before the message with this number
    #[arg(long, value_name = "SEQ")]
    before: Option<Seq>,
    /// Only what came after the message with this number
    #[arg(long, value_name = "SEQ", conflicts_with = "before")]
    after: Option<Seq>,
    /// From the first message to the last; with --json one message per line
    #[arg(long, conflicts_with_all = ["before", "limit"])]
    all: bool,
    /// The newest messages as this machine saw them last, without a word to the server
    #[arg(long, conflicts_with_all = ["before", "after", "all"])]
    offline: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    chat_id: ChatId,
    items: &'a [Message],
    /// For `--before`, when older ones are left.
    before: Option<Seq>,
    /// For `--after`, when newer ones are left.
    after: Option<Seq>,
    epoch: Option<String>,
}

/// Prints it, oldest first.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if args.offline {
        return kept(args, &Account::open(&context.global)?, out);
    }
    let account = Account::signed_in(&context.global)?;
    let chat = account.chat(&args.chat.chat).await?;
    if args.all {
        return all(&account, chat, args.after.unwrap_or(0), out).await;
    }
    let query =
        PageQuery { limit: Some(args.limit), before_seq: args.before, after_seq: args.after };
    let page = account.rest.messages(chat, &query).await?;
    if args.before.is_none() && args.after.is_none() {
        let epoch = page.epoch.as_deref();
        account.keep_recent(|shelf| page.messages.iter().for_each(|m| shelf.said(m, epoch)));
    }
    if !out.is_json() {
        print(&page.messages, out)?;
        return Ok(Exit::DONE);
    }
    // Where the next page begins, in the direction that was asked for.
    let more = page.has_more == Some(true);
    let after = page.last_seq.filter(|_| more && args.after.is_some());
    let before = page.first_seq.filter(|_| more && args.after.is_none());
    out.json(&Shown { chat_id: chat, items: &page.messages, before, after, epoch: page.epoch })?;
    Ok(Exit::DONE)
}

/// What was kept of the end of the chat.
fn kept(args: &Args, account: &Account, out: &mut Out) -> anyhow::Result<Exit> {
    let (chat_id, messages) = account.recent_messages(&args.chat.chat)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let items = &messages[messages.len().saturating_sub(limit)..];
    if out.is_json() {
        out.json(&Shown { chat_id, items, before: None, after: None, epoch: None })?;
    } else {
        print(items, out)?;
    }
    Ok(Exit::DONE)
}

/// Page by page: the memory is that of one page, whatever the length of the history.
async fn all(account: &Account, chat: ChatId, after: Seq, out: &mut Out) -> anyhow::Result<Exit> {
    let mut pages = account.rest.history(chat, after);
    while let Some(page) = pages.next().await? {
        if out.is_json() {
            for message in &page.messages {
                out.json(message)?;
            }
        } else {
            print(&page.messages, out)?;
        }
    }
    Ok(Exit::DONE)
}

fn print(messages: &[Message], out: &mut Out) -> anyhow::Result<()> {
    let today = human::today();
    messages.iter().try_for_each(|message| out.data(&human::message(message, today)))
}
