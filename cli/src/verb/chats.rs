//! `trialogue chats`: my chats, most recently active first.

use trialogue_client::rest::ListQuery;

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
    #[command(flatten)]
    most: paging::Most,
}

/// Lists them.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let fetch = async |page: ListQuery| {
        let list = account.rest.chats(&page).await?;
        Ok(Page { items: list.chats, next: list.next })
    };
    let mut page = paging::collect(args.most, fetch).await?;
    account.keep_recent(&page.items, page.next.is_none()).await;
    if args.unread {
        page.items.retain(|chat| chat.unread_count > 0);
    }
    if out.is_json() {
        out.json(&page)?;
    } else if page.items.is_empty() {
        out.say(if args.unread { "nothing new" } else { "no chats yet: book a job" });
    } else {
        let me = account.rest.me().await?;
        out.data(&human::chats(&page.items, &me))?;
    }
    Ok(Exit::DONE)
}
