//! `trialogue whoami`: whose token this is, by the server's word.

use std::path::Path;

use serde::Serialize;
use trialogue_protocol::{Timestamp, User};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// What `--json` prints, here and after signing in.
#[derive(Serialize)]
pub(crate) struct Whose<'a> {
    user: &'a User,
    profile: &'a str,
    server: &'a str,
    /// When the token ends, as it says itself; it may be renewed before that.
    expires: Option<Timestamp>,
    /// Where the account is that was here before, if it was damaged.
    #[serde(rename = "putAside", skip_serializing_if = "Option::is_none")]
    put_aside: Option<&'a Path>,
}

impl<'a> Whose<'a> {
    /// By this account's token.
    pub(crate) fn of(account: &'a Account, user: &'a User) -> Self {
        Self {
            user,
            profile: account.profile_name(),
            server: account.server(),
            expires: account.rest.credentials().ends_at().map(Timestamp::from),
            put_aside: account.put_aside(),
        }
    }
}

/// Asks the server.
pub(crate) async fn run(context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let user = account.rest.me().await?;
    if out.is_json() {
        out.json(&Whose::of(&account, &user))?;
    } else {
        let email = human::line(user.email.as_deref().unwrap_or_default());
        out.data(&format!("{} {email} user {}", human::user(&user), user.id))?;
    }
    Ok(Exit::DONE)
}
