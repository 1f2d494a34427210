//! `trialogue book`: a job for a provider; its chat is there at once.

use trialogue_protocol::{CreateJob, Timestamp, UserId};
use uuid::Uuid;

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `book`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Who is to do it: an id that `providers` lists
    #[arg(long, value_name = "ID")]
    provider: UserId,
    /// Short name of the job
    #[arg(long)]
    title: Option<String>,
    /// What is to be done
    #[arg(long, value_name = "TEXT")]
    details: Option<String>,
    /// Where
    #[arg(long, value_name = "PLACE")]
    location: Option<String>,
    /// When: an RFC 3339 time such as 2026-03-04T16:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    when: Option<Timestamp>,
    /// For how much
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<f64>,
    /// Makes a repeat of this booking harmless; made up when it is missing
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Books and prints the chat's id.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let body = CreateJob {
        provider_id: args.provider,
        title: args.title,
        description: args.details,
        location: args.location,
        scheduled_at: args.when,
        budget: args.budget,
    };
    let key = args.key.unwrap_or_else(|| Uuid::now_v7().to_string());
    let created = account.rest.create_job(&body, Some(&key)).await?;
    account.keep_recent(|shelf| shelf.list(created.chat.as_slice(), false));
    if out.is_json() {
        out.json(&created)?;
    } else {
        let members = created.chat.iter().flat_map(|chat| &chat.members);
        let provider = members.filter(|member| member.user_id == args.provider);
        let provider: Vec<String> = provider.map(|member| human::line(&member.name)).collect();
        let with = if provider.is_empty() { args.provider.to_string() } else { provider.concat() };
        out.say(&format!("booked job {} with {with}; its chat is", created.job_id));
        out.data(&created.chat_id.to_string())?;
    }
    Ok(Exit::DONE)
}

fn time(text: &str) -> Result<Timestamp, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
