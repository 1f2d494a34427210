//! What can be wrong between here and the server, and at the server.

use std::time::{Duration, Instant};

use trialogue_client::session::{Session, SessionConfig, Update};
use trialogue_client::{Error, LinkState};
use trialogue_protocol::{Connected, Timestamp};
use trialogue_socketio::client::{Client, ClientConfig, Transport, Transports};

use super::Check;
use crate::account::Account;
use crate::exit::Exit;
use crate::human;
use crate::verb::Context;

/// Difference of clocks that still does no harm: tokens are checked with 5 s of leeway.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);
/// Between two looks at what a session travels on: nothing tells of the move itself.
const MOVE_LOOK_EVERY: Duration = Duration::from_millis(10);

/// The ways in which a socket can travel, by the name of their check.
const WAYS: [(&str, Transports); 2] =
    [("websocket", Transports::Websocket), ("polling", Transports::Polling)];
const UPGRADE: &str = "upgrade";

/// How the server is spoken to, and what it cannot tell.
pub(super) fn dialect(account: &Account) -> Check {
    let dialect = account.rest.dialect();
    let facts = dialect.capabilities().table();
    let lacks: Vec<String> =
        facts.filter(|(_, can)| !can).map(|(name, _)| name.replace('_', " ")).collect();
    match lacks.as_slice() {
        [] => Check::good("dialect", format!("{dialect}: it can do everything")),
        lacks => Check::good("dialect", format!("{dialect}: without {}", lacks.join(", "))),
    }
}

pub(super) async fn server(account: &Account, context: &Context) -> Check {
    let start = Instant::now();
    match context.within(async { Ok(account.rest.health().await?) }).await {
        Ok(()) => Check::good(
            "server",
            format!("answers and is ready in {}", human::took(start.elapsed())),
        ),
        Err(error) => Check::failed("server", &error),
    }
}

/// The token, then each way of travelling with it, then the clock.
pub(super) async fn sign_in_and_sockets(context: &Context) -> Vec<Check> {
    let me = async {
        let account = Account::signed_in(&context.global)?;
        let user = account.rest.me().await?;
        anyhow::Ok((account, user))
    };
    let (account, user) = match context.within(me).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            let names = WAYS.map(|(name, _)| name).into_iter().chain([UPGRADE, "clock"]);
            let skipped = names.map(|name| Check::skipped(name, "needs a token that works"));
            return [Check::failed("token", &error)].into_iter().chain(skipped).collect();
        }
    };
    let credentials = account.rest.credentials();
    let until = credentials.ends_at().map(|at| {
        let at = human::time(Timestamp::from(at), human::today());
        format!(", until {at}{}", if credentials.renews() { " and renewed by itself" } else { "" })
    });
    let detail = format!("{}{}", human::user(&user), until.unwrap_or_default());
    let mut checks = vec![Check::good("token", detail)];
    let mut clock = None;
    for (name, transports) in WAYS {
        let start = Instant::now();
        match tokio::time::timeout(context.global.timeout, ready(&account, transports)).await {
            Ok(Ok(connected)) => {
                clock = clock.or_else(|| connected.server_time.map(|time| skew(time.millis())));
                checks
                    .push(Check::good(name, format!("ready in {}", human::took(start.elapsed()))));
            }
            Ok(Err(error)) => checks.push(Check::failed(name, &error.into())),
            Err(_) => checks.push(Check::bad(name, Exit::TIME_OR_COUNT, "no answer in time")),
        }
    }
    checks.push(upgrade(&account, context.global.timeout).await);
    checks
        .push(clock.unwrap_or_else(|| Check::skipped("clock", "the server does not tell its own")));
    checks
}

/// Connects in one way until the server says `connected`.
async fn ready(account: &Account, transports: Transports) -> Result<Connected, Error> {
    let config = SessionConfig { transports, ..SessionConfig::new(account.rest.clone()) };
    let (handle, mut updates) = Session::start(config)?;
    while let Some(update) = updates.recv().await {
        match update {
            Update::Ready(connected) => {
                handle.close().await;
                return Ok(connected);
            }
            Update::Link(LinkState::Reconnecting { why, .. }) => {
                return Err(Error::Unanswered(why.sentence));
            }
            Update::Link(LinkState::LoginNeeded { why }) => {
                return Err(Error::LoginNeeded(why.sentence));
            }
            _ => {}
        }
    }
    Err(Error::Closed)
}

/// Whether a session that begins with polling really moves to a websocket. Proxies are known to let
/// the one pass and not the other, and then a session polls on without a word.
async fn upgrade(account: &Account, within: Duration) -> Check {
    let start = Instant::now();
    let http = account.rest.http();
    let mut config = ClientConfig::new(http.server().clone());
    config.transports = Transports::PollingUpgrade;
    config.root_certificates = http.roots();
    config.proxy = http.proxy().cloned();
    config.connect_timeout = config.connect_timeout.min(within);
    let moved = async {
        let client = Client::connect(config).await?;
        while client.transport() != Transport::Websocket {
            tokio::time::sleep(MOVE_LOOK_EVERY).await;
        }
        client.close();
        anyhow::Ok(())
    };
    match tokio::time::timeout(within, moved).await {
        Ok(Ok(())) => Check::good(UPGRADE, format!("moved in {}", human::took(start.elapsed()))),
        Ok(Err(error)) => Check::bad(UPGRADE, Exit::NO_CONNECTION, format!("{error:#}")),
        Err(_) => Check::bad(UPGRADE, Exit::NO_CONNECTION, "it stays with polling"),
    }
}

fn skew(server_ms: i64) -> Check {
    let ahead_ms = chrono::Utc::now().timestamp_millis() - server_ms;
    let skew = Duration::from_millis(ahead_ms.unsigned_abs());
    let word = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let detail = format!("{} {word} the server's", human::took(skew));
    match skew <= CLOCK_SKEW_MAX {
        true => Check::good("clock", detail),
        false => Check::bad("clock", Exit::UNEXPECTED, format!("{detail}: set it")),
    }
}
