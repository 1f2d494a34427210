//! `trialogue notifications`: what happened while I was away.

use serde::Serialize;
use serde_json::json;
use trialogue_client::rest::NotificationQuery;
use trialogue_protocol::{LIST_LIMIT_MAX, Notification, NotificationId};

use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::verb::Context;

/// Arguments of `notifications`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only those that were not read
    #[arg(long)]
    unread: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=LIST_LIMIT_MAX))]
    limit: u32,
    /// Only those before this one
    #[arg(long, value_name = "ID")]
    before: Option<NotificationId>,
    /// Mark these as read instead of listing
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["unread", "before", "limit"])]
    ack: Vec<NotificationId>,
    /// Mark all as read instead of listing
    #[arg(long, conflicts_with_all = ["unread", "before", "limit", "ack"])]
    all: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    items: &'a [Notification],
    unread_count: i64,
}

/// Lists them, newest first, or marks them as read.
pub(crate) async fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let account = Account::signed_in(&context.global)?;
    if args.all {
        account.rest.read_all_notifications().await?;
    }
    for id in &args.ack {
        account.rest.read_notification(*id).await?;
    }
    let marks = args.all || !args.ack.is_empty();
    // After marking, only the count is news.
    let limit = Some(if marks { 1 } else { args.limit });
    let query = NotificationQuery { unread: args.unread, limit, before: args.before };
    let list = account.rest.notifications(&query).await?;
    let unread = list.unread_count;
    match (out.is_json(), marks) {
        (true, true) => out.json(&json!({"unreadCount": unread}))?,
        (true, false) => {
            out.json(&Listed { items: &list.notifications, unread_count: unread })?;
        }
        (false, true) => out.say(&format!("{unread} unread")),
        (false, false) if list.notifications.is_empty() => out.say("no notifications"),
        (false, false) => {
            out.data(&human::notifications(&list.notifications))?;
            out.say(&format!("{unread} unread"));
        }
    }
    Ok(Exit::DONE)
}
