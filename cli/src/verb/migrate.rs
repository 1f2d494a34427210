//! `trialogue migrate`: brings a database up to date, apart from serving.

use serde_json::json;
use trialogue_server::operator;

use crate::database::DatabaseFrom;
use crate::exit::Exit;
use crate::out::Out;

/// Arguments of `migrate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    database: DatabaseFrom,
}

/// Applies what is missing. Servers of the version before go on meanwhile.
pub(crate) async fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let migrated = operator::migrate(&args.database.url()?).await?;
    if out.is_json() {
        out.json(&json!({ "from": migrated.from, "to": migrated.to }))?;
    } else if migrated.from == migrated.to {
        out.say(&format!("up to date: version {}", migrated.to));
    } else {
        out.say(&format!("migrated from version {} to {}", migrated.from, migrated.to));
    }
    Ok(Exit::DONE)
}
