//! What is wrong is told by its name, and nothing else is.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trialogue_client::Dialect;
use trialogue_loadtest::plan::{Arrivals, BackOff, Crowd, Pace, Plan, Ramp, Sizes, Unrest};
use trialogue_loadtest::recorder::Figures;
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::target::Target;
use trialogue_loadtest::verdict::Fault;
use trialogue_loadtest::{Drain, Progress, RunConfig, RunError, run_in};

use crate::double::{EVERY, Quirk, STALL, rooms, start};

pub(crate) fn plan(seconds: u64) -> Plan {
    let length = Duration::from_secs(seconds);
    let stages = Ramp::Const.stages((200.0, 200.0), length, Duration::ZERO);
    Plan {
        seed: 1,
        rooms: 5,
        members: 3,
        senders: 2,
        pace: Pace::Open { stages, arrivals: Arrivals::Uniform },
        sizes: "100..300".parse::<Sizes>().unwrap(),
        workers: 1,
        unrest: Unrest::Calm,
        back_off: BackOff::Uniform(50_000),
        crowd: Crowd::default(),
    }
}

pub(crate) async fn against(quirk: Quirk, plan: &Plan) -> Document {
    let mut config = start(quirk).await;
    config.slos = vec!["reach==1".parse().unwrap()];
    let quiet = Duration::from_millis(1_500);
    config.drain = Drain { quiet, ..Drain::default() };
    play(plan, &config).await.unwrap()
}

async fn play(plan: &Plan, config: &RunConfig) -> Result<Document, RunError> {
    let stop = CancellationToken::new();
    run_in(plan, config, rooms(plan.rooms), &stop, &mut |_| {}).await
}

