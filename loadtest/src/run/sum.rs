//! Adds up what workers tell.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use trialogue_checker::Micros;

use super::{RunConfig, Second};
use crate::facts::Facts;
use crate::plan::{Pace, Plan, Ways};
use crate::recorder::{Metric, Recording, encode, measured};
use crate::result::{Cases, Cut, Document, Recovery, SCHEMA, Travelled, Verdict, Window};
use crate::rig::{Rig, SLIP_P99_MAX};
use crate::slo::{Judged, Slo};
use crate::verdict::{Counts, EXAMPLES_MAX, Example, Fault};
use crate::worker::{Done, Ends, Tick, UNDER_WAY_MAX};

/// Most windows of a result: those of a long run are longer.
const WINDOWS_MAX: u64 = 3_600;

/// Seconds that a worker may tell of while another one is silent, before a window is closed without it.
const PATIENCE: u32 = 2;

/// What a worker told last.
#[derive(Debug, Clone, Default)]
struct Part {
    counts: Counts,
    /// Processor time and time of the measured seconds, and the most of one second.
    cpu: (f64, f64, f64),
    /// Connections that ended, and attempts that failed.
    cut: u64,
    failed_attempts: u64,
}

/// The sum.
#[derive(Clone)]
pub(super) struct Sum {
    plan: Plan,
    parts: Vec<Part>,
    whole: Recording,
    windows: Vec<Window>,
    /// Since the last window.
    fresh: Recording,
    fresh_cpu: f64,
    before: Counts,
    /// Seconds that each worker has told of since the last window.
    ticks: Vec<u32>,
    /// Those that tell nothing any more.
    ended: Vec<bool>,
    /// Seconds of a window.
    seconds: u32,
    lost: Vec<String>,
    examples: Vec<Example>,
    ends: Ends,
    recovery: Recovery,
    travelled: Vec<Travelled>,
    /// Microseconds that the last delivery came after the last send; deliveries still came then.
    behind: Micros,
    aborted: Option<Judged>,
    complete: bool,
    /// Moments of the plan that came.
    due: u64,
    spoken: Micros,
    joining: Micros,
}

impl Sum {
    pub(super) fn new(plan: &Plan, joining: Micros) -> Self {
        let seconds = plan.length() / 1_000_000 / WINDOWS_MAX + 1;
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self {
            plan: plan.clone(),
            parts: vec![Part::default(); plan.workers as usize],
            whole: Recording::default(),
            windows: Vec::new(),
            fresh: Recording::default(),
            fresh_cpu: 0.0,
            before: Counts::default(),
            ticks: vec![0; plan.workers as usize],
            ended: vec![false; plan.workers as usize],
            seconds,
            lost: Vec::new(),
            examples: Vec::new(),
            ends: Ends::default(),
            recovery: Recovery::default(),
            travelled: Vec::new(),
            behind: 0,
            aborted: None,
            complete: true,
            due: 0,
            spoken: 0,
            joining,
        }
    }

    fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.parts.iter().for_each(|part| all.add(&part.counts));
        all
    }

    pub(super) fn tick(&mut self, tick: &Tick) {
        let part = &mut self.parts[tick.worker as usize];
        part.counts = tick.counts;
        (part.cut, part.failed_attempts) = (tick.cut, tick.failed_attempts);
        if tick.speaking && tick.over > 0 {
            let over = tick.over as f64;
            part.cpu.0 += tick.cpu * over;
            part.cpu.1 += over;
            part.cpu.2 = part.cpu.2.max(tick.cpu);
        }
        self.fresh.add(&tick.recording);
        self.fresh_cpu = self.fresh_cpu.max(tick.cpu);
        self.ticks[tick.worker as usize] += 1;
        if self.is_told() {
            self.window(tick.at);
        }
    }

    /// Whether everybody has told of a window, or somebody has for so long that the others are not
    /// waited for.
    fn is_told(&self) -> bool {
        let tell = || self.ticks.iter().zip(&self.ended).filter(|(_, ended)| !**ended);
        let all = tell().all(|(ticks, _)| *ticks >= self.seconds);
        let patience = self.seconds.saturating_add(PATIENCE);
        tell().next().is_some() && (all || self.ticks.iter().any(|ticks| *ticks >= patience))
    }

    fn window(&mut self, at: Micros) {
        let (counts, before) = (self.counts(), self.before);
        let fresh = self.fresh.take();
        let window = Window {
            at,
            sent: counts.sent - before.sent,
            acked: counts.acked - before.acked,
            refused: counts.refused - before.refused,
            delivered: counts.delivered - before.delivered,
            delivery: fresh.figures(Metric::Delivery),
            histogram: encode(fresh.of(Metric::Delivery)),
            others: measured(&fresh, |metric| metric != Metric::Delivery),
            cpu: std::mem::take(&mut self.fresh_cpu),
        };
        self.whole.add(&fresh);
        self.ticks.fill(0);
        self.before = counts;
        self.windows.push(window);
    }

    /// The last window, right after it was made.
    pub(super) fn second(&self) -> Option<Second> {
        let window = self.windows.last().filter(|_| self.ticks.iter().all(|ticks| *ticks == 0))?;
        Some(Second {
            elapsed: Duration::from_micros(window.at),
            length: Duration::from_micros(self.plan.length()),
            counts: self.counts(),
            window: window.clone(),
        })
    }

    pub(super) fn done(&mut self, done: Done) {
        self.parts[done.worker as usize].counts = done.counts;
        self.ended[done.worker as usize] = true;
        self.examples.extend(done.examples);
        self.ends.add(done.ends);
        self.recovery.add(done.recovery);
        Travelled::add(&mut self.travelled, &done.travelled);
        self.behind = self.behind.max(done.behind);
        self.complete &= done.complete;
        self.due += done.due;
        self.spoken = self.spoken.max(done.spoken);
    }

    /// A worker is gone: what it told until then stays, and nothing follows about the rest.
    pub(super) fn lost(&mut self, worker: u32, why: &str) {
        self.ended[worker as usize] = true;
        self.complete = false;
        let rooms = self.plan.rooms_of(worker);
        let at = self.windows.last().map_or(0, |window| window.at) / 1_000_000;
        let (first, last) = (rooms.start, rooms.end.saturating_sub(1));
        self.lost.push(format!("lost after {at} s, with rooms {first} to {last}: {why}"));
    }

    /// The first of these that holds now: reason enough to end the run.
    pub(super) fn aborts(&mut self, expressions: &[Slo]) -> bool {
        let at = self.windows.last().map_or(0, |window| window.at);
        let counts = self.counts();
        let of = |name: &str| Metric::ALL.into_iter().find(|metric| metric.name() == name);
        let figures = |name: &str| of(name).map(|metric| self.whole.figures(metric));
        let cut = self.parts.iter().map(|part| part.cut).sum();
        let failed_attempts = self.parts.iter().map(|part| part.failed_attempts).sum();
        let recovery = Recovery { failed_attempts, ..Recovery::default() };
        let facts = Facts {
            took: at,
            sockets: self.whole.of(Metric::Join).len(),
            joining: self.joining,
            cut,
            recovery: self.plan.unrest.is_of_returns().then_some(&recovery),
            cpu: self.windows.last().map_or(0.0, |window| window.cpu),
            ..Facts::of(&counts, &figures)
        };
        let found = Slo::first_held(expressions, |name| facts.value(name));
        self.aborted = self.aborted.take().or(found);
        self.aborted.is_some()
    }

    /// The server was not taken away, or not brought back, as was planned.
    pub(super) fn outage_failed(&mut self, why: String) {
        self.lost.push(format!("the server was not taken away and brought back: {why}"));
        self.recovery.failed(why, 1);
    }

    fn rig(&self, counts: &Counts) -> Rig {
        let cpu = |part: &Part| if part.cpu.1 > 0.0 { part.cpu.0 / part.cpu.1 } else { 0.0 };
        let mut rig = Rig {
            cpu: self.parts.iter().map(cpu).fold(0.0, f64::max),
            cpu_max: self.parts.iter().map(|part| part.cpu.2).fold(0.0, f64::max),
            slip_p99: self.whole.figures(Metric::Slip).p99,
            loop_p99: self.whole.figures(Metric::Loop).p99,
            unsendable: self.ends.unsendable,
            stalled: self.ends.stalled,
            stuck: self.ends.stuck,
            silenced: self.ends.silenced,
            reasons: Vec::new(),
        };
        let is_open = matches!(self.plan.pace, Pace::Open { .. });
        // Of what was planned, pages of history are asked for and messages are sent.
        let done = if self.plan.unrest.is_of_pages() { counts.pages_asked } else { counts.sent };
        rig.judge(is_open, done, self.due);
        rig.reasons.extend(self.lost.iter().cloned());
        if self.ends.is_overfull {
            let why = format!("stopped: a worker had {UNDER_WAY_MAX} messages under way");
            rig.reasons.push(why);
        }
        rig
    }

    /// How long messages were sent: as long as was planned, if the last one went out in time. That its
    /// loop has ended a moment sooner or later is no rate.
    fn took(&self, config: &RunConfig) -> Micros {
        let planned = self.plan.length();
        let is_as_planned = self.plan.pace.is_open()
            && self.complete
            && !config.steered.was_steered()
            && self.spoken <= planned.saturating_add(SLIP_P99_MAX);
        if is_as_planned { planned } else { self.spoken.max(1) }
    }

    /// What there is before all is told.
    pub(super) fn so_far(mut self, config: &RunConfig, run: &str, began: SystemTime) -> Document {
        self.complete = false;
        self.spoken = self.windows.last().map_or(self.spoken, |window| window.at);
        self.document(config, run, began)
    }

    pub(super) fn document(
        mut self,
        config: &RunConfig,
        run: &str,
        started: SystemTime,
    ) -> Document {
        self.window(self.windows.last().map_or(self.spoken, |window| window.at));
        let counts = self.counts();
        let took = self.took(config);
        let a_second = |count: u64| count as f64 * 1e6 / took as f64;
        let faults = Fault::ALL.into_iter().map(|fault| Cases { fault, count: counts.of(fault) });
        let faults: Vec<Cases> = faults.filter(|cases| cases.count > 0).collect();
        self.examples.sort_by_key(|example| (example.fault, example.at));
        let mut examples = Vec::new();
        for Cases { fault, .. } in &faults {
            let of = self.examples.iter().filter(|example| example.fault == *fault);
            examples.extend(of.take(EXAMPLES_MAX).cloned());
        }
        let mut document = Document {
            schema: SCHEMA.to_owned(),
            tool: config.tool.clone(),
            started: DateTime::<Utc>::from(started).to_rfc3339_opts(SecondsFormat::Millis, true),
            run: run.to_owned(),
            target: shown(config),
            dialect: config.target.dialect.to_string(),
            order_promised: config.target.capabilities.order,
            complete: self.complete,
            span: None,
            steered: config.steered.was_steered(),
            verdict: Verdict::Inconclusive,
            aborted: self.aborted.clone(),
            why: Vec::new(),
            joining: self.joining,
            took,
            reach: counts.reach(),
            rate: a_second(counts.sent),
            delivery_rate: a_second(counts.delivered_meanwhile),
            faults,
            examples,
            cut: Cut {
                count: self.ends.cut,
                reasons: self.ends.reasons.clone(),
                steps: self.ends.steps.clone(),
            },
            recovery: self.plan.unrest.is_of_returns().then(|| self.recovery.clone()),
            travelled: if self.plan.crowd.transport == Ways::default() {
                Vec::new()
            } else {
                self.travelled.clone()
            },
            behind: self.behind,
            metrics: measured(&self.whole, |_| true),
            scenario: None,
            windows: std::mem::take(&mut self.windows),
            rig: self.rig(&counts),
            server: Vec::new(),
            parts: Vec::new(),
            slos: Vec::new(),
            counts,
            plan: self.plan,
        };
        document.slos = config.slos.iter().map(|slo| slo.judge(&document)).collect();
        document.judge();
        document
    }
}

/// Scheme, host and port: the rest may hold a secret.
pub(crate) fn shown(config: &RunConfig) -> String {
    config.target.url().origin().ascii_serialization()
}
