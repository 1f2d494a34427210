//! Servers, lines and clients that go wrong, each in one way, and whether a run finds it and calls
//! it by its name: every rule of the contract that a scenario is to guard is broken once.
//!
//! The wrong is done by a proxy in front of a real server. It is listed with what must not hold
//! then, and nothing else may: whoever reads the verdict is sent to the right place.

mod accounts;
mod hub;
mod messages;
mod proxy;
mod rooms;
mod stored;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_report::diagram::Row;
use trialogue_scenarios::file::{self, Scenario};
use trialogue_scenarios::{Came, Report, RunConfig, Target, bundled};
use trialogue_server::embedded::Cluster;

use self::hub::{Answer, Frame, Lie, Out, Passing};
use self::proxy::Proxy;
use crate::binary::{run, trialogue};

/// Scenarios at once: each waits most of its time.
const AT_ONCE: usize = 4;
/// Signs the tokens, so that scenarios can make one that has ended.
const SECRET: &str = "a secret of tests, known to everybody who reads them";

/// Something that is wrong on purpose.
struct Bug {
    /// What, as one would report it.
    what: &'static str,
    /// The bundled scenario that finds it.
    scenario: &'static str,
    lie: fn() -> Lie,
    /// Steps by their id or how their words begin, and checks by their word: these do not hold.
    found: &'static [&'static str],
    /// What the verdict says.
    says: &'static [&'static str],
}

/// A lie about what the server pushes.
fn pushed(mut lie: impl FnMut(&mut Frame, &mut Out) + Send + 'static) -> Lie {
    Box::new(move |passing, out| {
        if let Passing::Pushed(frame) = passing {
            lie(frame, out);
        }
    })
}

/// A client that does not do what it should.
fn emitted(mut lie: impl FnMut(&mut Frame, &mut Out) + Send + 'static) -> Lie {
    Box::new(move |passing, out| {
        if let Passing::Emitted(frame) = passing {
            lie(frame, out);
        }
    })
}

/// A lie about what the server answers over HTTP.
fn answered(mut lie: impl FnMut(&mut Answer) + Send + 'static) -> Lie {
    Box::new(move |passing, _| {
        if let Passing::Answered(answer) = passing {
            lie(answer);
        }
    })
}

impl Frame {
    /// Whether it is this event, to or from somebody of this role.
    fn is(&self, role: &str, name: &str) -> bool {
        self.role == role && self.name == name
    }
}

/// A real server with its database.
struct Place {
    server: ServerProcess,
    cluster: Cluster,
}

impl Place {
    async fn open() -> Self {
        let cluster = Cluster::throwaway(true).await.unwrap();
        let database = cluster.fresh_database("lies").await.unwrap();
        let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration", "--listen"];
        let more = [LISTEN, "--limits", "bench", "--ping-interval", "2s", "--ping-timeout", "6s"];
        let arguments = serve.into_iter().chain(more);
        let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), arguments);
        let command = command.env("DATABASE_URL", &database.url());
        let command = command.env("TRIALOGUE_JWT_SECRET", SECRET);
        let server = ServerProcess::start(&command, Duration::from_secs(60)).await.unwrap();
        Self { server, cluster }
    }

    fn address(&self) -> SocketAddr {
        self.server.url().strip_prefix("http://").unwrap().parse().unwrap()
    }

    async fn close(mut self) {
        self.server.stop(Duration::from_secs(15)).await.unwrap();
        self.cluster.stop().await.unwrap();
    }
}

fn scenario(name: &str) -> Scenario {
    file::read(&bundled(name).unwrap()).unwrap()
}

async fn play(name: &str, upstream: SocketAddr, lie: Lie) -> Report {
    let proxy = Proxy::start(upstream, lie).await;
    let url = format!("http://{}", proxy.address).parse().unwrap();
    let mut config = RunConfig::new(Target::Url(url));
    config.token_secret = Some(SECRET.to_owned());
    let mut rows: Vec<Row> = Vec::new();
    trialogue_scenarios::run(&scenario(name), config, &mut rows).await.unwrap()
}

