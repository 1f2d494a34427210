//! Two servers side by side: short runs in turns (A B, B A, A B ...), each pair of the same plan and
//! seed, and what the second does otherwise than the first, with an interval.
//!
//! What changes slowly on the machine meets both alike, because they take turns; what changes fast
//! widens the interval, because it is drawn from whole pairs.

use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use trialogue_report::diagram::Tone;

use crate::cast::Room;
use crate::merge::merge;
use crate::plan::{Pace, Plan};
use crate::recorder::{Metric, decode};
use crate::result::{Document, Verdict};
use crate::run::{Progress, RunConfig, RunError, run_in, shown};

/// The shape of the document.
pub const SCHEMA: &str = "trialogue-versus/1";
/// Most pairs of one comparison.
pub const PAIRS_MAX: u32 = 100;
/// How often pairs are drawn anew: the ends of the interval are its 25th from either side.
const DRAWS: usize = 1_000;
/// Of each metric that is compared.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// What the second does otherwise in one figure; microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Its name, as in expressions.
    pub name: String,
    /// Of the first server.
    pub first: f64,
    /// Of the second.
    pub second: f64,
    /// The second without the first.
    pub delta: f64,
    /// 95 of 100 times the difference lies above this.
    pub low: f64,
    /// And below this.
    pub high: f64,
}

impl Delta {
    /// Whether the difference is there at all: the interval does not hold 0.
    pub fn is_sure(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    /// [`SCHEMA`].
    pub schema: String,
    /// Pairs of runs.
    pub pairs: u32,
    /// Of both what came of all its runs together.
    pub first: Document,
    /// See `first`.
    pub second: Document,
    /// What differs.
    pub deltas: Vec<Delta>,
    /// Why it ended before its last pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// A run that could not be made, after whole pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// What follows from it: the rig may have been the limit.
    pub verdict: Verdict,
    /// A sentence.
    pub why: String,
}

impl Versus {
    /// The worse of both verdicts.
    pub fn verdict(&self) -> Verdict {
        let both = [self.first.verdict, self.second.verdict];
        let broken = self.broken.as_ref().map(|broken| broken.verdict);
        let has = |verdict| both.contains(&verdict) || broken == Some(verdict);
        match (has(Verdict::Failed), has(Verdict::Inconclusive)) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Passed,
        }
    }

    /// Why it is not passed: sentences, each with its server.
    pub fn why(&self) -> Vec<String> {
        let both = [&self.first, &self.second].into_iter();
        let bad = both.filter(|one| one.verdict != Verdict::Passed);
        let why = bad.map(|one| format!("{}: {}", one.target, one.why.join("; ")));
        why.chain(self.broken.iter().map(|broken| broken.why.clone())).collect()
    }
}

/// Names and values for a table at a terminal: what is sure and worse is bad, what is sure and better
/// is good.
pub fn facts(of: &Versus) -> Vec<(&str, String, Tone)> {
    let side = |document: &Document| {
        let (target, counts) = (&document.target, &document.counts);
        let word = crate::report::word(document.verdict).to_uppercase();
        let why = document.why.join("; ");
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        let (sent, delivered, reach) = (counts.sent, counts.delivered, document.reach * 100.0);
        let text = format!(
            "{target}: {word}{why}; {sent} sent, {delivered} delivered, reach {reach:.4} %"
        );
        (text, crate::show::verdict_tone(document.verdict))
    };
    let ((first, tone), (second, other)) = (side(&of.first), side(&of.second));
    let mut rows = vec![("first", first, tone), ("second", second, other)];
    rows.push((
        "pairs",
        format!("{} (A B, B A, ...), each with a seed of its own", of.pairs),
        Tone::Plain,
    ));
    if let Some(Broken { verdict, why }) = &of.broken {
        rows.push(("broken off", why.clone(), crate::show::verdict_tone(*verdict)));
    }
    for delta in &of.deltas {
        let [first, second, by, low, high] =
            [delta.first, delta.second, delta.delta, delta.low, delta.high].map(|one| one / 1e3);
        let tone = match delta.is_sure() {
            false => Tone::Plain,
            true if by > 0.0 => Tone::Bad,
            true => Tone::Good,
        };
        let sure = if delta.is_sure() { "" } else { ", no sure difference" };
        let text = format!(
            "{first:.3} -> {second:.3} ms, {by:+.3} ms (95 %: {low:+.3} to {high:+.3}){sure}"
        );
        rows.push((delta.name.as_str(), text, tone));
    }
    rows
}

