//! Several results as one, a part of one, and what other tools read of them.

use std::time::Duration;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use trialogue_loadtest::merge::{check, cut, merge};
use trialogue_loadtest::recorder::decode;
use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::{Document, Recovery, Verdict};

use crate::double::Quirk;
use crate::verdicts::{against, plan};

fn count(document: &Document, metric: &str) -> u64 {
    document.metrics.iter().find(|one| one.name == metric).map_or(0, |one| one.figures.count)
}

/// Two runs as if of one server.
async fn pair(other: Quirk) -> [Document; 2] {
    let good = against(Quirk::Nothing, &plan(1)).await;
    let mut other = against(other, &plan(1)).await;
    assert!(merge(&[good.clone(), other.clone()]).unwrap_err().contains("target"));
    other.target.clone_from(&good.target);
    [good, other]
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_histograms_are_added_up_and_the_verdict_is_decided_anew() {
    let [good, bad] = pair(Quirk::LoseForAll).await;
    let sum = merge(&[bad.clone(), good.clone()]).unwrap();
    assert_eq!(sum.counts.sent, good.counts.sent + bad.counts.sent);
    assert_eq!(count(&sum, "delivery"), count(&good, "delivery") + count(&bad, "delivery"));
    assert_eq!(count(&sum, "ack"), sum.counts.acked);
    assert_eq!((sum.verdict, sum.plan.rooms, sum.parts.len()), (Verdict::Failed, 10, 2));
    assert!(sum.reach > bad.reach && sum.reach < 1.0);
    // One after another: the second begins where the first ends, whatever lies between.
    assert!(sum.took >= good.took + bad.took && sum.parts[0].run == good.run);
    assert_eq!(sum.slos[0].held, Some(false));
    let windows: u64 = sum.windows.iter().map(|window| window.delivered).sum();
    assert_eq!(windows, sum.counts.delivered);
    assert!(sum.windows.is_sorted_by_key(|window| window.at));
    check(&sum).unwrap();

    let twice = merge(&[good.clone(), good.clone()]).unwrap_err();
    assert!(twice.contains("there twice"), "{twice}");
    assert!(merge(&[]).is_err());
    let other = Document { plan: trialogue_loadtest::plan::Plan { members: 9, ..plan(1) }, ..bad };
    assert!(merge(&[good.clone(), other]).unwrap_err().contains("members is 9, and not 3"));
    assert!(merge(&[sum, good]).unwrap_err().contains("a sum already"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_is_never_better_than_what_it_was_made_of() {
    let [good, other] = pair(Quirk::Nothing).await;
    let calm = |mut one: Document| {
        // A busy machine is no matter of sums.
        one.rig.reasons.clear();
        one
    };
    let (good, other) = (calm(good), calm(other));
    let sum_of = |worse: &Document| {
        let both = [[good.clone(), worse.clone()], [worse.clone(), good.clone()]];
        both.map(|pair| merge(&pair).unwrap())
    };
    assert!(sum_of(&other).iter().all(|sum| sum.verdict == Verdict::Passed && !sum.steered));

    let mut worse = other.clone();
    let aborted = good.slos[0].clone();
    (worse.aborted, worse.steered) = (Some(aborted), true);
    for sum in sum_of(&worse) {
        assert!(sum.verdict == Verdict::Failed && sum.steered, "{:?}", sum.why);
        assert!(sum.why[0].starts_with("aborted: "), "{:?}", sum.why);
    }
    let mut worse = other.clone();
    worse.recovery = Some(Recovery { lost: 2, back: 1, never_back: 1, ..Recovery::default() });
    for sum in sum_of(&worse) {
        assert_eq!(sum.recovery.as_ref().map(|of| (of.lost, of.never_back)), Some((2, 1)));
        assert!(sum.verdict == Verdict::Failed && sum.why[0].contains("never came back"));
    }
    let mut worse = other.clone();
    (worse.counts.reached, worse.counts.owed) = (0, 0);
    for sum in sum_of(&worse) {
        let why = format!("run {}: nothing was delivered", worse.run);
        assert!(sum.verdict == Verdict::Inconclusive && sum.why.contains(&why), "{:?}", sum.why);
    }

    let refused = |change: &dyn Fn(&mut Document)| {
        let mut worse = other.clone();
        change(&mut worse);
        merge(&[good.clone(), worse]).unwrap_err()
    };
    let apart = refused(&|one| one.plan.unrest = trialogue_loadtest::plan::Unrest::Apart);
    assert!(apart.contains("another unrest"), "{apart}");
    let sizes = refused(&|one| one.plan.sizes = "50..60".parse().unwrap());
    assert!(sizes.contains("another sizes"), "{sizes}");
    let slower = refused(&|one| one.plan.pace = plan(2).pace);
    assert!(slower.contains("another pace"), "{slower}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_went_on_together_lie_over_one_another() {
    let [one, mut other] = pair(Quirk::Nothing).await;
    other.started.clone_from(&one.started);
    let sum = merge(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(sum.took, one.took.max(other.took));
    assert!(sum.windows.len() <= one.windows.len().max(other.windows.len()) + 1);
    assert!(sum.rate > one.rate * 1.5, "{} of {}", sum.rate, one.rate);
    let whole = sum.windows.iter().map(|window| window.delivery.count).sum::<u64>();
    assert_eq!(whole, count(&sum, "delivery"));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_a_run_can_be_looked_at_alone_and_other_tools_read_its_windows() {
    let whole = against(Quirk::Nothing, &plan(3)).await;
    let seconds = Duration::from_secs_f64;
    let part = cut(&whole, seconds(1.5), seconds(2.5)).unwrap();
    assert!(part.windows.len() == 1 && count(&part, "delivery") < count(&whole, "delivery"));
    assert_eq!(part.windows[0].delivery.count, count(&part, "delivery"));
    let [window] = part.windows.as_slice() else { panic!("one window") };
    let counts = &part.counts;
    assert_eq!((counts.sent, counts.delivered), (window.sent, window.delivered));
    assert_eq!((part.took, part.rate), (1_000_000, window.sent as f64));
    assert_eq!(part.value("rate"), Some(part.rate));
    assert_eq!(part.value("delivery_rate"), Some(part.delivery_rate));
    assert_eq!(part.span, Some((1_500_000, 2_500_000)));
    assert!(count(&part, "ack") > 0 && count(&part, "slip") > 0);
    assert!(cut(&whole, seconds(100.0), seconds(101.0)).unwrap_err().contains("no window"));
    let all = cut(&whole, Duration::ZERO, Duration::MAX).unwrap();
    let last = whole.windows.iter().filter(|window| window.at > whole.took);
    let after: u64 = last.map(|window| window.delivery.count).sum();
    assert_eq!(count(&all, "delivery") + after, count(&whole, "delivery"));

    let log = Format::Hlog.write(&whole).unwrap();
    let mut counts = 0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.unwrap()
            && interval.tag().is_some_and(|tag| tag.as_str() == "delivery")
        {
            counts += decode(interval.encoded_histogram()).unwrap().len();
        }
    }
    assert_eq!(counts, count(&whole, "delivery"));
    let csv = Format::Csv.write(&whole).unwrap();
    assert!(csv.starts_with("at_s,sent,acked,refused,delivered,cpu,delivery_count,"), "{csv}");
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns), "{csv}");
    let broken = Document { windows: Vec::new(), ..whole.clone() };
    check(&broken).unwrap();
    let mut broken = whole;
    broken.metrics[0].histogram = "nonsense".to_owned();
    assert!(check(&broken).unwrap_err().starts_with("delivery: no histogram"));
}
