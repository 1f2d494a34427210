//! `trialogue chats`: my chats, most recently active first.

use trialogue_client::rest::ListQuery;
use trialogue_protocol::{Chat, User};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::paging::{self, Page};
use crate::verb::Context;

/// Arguments of `chats`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only those with something new
    #[arg(long)]
    unread: bool,
    /// As this machine saw them last, without a word to the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    most: paging::Most,
}

/// Lists them.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let (mut page, me) = if args.offline {
        kept(&Account::open(&context.global)?)?
    } else {
        listed(args, &Account::signed_in(&context.global)?).await?
    };
    if args.unread {
        page.items.retain(|chat| chat.unread_count > 0);
    }
    if out.is_json() {
        out.json(&page)?;
    } else if page.items.is_empty() {
        out.say(if args.unread { "nothing new" } else { "no chats yet: book a job" });
    } else {
        out.data(&human::chats(&page.items, &me))?;
    }
    Ok(Exit::DONE)
}

/// The server's list, which is kept, and who asks.
async fn listed(args: &Args, account: &Account) -> anyhow::Result<(Page<Chat>, User)> {
    let fetch = async |page: ListQuery| {
        let list = account.rest.chats(&page).await?;
        Ok(Page { items: list.chats, next: list.next })
    };
    let page = paging::collect(args.most, fetch).await?;
    account.keep_recent(|shelf| shelf.list(&page.items, page.next.is_none()));
    match account.user() {
        Some(me) => Ok((page, me.clone())),
        None => Ok((page, account.rest.me().await?)),
    }
}

/// The list as it was kept, and whose it is.
fn kept(account: &Account) -> anyhow::Result<(Page<Chat>, User)> {
    let (shelf, me) = account.recent()?;
    let items = shelf.chats().into_iter().filter_map(|recent| recent.chat.clone()).collect();
    Ok((Page { items, next: None }, me.clone()))
}
