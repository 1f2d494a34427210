//! `trialogue jobs`: my jobs, and what becomes of one.

use clap::Subcommand;
use serde_json::json;
use trialogue_client::rest::ListQuery;
use trialogue_protocol::{JobId, JobStatus};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::paging::{self, Page};
use crate::verb::Context;

/// Arguments of `jobs`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(flatten)]
    most: paging::Most,
    #[command(subcommand)]
    what: Option<What>,
}

/// What is done with one job; without it they are listed.
#[derive(Subcommand)]
enum What {
    /// Show one job
    Show(One),
    /// Say that it is done, as its provider; the chat stays open
    Complete(One),
    /// Call it off, as its customer; the chat closes
    Cancel(One),
}

#[derive(clap::Args)]
struct One {
    /// The job's number
    #[arg(value_name = "ID")]
    id: JobId,
}

/// Lists them, newest first, or does it.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    match args.what {
        None => list(&account, args.most, out).await,
        Some(What::Show(One { id })) => {
            let job = account.rest.job(id).await?;
            match out.is_json() {
                true => out.json(&job)?,
                false => out.data(&human::job(&job))?,
            }
            Ok(Exit::DONE)
        }
        Some(What::Complete(One { id })) => {
            account.rest.complete_job(id).await?;
            tell(id, JobStatus::Completed, out)
        }
        Some(What::Cancel(One { id })) => {
            account.rest.cancel_job(id).await?;
            tell(id, JobStatus::Cancelled, out)
        }
    }
}

async fn list(account: &Account, most: paging::Most, out: &mut Out) -> anyhow::Result<Exit> {
    let fetch = async |page: ListQuery| {
        let list = account.rest.jobs(&page).await?;
        Ok(Page { items: list.jobs, next: list.next })
    };
    let page = paging::collect(most, fetch).await?;
    if out.is_json() {
        out.json(&page)?;
    } else if page.items.is_empty() {
        out.say("no jobs yet");
    } else {
        out.data(&human::jobs(&page.items))?;
    }
    Ok(Exit::DONE)
}

fn tell(id: JobId, status: JobStatus, out: &mut Out) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(&json!({"jobId": id, "status": status}))?;
    } else {
        out.say(&format!("job {id} is {status}"));
    }
    Ok(Exit::DONE)
}
