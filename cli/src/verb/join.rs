//! `trialogue join CHAT`: a local service manager accepts the invitation into a dispute.

use serde_json::json;
use trialogue_protocol::DisputeStatus;

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;
use crate::verb::invites::dispute_of;

/// Arguments of `join`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
}

/// Joins; joining twice is no error.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let chat = account.chat(&args.chat.chat).await?;
    let states = [DisputeStatus::Pending, DisputeStatus::Joined];
    let dispute = dispute_of(&account, chat, &states).await?;
    let chat = account.rest.join_dispute(dispute.id).await?;
    if out.is_json() {
        out.json(&json!({"disputeId": dispute.id, "chatId": chat}))?;
    } else {
        out.say(&format!("joined dispute {} in chat {chat}", dispute.id));
    }
    Ok(Exit::DONE)
}
