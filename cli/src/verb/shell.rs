//! `trialogue shell`: the client as plain lines, for screen readers and dumb terminals.

use clap_complete::ArgValueCompleter;

use crate::chat::ChatGiven;
use crate::complete;
use crate::exit::Exit;
use crate::verb::{Context, chat};

/// Arguments of `shell`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The chat to open: its id, or enough of the id's beginning or end to be unique
    #[arg(value_name = "CHAT", add = ArgValueCompleter::new(complete::chats))]
    chat: Option<ChatGiven>,
}

/// Reads lines and prints lines until `/quit` or the end of input.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    chat::plain(args.chat.as_ref(), context).await
}
