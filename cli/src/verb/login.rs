//! `trialogue login`: keeps the tokens of an account under the profile.

use trialogue_client::Error;
use trialogue_protocol::{Login, Session, User};

use crate::account::Account;
use crate::exit::{Exit, Failure};
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
    let account = Account::open_anew(&context.global)?;
    let email = match args.email {
        Some(email) => email,
        None => prompt::line(&context.global, out, "Email: ", "name it as an argument").await?,
    };
    let password = password::existing(&args.password, &context.global, out).await?;
    let body = Login { email, password };
    let session = context.within(signed_in(&account, account.rest.login(&body))).await?;
    welcome(&account, &session.user, out)
}

/// Whoever signs in does so at a server that speaks as was said: its answers to this look alike, and
/// the profile would remember the wrong word.
pub(crate) async fn signed_in(
    account: &Account,
    session: impl Future<Output = Result<Session, Error>>,
) -> anyhow::Result<Session> {
    if let Some(other) = account.rest.other_dialect().await {
        return Err(Failure::usage(other.answers_instead_of(account.rest.dialect())).into());
    }
    Ok(session.await?)
}

/// Says who is signed in now.
pub(crate) fn welcome(account: &Account, user: &User, out: &mut Out) -> anyhow::Result<Exit> {
    account.remember(user)?;
    let (profile, server) = (account.profile_name(), account.server());
    if out.is_json() {
        out.json(&Whose::of(account, user))?;
    } else {
        if let Some(path) = account.put_aside() {
            let path = path.display();
            out.say(&format!("the account that was here was damaged and is now {path}"));
        }
        out.say(&format!("signed in as {} at {server}, profile {profile}", human::user(user)));
    }
    Ok(Exit::DONE)
}
