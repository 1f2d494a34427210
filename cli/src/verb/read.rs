//! `trialogue read CHAT`: marks a chat as read.

use serde_json::json;
use trialogue_client::session::Update;
use trialogue_client::{Begin, Error, LinkState};
use trialogue_protocol::{Ack, ChatId, MarkRead, Seq, event};

use crate::account::Account;
use crate::chat::ChatArg;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `read`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chat: ChatArg,
    /// Up to the message with this number; everything when it is missing
    #[arg(long, value_name = "SEQ")]
    upto: Option<Seq>,
}

/// Enters the chat, says so and leaves.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let can = account.rest.dialect().capabilities();
    if args.upto.is_some() && !can.seq {
        let what = "this kind of server numbers no messages: without --upto everything is read";
        return Err(Error::Unsupported(what.to_owned()).into());
    }
    let chat = account.chat(&args.chat.chat).await?;
    let (handle, mut updates) = account.session()?;
    handle.join(chat, Begin::Now).await?;
    let last = loop {
        match updates.recv().await.ok_or(Error::Closed)? {
            Update::Joined { ack, .. } => break ack.last_seq,
            Update::JoinFailed { error, .. } => return Err(error.into()),
            Update::Invited { chat, .. } => return Err(Failure::invited(chat).into()),
            Update::Link(LinkState::LoginNeeded { why }) => {
                return Err(Error::LoginNeeded(why.sentence).into());
            }
            Update::Link(state @ LinkState::Reconnecting { .. }) => out.say_link(&state),
            _ => {}
        }
    };
    if !can.acks {
        handle.mark_read(chat, None).await?;
        handle.close().await;
        return tell_unconfirmed(chat, out);
    }
    let seq = args.upto.unwrap_or(last);
    let body = serde_json::to_string(&MarkRead { chat_id: chat, seq: Some(seq) })?;
    let answer = handle.request(event::MARK_READ, &body).await?;
    let ack: Ack<serde_json::Value> = answer.get(0)?;
    if let Ack::Refused(refusal) = ack {
        return Err(Error::Refused(refusal.into()).into());
    }
    handle.close().await;
    if out.is_json() {
        out.json(&json!({"chatId": chat, "seq": seq}))?;
    } else {
        out.say(&format!("read up to message {seq}"));
    }
    Ok(Exit::DONE)
}

/// It left, and that is all that can be known.
fn tell_unconfirmed(chat: ChatId, out: &mut Out) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(&json!({"chatId": chat, "seq": null}))?;
    } else {
        out.say("sent that everything is read; this server does not confirm it");
    }
    Ok(Exit::DONE)
}
