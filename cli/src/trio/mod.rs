//! Customer, provider and LSM side by side, against a private server: `demo --tui`, by hand or as a
//! scenario plays them.
//!
//! Everything is owned here and nothing of it is left: the database, the server, three proxies
//! whose lines can be cut by hand.

mod script;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use trialogue_client::profile::Desk;
use trialogue_client::session::SessionConfig;
use trialogue_client::{Credentials, Dialect, Error, Http, HttpConfig, Rest};
use trialogue_faults::{Cut, Proxy, ServerProcess, Weather};
use trialogue_protocol::{CreateJob, Register, Role, User};
use trialogue_scenarios::file::Scenario;
use trialogue_server::embedded::{Cluster, Database};
use trialogue_tui::model::settings::Alerts;
use trialogue_tui::model::{Settings, Who};
use trialogue_tui::shell::{self, Begin, Door, Ended, Entered, Line, Start};
use url::Url;

pub(crate) use self::script::read;
use crate::exit::Exit;
use crate::out::Out;
use crate::play::{cluster, drop_database, server, until};
use crate::verb::Context;
use crate::verb::chat::settings_of;

/// How long the server may take to be ready.
const SERVER_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Nobody else ever sees this server.
const PASSWORD: &str = "trialogue demo";
/// Who plays, in the order of their keys.
const CAST: [(&str, &str, Role); 3] = [
    ("Amna", "Khan", Role::Customer),
    ("Ravi", "Kumar", Role::Provider),
    ("Lena", "Weber", Role::Lsm),
];

/// Opens the three and ends when the user wants it.
pub(crate) async fn run(
    database_url: Option<&str>,
    script: Option<Scenario>,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let stop = &context.shutdown;
    let Some(cluster) = until(stop, cluster(database_url, out)).await else {
        return Ok(Exit::INTERRUPTED);
    };
    let cluster = cluster?;
    let ended = in_turn(&cluster, script, context).await;
    cluster.stop().await?;
    Ok(match ended? {
        Ended::Quit | Ended::Demo | Ended::Script | Ended::Profile(_) => Exit::DONE,
        Ended::HungUp => Exit::HUNG_UP,
        Ended::Asked | Ended::Unheard => context.stopped(),
    })
}

/// By hand, until the user wants the script that comes with them; or a script from the first.
async fn in_turn(
    cluster: &Cluster,
    script: Option<Scenario>,
    context: &Context,
) -> anyhow::Result<Ended> {
    let script = match script {
        Some(script) => script,
        None => {
            let database = cluster.fresh_database("trio").await?;
            let ended = by_hand(&database, context).await;
            drop_database(database).await;
            match ended? {
                Ended::Script => read(script::USUAL)?,
                ended => return Ok(ended),
            }
        }
    };
    script::show(&script, cluster, context).await
}

async fn by_hand(database: &Database, context: &Context) -> anyhow::Result<Ended> {
    let mut process = ServerProcess::start(&server(database)?, SERVER_WITHIN).await?;
    let ended = show(process.url(), context).await;
    process.stop(STOP_WITHIN).await?;
    ended
}

async fn show(url: &str, context: &Context) -> anyhow::Result<Ended> {
    let url: Url = url.parse()?;
    let upstream = url.socket_addrs(|| None)?.into_iter().next();
    let upstream: SocketAddr = upstream.context("the server is nowhere")?;
    let mut people: Vec<(Rest, User, Arc<Proxy>)> = Vec::new();
    for (first_name, last_name, role) in CAST {
        let proxy = Proxy::start(upstream).await?;
        let address: Url = format!("http://{}", proxy.address()).parse()?;
        let http = Http::new(HttpConfig::new(address))?;
        let rest = Rest::new(http, Dialect::Trialogue, Credentials::in_memory(None));
        let session = rest
            .register(&Register {
                email: format!("{}@demo.example", first_name.to_lowercase()),
                password: PASSWORD.to_owned(),
                first_name: first_name.to_owned(),
                last_name: last_name.to_owned(),
                role,
                region: Some("demo".to_owned()),
                business_name: (role == Role::Provider).then(|| "plumbing".to_owned()),
            })
            .await?;
        people.push((rest, session.user, Arc::new(proxy)));
    }
    let provider = people[1].1.id;
    let body = CreateJob {
        provider_id: provider,
        title: Some("Kitchen sink leak".to_owned()),
        description: Some("Water under the sink since this morning.".to_owned()),
        location: None,
        scheduled_at: None,
        budget: None,
    };
    people[0].0.create_job(&body, None).await?;
    let starts = people.into_iter().map(|person| seat(person, context)).collect();
    Ok(shell::run(starts, None, context.shutdown.clone()).await?)
}

fn seat((rest, user, proxy): (Rest, User, Arc<Proxy>), context: &Context) -> Start {
    Start {
        who: Who {
            user: Some(user.clone()),
            server: rest.http().server().to_string(),
            profile: user.first_name.clone(),
            can: rest.dialect().capabilities(),
        },
        begin: Begin::In(rest, Some(user)),
        door: Arc::new(Seats),
        settings: settings(context),
        chat: None,
        notices: Vec::new(),
        line: Some(Arc::new(Wire(proxy))),
    }
}

fn settings(context: &Context) -> Settings {
    let (mut settings, _) = settings_of(&context.global, false);
    // Two of three are never looked at: they would ring all the time.
    settings.alerts = Alerts::None;
    settings
}

/// The line of one of them.
struct Wire(Arc<Proxy>);

impl Line for Wire {
    fn cut(&self, cut: bool) {
        self.0.set(Weather { refuse: cut, ..Weather::default() });
        if cut {
            self.0.cut(Cut::Rst);
        }
    }
}

/// Everybody is in already, and nothing is kept.
struct Seats;

impl Door for Seats {
    fn at(&self, _: &Url) -> Result<Rest, Error> {
        Err(Error::Unsupported("the three of the demo stay at their server".to_owned()))
    }

    fn enter(&self, rest: Rest, _: User) -> BoxFuture<'static, Entered> {
        let config = SessionConfig::new(rest);
        // The server goes with these three: nobody expects their outboxes to stay.
        let (desk, unkept, notices) = (Desk::default(), None, Vec::new());
        async move { Entered { config, desk, unkept, notices } }.boxed()
    }

    fn keep(&self, _: &Rest, _: &User, _: &Desk, _: &Desk) {}

    fn forget(&self, _: &Rest) {}
}
