//! `trialogue invites`: the disputes that wait for this local service manager.

use trialogue_client::rest::ListQuery;
use trialogue_protocol::{ChatId, Dispute, DisputeQuery, DisputeStatus};

use crate::account::Account;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::paging::{self, Page};
use crate::verb::Context;

/// Disputes looked through for a chat: an LSM with more open ones has other worries.
const DISPUTES_MAX: u32 = 10_000;

/// Arguments of `invites`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    most: paging::Most,
}

/// Lists them.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let page = fetch(&account, DisputeStatus::Pending, args.most).await?;
    if out.is_json() {
        out.json(&page)?;
    } else if page.items.is_empty() {
        out.say("no open invitations");
    } else {
        out.data(&human::disputes(&page.items))?;
    }
    Ok(Exit::DONE)
}

/// The dispute of a chat that is in one of these states.
pub(crate) async fn dispute_of(
    account: &Account,
    chat: ChatId,
    states: &[DisputeStatus],
) -> anyhow::Result<Dispute> {
    for &state in states {
        let disputes = fetch(account, state, paging::Most::of(DISPUTES_MAX)).await?;
        if let Some(dispute) = disputes.items.into_iter().find(|dispute| dispute.chat_id == chat) {
            return Ok(dispute);
        }
    }
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let states = states.join(" or ");
    Err(Failure::not_found(format!("you have no {states} dispute in chat {chat}")).into())
}

async fn fetch(
    account: &Account,
    status: DisputeStatus,
    most: paging::Most,
) -> anyhow::Result<Page<Dispute>> {
    let query = DisputeQuery { status: Some(status) };
    let fetch = async |page: ListQuery| {
        let list = account.rest.disputes(&query, &page).await?;
        Ok(Page { items: list.disputes, next: list.next })
    };
    paging::collect(most, fetch).await
}
