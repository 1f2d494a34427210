//! How the client opens accounts: profile, outbox, recent chats, drafts.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use trialogue_client::profile::Desk;
use trialogue_client::session::SessionConfig;
use trialogue_client::{Error, Rest};
use trialogue_protocol::User;
use trialogue_tui::shell::{Door, Entered};
use url::Url;

use crate::account::Account;
use crate::args::Global;

/// How long to wait for an outbox that another process has open: a `send` ends soon, another
/// window does not.
const OUTBOX_WAIT: Duration = Duration::from_millis(500);

/// Opens accounts as the command line and the profile say.
pub(super) struct Accounts {
    pub(super) global: Global,
}

impl Accounts {
    fn open(&self, server: &Url) -> anyhow::Result<Account> {
        Account::open(&Global { server: Some(server.clone()), ..self.global.clone() })
    }
}

impl Door for Accounts {
    fn at(&self, server: &Url) -> Result<Rest, Error> {
        let account = self.open(server).map_err(|error| Error::Invalid(format!("{error:#}")))?;
        Ok(account.rest)
    }

    fn enter(&self, rest: Rest, user: User) -> BoxFuture<'static, Entered> {
        let global = self.global.clone();
        async move {
            let mut notices = Vec::new();
            let server = rest.http().server().clone();
            let accounts = Self { global };
            let mut config = SessionConfig::new(rest.clone());
            let journal = match keep(&accounts, &rest, &user).await {
                Ok((journal, backup)) => {
                    config.backup = backup;
                    journal
                }
                Err(error) => Err(error),
            };
            let unkept = match journal {
                Ok(Some(journal)) => {
                    notices.extend(journal.notices.iter().cloned());
                    config.journal = Some(journal);
                    None
                }
                Ok(None) => Some("the token is of no profile".to_owned()),
                Err(error) => Some(format!("{error:#}")),
            };
            if let Some(why) = &unkept {
                tracing::info!("the outbox is kept in memory: {why}");
            }
            let find = |account: Account| match is_of(&account, &user) {
                true => account.desk(),
                false => Ok(Desk::default()),
            };
            let desk = accounts.open(&server).and_then(find).unwrap_or_else(|error| {
                notices.push(format!("drafts of before are not here: {error:#}"));
                Desk::default()
            });
            Entered { config, desk, unkept, notices }
        }
        .boxed()
    }

    fn keep(&self, rest: &Rest, user: &User, before: &Desk, desk: &Desk) {
        let account = self.open(rest.http().server());
        let keep = |account: Account| match is_of(&account, user) {
            true => account.keep_desk(before, desk),
            false => Ok(()),
        };
        if let Err(error) = account.and_then(keep) {
            tracing::warn!("drafts are not kept: {error:#}");
        }
    }

    fn forget(&self, rest: &Rest) {
        let account = self.open(rest.http().server());
        if let Err(error) = account.and_then(|account| account.wipe_recent()) {
            tracing::warn!("recent chats are still kept: {error:#}");
        }
    }
}

/// Whether a profile is this user's: a token from the environment may be somebody else's.
fn is_of(account: &Account, user: &User) -> bool {
    account.user().is_some_and(|known| known.id == user.id)
}

/// The outbox or why there is none, and the recent chats.
type Kept = (
    anyhow::Result<Option<trialogue_client::journal::Opened>>,
    Option<trialogue_client::backup::Opened>,
);

/// Remembers the user and opens what is kept for them.
async fn keep(accounts: &Accounts, rest: &Rest, user: &User) -> anyhow::Result<Kept> {
    let server = rest.http().server();
    let account = accounts.open(server)?;
    let token = |rest: &Rest| rest.credentials().tokens().map(|pair| pair.access_token.clone());
    // A token from the environment belongs to no profile, whoever has signed in there.
    if token(&account.rest).is_some() && token(&account.rest) == token(rest) {
        account.remember(user)?;
    }
    let account = accounts.open(server)?;
    if !is_of(&account, user) {
        return Ok((Ok(None), None));
    }
    let backup = account.open_recent();
    Ok((account.outbox(OUTBOX_WAIT).await, backup))
}