pub(crate) fn of(document: &Document, metric: &str) -> Figures {
    let found = document.metrics.iter().find(|one| one.name == metric);
    found.unwrap_or_else(|| panic!("no {metric}")).figures
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_good_server_everything_comes_once_and_in_order() {
    let document = against(Quirk::Nothing, &Plan { workers: 2, ..plan(2) }).await;
    let counts = &document.counts;
    assert!(counts.sent.abs_diff(400) <= 2, "{}", counts.sent);
    assert_eq!((counts.acked, counts.delivered), (counts.sent, counts.sent * 3));
    assert_eq!((document.reach, counts.reached), (1.0, counts.owed));
    assert_eq!((&document.faults, &document.examples), (&vec![], &vec![]));
    // A machine that is busy with other things may have been the limit.
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    assert_eq!(document.slos[0].held, Some(true));
    assert!(document.complete);
    assert_eq!(of(&document, "delivery").count, counts.delivered);
    assert_eq!(of(&document, "ack").count, counts.acked);
    assert_eq!(of(&document, "spread").count, counts.sent);
    assert_eq!(of(&document, "join").count, 15);
    assert!(of(&document, "first").p50 <= of(&document, "last").p50);
    let windows: u64 = document.windows.iter().map(|window| window.delivered).sum();
    assert_eq!(windows, counts.delivered);
    let json = serde_json::to_string(&document).unwrap();
    let back: Document = serde_json::from_str(&json).unwrap();
    assert_eq!((back.plan, back.counts), (document.plan, document.counts));
    assert_eq!(back.metrics.len(), document.metrics.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_is_told_by_its_name_and_its_number() {
    let check = async |quirk, fault: Fault, each: u64| {
        let document = against(quirk, &plan(1)).await;
        let met = document.counts.sent / EVERY;
        let told: Vec<_> = document.faults.iter().map(|one| (one.fault, one.count)).collect();
        assert_eq!(told, [(fault, met * each)], "{quirk:?}");
        assert_eq!(document.verdict, Verdict::Failed);
        assert_eq!(document.examples[0].fault, fault);
        document
    };
    let lost = check(Quirk::Lose, Fault::Lost, 1).await;
    assert_eq!(lost.counts.owed - lost.counts.reached, lost.counts.of(Fault::Lost));
    assert_eq!(lost.slos[0].held, Some(false));
    check(Quirk::LoseForAll, Fault::Lost, 3).await;
    check(Quirk::Double, Fault::Duplicated, 3).await;
    check(Quirk::Change, Fault::Mutated, 3).await;
    check(Quirk::RefuseAndSend, Fault::Phantom, 3).await;
    check(Quirk::Misfile, Fault::Misrouted, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_places_or_rooms_is_told() {
    // A message that waits for the next one of its room until the end is lost besides.
    let swapped = against(Quirk::Swap, &plan(2)).await;
    let met = swapped.counts.sent / EVERY;
    let (fell, lost) = (swapped.counts.of(Fault::Reordered), swapped.counts.of(Fault::Lost));
    assert_eq!((fell + lost, fell > 0), (met * 3, true), "{:?}", swapped.examples);
    let leaked = against(Quirk::Leak, &plan(1)).await;
    let told: Vec<_> = leaked.faults.iter().map(|one| one.fault).collect();
    assert_eq!(told, [Fault::Misrouted], "{:?}", leaked.examples);
    assert!(leaked.examples[0].text.contains("which is in room"), "{:?}", leaked.examples);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_its_rate_is_no_loss() {
    let document = against(Quirk::Limit, &plan(1)).await;
    let met = document.counts.sent / EVERY;
    assert_eq!((document.counts.limited, document.counts.refused), (met, met));
    assert_eq!((document.faults.len(), document.reach), (0, 1.0));
    // No loss, and no success either, unless somebody has said how many may be.
    let is_refusal = |why: &String| why.contains("were refused");
    assert!(document.why.iter().any(is_refusal), "{:?}", document.why);
    let mut config = start(Quirk::Limit).await;
    let permitted = ["rate_limited<100", "refused_share<=5%"];
    config.slos = permitted.map(|text| text.parse().unwrap()).into();
    let document = play(&plan(1), &config).await.unwrap();
    assert!(document.slos.iter().all(|slo| slo.held == Some(true)), "{:?}", document.slos);
    let share = document.counts.refused as f64 / document.counts.sent as f64;
    assert_eq!(document.value("refused_share"), Some(share));
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_a_tenth_of_the_time_has_its_stall_as_p99() {
    let document = against(Quirk::Stall, &plan(4)).await;
    assert_eq!(document.faults, []);
    let (told, stall) = (of(&document, "delivery"), STALL.as_micros() as u64);
    // A tenth of the sends waits for up to 100 ms: the longest tenth of those for 90 or more.
    assert!(told.p99 >= stall * 8 / 10, "{told:?}");
    // A machine that is busy with other things makes everything late, and the rig says so.
    if document.rig.reasons.is_empty() {
        assert!(told.p99 < stall * 4 && told.p50 < told.p99 / 2, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_goes_as_fast_as_the_server_and_is_judged_as_well() {
    let pace = Pace::Closed { window: 4, warm_up: 200_000, length: 800_000 };
    let document = against(Quirk::Nothing, &Plan { pace: pace.clone(), ..plan(1) }).await;
    let counts = &document.counts;
    assert!(counts.sent > 200, "{}", counts.sent);
    assert_eq!((counts.delivered, document.reach), (counts.sent * 3, 1.0));
    assert!(of(&document, "delivery").count < counts.delivered);
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    let document = against(Quirk::Double, &Plan { pace, ..plan(1) }).await;
    assert_eq!(document.counts.of(Fault::Duplicated), document.counts.sent / EVERY * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_acknowledgements_is_judged_by_what_was_written() {
    let told = async |quirk| {
        let mut config = start(quirk).await;
        config.target = Target::new(config.target.http.clone(), Dialect::Stm);
        let quiet = Duration::from_millis(1_500);
        config.drain = Drain { quiet, ..Drain::default() };
        play(&plan(1), &config).await.unwrap()
    };
    // Its senders hear themselves, which this kind of server does not promise.
    let good = told(Quirk::Nothing).await;
    let counts = &good.counts;
    assert_eq!((counts.acked, counts.unanswered, good.faults.len()), (0, 0, 0));
    assert_eq!((counts.delivered, counts.owed), (counts.sent * 2, counts.sent * 2));
    let lost = told(Quirk::LoseForAll).await;
    assert_eq!(lost.counts.of(Fault::Lost), lost.counts.sent / EVERY * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_which_nobody_speaks_are_there_all_the_time() {
    let pace = Pace::Silent { length: 300_000 };
    let document = against(Quirk::Nothing, &Plan { pace, ..plan(1) }).await;
    assert_eq!((document.counts.sent, of(&document, "join").count), (0, 15));
    assert!(document.value("join_rate").unwrap() > 0.0);
    // The objective of reach is open: nothing was owed.
    assert_eq!(document.slos[0].held, None);
    let other = |why: &&String| !why.contains("reach==1") && !document.rig.reasons.contains(why);
    assert_eq!(document.why.iter().find(other), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_has_lost_nothing_and_is_told() {
    let document = against(Quirk::Cut, &plan(1)).await;
    assert!(document.cut.count > 0);
    assert_eq!(document.counts.of(Fault::Phantom) + document.counts.of(Fault::Duplicated), 0);
    assert_ne!(document.verdict, Verdict::Passed);
    assert!(document.why.iter().any(|why| why.contains("were cut")), "{:?}", document.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_is_judged_and_says_so() {
    let config = start(Quirk::Nothing).await;
    let stop = CancellationToken::new();
    let plan = plan(60);
    let mut seconds = 0;
    let mut observer = |progress: &Progress| {
        if matches!(progress, Progress::Second(_)) {
            seconds += 1;
            stop.cancel();
        }
    };
    let document = run_in(&plan, &config, rooms(5), &stop, &mut observer).await.unwrap();
    assert!(!document.complete && document.counts.sent > 0 && document.took < 10_000_000);
    assert_eq!((document.faults.len(), document.reach), (0, 1.0));
    assert!(seconds > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_home_is_no_verdict() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap()).parse().unwrap();
    drop(closed);
    let mut config = start(Quirk::Nothing).await;
    let http = trialogue_client::HttpConfig::new(url);
    config.target.http = trialogue_client::Http::new(http).unwrap();
    let error = play(&plan(1), &config).await.unwrap_err();
    assert!(matches!(&error, RunError::CannotRun(why) if why.contains("127.0.0.1")), "{error}");
    let error = play(&Plan { rooms: 0, ..plan(1) }, &config).await.unwrap_err();
    assert!(matches!(error, RunError::Plan(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_that_nobody_answers_are_no_success() {
    for quirk in [Quirk::Mute, Quirk::Swallow] {
        let document = against(quirk, &plan(1)).await;
        let counts = &document.counts;
        assert_eq!((counts.unanswered, counts.abandoned), (counts.sent / EVERY, 0), "{quirk:?}");
        assert_eq!((document.faults.len(), document.verdict), (0, Verdict::Failed), "{quirk:?}");
        let why = format!("{} sends were not answered", counts.unanswered);
        assert!(document.why.contains(&why), "{quirk:?}: {:?}", document.why);
    }
    let document = against(Quirk::MuteForAll, &plan(1)).await;
    assert_eq!((document.counts.acked, document.verdict), (0, Verdict::Inconclusive));
    assert!(document.why.iter().any(|why| why.contains("acks: false")), "{:?}", document.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_is_what_the_dice_have_planned() {
    for (seed, arrivals) in [(2, Arrivals::Poisson), (3, Arrivals::Burst(150))] {
        let stages = Ramp::Const.stages((200.0, 200.0), Duration::from_secs(1), Duration::ZERO);
        let pace = Pace::Open { stages, arrivals };
        let document = against(Quirk::Nothing, &Plan { seed, pace, ..plan(1) }).await;
        // Far from 200, as it happens; and all of it went out.
        assert!(document.counts.sent.abs_diff(200) > 2, "{}", document.counts.sent);
        assert!(!document.why.iter().any(|why| why.contains("planned")), "{:?}", document.why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_of_the_time_in_which_messages_were_sent() {
    let document = against(Quirk::Slow, &plan(1)).await;
    let counts = &document.counts;
    assert_eq!(counts.delivered, counts.sent * 3, "{:?}", document.why);
    // Ten senders of ten a second: half of all comes when the sending is over.
    assert!(counts.delivered_meanwhile * 4 < counts.delivered * 3, "{counts:?}");
    let a_second = counts.delivered_meanwhile as f64 * 1e6 / document.took as f64;
    assert_eq!(document.delivery_rate, a_second);
    assert_eq!(document.value("delivery_rate"), Some(a_second));
    // Its loop ends a moment after the last message: that is no lower rate.
    assert!(document.took == 1_000_000 || document.took > 1_005_000, "{}", document.took);
    assert_eq!(document.rate, counts.sent as f64 * 1e6 / document.took as f64);
    // What is delivered long after the sends was not borne.
    let stages = Ramp::Const.stages((700.0, 700.0), Duration::from_secs(1), Duration::ZERO);
    let pace = Pace::Open { stages, arrivals: Arrivals::Uniform };
    let document = against(Quirk::Slow, &Plan { pace, ..plan(1) }).await;
    assert!(document.why.iter().any(|why| why.contains("s behind")), "{:?}", document.why);
    assert_ne!(document.verdict, Verdict::Passed);
}

fn closed(window: u32) -> Plan {
    let pace = Pace::Closed { window, warm_up: 0, length: 3_500_000 };
    Plan { pace, rooms: 1, ..plan(1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_goes_on_without_what_never_comes() {
    let document = against(Quirk::LoseForAll, &closed(2)).await;
    let counts = &document.counts;
    // Its two places are lost with the 40th message, and free again after 2.5 s.
    assert!((42..=80).contains(&counts.sent) && counts.overdue >= 2, "{counts:?}");
    let why = "the loop went on without them";
    assert!(document.why.iter().any(|one| one.contains(why)), "{:?}", document.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_that_has_nobody_left_ends_and_says_so() {
    let document = against(Quirk::Cut, &closed(4)).await;
    // Two senders are cut with their 20th and 40th message, and the time until then makes the rate.
    assert!(document.cut.count == 2 && !document.complete, "{:?}", document.cut);
    assert!(document.took < 3_400_000, "{}", document.took);
    assert!(document.why.iter().any(|why| why.contains("nobody was left")), "{:?}", document.why);
    assert_eq!(document.counts.overdue, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_wait_here_are_not_sent() {
    let stages = Ramp::Const.stages((1_000.0, 1_000.0), Duration::from_secs(2), Duration::ZERO);
    let pace = Pace::Open { stages, arrivals: Arrivals::Uniform };
    let sizes = "4000".parse::<Sizes>().unwrap();
    let plan = Plan { pace, sizes, rooms: 1, senders: 1, ..plan(1) };
    let document = against(Quirk::Deaf, &plan).await;
    let rig = &document.rig;
    assert!(rig.stuck > 0 && rig.stuck <= rig.stalled, "{rig:?}");
    assert!(of(&document, "send_lag").count + rig.stuck <= document.counts.sent, "{rig:?}");
    assert_eq!(document.verdict, Verdict::Failed, "{:?}", document.why);
}
