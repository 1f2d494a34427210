//! `trialogue token mint`: access tokens for testers who own the server's secret and its database.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use trialogue_server::config::{Config, Secret, parse_duration};
use trialogue_server::operator::{self, Operator, Who};

use crate::database::DatabaseFrom;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;

/// The server's variable for its secret. There is no flag: every process of the machine sees those.
const SECRET_VARIABLE: &str = "TRIALOGUE_JWT_SECRET";

/// Arguments of `token`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make access tokens, each of a session of its own; prints CSV, or JSON lines
    Mint(Mint),
}

#[derive(clap::Args)]
#[command(after_help = "The secret comes from TRIALOGUE_JWT_SECRET, --jwt-secret-file, or is the \
                        one that a server of this user keeps.")]
struct Mint {
    /// For this person; may be given several times
    #[arg(long, value_name = "ID")]
    user: Vec<trialogue_protocol::UserId>,
    /// For the person with this address; may be given several times
    #[arg(long, value_name = "EMAIL")]
    email: Vec<String>,
    /// How long they are valid: 30 days at most
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// So many for each person
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// File that holds the server's secret
    #[arg(long, env = "TRIALOGUE_JWT_SECRET_FILE", value_name = "FILE")]
    jwt_secret_file: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseFrom,
}

/// Mints them.
pub(crate) async fn run(args: Args, out: &mut Out) -> anyhow::Result<Exit> {
    let What::Mint(args) = args.what;
    let people: Vec<Who> =
        args.user.into_iter().map(Who::Id).chain(args.email.into_iter().map(Who::Email)).collect();
    if people.is_empty() {
        return Err(Failure::usage("for whom? --user ID or --email EMAIL").into());
    }
    let config = Config {
        jwt_secret: secret_of_environment()?,
        jwt_secret_file: args.jwt_secret_file,
        data_dir: args.database.data_dir.clone(),
        ..Config::default()
    };
    let secret = operator::secret_of(&config)?;
    let operator = Operator::attach(&args.database.url()?).await?;
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let minted = operator.mint(&secret, &people, count, args.ttl).await?;
    operator.close().await;
    if !out.is_json() {
        out.data("userId,email,role,token")?;
    }
    for token in minted {
        if out.is_json() {
            out.json(&token)?;
        } else {
            let email = human::line(&token.email).replace('"', "\"\"");
            out.data(&format!("{},\"{email}\",{},{}", token.user_id, token.role, token.token))?;
        }
    }
    Ok(Exit::DONE)
}

fn secret_of_environment() -> anyhow::Result<Option<Secret>> {
    match std::env::var(SECRET_VARIABLE) {
        Ok(secret) => Ok(Some(secret).filter(|secret| !secret.is_empty()).map(Secret::new)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        // The error's own text would show the secret.
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{SECRET_VARIABLE} is not text")).into())
        }
    }
}
