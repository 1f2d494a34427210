//! `trialogue user …`: what operators do to accounts, straight on the database.

use clap::Subcommand;
use serde_json::json;
use trialogue_protocol::{Register, Role};
use trialogue_server::operator::{Account, Filter, Operator, Who};

use crate::database::DatabaseFrom;
use crate::exit::Exit;
use crate::human;
use crate::out::Out;
use crate::password::{self, PasswordFrom};
use crate::verb::Context;

/// Arguments of `user`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make an account of any role; prints its id
    Add(Add),
    /// List accounts
    List(List),
    /// Give somebody another role; the sessions end
    ///
    /// A local service manager leaves the chats of open disputes with it, and another one of the
    /// region is asked into each; where there is none, the dispute waits for the next that comes.
    /// A customer or provider must have no open job: complete or cancel them first. The chats of
    /// jobs that have ended stay open to the person, in the role of then.
    Role {
        /// Id or e-mail address
        who: Who,
        /// customer, provider or lsm
        role: Role,
        #[command(flatten)]
        database: DatabaseFrom,
    },
    /// Set somebody's password; the sessions end
    Password {
        /// Id or e-mail address
        who: Who,
        #[command(flatten)]
        password: PasswordFrom,
        #[command(flatten)]
        database: DatabaseFrom,
    },
    /// Shut an account; the sessions end
    ///
    /// The open disputes of a local service manager go to another one of the region, or wait for
    /// the next that comes; so they do when the account is opened again.
    Disable {
        /// Id or e-mail address
        who: Who,
        #[command(flatten)]
        database: DatabaseFrom,
    },
    /// Open an account again
    Enable {
        /// Id or e-mail address
        who: Who,
        #[command(flatten)]
        database: DatabaseFrom,
    },
}

#[derive(clap::Args)]
struct Add {
    /// Address to log in with
    email: String,
    /// customer, provider or lsm
    #[arg(long)]
    role: Role,
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: String,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: String,
    /// Where a provider or an LSM works
    #[arg(long)]
    region: Option<String>,
    /// Name of a provider's business
    #[arg(long, value_name = "NAME")]
    business_name: Option<String>,
    #[command(flatten)]
    password: PasswordFrom,
    #[command(flatten)]
    database: DatabaseFrom,
}

#[derive(clap::Args)]
struct List {
    /// Only of this role
    #[arg(long)]
    role: Option<Role>,
    /// Only those that were shut
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    database: DatabaseFrom,
}

/// Does it; whoever loses rights has no live socket 2 s later, on every server.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    match args.what {
        What::Add(args) => add(args, context, out).await,
        What::List(args) => list(&args, out).await,
        What::Role { who, role, database } => {
            let operator = Operator::attach(&database.url()?).await?;
            let changed = operator.set_role(&who, role).await?;
            told(&operator, &who, changed, "has the new role, signed out everywhere", out).await
        }
        What::Password { who, password, database } => {
            let operator = Operator::attach(&database.url()?).await?;
            operator.find(&who).await?;
            let password = password::new(&password, &context.global, out).await?;
            let changed = operator.set_password(&who, password).await?;
            told(&operator, &who, changed, "has the new password, signed out everywhere", out).await
        }
        What::Disable { who, database } => {
            let operator = Operator::attach(&database.url()?).await?;
            let changed = operator.set_disabled(&who, true).await?;
            told(&operator, &who, changed, "is shut, signed out everywhere", out).await
        }
        What::Enable { who, database } => {
            let operator = Operator::attach(&database.url()?).await?;
            let changed = operator.set_disabled(&who, false).await?;
            told(&operator, &who, changed, "may log in again", out).await
        }
    }
}

async fn add(args: Add, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let operator = Operator::attach(&args.database.url()?).await?;
    let password = password::new(&args.password, &context.global, out).await?;
    let person = Register {
        email: args.email,
        password,
        first_name: args.first_name,
        last_name: args.last_name,
        role: args.role,
        region: args.region,
        business_name: args.business_name,
    };
    let account = operator.add(person).await?;
    operator.close().await;
    if out.is_json() {
        out.json(&document(&account))?;
    } else {
        out.say(&format!("{} may log in", human::user(&account.user)));
        out.data(&account.user.id.to_string())?;
    }
    Ok(Exit::DONE)
}

async fn list(args: &List, out: &mut Out) -> anyhow::Result<Exit> {
    let operator = Operator::attach(&args.database.url()?).await?;
    let filter = Filter { role: args.role, disabled: args.disabled.then_some(true) };
    let (mut after, mut rows) = (None, Vec::new());
    loop {
        let (page, more) = operator.list(filter, after).await?;
        after = page.last().map(|account| account.user.id);
        if out.is_json() {
            // One line each, so that no list is too long.
            for account in &page {
                out.json(&document(account))?;
            }
        } else {
            rows.extend(page);
        }
        if !more {
            break;
        }
    }
    operator.close().await;
    match out.is_json() {
        true => {}
        false if rows.is_empty() => out.say("nobody"),
        false => out.data(&human::accounts(&rows))?,
    }
    Ok(Exit::DONE)
}

/// Says what became of somebody.
async fn told(
    operator: &Operator,
    who: &Who,
    changed: bool,
    done: &str,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let account = operator.find(who).await?;
    operator.close().await;
    if out.is_json() {
        let mut document = document(&account);
        document["changed"] = json!(changed);
        out.json(&document)?;
    } else if changed {
        out.say(&format!("{} {done}", human::user(&account.user)));
    } else {
        out.say("nothing to change");
    }
    Ok(Exit::DONE)
}

fn document(account: &Account) -> serde_json::Value {
    let mut document = json!(account.user);
    document["createdAt"] = json!(account.created_at);
    document["lastSeen"] = json!(account.last_seen);
    document["disabledAt"] = json!(account.disabled_at);
    document
}
