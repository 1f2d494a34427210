//! `trialogue register`: a new account, signed in.

use trialogue_protocol::{Register, Role};

use crate::account::Account;
use crate::exit::Exit;
use crate::out::Out;
use crate::password::{self, PasswordFrom};
use crate::verb::Context;
use crate::verb::login::{signed_in, welcome};

/// Arguments of `register`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to sign in with
    email: String,
    /// What you are: customer or provider (lsm on servers with open registration)
    #[arg(long)]
    role: Role,
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: String,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: String,
    /// Where a provider works
    #[arg(long)]
    region: Option<String>,
    /// Name of a provider's business
    #[arg(long, value_name = "NAME")]
    business_name: Option<String>,
    #[command(flatten)]
    password: PasswordFrom,
}

/// Asks for a password, registers and keeps the tokens under the profile.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::open_anew(&context.global)?;
    let password = password::new(&args.password, &context.global, out).await?;
    let body = Register {
        email: args.email,
        password,
        first_name: args.first_name,
        last_name: args.last_name,
        role: args.role,
        region: args.region,
        business_name: args.business_name,
    };
    let session = context.within(signed_in(&account, account.rest.register(&body))).await?;
    welcome(&account, &session.user, out)
}
