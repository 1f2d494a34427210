//! `trialogue providers`: whom a customer can book.

use trialogue_client::rest::{ListQuery, ProviderQuery};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::paging::{self, Page};
use crate::verb::Context;

/// Arguments of `providers`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Part of a name
    name: Option<String>,
    /// Only those who work there
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    most: paging::Most,
}

/// Lists them.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    let Args { name, region, most } = args;
    let fetch = async |page: ListQuery| {
        let query = ProviderQuery { q: name.clone(), region: region.clone(), page };
        let list = account.rest.providers(&query).await?;
        Ok(Page { items: list.providers, next: list.next })
    };
    let page = paging::collect(most, fetch).await?;
    if out.is_json() {
        out.json(&page)?;
    } else if page.items.is_empty() {
        out.say("no such provider");
    } else {
        out.data(&human::providers(&page.items))?;
    }
    Ok(Exit::DONE)
}
