//! `trialogue logout`: ends the session at the server and forgets it here.

use serde_json::json;

use crate::account::Account;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;

/// Forgets the tokens and the recent chats, whether or not the server can be told.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::open(&context.global)?;
    let told = account.rest.logout().await;
    account.wipe_recent()?;
    told?;
    if out.is_json() {
        out.json(&json!({"profile": account.profile_name()}))?;
    } else {
        out.say(&format!("signed out, profile {}", account.profile_name()));
    }
    Ok(Exit::DONE)
}
