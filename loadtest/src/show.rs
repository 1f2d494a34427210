//! A result as a short table and a progress line, for people at a terminal.

use std::time::Duration;

use trialogue_report::diagram::Tone;

use crate::cast::PEOPLE_MAX;
use crate::find::{Tried, Wanted};
use crate::plan::{Absence, Pace, Plan, Stage, Unrest, Way, Ways};
use crate::recorder::Figures;
use crate::result::{Document, Iterations, Verdict};
use crate::run::{Progress, Second};
use crate::slo::Judged;
use crate::verdict::{Counts, Fault};

/// Reasons of one kind that are shown.
const SHOWN_MAX: usize = 5;

/// Stands above the rows of metrics.
pub(crate) const TIMES: &str = "times";

/// Names and values, in the order in which they matter.
pub fn facts(of: &Document) -> Vec<(&'static str, String, Tone)> {
    if let Some(scenario) = &of.scenario {
        return story(of, scenario);
    }
    let mut rows = vec![verdict(of), ("plan", plan(of), Tone::Plain)];
    let counts = &of.counts;
    if let Some(rate) = of.value("join_rate") {
        let (sockets, took) = (of.plan.sockets(), of.joining as f64 / 1e6);
        let joined = of.metrics.iter().find(|one| one.name == "join");
        let joined = joined.map_or(0, |one| one.figures.count);
        let text = format!("{joined} of {sockets} in their rooms within {took:.2} s ({rate:.0}/s)");
        rows.push(("sockets", text, Tone::Plain));
    }
    let sent = format!(
        "{} sent ({:.1}/s), {} stored, {} refused ({} for their rate), {} unanswered; {} could not be \
         sent, without a connection",
        counts.sent,
        of.rate,
        counts.acked,
        counts.refused,
        counts.limited,
        counts.unanswered,
        of.rig.unsendable
    );
    rows.push(("messages", sent, Tone::Plain));
    rows.push(deliveries(of));
    rows.extend(unrest(of));
    rows.push(("wrong", faults(counts), tone(of.faults.is_empty())));
    if !of.metrics.is_empty() {
        rows.push((TIMES, "in milliseconds".to_owned(), Tone::Plain));
    }
    for measured in &of.metrics {
        rows.push((name(&measured.name), percentiles(&measured.figures), Tone::Plain));
    }
    if of.cut.count > 0 {
        let why = of.cut.reasons.iter().take(SHOWN_MAX);
        let why: Vec<String> = why.map(|(why, times)| format!("{times} x {why}")).collect();
        rows.push(("cut", why.join("; ") + &of.cut.told_steps(), Tone::Bad));
    }
    let rig_tone = if of.rig.is_saturated() { Tone::Open } else { Tone::Good };
    rows.push(("rig", of.rig.told(), rig_tone));
    rows.extend(server(of));
    rows.extend(of.slos.iter().map(objective));
    for example in &of.examples {
        let crate::verdict::Example { fault, worker, room, member, at, text } = example;
        let at = *at as f64 / 1e6;
        let text = format!("worker {worker} room {room} member {member} at {at:.3} s: {text}");
        rows.push((fault.name(), text, Tone::Bad));
    }
    rows
}

/// What came, and which part that is of what was owed.
fn deliveries(of: &Document) -> (&'static str, String, Tone) {
    let counts = &of.counts;
    let (part, tone) = match counts.owed {
        0 => ("-".to_owned(), Tone::Plain),
        owed => (format!("{:.4} %", of.reach * 100.0), tone(counts.reached >= owed)),
    };
    let whole = if of.span.is_some() { " in the whole run" } else { "" };
    let text = format!(
        "{} ({:.0}/s), reach {} of {} ({part}){whole}, {} indeterminate, {} of others",
        counts.delivered,
        of.delivery_rate,
        counts.reached,
        counts.owed,
        counts.indeterminate,
        counts.foreign
    );
    ("deliveries", text, tone)
}

