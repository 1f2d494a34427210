//! Runs that are shared out among workers, each with a connection of its own to whoever leads.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trialogue_client::{Http, HttpConfig};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::remote::{Far, Key, serve};
use trialogue_loadtest::result::Verdict;
use trialogue_loadtest::verdict::Fault;
use trialogue_loadtest::{Drain, Progress, RunConfig, RunError, run_in};
use url::Url;

use crate::double::{EVERY, Quirk, rooms, start};
use crate::verdicts::plan;

const TOKEN: &str = "a token of sixteen bytes or more";
/// How long a loaded machine may take to refuse.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker, as the binary runs it.
struct Worker {
    address: String,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

async fn worker(token: &str) -> Worker {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let reach = |url: &Url, _: bool| {
        Http::new(HttpConfig::new(url.clone())).map_err(|error| error.to_string())
    };
    let stop = CancellationToken::new();
    let key = Key::new(token).unwrap();
    let serving = tokio::spawn(serve(listener, key, Arc::new(reach), stop.clone()));
    Worker { address, serving, stop }
}

async fn led(quirk: Quirk, workers: &[&Worker]) -> RunConfig {
    let mut config = start(quirk).await;
    let key = Key::new(TOKEN).unwrap();
    let far = |worker: &&Worker| Far { address: worker.address.clone(), key: key.clone() };
    config.far = workers.iter().map(far).collect();
    config.drain = Drain { quiet: Duration::from_millis(1_500), ..Drain::default() };
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_a_run_and_their_sum_is_one_run() {
    let (one, two) = (worker(TOKEN).await, worker(TOKEN).await);
    let config = led(Quirk::Nothing, &[&one, &two]).await;
    let plan = Plan { workers: 4, ..plan(2) };
    let stop = CancellationToken::new();
    let mut seconds = 0;
    let mut seen =
        |progress: &Progress| seconds += u32::from(matches!(progress, Progress::Second(_)));
    let document = run_in(&plan, &config, rooms(5), &stop, &mut seen).await.unwrap();
    let counts = &document.counts;
    assert!(counts.sent.abs_diff(400) <= 4, "{}", counts.sent);
    assert_eq!((counts.acked, counts.delivered), (counts.sent, counts.sent * 3));
    assert_eq!((document.reach, &document.faults), (1.0, &vec![]));
    assert_ne!(document.verdict, Verdict::Failed, "{:?}", document.why);
    assert!(document.complete && seconds > 0);
    let delivery = document.metrics.iter().find(|one| one.name == "delivery").unwrap();
    assert_eq!(delivery.figures.count, counts.delivered);
    assert_eq!(document.plan, plan);
    // They are free for the next run, and the same plan gives them the same segments.
    let again = run_in(&plan, &config, rooms(5), &stop, &mut |_| {}).await.unwrap();
    assert_eq!(again.counts.sent, counts.sent);
    // A worker that is told to end does.
    one.stop.cancel();
    tokio::time::timeout(PATIENCE, one.serving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_any_worker_is_told_with_whose_it_is() {
    let (one, two) = (worker(TOKEN).await, worker(TOKEN).await);
    let check = async |quirk, fault: Fault| {
        let config = led(quirk, &[&one, &two]).await;
        let plan = Plan { workers: 2, ..plan(1) };
        let stop = CancellationToken::new();
        let document = run_in(&plan, &config, rooms(5), &stop, &mut |_| {}).await.unwrap();
        let told: Vec<_> = document.faults.iter().map(|one| (one.fault, one.count)).collect();
        assert_eq!(told, [(fault, document.counts.sent / EVERY)], "{quirk:?}");
        assert_eq!(document.verdict, Verdict::Failed);
        assert!(document.examples.iter().any(|example| example.worker < 2));
    };
    check(Quirk::Lose, Fault::Lost).await;
    // Rooms of the other worker, too: its messages are known, and not a stranger's.
    let config = led(Quirk::Leak, &[&one, &two]).await;
    let plan = Plan { workers: 2, ..plan(1) };
    let stop = CancellationToken::new();
    let document = run_in(&plan, &config, rooms(5), &stop, &mut |_| {}).await.unwrap();
    let faults: Vec<_> = document.faults.iter().map(|one| one.fault).collect();
    assert_eq!(faults, [Fault::Misrouted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_a_result_that_proves_nothing() {
    let (one, two) = (worker(TOKEN).await, worker(TOKEN).await);
    let config = led(Quirk::Nothing, &[&one, &two]).await;
    let plan = Plan { workers: 2, ..plan(4) };
    let stop = CancellationToken::new();
    let kill = two.serving.abort_handle();
    let mut seen = |progress: &Progress| {
        if matches!(progress, Progress::Second(_)) {
            kill.abort();
        }
    };
    let document = run_in(&plan, &config, rooms(5), &stop, &mut seen).await.unwrap();
    assert!(!document.complete);
    assert_eq!(document.verdict, Verdict::Inconclusive, "{:?}", document.why);
    let lost = document.why.iter().find(|why| why.starts_with("lost after")).unwrap();
    assert!(lost.contains("rooms 2 to 4") && lost.contains(&two.address), "{lost}");
    // What the other one sent is there, and came.
    assert!(document.counts.sent > 100 && document.windows.len() > 2, "{}", document.counts.sent);
    assert_eq!(document.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_all_workers_and_what_happened_is_judged() {
    let (one, two) = (worker(TOKEN).await, worker(TOKEN).await);
    let config = led(Quirk::Nothing, &[&one, &two]).await;
    let plan = Plan { workers: 2, ..plan(600) };
    let stop = CancellationToken::new();
    let halt = stop.clone();
    let mut seen = |progress: &Progress| {
        if matches!(progress, Progress::Second(_)) {
            halt.cancel();
        }
    };
    let running = run_in(&plan, &config, rooms(5), &stop, &mut seen);
    let document = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    assert!(!document.complete && document.counts.sent > 0);
    assert_eq!((document.counts.reached, &document.faults), (document.counts.owed, &vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_token_leads_nobody_and_is_led_by_nobody() {
    let other = worker("another token, as long as that").await;
    let config = led(Quirk::Nothing, &[&other]).await;
    let stop = CancellationToken::new();
    let refused = run_in(&plan(1), &config, rooms(5), &stop, &mut |_| {}).await.unwrap_err();
    assert!(matches!(&refused, RunError::CannotRun(why) if why.contains("another token")));
    assert!(Key::new("too short").is_err());

    // Nothing is read of whoever says anything else, however long it is said to be.
    let one = worker(TOKEN).await;
    let check = async |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&one.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset says the same.
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(read.is_err() || !text.contains("ready"), "{text}");
        text.into_owned()
    };
    check(b"GET / HTTP/1.1\r\n\r\n").await;
    check(b"\xff\xff\xff\xff").await;
    let framed =
        |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let hello = framed(r#"{"say":"hello","version":2,"nonce":"n"}"#);
    let enter = framed(r#"{"say":"enter","proof":"none"}"#);
    assert!(check(&[hello, enter].concat()).await.contains("another token"));
    assert!(check(&framed(r#"{"say":"hello","version":9,"nonce":"n"}"#)).await.contains("version"));
    // It still works for those who do.
    let config = led(Quirk::Nothing, &[&one]).await;
    let document = run_in(&plan(1), &config, rooms(5), &stop, &mut |_| {}).await.unwrap();
    assert_eq!(document.reach, 1.0);
}
