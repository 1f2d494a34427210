//! Who looks while a run goes on: Prometheus, ourselves at the server, and somebody who steers; and
//! two servers that take turns.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use trialogue_loadtest::beside::Beside;
use trialogue_loadtest::export::Exporter;
use trialogue_loadtest::live::helm;
use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::Verdict;
use trialogue_loadtest::versus::{Turn, Versus, interleave};
use trialogue_loadtest::{Drain, Progress, run_in};

use crate::double::{Quirk, STALL, rooms, start, start_for_a_while};
use crate::verdicts::plan;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer").unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_how_a_run_goes_and_a_pause_and_a_faster_rate_lose_nothing() {
    let (helm, steered) = helm();
    let mut config = start(Quirk::Nothing).await;
    config.steered = steered;
    let exporter = Exporter::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = exporter.address();
    assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
    let plan = plan(3);
    let (stop, mut seconds, mut so_far) = (CancellationToken::new(), 0, Vec::new());
    let document =
        run_in(&plan, &config, rooms(plan.rooms), &stop, &mut |progress| match progress {
            Progress::Second(second) => {
                seconds += 1;
                exporter.tell(second);
                match seconds {
                    1 => helm.speed(0.0),
                    2 => helm.speed(2.0),
                    3 => helm.ask(),
                    _ => {}
                }
            }
            Progress::SoFar(document) => so_far.push(document.clone()),
            Progress::Rooms(..)
            | Progress::Sockets(..)
            | Progress::Iterations { .. }
            | Progress::Draining => {}
        })
        .await
        .unwrap();
    let counts = &document.counts;
    assert!(counts.sent.abs_diff(600) <= 2, "all of the plan was sent: {counts:?}");
    assert_eq!((counts.delivered, document.reach), (counts.sent * 3, 1.0));
    assert!(document.steered && document.complete, "{:?}", document.why);
    // A pause of a second is no latency.
    let delivery = document.metrics.iter().find(|one| one.name == "delivery").unwrap();
    assert!(delivery.figures.p50 < 500_000, "{:?}", delivery.figures);
    assert!(so_far.iter().all(|one| !one.complete && one.counts.sent <= counts.sent));
    assert!(!so_far.is_empty(), "somebody had asked");
    let told = get(address, "/metrics").await;
    assert!(told.contains("trialogue_load_messages{what=\"sent\"}"), "{told}");
    assert!(told.contains("trialogue_load_wrong{fault=\"lost\"} 0"), "{told}");
    let quantile = "trialogue_load_latency_seconds{metric=\"delivery\",quantile=\"0.99\"}";
    assert!(told.contains(quantile), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_the_server_stand_beside_those_of_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for asked in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body =
                format!("sent_total {asked}\nsockets{{room=\"a\"}} 3\nt_bucket{{le=\"1\"}} 9\n");
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
            let answer = format!("{head}connection: close\r\n\r\n{body}");
            let _read = stream.read(&mut [0; 1_024]).await;
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    let beside = Beside { pid: Some(std::process::id()), scrape: Some(url.parse().unwrap()) };
    let watch = beside.watch().unwrap();
    let mut document = crate::verdicts::against(Quirk::Nothing, &plan(2)).await;
    assert_eq!(watch.end(&mut document).await, None);
    let last = document.server.last().expect("it was looked at");
    assert_eq!(last.metrics.get("sockets{room=\"a\"}"), Some(&3.0));
    assert!(last.metrics["sent_total"] >= 2.0 && !last.metrics.contains_key("t_bucket{le=\"1\"}"));
    assert!(last.resident.is_some_and(|bytes| bytes > 1 << 20), "{last:?}");
    assert!(document.server.iter().any(|one| one.cpu.is_some()), "{:?}", document.server);
    let page = trialogue_loadtest::report::Format::Html.write(&document).unwrap();
    assert!(page.contains("Server: processor") && page.contains("sent_total"));

    let nobody = Beside { pid: Some(u32::MAX), scrape: None };
    assert!(nobody.watch().unwrap_err().contains("no process"));
    let gone = Beside { pid: None, scrape: Some("http://127.0.0.1:9/metrics".parse().unwrap()) };
    let watch = gone.watch().unwrap();
    let mut none = crate::verdicts::against(Quirk::Nothing, &plan(1)).await;
    assert!(watch.end(&mut none).await.is_some_and(|why| why.contains("127.0.0.1:9")));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_take_turns_the_slower_one_is_surely_slower() {
    let mut sides = [start(Quirk::Nothing).await, start(Quirk::Stall).await];
    for side in &mut sides {
        side.drain = Drain { quiet: Duration::from_millis(1_500), ..Drain::default() };
    }
    let plan = plan(6);
    let (stop, mut runs) = (CancellationToken::new(), 0);
    let [first, second] = &sides;
    let sides = [(first, rooms(plan.rooms)), (second, rooms(plan.rooms))];
    let mut turns = Vec::new();
    let mut observer = |turn: Turn<'_>| match turn {
        Turn::Begins { pair, side } => turns.push((pair, side)),
        Turn::Goes(progress) => runs += u32::from(*progress == Progress::Draining),
    };
    let versus = interleave(&plan, sides, 3, &stop, &mut observer).await.unwrap();
    assert_eq!(turns, [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (2, 1)]);
    assert_eq!((versus.pairs, runs), (3, 6));
    assert_eq!(versus.first.plan, plan);
    for side in [&versus.first, &versus.second] {
        assert_eq!(side.parts.len(), 3);
        assert!(side.counts.sent.abs_diff(1_200) <= 6, "{}", side.counts.sent);
        assert_ne!(side.verdict, Verdict::Failed, "{:?}", side.why);
    }
    let delta = |name: &str| versus.deltas.iter().find(|one| one.name == name).unwrap();
    let slower = delta("delivery.p99");
    // Where the rig was the limit nothing follows about latency.
    let is_rig = versus.first.rig.is_saturated() || versus.second.rig.is_saturated();
    let is_slower = slower.is_sure() && slower.delta > STALL.as_micros() as f64 / 4.0;
    assert!(is_rig || is_slower, "{slower:?}");
    let told: Vec<String> = trialogue_loadtest::versus::facts(&versus)
        .into_iter()
        .map(|(name, value, _)| format!("{name} {value}"))
        .collect();
    assert!(told.iter().any(|line| line.starts_with("delivery.p99 ")), "{told:?}");
    let told = |format: Format| format.write_versus(&versus).map(Result::unwrap);
    let page = told(Format::Html).unwrap();
    assert!(page.contains("second: p99") && page.contains("delivery.p99"), "{page}");
    let (junit, markdown) = (told(Format::Junit).unwrap(), told(Format::Markdown).unwrap());
    assert!(junit.matches("\"verdict: ").count() == 3 && junit.contains("delivery.p99"), "{junit}");
    assert!(markdown.contains("## second: ") && markdown.contains("- delivery.p99: "));
    assert_eq!(told(Format::Csv), None);
    let json = told(Format::Json).unwrap();
    let back: Versus = serde_json::from_str(&json).unwrap();
    assert_eq!(back.deltas.len(), versus.deltas.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_between_pairs_costs_its_pair_and_no_whole_one() {
    let (mut first, _) = start_for_a_while(Quirk::Nothing).await;
    let (mut second, alive) = start_for_a_while(Quirk::Nothing).await;
    for side in [&mut first, &mut second] {
        side.drain = Drain { quiet: Duration::from_millis(300), ..Drain::default() };
    }
    let (plan, stop) = (plan(2), CancellationToken::new());
    let sides = [(&first, rooms(plan.rooms)), (&second, rooms(plan.rooms))];
    // The second pair begins with the second one.
    let mut observer = |turn: Turn<'_>| {
        if matches!(turn, Turn::Begins { pair: 1, .. }) {
            alive.abort();
        }
    };
    let versus = interleave(&plan, sides, 4, &stop, &mut observer).await.unwrap();
    assert_eq!((versus.pairs, versus.verdict()), (1, Verdict::Failed));
    let why = versus.why().pop().unwrap();
    assert!(why.starts_with("pair 2, http://127.0.0.1:"), "{why}");
    assert!(!versus.deltas.is_empty());
    let page = Format::Html.write_versus(&versus).unwrap().unwrap();
    assert!(page.contains("broken off"), "{page}");
    // Not one whole pair: there is nothing to compare.
    let sides = [(&first, rooms(plan.rooms)), (&second, rooms(plan.rooms))];
    assert!(interleave(&plan, sides, 4, &stop, &mut |_| {}).await.is_err());
}
