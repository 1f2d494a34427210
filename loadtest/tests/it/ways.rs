//! Sockets that travel over polling, over a websocket, or over both, and servers that do not answer.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trialogue_faults::{Proxy, Weather};
use trialogue_loadtest::plan::{Absence, Crowd, Pace, Plan, Unrest, Way};
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::verdict::Fault;
use trialogue_loadtest::{Drain, RunConfig, RunError, run_in};
use trialogue_socketio::server::ServerConfig;

use crate::double::{EVERY, Quirk, lifted, rooms, start, start_with};
use crate::verdicts::{of, plan};

async fn play(plan: &Plan, mut config: RunConfig) -> Result<Document, RunError> {
    config.drain = Drain { quiet: Duration::from_millis(1_500), ..Drain::default() };
    let stop = CancellationToken::new();
    run_in(plan, &config, rooms(plan.rooms), &stop, &mut |_| {}).await
}

fn by(transport: &str, plan: Plan) -> Plan {
    Plan { crowd: Crowd { transport: transport.parse().unwrap(), ..Crowd::default() }, ..plan }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_ways_bring_everything_and_are_told_apart() {
    let plan = by("polling:40%,upgrade:40%", Plan { workers: 2, ..plan(2) });
    let document = play(&plan, start(Quirk::Nothing).await).await.unwrap();
    let counts = &document.counts;
    assert_eq!((counts.delivered, document.faults.len()), (counts.sent * 3, 0));
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    let told = |way| document.travelled.iter().find(|one| one.way == way).unwrap();
    let sockets: u64 = Way::ALL.into_iter().map(|way| told(way).sockets).sum();
    assert_eq!(sockets, 15);
    assert_eq!((told(Way::Polling).on_websocket, told(Way::Polling).sockets), (0, 6));
    // Those that were to move have moved.
    assert_eq!(told(Way::Upgrade).on_websocket, told(Way::Upgrade).sockets);
    let counted = |way: Way| of(&document, &format!("delivery_{}", way.name())).count;
    let parts = Way::ALL.map(counted);
    assert_eq!(parts.iter().sum::<u64>(), of(&document, "delivery").count);
    assert!(parts.iter().all(|part| *part > 0), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_seen_over_polling_as_well() {
    for (quirk, fault) in [
        (Quirk::Lose, Fault::Lost),
        (Quirk::Double, Fault::Duplicated),
        (Quirk::Change, Fault::Mutated),
    ] {
        let document = play(&by("polling", plan(1)), start(quirk).await).await.unwrap();
        let each = if fault == Fault::Lost { 1 } else { 3 };
        let told: Vec<_> = document.faults.iter().map(|one| (one.fault, one.count)).collect();
        assert_eq!(told, [(fault, document.counts.sent / EVERY * each)], "{quirk:?}");
        // One way is no mix: there is nothing to tell apart.
        assert!(document.metrics.iter().all(|one| one.name != "delivery_polling"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_is_cut_comes_back_and_catches_up() {
    let absence = Absence { share: 1.0, every: 500_000, away: 100_000 };
    let plan = Plan { unrest: Unrest::Jitter(absence), ..plan(2) };
    let document = play(&by("polling", plan), start(Quirk::Nothing).await).await.unwrap();
    let recovery = document.recovery.as_ref().unwrap();
    assert!(recovery.lost > 10 && recovery.never_back == 0, "{recovery:?}");
    assert_eq!((document.faults.len(), document.reach), (0, 1.0), "{:?}", document.examples);
    assert!(document.counts.caught_up > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_a_step_is_told_with_the_step() {
    let mut config = start(Quirk::NoJoined).await;
    config.join_within = Duration::from_millis(300);
    let error = play(&plan(1), config).await.unwrap_err();
    let RunError::CannotRun(why) = error else { panic!("{error}") };
    assert!(why.contains("join_chat within 0.3 s") && why.contains("0 of 15 sockets"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_gone_for_those_who_only_listen() {
    let pings = Duration::from_millis(200);
    let limits = ServerConfig { ping_interval: pings, ping_timeout: pings, ..lifted() };
    let mut config = start_with(Quirk::Nothing, limits).await;
    let address = config.target.url().socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(address).await.unwrap();
    let url = format!("http://{}", proxy.address()).parse().unwrap();
    config.target.http =
        trialogue_client::Http::new(trialogue_client::HttpConfig::new(url)).unwrap();
    let silent = Plan { pace: Pace::Silent { length: 6_000_000 }, ..plan(1) };
    let darkness = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.set(Weather { dark: true, ..Weather::default() });
    };
    let (document, ()) = tokio::join!(play(&silent, config), darkness);
    let document = document.unwrap();
    assert_eq!(document.cut.count, 15, "{:?}", document.cut);
    assert!(document.cut.reasons[0].0.contains("not even a ping"), "{:?}", document.cut);
    assert_ne!(document.verdict, Verdict::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_counted_where_that_is_looked_at() {
    let connect = Plan { pace: Pace::Silent { length: 0 }, ..plan(1) };
    let document = play(&connect, start(Quirk::RefuseSome).await).await.unwrap();
    assert_eq!((document.cut.count, of(&document, "join").count), (3, 12));
    assert!(document.cut.reasons[0].0.contains("refused"), "{:?}", document.cut);
    assert_eq!(document.cut.steps, [("CONNECT".to_owned(), 3)]);
    assert!(document.why.iter().any(|why| why.contains("not let in")), "{:?}", document.why);
    // Whoever is to speak is needed.
    let error = play(&plan(1), start(Quirk::RefuseSome).await).await.unwrap_err();
    assert!(matches!(&error, RunError::CannotRun(why) if why.starts_with("CONNECT: ")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_ends_a_run_that_was_to_end_with_it() {
    let mut config = start(Quirk::Cut).await;
    config.aborts = vec!["cut>0".parse().unwrap()];
    let document = play(&plan(60), config).await.unwrap();
    assert!(!document.complete && document.took < 20_000_000, "{}", document.took);
    assert!(document.why[0].starts_with("aborted: cut>0"), "{:?}", document.why);
}
