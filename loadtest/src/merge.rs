//! Several results as one: of machines that ran side by side, or of a run that was repeated. Also
//! a part of one result. Pure.
//!
//! Percentiles are never averaged: histograms are added up, counts too, and the verdict and the
//! objectives are decided anew from the sums.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta};
use trialogue_checker::Micros;

use crate::plan::{LENGTH_MAX, Plan};
use crate::recorder::{Metric, decode};
use crate::result::{Cases, Document, Measured, Part, SCHEMA, Travelled, Verdict, Window};
use crate::verdict::{EXAMPLES_MAX, Fault};

/// Most runs of the longest kind that a sum may be made of, one after another.
const RUNS_MAX: u32 = 1_000;
/// Windows of runs that went on at the same time are laid over one another by the second.
const SECOND: Micros = 1_000_000;

/// The sum of results.
///
/// # Errors
/// They cannot be merged: a sentence that says which one and why.
pub fn merge(documents: &[Document]) -> Result<Document, String> {
    let (first, more) = documents.split_first().ok_or("there is nothing to merge")?;
    for (n, other) in documents.iter().enumerate() {
        if let Some(twice) = documents[..n].iter().find(|one| one.run == other.run) {
            return Err(format!("run {} is there twice", twice.run));
        }
    }
    for one in documents {
        check(one).map_err(|why| format!("run {}: {why}", one.run))?;
    }
    for other in more {
        fits(first, other).map_err(|why| format!("run {}: {why}", other.run))?;
    }
    let mut parts: Vec<(DateTime<FixedOffset>, &Document)> = Vec::new();
    for one in documents {
        let began = DateTime::parse_from_rfc3339(&one.started)
            .map_err(|error| format!("run {}: when it began: {error}", one.run))?;
        parts.push((began, one));
    }
    parts.sort_by_key(|(began, _)| *began);
    let Some(((began, earliest), later)) = parts.split_first() else {
        return Err("there is nothing to merge".to_owned());
    };
    let mut sum = Document { parts: vec![part(earliest)], ..(*earliest).clone() };
    sum.rig.reasons = reasons(earliest);
    // How far the sum has come, on its own axis and on the clock.
    let mut end = (earliest.took, after(*began, earliest.took));
    for (began, other) in later {
        let shift = match *began < end.1 {
            true => micros_between(end.1, *began).map_or(0, |over| end.0.saturating_sub(over)),
            // Nobody looks at the hours between two runs.
            false => end.0,
        };
        add(&mut sum, other, shift)?;
        let until = shift.saturating_add(other.took);
        if until > end.0 {
            end = (until, after(*began, other.took));
        }
    }
    let names: Vec<&str> = documents.iter().map(|one| one.run.as_str()).collect();
    sum.run = names.join("+");
    sum.took = end.0.max(1);
    sum.windows.sort_by_key(|window| window.at);
    sum.server.sort_by_key(|sample| sample.at);
    decide(&mut sum)?;
    documents.iter().for_each(|one| is_no_better(&mut sum, one));
    Ok(sum)
}

fn badness(of: Verdict) -> u8 {
    match of {
        Verdict::Passed => 0,
        Verdict::Inconclusive => 1,
        Verdict::Failed => 2,
    }
}

/// A sum is never better than what it was made of. Objectives alone are those of the sum.
fn is_no_better(sum: &mut Document, of: &Document) {
    let mut alone = Document { windows: Vec::new(), slos: Vec::new(), ..of.clone() };
    alone.judge();
    if badness(alone.verdict) > badness(sum.verdict) {
        sum.verdict = alone.verdict;
        sum.why.push(format!("run {}: {}", of.run, alone.why.join("; ")));
    }
}

/// A time that no calendar has is no time.
fn after(began: DateTime<FixedOffset>, took: Micros) -> DateTime<FixedOffset> {
    let took = i64::try_from(took).map_or(TimeDelta::MAX, TimeDelta::microseconds);
    began.checked_add_signed(took).unwrap_or(began)
}

