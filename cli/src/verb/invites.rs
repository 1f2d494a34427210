//! `trialogue invites`: the disputes that wait for this local service manager.

use std::cell::RefCell;

use serde::Serialize;
use trialogue_client::Error;
use trialogue_client::rest::ListQuery;
use trialogue_protocol::{ChatId, Dispute, DisputeId, DisputeQuery, DisputeStatus};

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

/// What `--json` prints.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    page: Page<Dispute>,
    /// Those that the server lists and does not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    untold: Vec<Untold>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Untold {
    dispute_id: DisputeId,
    message: String,
}

impl Untold {
    fn of((id, error): &(DisputeId, Error)) -> Self {
        Self { dispute_id: *id, message: error.sentence() }
    }
}

fn left_out((id, error): &(DisputeId, Error)) -> String {
    format!("dispute {id} is left out: {}", human::line(&error.sentence()))
}

/// Lists them.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let (page, untold) = fetch(&account, DisputeStatus::Pending, args.most).await?;
    if out.is_json() {
        out.json(&Told { untold: untold.iter().map(Untold::of).collect(), page })?;
        return Ok(Exit::DONE);
    }
    if !page.items.is_empty() {
        out.data(&human::disputes(&page.items))?;
    } else if untold.is_empty() {
        out.say("no open invitations");
    }
    untold.iter().for_each(|untold| out.say(&left_out(untold)));
    Ok(Exit::DONE)
}

/// The dispute of a chat that is in one of these states.
pub(crate) async fn dispute_of(
    account: &Account,
    chat: ChatId,
    states: &[DisputeStatus],
) -> anyhow::Result<Dispute> {
    let mut left = String::new();
    for &state in states {
        let (disputes, untold) = fetch(account, state, paging::Most::of(DISPUTES_MAX)).await?;
        untold.iter().for_each(|untold| left.extend(["; ", &left_out(untold)]));
        if let Some(dispute) = disputes.items.into_iter().find(|dispute| dispute.chat_id == chat) {
            return Ok(dispute);
        }
    }
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let states = states.join(" or ");
    Err(Failure::not_found(format!("you have no {states} dispute in chat {chat}{left}")).into())
}

async fn fetch(
    account: &Account,
    status: DisputeStatus,
    most: paging::Most,
) -> anyhow::Result<(Page<Dispute>, Vec<(DisputeId, Error)>)> {
    let untold = RefCell::new(Vec::new());
    let query = DisputeQuery { status: Some(status) };
    let fetch = async |page: ListQuery| {
        let list = account.rest.disputes(&query, &page).await?;
        untold.borrow_mut().extend(list.untold);
        Ok(Page { items: list.disputes, next: list.next })
    };
    let page = paging::collect(most, fetch).await?;
    Ok((page, untold.into_inner()))
}
