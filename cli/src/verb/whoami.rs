//! `trialogue whoami`: whose token this is, by the server's word.

use serde_json::json;

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Asks the server.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let user = account.rest.me().await?;
    if out.is_json() {
        let (profile, server) = (account.profile_name(), account.server.as_str());
        out.json(&json!({"user": user, "profile": profile, "server": server}))?;
    } else {
        let email = human::line(user.email.as_deref().unwrap_or_default());
        out.data(&format!("{} {email} user {}", human::user(&user), user.id))?;
    }
    Ok(Exit::DONE)
}
