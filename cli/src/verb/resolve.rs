//! `trialogue resolve CHAT TEXT…`: the local service manager ends the dispute and leaves.

use trialogue_protocol::{DisputeStatus, ResolveDispute};

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;
use crate::verb::invites::dispute_of;

/// Arguments of `resolve`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
    /// How it ended
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Resolves it.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let chat = account.chat(&args.chat.chat).await?;
    let dispute = dispute_of(&account, chat, &[DisputeStatus::Joined]).await?;
    let body = ResolveDispute { resolution: args.text.join(" ") };
    let resolved = account.rest.resolve_dispute(dispute.id, &body).await?;
    if out.is_json() {
        out.json(&resolved)?;
    } else {
        out.say(&format!("dispute {} is resolved", resolved.id));
    }
    Ok(Exit::DONE)
}