/// What did not hold, by name.
fn broken(report: &Report) -> BTreeSet<String> {
    let bad = |came: Came| matches!(came, Came::Broken | Came::Unknown);
    let steps = report.steps.iter().filter(|step| bad(step.came));
    let steps = steps.map(|step| step.id.clone().unwrap_or_else(|| step.words.clone()));
    let checks = report.verdicts.iter().filter(|verdict| bad(verdict.came));
    steps.chain(checks.map(|verdict| verdict.name.clone())).collect()
}

fn text_of(report: &Report) -> String {
    report.failures.iter().map(|failure| format!("{failure}\n\n")).collect()
}

/// The verdict, for those who read all of them with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a verdict is to be read by people")]
fn tell(bug: &Bug, found: &BTreeSet<String>, text: &str) {
    println!("=== {} ({}): {found:?}\n{text}", bug.what, bug.scenario);
}

/// What is not as the list says.
fn fault_of(bug: &Bug, report: &Report) -> Option<String> {
    let text = text_of(report);
    let (found, expect) = (broken(report), bug.found);
    tell(bug, &found, &text);
    let is_it = |name: &String| expect.iter().any(|begin| name.starts_with(begin));
    if found.len() != expect.len() || !found.iter().all(is_it) {
        return Some(format!("{}: {found:?} did not hold, not {expect:?}\n{text}", bug.what));
    }
    let lacking = bug.says.iter().find(|words| !text.contains(**words))?;
    Some(format!("{}: {lacking:?} is not in:\n{text}", bug.what))
}

fn bugs() -> impl Iterator<Item = &'static Bug> {
    let all = [messages::BUGS, stored::BUGS, rooms::BUGS, accounts::BUGS];
    all.into_iter().flatten()
}

/// For those who work on one of them: `TRIALOGUE_LIES='read receipt'`.
fn is_wanted(bug: &Bug) -> bool {
    std::env::var("TRIALOGUE_LIES").ok().is_none_or(|words| bug.what.contains(&words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_bug_is_found_and_named_and_nothing_else_is_blamed() {
    let place = Place::open().await;
    let address = place.address();
    let plays = bugs().filter(|bug| is_wanted(bug)).map(async |bug| {
        let report = play(bug.scenario, address, (bug.lie)()).await;
        fault_of(bug, &report)
    });
    let plays = futures_util::stream::iter(plays).buffer_unordered(AT_ONCE);
    let faults: Vec<String> = plays.filter_map(std::future::ready).collect().await;
    place.close().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bug_the_same_proxy_is_no_hindrance() {
    let place = Place::open().await;
    let address = place.address();
    let names: BTreeSet<&str> = bugs().map(|bug| bug.scenario).collect();
    let plays = names.into_iter().map(async |name| {
        let report = play(name, address, Box::new(|_, _| {})).await;
        let all_held = report.passed() && report.held == report.of;
        (!all_held).then(|| format!("{name}: {:?}\n{}", broken(&report), text_of(&report)))
    });
    let plays = futures_util::stream::iter(plays).buffer_unordered(AT_ONCE);
    let faults: Vec<String> = plays.filter_map(std::future::ready).collect().await;
    place.close().await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a shell and a pipeline see of one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verb_says_the_same_and_exits_1() {
    let place = Place::open().await;
    let bug = &messages::BUGS[0];
    let proxy = Proxy::start(place.address(), (bug.lie)()).await;
    let url = format!("http://{}", proxy.address);
    let mut command = trialogue();
    command.args(["run", bug.scenario, "--target", &url, "--diagram=none"]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    drop(proxy);
    place.close().await;
    assert_eq!(ran.code, Some(1), "{ran}");
    let last =
        "exit 1: 1 of 1 scenario did not hold (booking: m1_seen, delivery, history_equals_live)\n";
    assert!(ran.stderr.ends_with(last), "{ran}");
    for words in bug.says {
        assert!(ran.stderr.contains(words), "{words:?} is not in:\n{ran}");
    }
}
