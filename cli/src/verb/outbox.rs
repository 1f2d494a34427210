//! `trialogue outbox`: what was said and is not stored yet, on this machine.

use serde::Serialize;
use trialogue_client::session::{Kept, Update};
use trialogue_client::{Error, LinkState};
use trialogue_protocol::{ChatId, ClientMessageId, ErrorCode};

use crate::account::Account;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `outbox`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Send everything that waits, and wait until it is stored
    #[arg(long)]
    flush: bool,
    /// Give this message up
    #[arg(long, value_name = "ID", conflicts_with = "flush")]
    discard: Option<ClientMessageId>,
}

/// One message as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting<'a> {
    client_message_id: &'a ClientMessageId,
    chat_id: ChatId,
    message: &'a str,
    /// Nothing: it waits to be stored.
    refused: Option<ErrorCode>,
}

/// Lists, sends or gives up.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let wait = context.global.timeout;
    let Some(opened) = account.outbox(wait).await? else {
        return Err(Failure::usage("a token of the environment has no outbox").into());
    };
    let (handle, mut updates) = account.session_with(Some(opened), args.flush)?;
    if let Some(id) = &args.discard {
        handle.discard(id.clone()).await?;
    }
    let mut kept = handle.kept().await?;
    let flushed = if args.flush {
        let flush = async {
            while kept.iter().any(|kept| kept.refused.is_none()) {
                match updates.recv().await.ok_or(Error::Closed)? {
                    Update::Outcome { .. } => kept = handle.kept().await?,
                    Update::Link(LinkState::LoginNeeded { why }) => {
                        return Err(Error::LoginNeeded(why.sentence));
                    }
                    Update::Link(state @ LinkState::Reconnecting { .. }) => out.say_link(&state),
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::time::timeout(wait, flush).await
    } else {
        Ok(Ok(()))
    };
    handle.close().await;
    show(&kept, out)?;
    match flushed {
        Ok(done) => done.map(|()| Exit::DONE).map_err(Into::into),
        Err(_) => Err(Failure::left_in_outbox(format!("not all stored within {wait:?}")).into()),
    }
}

fn show(kept: &[Kept], out: &mut Out) -> anyhow::Result<()> {
    let items: Vec<Waiting<'_>> = kept
        .iter()
        .map(|kept| Waiting {
            client_message_id: &kept.draft.id,
            chat_id: kept.draft.chat,
            message: &kept.draft.text,
            refused: kept.refused.as_ref().map(|refusal| refusal.code),
        })
        .collect();
    if out.is_json() {
        return out.json(&serde_json::json!({"items": items}));
    }
    if items.is_empty() {
        out.say("nothing waits");
        return Ok(());
    }
    let rows: Vec<[String; 4]> = items
        .iter()
        .map(|item| {
            let state = item.refused.map_or("waits", ErrorCode::as_str).to_owned();
            let id = item.client_message_id.to_string();
            [id, item.chat_id.to_string(), state, human::line(item.message)]
        })
        .collect();
    out.data(&human::table(["ID", "CHAT", "STATE", "TEXT"], &rows))
}
