//! `trialogue dispute CHAT TEXT…`: calls the local service manager in.

use trialogue_protocol::OpenDispute;

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `dispute`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
    /// What is wrong
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Opens it.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let chat_id = Some(account.chat(&args.chat.chat).await?);
    let body = OpenDispute { chat_id, job_id: None, description: args.text.join(" ") };
    let opened = account.rest.open_dispute(&body).await?;
    if out.is_json() {
        out.json(&opened)?;
    } else {
        // Not every server says who it is.
        let lsm = match human::line(&opened.lsm.name) {
            name if name.is_empty() => "the local service manager".to_owned(),
            name => name,
        };
        out.say(&format!("dispute {} is open, {lsm} is invited", opened.dispute_id));
    }
    Ok(Exit::DONE)
}