/// How the server fared, where that was looked at.
fn server(of: &Document) -> Option<(&'static str, String, Tone)> {
    let cores: Vec<f64> = of.server.iter().filter_map(|one| one.cpu).collect();
    let resident = of.server.iter().filter_map(|one| one.resident).max();
    let mut told = Vec::new();
    if !cores.is_empty() {
        let mean = cores.iter().sum::<f64>() / cores.len() as f64 * 100.0;
        let most = cores.iter().copied().fold(0.0, f64::max) * 100.0;
        told.push(format!("{mean:.0} % of a core (at most {most:.0} %)"));
    }
    told.extend(resident.map(|bytes| format!("up to {:.1} MiB", bytes as f64 / 1_048_576.0)));
    let said = of.server.iter().map(|one| one.metrics.len()).max().filter(|said| *said > 0);
    told.extend(said.map(|said| format!("{said} figures of its own")));
    (!told.is_empty()).then(|| ("server", told.join(", "), Tone::Plain))
}

fn objective(slo: &Judged) -> (&'static str, String, Tone) {
    let (word, tone) = match slo.held {
        Some(true) => ("held", Tone::Good),
        Some(false) => ("MISSED", Tone::Bad),
        None => ("open", Tone::Open),
    };
    ("objective", format!("{word}: {slo}"), tone)
}

fn percentiles(figures: &Figures) -> String {
    let [p50, p90, p99, p999, max] =
        [figures.p50, figures.p90, figures.p99, figures.p999, figures.max].map(millis);
    format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}")
}

/// A scenario as load.
fn story(of: &Document, scenario: &Iterations) -> Vec<(&'static str, String, Tone)> {
    let Iterations { name, begun, passed, failed, unknown, cut_short, .. } = scenario;
    let mut rows =
        vec![verdict(of), ("scenario", format!("{name}, seed {}", of.plan.seed), Tone::Plain)];
    let text = format!(
        "{begun} begun ({:.1}/s), {passed} passed, {failed} failed, {unknown} unknown, {cut_short} \
         cut short; {} steps or checks unimplemented",
        of.rate, scenario.unimplemented
    );
    rows.push(("iterations", text, tone(*failed == 0)));
    for measured in &of.metrics {
        let figures = percentiles(&measured.figures);
        match measured.name.strip_prefix("step:") {
            Some(step) => rows.push(("step", format!("{step}: {figures}"), Tone::Plain)),
            None if measured.name == "iteration" => rows.push(("iteration", figures, Tone::Plain)),
            None => rows.push(("slip", figures, Tone::Plain)),
        }
    }
    let cpu = format!("{:.0} % of all cores", of.rig.cpu * 100.0);
    rows.push(("rig", cpu, if of.rig.is_saturated() { Tone::Open } else { Tone::Good }));
    rows.extend(of.slos.iter().map(objective));
    for failure in scenario.failures.iter().take(SHOWN_MAX) {
        let text = format!("iteration {}, seed {}: {}", failure.n, failure.seed, failure.why);
        rows.push(("failed", text, Tone::Bad));
    }
    rows
}

/// What only some workloads have.
fn unrest(of: &Document) -> Vec<(&'static str, String, Tone)> {
    let (counts, mut rows) = (&of.counts, Vec::new());
    if !of.travelled.is_empty() {
        let ways = of.travelled.iter().map(|one| match one.way {
            Way::Upgrade => format!(
                "{} begun over polling, {} of them moved to a websocket",
                one.sockets, one.on_websocket
            ),
            Way::Websocket | Way::Polling => format!("{} over {}", one.sockets, one.way.name()),
        });
        rows.push(("transport", ways.collect::<Vec<_>>().join(", "), Tone::Plain));
    }
    if let Some(recovery) = &of.recovery {
        let text = format!(
            "{} times lost, {} times back in their rooms, {} never back; {} attempts failed; {} \
             messages caught up with, {} came both ways, {} said while somebody was away and never \
             told",
            recovery.lost,
            recovery.back,
            recovery.never_back,
            recovery.failed_attempts,
            counts.caught_up,
            counts.overlap,
            counts.missed
        );
        rows.push(("recovery", text, tone(recovery.never_back == 0)));
    }
    if of.plan.unrest.is_of_pages() {
        let text = format!(
            "{} asked for, {} came ({:.1}/s) with {} messages",
            counts.pages_asked,
            counts.pages,
            of.value("page_rate").unwrap_or_default(),
            counts.page_messages
        );
        rows.push(("pages", text, tone(counts.pages == counts.pages_asked)));
    }
    if counts.typed + counts.read > 0 {
        let text = format!(
            "{} times typing, seen {} times; {} marked as read, seen {} times; {} errors",
            counts.typed, counts.typed_seen, counts.read, counts.read_seen, counts.errors
        );
        rows.push(("besides", text, Tone::Plain));
    }
    rows
}

