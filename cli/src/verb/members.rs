//! `trialogue members CHAT`: who is in it, and who is there now.

use serde::Serialize;
use trialogue_protocol::{ChatId, Member};

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `members`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    chat_id: ChatId,
    items: &'a [Member],
}

/// Lists them.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let chat = account.rest.chat(account.chat(&args.chat.chat).await?).await?;
    if out.is_json() {
        out.json(&Members { chat_id: chat.id, items: &chat.members })?;
    } else {
        out.data(&human::members(&chat.members))?;
    }
    Ok(Exit::DONE)
}
