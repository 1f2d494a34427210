//! `trialogue whoami`: whose token this is, by the server's word.

use serde::Serialize;
use trialogue_protocol::User;

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// What `--json` prints, here and after signing in.
#[derive(Serialize)]
pub(crate) struct Whose<'a> {
    pub(crate) user: &'a User,
    pub(crate) profile: &'a str,
    pub(crate) server: &'a str,
}

/// Asks the server.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let user = account.rest.me().await?;
    if out.is_json() {
        let (profile, server) = (account.profile_name(), account.server());
        out.json(&Whose { user: &user, profile, server })?;
    } else {
        let email = human::line(user.email.as_deref().unwrap_or_default());
        out.data(&format!("{} {email} user {}", human::user(&user), user.id))?;
    }
    Ok(Exit::DONE)
}
