//! `trialogue login`: keeps the tokens of an account under the profile.

use trialogue_protocol::{Login, User};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::password::{self, PasswordFrom};
use crate::prompt;
use crate::verb::Context;
use crate::verb::whoami::Whose;

/// Arguments of `login`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address that was registered; asked for when it is missing
    email: Option<String>,
    #[command(flatten)]
    password: PasswordFrom,
}

/// Asks for what is missing and signs in.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::open(&context.global)?;
    let email = match args.email {
        Some(email) => email,
        None => prompt::line(&context.global, out, "Email: ", "name it as an argument").await?,
    };
    let password = password::existing(&args.password, &context.global, out).await?;
    let body = Login { email, password };
    let session = context.within(async { Ok(account.rest.login(&body).await?) }).await?;
    welcome(&account, &session.user, out)
}

/// Says who is signed in now.
pub(crate) fn welcome(account: &Account, user: &User, out: &mut Out) -> anyhow::Result<Exit> {
    account.remember(user)?;
    let (profile, server) = (account.profile_name(), account.server());
    if out.is_json() {
        out.json(&Whose::of(account, user))?;
    } else {
        out.say(&format!("signed in as {} at {server}, profile {profile}", human::user(user)));
    }
    Ok(Exit::DONE)
}