/// The plan of one run of a pair: as much shorter as there are pairs. A warm-up stays, because every
/// run begins cold; and both of a pair have one seed.
pub fn part(plan: &Plan, pairs: u32, pair: u32) -> Plan {
    let pairs = u64::from(pairs.max(1));
    let mut plan = plan.clone();
    plan.seed = plan.seed.wrapping_add(u64::from(pair));
    match &mut plan.pace {
        Pace::Open { stages, .. } => {
            stages.iter_mut().filter(|stage| stage.recorded).for_each(|one| one.length /= pairs);
        }
        Pace::Closed { length, .. } | Pace::Silent { length } => *length /= pairs,
    }
    plan
}

/// Whether the second goes first in a pair: A B, B A, A B, B A.
pub fn is_turned(pair: u32) -> bool {
    !pair.is_multiple_of(2)
}

/// What an onlooker is told.
#[derive(Debug, Clone, Copy)]
pub enum Turn<'a> {
    /// A run begins: of which pair, and of which of the two servers.
    Begins {
        /// From 0.
        pair: u32,
        /// 0 or 1.
        side: usize,
    },
    /// It goes on.
    Goes(&'a Progress),
}

/// Runs all pairs. After `stop`, and after a run that cannot be made, what is whole is compared.
///
/// # Errors
/// [`RunError`]: a run could not be made, or there is no whole pair.
pub async fn interleave(
    plan: &Plan,
    sides: [(&RunConfig, Vec<Room>); 2],
    pairs: u32,
    stop: &CancellationToken,
    observer: &mut (dyn FnMut(Turn<'_>) + Send),
) -> Result<Versus, RunError> {
    let mut came: Vec<[Document; 2]> = Vec::new();
    let mut broken = None;
    'pairs: for pair in 0..pairs {
        let plan = part(plan, pairs, pair);
        let order = if is_turned(pair) { [1, 0] } else { [0, 1] };
        let mut documents = [None, None];
        for side in order {
            observer(Turn::Begins { pair, side });
            let (config, rooms) = &sides[side];
            let mut goes = |progress: &Progress| observer(Turn::Goes(progress));
            let document = run_in(&plan, config, rooms.clone(), stop, &mut goes).await;
            if stop.is_cancelled() {
                break 'pairs;
            }
            match document {
                Ok(document) => documents[side] = Some(document),
                Err(error) if came.is_empty() => return Err(error),
                Err(error) => {
                    broken = Some(Broken::of(pair, config, &error));
                    break 'pairs;
                }
            }
        }
        if let [Some(first), Some(second)] = documents {
            came.push([first, second]);
        }
    }
    let versus = versus(plan, &came).map_err(RunError::CannotRun)?;
    Ok(Versus { broken, ..versus })
}

impl Broken {
    fn of(pair: u32, config: &RunConfig, error: &RunError) -> Self {
        let verdict = match error {
            RunError::NoRoom(_) => Verdict::Inconclusive,
            RunError::Plan(_) | RunError::Cast(_) | RunError::CannotRun(_) | RunError::Stopped => {
                Verdict::Failed
            }
        };
        Self { verdict, why: format!("pair {}, {}: {error}", pair + 1, shown(config)) }
    }
}

/// What follows from pairs of runs.
///
/// # Errors
/// There is none, or they do not belong together: a sentence.
pub fn versus(plan: &Plan, pairs: &[[Document; 2]]) -> Result<Versus, String> {
    let side = |n: usize| -> Result<Document, String> {
        let all: Vec<Document> = pairs.iter().map(|pair| pair[n].clone()).collect();
        let mut sum = merge(&all)?;
        // The same rooms every time.
        sum.plan.clone_from(plan);
        Ok(sum)
    };
    if pairs.is_empty() {
        return Err("stopped before both had a turn".to_owned());
    }
    let (first, second) = (side(0)?, side(1)?);
    let mut deltas = Vec::new();
    for metric in Metric::OF_ANSWERS {
        let histograms = pairs.iter().map(|pair| {
            let of = |document: &Document| {
                let measured = document.metrics.iter().find(|one| one.name == metric.name());
                measured.and_then(|one| decode(&one.histogram).ok())
            };
            Some([of(&pair[0])?, of(&pair[1])?])
        });
        // A metric that one of them does not have at all is compared with nothing.
        let Some(histograms) = histograms.collect::<Option<Vec<_>>>() else { continue };
        deltas.extend(of_metric(metric, &histograms, plan.seed));
    }
    let (schema, pairs) = (SCHEMA.to_owned(), u32::try_from(pairs.len()).unwrap_or(u32::MAX));
    Ok(Versus { schema, pairs, first, second, deltas, broken: None })
}

type Pair = [Histogram<u64>; 2];

fn of_metric(metric: Metric, pairs: &[Pair], seed: u64) -> Vec<Delta> {
    let all: Vec<usize> = (0..pairs.len()).collect();
    let told = quantiles(pairs, &all);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut drawn: Vec<[f64; QUANTILES.len()]> = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let draw = || rng.random_range(0..pairs.len());
        let chosen: Vec<usize> = std::iter::repeat_with(draw).take(pairs.len()).collect();
        let [first, second] = quantiles(pairs, &chosen);
        drawn.push(std::array::from_fn(|n| second[n] - first[n]));
    }
    let delta = |(n, (name, _)): (usize, (&str, f64))| {
        let mut differences: Vec<f64> = drawn.iter().map(|draw| draw[n]).collect();
        differences.sort_by(f64::total_cmp);
        let (first, second) = (told[0][n], told[1][n]);
        Delta {
            name: format!("{}.{name}", metric.name()),
            first,
            second,
            delta: second - first,
            low: differences[DRAWS / 40],
            high: differences[DRAWS - 1 - DRAWS / 40],
        }
    };
    QUANTILES.into_iter().enumerate().map(delta).collect()
}

