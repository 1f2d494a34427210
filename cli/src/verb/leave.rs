//! `trialogue leave CHAT`: why there is nothing to do.
//!
//! A room is left by the socket that is in it (CONTRACT §2), and a verb's own socket is gone when
//! the verb ends. A verb that entered a room to leave it would only flicker on others' screens.

use crate::chat::ChatArg;
use crate::exit::Failure;

/// Arguments of `leave`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
}

/// Says what to do instead.
pub(crate) fn run(args: &Args) -> anyhow::Error {
    let Args { chat: ChatArg { chat } } = args;
    let text = "only who listens is in a chat's room: end `listen` to leave it; a local service \
                manager leaves with";
    Failure::usage(format!("{text} `resolve {chat}`")).into()
}