fn tone(good: bool) -> Tone {
    if good { Tone::Good } else { Tone::Bad }
}

/// Nothing follows from an inconclusive run, and that is neither good nor bad.
pub(crate) fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Failed => Tone::Bad,
        Verdict::Inconclusive => Tone::Open,
    }
}

fn verdict(of: &Document) -> (&'static str, String, Tone) {
    let (word, tone) = (crate::report::word(of.verdict).to_uppercase(), verdict_tone(of.verdict));
    let steered = if of.steered { " (steered by hand)" } else { "" };
    let cut = if of.complete { "" } else { " (cut short)" };
    let why = if of.why.is_empty() { String::new() } else { format!(": {}", of.why.join("; ")) };
    ("verdict", format!("{word}{cut}{steered}{why}"), tone)
}

fn plan(of: &Document) -> String {
    let plan = &of.plan;
    let pace = match &plan.pace {
        Pace::Open { stages, .. } => {
            let rates = stages.iter().filter(|stage| stage.recorded);
            let rates = rates.flat_map(|stage| [stage.from, stage.to]);
            let (low, high) = rates.fold((f64::MAX, 0.0), |(low, high): (f64, f64), rate| {
                (low.min(rate), high.max(rate))
            });
            if low < high { format!("{low:.0} to {high:.0}/s") } else { format!("{high:.1}/s") }
        }
        Pace::Closed { window, .. } => format!("closed loop of {window}"),
        Pace::Silent { .. } => "silent".to_owned(),
    };
    let seconds = of.took as f64 / 1e6;
    format!(
        "{} rooms x {} sockets, {} speaking, {pace}, {seconds:.1} s, seed {}, {} ({})",
        plan.rooms, plan.members, plan.senders, plan.seed, of.target, of.dialect
    )
}

fn faults(counts: &Counts) -> String {
    Fault::ALL.map(|fault| format!("{} {}", counts.of(fault), fault.name())).join(", ")
}

fn millis(micros: u64) -> String {
    format!("{:.2}", micros as f64 / 1e3)
}

/// Names of rows live as long as the program.
fn name(metric: &str) -> &'static str {
    crate::recorder::Metric::ALL
        .into_iter()
        .map(crate::recorder::Metric::name)
        .find(|known| *known == metric)
        .unwrap_or("metric")
}

/// What stands above the lines of [`progress`] for a run of this length.
pub fn progress_head(length: Duration) -> String {
    let time = format!("{:>4} of {:.0} s", "", length.as_secs_f64().round());
    let width = time.len();
    format!(
        "{:<width$} {:>8} {:>8} {:>9} {:>8} {:>8} {:>7} {:>5}",
        "time", "sent", "stored", "delivered", "p50 ms", "p99 ms", "wrong", "cpu %"
    )
}

/// A line for those who wait.
pub fn progress(progress: &Progress) -> String {
    match progress {
        Progress::Rooms(made, all) => format!("rooms: {made} of {all}"),
        Progress::Sockets(joined, all) => format!("sockets: {joined} of {all}"),
        Progress::Iterations { elapsed, length, iterations, playing } => format!(
            "{:.0} of {:.0} s: {} iterations begun, {} passed, {} failed, {playing} go on",
            elapsed.as_secs_f64(),
            length.as_secs_f64(),
            iterations.begun,
            iterations.passed,
            iterations.failed,
        ),
        Progress::Draining => "everything is sent; waiting for what is under way".to_owned(),
        Progress::SoFar(of) => {
            format!("so far: {} sent, {} delivered", of.counts.sent, of.counts.delivered)
        }
        Progress::Second(second) => {
            let Second { elapsed, length, counts, window } = &**second;
            let seconds = |duration: &Duration| duration.as_secs_f64().round();
            let wrong: u64 = counts.faults.iter().sum();
            let latency = match window.delivery.count {
                0 => format!("{:>8} {:>8}", "-", "-"),
                _ => {
                    let [p50, p99] = [window.delivery.p50, window.delivery.p99].map(millis);
                    format!("{p50:>8} {p99:>8}")
                }
            };
            format!(
                "{:>4.0} of {:.0} s {:>8} {:>8} {:>9} {latency} {wrong:>7} {:>5.0}",
                seconds(elapsed),
                seconds(length),
                window.sent,
                window.acked,
                window.delivered,
                window.cpu * 100.0
            )
        }
    }
}