/// Of both sides the quantiles over these pairs together.
fn quantiles(pairs: &[Pair], chosen: &[usize]) -> [[f64; QUANTILES.len()]; 2] {
    [0, 1].map(|side| {
        let mut sum = Histogram::new(3).expect("three digits");
        for pair in chosen {
            let added = sum.add(&pairs[*pair][side]);
            debug_assert!(added.is_ok(), "{added:?}");
        }
        QUANTILES.map(|(_, quantile)| sum.value_at_quantile(quantile).min(sum.max()) as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(from: u64, jitter: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        (0..1_000_u64).for_each(|n| histogram.record(from + n % 500 + jitter).unwrap());
        histogram
    }

    #[test]
    fn a_difference_that_is_there_is_sure_and_one_that_is_not_is_not() {
        let pairs = |slower: u64| -> Vec<Pair> {
            let noise = [0, 90, 20, 140, 60, 110];
            let pair = |n: usize| {
                [histogram(1_000, noise[n]), histogram(1_000 + slower, noise[(n + 3) % 6])]
            };
            (0..6).map(pair).collect()
        };
        let p50 = |slower| of_metric(Metric::Delivery, &pairs(slower), 7).swap_remove(0);
        let (same, other) = (p50(0), p50(600));
        assert_eq!(same.name, "delivery.p50");
        assert!(!same.is_sure() && same.low <= same.delta && same.delta <= same.high, "{same:?}");
        assert!(other.is_sure() && (other.delta - 600.0).abs() < 100.0, "{other:?}");
        assert_eq!(p50(600), other, "the same seed, the same interval");
    }

    #[test]
    fn runs_of_a_pair_share_a_seed_and_turns_are_fair() {
        let plan = crate::plan::tests::plan();
        let (one, other) = (part(&plan, 4, 0), part(&plan, 4, 3));
        assert_eq!((one.length(), one.seed, other.seed), (plan.length() / 4, 7, 10));
        assert_eq!([0, 1, 2, 3].map(is_turned), [false, true, false, true]);
        assert!(versus(&plan, &[]).is_err());
    }
}