fn micros_between(later: DateTime<FixedOffset>, earlier: DateTime<FixedOffset>) -> Option<Micros> {
    (later - earlier).num_microseconds().and_then(|micros| Micros::try_from(micros).ok())
}

fn part(of: &Document) -> Part {
    Part {
        run: of.run.clone(),
        started: of.started.clone(),
        verdict: of.verdict,
        sent: of.counts.sent,
        complete: of.complete,
    }
}

/// Why nothing followed from a run, with its name.
fn reasons(of: &Document) -> Vec<String> {
    of.rig.reasons.iter().map(|why| format!("run {}: {why}", of.run)).collect()
}

/// Whether two runs did the same to the same server: all but how many rooms and messages.
fn fits(one: &Document, other: &Document) -> Result<(), String> {
    let same = |what: &str, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| match ours
        .to_string()
        == theirs.to_string()
    {
        true => Ok(()),
        false => Err(format!("its {what} is {theirs}, and not {ours}")),
    };
    let is_single = |document: &Document| document.parts.is_empty();
    if !is_single(one) || !is_single(other) {
        return Err("it is a sum already: merge what it was made of".to_owned());
    }
    same("schema", &SCHEMA, &other.schema)?;
    same("target", &one.target, &other.target)?;
    same("dialect", &one.dialect, &other.dialect)?;
    let (ours, theirs) = (&one.plan, &other.plan);
    same("number of members", &ours.members, &theirs.members)?;
    same("number of senders", &ours.senders, &theirs.senders)?;
    let name = |document: &Document| document.scenario.as_ref().map(|one| one.name.clone());
    same("story", &name(one).unwrap_or_default(), &name(other).unwrap_or_default())?;
    match plan_differs(ours, theirs).first() {
        None => Ok(()),
        Some(field) => Err(format!("its plan has another {field}")),
    }
}

/// The fields of two plans that differ, but for how many rooms, threads and which dice.
pub(crate) fn plan_differs(one: &Plan, other: &Plan) -> Vec<String> {
    const MAY: [&str; 3] = ["rooms", "workers", "seed"];
    let fields = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let (ours, theirs) = (fields(one), fields(other));
    let Some(all) = ours.as_object() else { return Vec::new() };
    let differ = all.iter().filter(|(name, value)| {
        !MAY.contains(&name.as_str()) && theirs.get(name.as_str()) != Some(value)
    });
    differ.map(|(name, _)| name.clone()).collect()
}

fn add(sum: &mut Document, other: &Document, shift: Micros) -> Result<(), String> {
    sum.parts.push(part(other));
    sum.complete &= other.complete;
    sum.steered |= other.steered;
    sum.behind = sum.behind.max(other.behind);
    sum.order_promised &= other.order_promised;
    Travelled::add(&mut sum.travelled, &other.travelled);
    sum.aborted = sum.aborted.take().or_else(|| other.aborted.clone());
    if let Some(more) = &other.recovery {
        sum.recovery.get_or_insert_default().add(more.clone());
    }
    if let Some(more) = &other.scenario {
        sum.scenario.get_or_insert_default().add(more.clone());
    }
    sum.joining = sum.joining.max(other.joining);
    sum.plan.rooms = sum.plan.rooms.saturating_add(other.plan.rooms);
    sum.plan.workers = sum.plan.workers.saturating_add(other.plan.workers);
    sum.counts.add(&other.counts);
    sum.examples.extend(other.examples.iter().cloned());
    sum.cut.count += other.cut.count;
    let (ours, theirs) = (&mut sum.cut, &other.cut);
    for (to, more) in [(&mut ours.reasons, &theirs.reasons), (&mut ours.steps, &theirs.steps)] {
        for (why, times) in more {
            match to.iter_mut().find(|(known, _)| known == why) {
                Some((_, count)) => *count += times,
                None => to.push((why.clone(), *times)),
            }
        }
    }
    let fault = |why: String| format!("run {}: {why}", other.run);
    Measured::add(&mut sum.metrics, &other.metrics).map_err(fault)?;
    for window in &other.windows {
        let at = window.at.saturating_add(shift);
        let over =
            sum.windows.iter_mut().find(|one| one.at.div_ceil(SECOND) == at.div_ceil(SECOND));
        match over {
            Some(ours) => lay_over(ours, window).map_err(fault)?,
            None => sum.windows.push(Window { at, ..window.clone() }),
        }
    }
    let moved = |at: Micros| at.saturating_add(shift);
    let samples = other.server.iter().cloned();
    sum.server.extend(samples.map(|one| crate::result::Sample { at: moved(one.at), ..one }));
    let (ours, theirs) = (&mut sum.rig, &other.rig);
    ours.cpu = ours.cpu.max(theirs.cpu);
    ours.cpu_max = ours.cpu_max.max(theirs.cpu_max);
    ours.loop_p99 = ours.loop_p99.max(theirs.loop_p99);
    ours.unsendable += theirs.unsendable;
    ours.stalled += theirs.stalled;
    ours.stuck += theirs.stuck;
    ours.silenced += theirs.silenced;
    ours.reasons.extend(reasons(other));
    for slo in &other.slos {
        if !sum.slos.iter().any(|known| known.expression == slo.expression) {
            sum.slos.push(slo.clone());
        }
    }
    Ok(())
}

