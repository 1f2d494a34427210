//! `trialogue health`: whether a server can work, for the health check of a container.

use serde_json::json;

use crate::account::Account;
use crate::exit::Exit;
use crate::out::Out;
use crate::verb::Context;

/// Asks `GET /health/ready`.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::open(&context.global)?;
    account.rest.health().await?;
    if out.is_json() {
        out.json(&json!({ "status": "ready" }))?;
    } else {
        out.say("ready");
    }
    Ok(Exit::DONE)
}
