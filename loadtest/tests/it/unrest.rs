//! Sockets that are cut and come back, leave and enter again, read history, or only send; and what
//! servers do wrong then.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use trialogue_faults::{Cut, Proxy, Weather};
use trialogue_loadtest::cast::Room;
use trialogue_loadtest::plan::{Absence, Crowd, Plan, Unrest};
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::verdict::Fault;
use trialogue_loadtest::{Drain, Outage, RunConfig, run_in};

use crate::double::{Quirk, rooms, start};
use crate::verdicts::{of, plan};

const MILLIS: u64 = 1_000;

async fn play(plan: &Plan, mut config: RunConfig) -> Document {
    let (quiet, longest) = (Duration::from_millis(1_500), Duration::from_secs(4));
    config.drain = Drain { quiet, longest };
    let stop = CancellationToken::new();
    run_in(plan, &config, rooms(plan.rooms), &stop, &mut |_| {}).await.unwrap()
}

fn faults(document: &Document) -> Vec<Fault> {
    document.faults.iter().map(|cases| cases.fault).collect()
}

fn absence(share: f64) -> Absence {
    Absence { share, every: 400 * MILLIS, away: 100 * MILLIS }
}

async fn jittery(quirk: Quirk) -> Document {
    let unrest = Unrest::Jitter(absence(1.0));
    play(&Plan { unrest, ..plan(2) }, start(quirk).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_comes_back_and_has_everything_once() {
    let document = jittery(Quirk::Nothing).await;
    let (counts, recovery) = (&document.counts, document.recovery.as_ref().unwrap());
    assert_eq!((&document.faults, &document.examples), (&vec![], &vec![]));
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    // Fifteen sockets for two seconds, each about every 0.4 s.
    assert!((30..=90).contains(&recovery.lost), "{recovery:?}");
    assert_eq!((recovery.back, recovery.never_back), (recovery.lost, 0));
    assert_eq!((document.reach, counts.indeterminate, document.cut.count), (1.0, 0, 0));
    assert!(counts.caught_up > 0, "{counts:?}");
    assert_eq!(counts.delivered, counts.reached);
    for metric in ["reconnected", "rejoined", "caught_up"] {
        assert_eq!(of(&document, metric).count, recovery.lost, "{metric}");
    }
    assert_eq!(of(&document, "replay").count, counts.caught_up);
    assert!(of(&document, "reconnected").min >= 100 * MILLIS);
    assert_eq!(document.value("never_back"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_nobody_is_not_owed_where_no_server_tells_it_later() {
    let plain = |mut rooms: Vec<Room>| {
        rooms.iter_mut().zip(0..).for_each(|(room, n)| room.chat = format!("room-{n}"));
        rooms
    };
    // Ids that no history is asked for by, and a history that is not there.
    for rooms in [plain(rooms(5)), rooms(5)] {
        let mut config = start(Quirk::Nothing).await;
        config.target.capabilities.resume = false;
        let quiet = Duration::from_millis(1_500);
        config.drain = Drain { quiet, ..Drain::default() };
        let plan = Plan { unrest: Unrest::Jitter(absence(1.0)), ..plan(2) };
        let stop = CancellationToken::new();
        let document = run_in(&plan, &config, rooms, &stop, &mut |_| {}).await.unwrap();
        let (counts, recovery) = (&document.counts, document.recovery.as_ref().unwrap());
        assert_eq!(faults(&document), [], "{:?}", document.examples);
        assert!(recovery.lost >= 20 && counts.missed > 0, "{recovery:?} {counts:?}");
        assert_eq!((recovery.back, recovery.never_back), (recovery.lost, 0), "{recovery:?}");
        assert_eq!((document.cut.count, document.reach), (0, 1.0));
        assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_catch_up_is_told_by_its_name() {
    for (quirk, fault) in [
        (Quirk::LoseInGap, Fault::Lost),
        (Quirk::DoubleInGap, Fault::Duplicated),
        (Quirk::OldInGap, Fault::Duplicated),
    ] {
        let document = jittery(quirk).await;
        assert_eq!(faults(&document), [fault], "{quirk:?}: {:?}", document.examples);
        assert_eq!(document.verdict, Verdict::Failed);
    }
    // A room is joined before it is read: on the edge a message may come both ways.
    let document = jittery(Quirk::Overlap).await;
    assert_eq!(faults(&document), [], "{:?}", document.examples);
    assert!(document.counts.overlap > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_again_is_told_and_has_lost_nothing() {
    let document = jittery(Quirk::ShutOut).await;
    let recovery = document.recovery.as_ref().unwrap();
    assert!(recovery.never_back > 0 && recovery.failed_attempts >= recovery.never_back);
    assert!(recovery.reasons[0].0.contains("unavailable"), "{recovery:?}");
    assert_eq!(faults(&document), [], "{:?}", document.examples);
    assert!(document.why.iter().any(|why| why.contains("never came back")), "{:?}", document.why);
    assert_ne!(document.verdict, Verdict::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_cuts_everybody_once_and_all_come_back() {
    let unrest = Unrest::Storm { at: 400 * MILLIS, down: 0 };
    let document = play(&Plan { unrest, ..plan(1) }, start(Quirk::Nothing).await).await;
    let recovery = document.recovery.as_ref().unwrap();
    assert_eq!((recovery.lost, recovery.back, recovery.never_back), (15, 15, 0));
    assert_eq!((faults(&document), document.cut.count), (vec![], 0));
    assert_eq!(of(&document, "caught_up").count, 15);
}

/// The server behind a proxy: when that hangs up on everybody, it is gone.
#[derive(Debug)]
struct Line(Proxy);

impl Outage for Line {
    fn end(&self) -> BoxFuture<'_, Result<(), String>> {
        self.0.set(Weather { refuse: true, ..Weather::default() });
        self.0.cut(Cut::Rst);
        Box::pin(async { Ok(()) })
    }

    fn start(&self) -> BoxFuture<'_, Result<(), String>> {
        self.0.set(Weather::default());
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_for_a_while_is_tried_until_it_is_there() {
    let mut config = start(Quirk::Nothing).await;
    let upstream = config.target.url().socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start(upstream).await.unwrap();
    let url = format!("http://{}", proxy.address()).parse().unwrap();
    config.target.http =
        trialogue_client::Http::new(trialogue_client::HttpConfig::new(url)).unwrap();
    config.outage = Some(Arc::new(Line(proxy)));
    let unrest = Unrest::Storm { at: 300 * MILLIS, down: 400 * MILLIS };
    let document = play(&Plan { unrest, ..plan(1) }, config).await;
    let recovery = document.recovery.as_ref().unwrap();
    assert_eq!((recovery.lost, recovery.back, recovery.never_back), (15, 15, 0), "{recovery:?}");
    assert!(recovery.failed_attempts > 0, "{recovery:?}");
    assert_eq!((faults(&document), document.cut.count), (vec![], 0), "{:?}", document.examples);
    assert_eq!(of(&document, "seen").count, 15);
    assert!(of(&document, "reconnected").min >= 400 * MILLIS);
    // What was due meanwhile was sent afterwards, and waited for from its intended moment.
    assert!(document.counts.sent.abs_diff(200) <= 2, "{:?}", document.counts);
    assert_eq!(document.rig.unsendable, 0);
    assert!(of(&document, "delivery").max >= 400 * MILLIS, "{:?}", of(&document, "delivery"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_and_enters_again_is_owed_what_was_said_while_it_was_in() {
    let churn = Plan { unrest: Unrest::Churn(absence(1.0)), ..plan(2) };
    let document = play(&churn, start(Quirk::Nothing).await).await;
    assert_eq!(faults(&document), [], "{:?}", document.examples);
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    assert!(of(&document, "move").count > 10);
    let counts = &document.counts;
    // Five of fifteen are out a part of the time.
    assert!((counts.sent * 2..counts.sent * 3).contains(&counts.owed), "{counts:?}");
    assert_eq!(counts.reached, counts.owed);
    let document = play(&churn, start(Quirk::AfterLeave).await).await;
    assert_eq!(faults(&document), [Fault::Misrouted], "{:?}", document.examples);
    assert!(document.examples[0].text.contains("after it had left"), "{:?}", document.examples);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_history_have_what_was_said_and_nothing_else() {
    let read = async |quirk| {
        let unrest = Unrest::History { messages: 30, page: 10 };
        play(&Plan { unrest, ..plan(1) }, start(quirk).await).await
    };
    let document = read(Quirk::Nothing).await;
    let counts = &document.counts;
    // What rooms were filled with is no part of the run.
    assert_eq!((faults(&document), counts.sent), (vec![], 0), "{:?}", document.examples);
    assert!((190..=201).contains(&counts.pages), "{counts:?}");
    assert_eq!(counts.pages, counts.pages_asked);
    assert!(counts.page_messages > counts.pages * 5);
    assert_eq!(of(&document, "page").count, counts.pages);
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    for (quirk, fault) in [
        (Quirk::PageHole, Fault::Lost),
        (Quirk::PageSwap, Fault::Reordered),
        (Quirk::PageOfOthers, Fault::Misrouted),
    ] {
        let document = read(quirk).await;
        assert!(faults(&document).contains(&fault), "{quirk:?}: {:?}", document.examples);
        assert_eq!(document.verdict, Verdict::Failed);
    }
    assert_eq!(faults(&read(Quirk::PageHole).await), [Fault::Lost]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_and_its_answer_are_all_there_is_where_nobody_enters_a_room() {
    let apart = Plan { unrest: Unrest::Apart, ..plan(1) };
    let document = play(&apart, start(Quirk::Nothing).await).await;
    let counts = &document.counts;
    assert_eq!((counts.acked, counts.delivered, counts.owed), (counts.sent, 0, 0));
    assert_eq!(of(&document, "ack").count, counts.acked);
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    let document = play(&apart, start(Quirk::Mute).await).await;
    assert!(document.why.iter().any(|why| why.contains("not answered")), "{:?}", document.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_type_and_read_and_some_of_them_stop_reading() {
    let crowd = Crowd {
        typing: 0.5,
        read: 0.25,
        slow_readers: 0.2,
        spread: "zipf:0.5".parse().unwrap(),
        ..Crowd::default()
    };
    let document = play(&Plan { crowd, ..plan(1) }, start(Quirk::Nothing).await).await;
    let counts = &document.counts;
    assert_eq!((faults(&document), document.reach), (vec![], 1.0), "{:?}", document.examples);
    assert!(counts.typed.abs_diff(counts.sent / 2) <= 1, "{counts:?}");
    assert!(counts.read.abs_diff(counts.delivered / 4) <= 1, "{counts:?}");
    assert!(counts.typed_seen > 0 && counts.read_seen > 0, "{counts:?}");
    // Fifteen sockets, three of which are owed nothing.
    assert_eq!(of(&document, "join").count, 15);
    assert!(counts.owed < counts.sent * 3, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_as_soon_as_what_should_never_hold_does() {
    let mut config = start(Quirk::Double).await;
    config.aborts = vec!["duplicated>1 && sent>20".parse().unwrap()];
    let document = play(&plan(60), config).await;
    assert!(!document.complete && document.took < 20_000_000, "{}", document.took);
    assert_eq!(document.verdict, Verdict::Failed);
    assert!(document.why[0].starts_with("aborted: duplicated>1 && sent>20 with duplicated"));
    assert!(document.aborted.is_some());
}