fn lay_over(ours: &mut Window, theirs: &Window) -> Result<(), String> {
    ours.sent += theirs.sent;
    ours.acked += theirs.acked;
    ours.refused += theirs.refused;
    ours.delivered += theirs.delivered;
    ours.cpu = ours.cpu.max(theirs.cpu);
    let mut metrics = ours.metrics();
    Measured::add(&mut metrics, &theirs.metrics())?;
    set_metrics(ours, metrics);
    Ok(())
}

fn set_metrics(window: &mut Window, metrics: Vec<Measured>) {
    window.others = metrics;
    let delivery = window.others.iter().position(|one| one.name == Metric::Delivery.name());
    if let Some(at) = delivery {
        let delivery = window.others.remove(at);
        (window.delivery, window.histogram) = (delivery.figures, delivery.histogram);
    }
}

/// Everything that follows from sums.
fn decide(sum: &mut Document) -> Result<(), String> {
    let a_second = |count: u64| count as f64 * 1e6 / sum.took as f64;
    let begun = sum.scenario.as_ref().map_or(sum.counts.sent, |scenario| scenario.begun);
    (sum.rate, sum.delivery_rate) = (a_second(begun), a_second(sum.counts.delivered_meanwhile));
    sum.reach = sum.counts.reach();
    let faults = Fault::ALL.into_iter().map(|fault| Cases { fault, count: sum.counts.of(fault) });
    sum.faults = faults.filter(|cases| cases.count > 0).collect();
    sum.examples.sort_by_key(|example| (example.fault, example.at));
    let mut kept: Vec<crate::verdict::Example> = Vec::new();
    for example in std::mem::take(&mut sum.examples) {
        let same = kept.iter().filter(|one| one.fault == example.fault).count();
        if same < EXAMPLES_MAX {
            kept.push(example);
        }
    }
    sum.examples = kept;
    let slip = sum.metrics.iter().find(|one| one.name == Metric::Slip.name());
    sum.rig.slip_p99 = slip.map_or(sum.rig.slip_p99, |slip| slip.figures.p99);
    judge(sum)
}

/// Objectives and verdict.
fn judge(document: &mut Document) -> Result<(), String> {
    let mut judged = Vec::new();
    for slo in &document.slos {
        let slo: crate::slo::Slo = slo.expression.parse()?;
        judged.push(slo.judge(document));
    }
    document.slos = judged;
    document.judge();
    Ok(())
}