/// One run of a search, in a line.
pub fn tried(wanted: Wanted, tried: &Tried) -> String {
    let Tried { value, verdict, why } = tried;
    let word = crate::report::word(*verdict);
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    format!("{} {value:.1}: {word}{why}", wanted.name())
}

/// What happens besides messages, in a line.
fn unrest_line(plan: &Plan) -> Option<String> {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let often = |of: &Absence| {
        let (every, away) = (seconds(of.every), seconds(of.away));
        format!("{:.0} % of them every {every:.1} s for {away:.1} s", of.share * 100.0)
    };
    Some(match &plan.unrest {
        Unrest::Calm => return None,
        Unrest::Apart => "nobody enters a room: only acknowledgements come back".to_owned(),
        Unrest::Jitter(of) => format!("connections are cut: {}", often(of)),
        Unrest::Churn(of) => format!("those who do not speak leave their rooms: {}", often(of)),
        Unrest::Storm { at, down } => {
            let (at, down) = (seconds(*at), seconds(*down));
            format!(
                "everybody loses the server at {at:.1} s (down for {down:.1} s where it is ended)"
            )
        }
        Unrest::History { messages, page } => {
            format!(
                "pages of {page} from histories of {messages} are read instead of messages sent"
            )
        }
    })
}

/// What a plan is going to do, line by line; `own_echo` when senders get their own messages.
pub fn plan_lines(plan: &Plan, own_echo: bool) -> Vec<String> {
    let Plan { rooms, members, senders, workers, seed, .. } = plan;
    let sockets = plan.sockets();
    let own = u32::from(!own_echo).min(*members);
    let hear = if plan.unrest == Unrest::Apart { 0 } else { members - own };
    let people = u64::from(*rooms) * u64::from((*members).min(PEOPLE_MAX));
    let mut lines = vec![
        format!(
            "{rooms} rooms x {members} sockets = {sockets} sockets, of which {} speak; {workers} \
             workers; seed {seed}",
            if plan.pace.is_silent() { 0 } else { u64::from(*rooms) * u64::from(*senders) },
        ),
        format!(
            "{people} people, up to {PEOPLE_MAX} in each room, who take turns in having a socket"
        ),
    ];
    match &plan.pace {
        Pace::Open { stages, .. } => {
            for stage in stages {
                let Stage { name, length, from, to, .. } = stage;
                let seconds = *length as f64 / 1e6;
                let deliveries = from.max(*to) * f64::from(hear);
                lines.push(format!(
                    "{name}: {seconds:.1} s at {from:.1} to {to:.1} messages/s, up to \
                     {deliveries:.0} deliveries/s"
                ));
            }
        }
        Pace::Silent { length } => {
            lines.push(format!("nobody speaks for {:.1} s", *length as f64 / 1e6));
        }
        Pace::Closed { window, .. } => {
            lines.push(format!("closed loop: {window} messages of every room under way"));
        }
    }
    lines.extend(unrest_line(plan));
    if plan.crowd.transport != Ways::default() {
        lines.push(format!("transport: {}", plan.crowd.transport));
    }
    if let Some((messages, _)) = plan.messages() {
        let deliveries = messages * f64::from(hear);
        lines.push(format!("{messages:.0} messages, {deliveries:.0} deliveries"));
    }
    lines.push(format!("{} file handles and ports", plan.connections()));
    lines
}