/// The windows that end in a part of a run, as a result of their own: what is measured, sent and
/// delivered is of that part; what was wrong is of the whole run, which is never better than it was.
///
/// # Errors
/// Nothing of the run is there: a sentence.
pub fn cut(document: &Document, from: Duration, to: Duration) -> Result<Document, String> {
    let micros = |time: Duration| Micros::try_from(time.as_micros()).unwrap_or(Micros::MAX);
    let last = document.windows.last().map_or(0, |window| window.at);
    let end = if document.scenario.is_some() { last } else { document.took };
    let (from, to) = (micros(from), micros(to).min(end));
    let mut part = document.clone();
    part.windows.retain(|window| window.at > from && window.at <= to.max(from));
    part.server.retain(|sample| sample.at > from && sample.at <= to);
    if part.windows.is_empty() {
        let last = document.windows.last().map_or(0, |window| window.at) as f64 / 1e6;
        return Err(format!("no window ends in that part; the last one ends at {last:.1} s"));
    }
    part.metrics = Vec::new();
    for window in &part.windows {
        Measured::add(&mut part.metrics, &window.metrics())?;
    }
    let sum = |of: fn(&Window) -> u64| part.windows.iter().map(of).sum::<u64>();
    let (sent, delivered) = (sum(|one| one.sent), sum(|one| one.delivered));
    // What was begun in time may be over long after the last begin.
    part.took = to.min(document.took).saturating_sub(from).max(1);
    part.span = Some((from, to));
    // Of the whole run, too: it is not more for less time.
    part.behind = if document.is_behind() { document.behind } else { 0 };
    if let Some(scenario) = &mut part.scenario {
        (scenario.begun, scenario.passed) = (sent, sum(|one| one.acked));
        scenario.failed = sum(|one| one.refused);
    } else {
        (part.counts.sent, part.counts.delivered) = (sent, delivered);
        part.counts.delivered_meanwhile = delivered;
        (part.counts.acked, part.counts.refused) = (sum(|one| one.acked), sum(|one| one.refused));
        // How many of them were for their rate is known of the whole run alone.
        part.counts.limited = part.counts.limited.min(part.counts.refused);
    }
    let over = part.took as f64 / 1e6;
    (part.rate, part.delivery_rate) = (sent as f64 / over, delivered as f64 / over);
    judge(&mut part)?;
    let span = format!("of {:.1} s to {:.1} s alone", from as f64 / 1e6, to as f64 / 1e6);
    part.run = format!("{} ({span})", part.run);
    Ok(part)
}

/// Decides the verdict of a result anew: whoever wrote the file, what it says of itself is no better than
/// what it has counted.
///
/// # Errors
/// An objective of it is none: a sentence.
pub fn judge_anew(document: &mut Document) -> Result<(), String> {
    let (verdict, why) = (document.verdict, document.why.clone());
    judge(document)?;
    // What a sum was made of is no longer known.
    if badness(verdict) > badness(document.verdict) {
        (document.verdict, document.why) = (verdict, why);
    }
    Ok(())
}

/// Whether a result can be read: its histograms, and counts that do not contradict each other.
///
/// # Errors
/// The first one that cannot: a sentence.
pub fn check(document: &Document) -> Result<(), String> {
    let counts = &document.counts;
    let parts = [
        ("reached", counts.reached, "owed", counts.owed),
        ("limited", counts.limited, "refused", counts.refused),
        ("abandoned", counts.abandoned, "unanswered", counts.unanswered),
        ("deliveredMeanwhile", counts.delivered_meanwhile, "delivered", counts.delivered),
        ("pages", counts.pages, "pagesAsked", counts.pages_asked),
    ];
    for (part, is, whole, of) in parts {
        if is > of {
            return Err(format!("it says {part} {is} of {whole} {of}"));
        }
    }
    let longest = LENGTH_MAX.as_micros() * u128::from(RUNS_MAX);
    if u128::from(document.took) > longest {
        return Err(format!("it says that it took {} s", document.took / 1_000_000));
    }
    let windows = document.windows.iter().flat_map(|window| &window.others);
    for one in document.metrics.iter().chain(windows) {
        decode(&one.histogram).map_err(|why| format!("{}: no histogram: {why}", one.name))?;
    }
    for window in &document.windows {
        decode(&window.histogram).map_err(|why| format!("a window: no histogram: {why}"))?;
    }
    Ok(())
}
