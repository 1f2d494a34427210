//! Adds up what became of iterations.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use trialogue_checker::Micros;
use trialogue_report::results::Place;
use trialogue_scenarios::file::Scenario;
use trialogue_scenarios::{Came, Report, StepDone};

use super::Told;
use crate::facts::Facts;
use crate::plan::Plan;
use crate::recorder::{Figures, empty, figures};
use crate::result::{
    Cut, Document, FailedIteration, Iterations, Measured, SCHEMA, Verdict, Window,
};
use crate::rig::Rig;
use crate::run::{Progress, RunConfig, shown};
use crate::slo::{Judged, Slo};
use crate::verdict::Counts;

/// Iterations that failed and are told in full.
const FAILED_MAX: usize = 10;
/// Most windows of a run: they are longer in longer ones.
const WINDOWS_MAX: u64 = 3_600;
/// Bytes of the reason of one.
const WHY_MAX: usize = 2_000;
/// The names of what is measured besides steps, whose names begin with `step:`.
const ITERATION: &str = "iteration";
const SLIP: &str = "slip";

/// The sum so far.
pub(super) struct Tally {
    plan: Plan,
    begin: Instant,
    of: Iterations,
    /// Everything that is measured, by its name.
    metrics: BTreeMap<String, Histogram<u64>>,
    /// The same of the window that goes on.
    fresh: BTreeMap<String, Histogram<u64>>,
    windows: Vec<Window>,
    /// Seconds of a window, and those of this one that have passed.
    seconds: u64,
    ticks: u64,
    before: Iterations,
    /// Processor time of the process, at the begin and when the last window ended.
    cpu: (Duration, Duration, Instant),
    cpu_max: f64,
    last: Micros,
    /// Why iterations could not be played at all, and how many there are of these.
    not_run: (u64, Option<String>),
    aborted: Option<Judged>,
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Part of all cores that this process had.
fn share(used: Duration, over: Duration) -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    used.as_secs_f64() / over.as_secs_f64().max(1e-6) / cores as f64
}

/// A step's name in results: its id, or its line.
fn step_name(step: &StepDone) -> String {
    match (&step.id, Place::parse(&step.place)) {
        (Some(id), _) => format!("step:{id}"),
        (None, Some(place)) => format!("step:line {}", place.line),
        (None, None) => format!("step:{}", step.words),
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(WHY_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Why an iteration did not pass.
fn why(report: &Report) -> String {
    if let Some(failure) = report.failures.first() {
        return cut(&failure.to_string());
    }
    let of = report.verdicts.iter().find(|verdict| verdict.came > Came::Unimplemented);
    of.map_or_else(String::new, |verdict| cut(&format!("{}: {}", verdict.promise, verdict.why)))
}

impl Tally {
    pub(super) fn new(plan: &Plan, scenario: &Scenario, begin: Instant) -> Self {
        let (name, file) = (scenario.name.clone(), scenario.source.name().to_owned());
        let of = Iterations { name, file, ..Iterations::default() };
        let now = cpu_time();
        Self {
            plan: plan.clone(),
            begin,
            before: of.clone(),
            of,
            metrics: BTreeMap::new(),
            fresh: BTreeMap::new(),
            windows: Vec::new(),
            seconds: plan.length() / 1_000_000 / WINDOWS_MAX + 1,
            ticks: 0,
            cpu: (now, now, begin),
            cpu_max: 0.0,
            last: 0,
            not_run: (0, None),
            aborted: None,
        }
    }

    /// One more is begun; answers its number.
    pub(super) fn begins(&mut self) -> u64 {
        self.of.begun += 1;
        self.of.begun - 1
    }

    /// So many were not waited for.
    pub(super) fn cut_short(&mut self, count: u64) {
        self.of.cut_short += count;
    }

    fn record(&mut self, name: &str, value: Micros) {
        for metrics in [&mut self.metrics, &mut self.fresh] {
            if !metrics.contains_key(name) {
                metrics.insert(name.to_owned(), empty());
            }
            if let Some(metric) = metrics.get_mut(name) {
                // A histogram that grows refuses nothing.
                let _recorded = metric.record(value);
            }
        }
    }

    /// How one went.
    pub(super) fn take(&mut self, told: Told) {
        let Told { due, n, begun, ended, report } = told;
        self.last = self.last.max(due.at);
        let report = match report {
            Ok(report) => report,
            Err(why) => {
                self.not_run.0 += 1;
                self.not_run.1.get_or_insert_with(|| why.clone());
                return self.failed(n, ended, 0, why);
            }
        };
        self.of.unimplemented += report.count(Came::Unimplemented) as u64;
        match report.came() {
            Came::Held | Came::NotReached | Came::Unimplemented => self.of.passed += 1,
            Came::Unknown => self.of.unknown += 1,
            Came::Broken => self.failed(n, ended, report.seed, why(&report)),
        }
        if !due.recorded {
            return;
        }
        self.record(SLIP, begun.saturating_sub(due.at));
        // One that broke off early would make the others look slow.
        if report.passed() {
            self.record(ITERATION, ended.saturating_sub(due.at));
        }
        for step in report.steps.iter().filter(|step| step.came == Came::Held && step.times > 0) {
            let each = step.took.as_micros() / u128::from(step.times);
            self.record(&step_name(step), Micros::try_from(each).unwrap_or(Micros::MAX));
        }
    }

    fn failed(&mut self, n: u64, at: Micros, seed: u64, why: String) {
        self.of.failed += 1;
        if self.of.failures.len() < FAILED_MAX {
            self.of.failures.push(FailedIteration { n, at, seed, why });
        }
    }

    /// Why nothing could be played, when that is so.
    pub(super) fn could_not_run(&self) -> Option<String> {
        let (count, why) = &self.not_run;
        let all = *count > 0 && *count == self.of.begun - self.of.cut_short;
        why.clone().filter(|_| all)
    }

    /// A second has passed: what there is for whoever looks on.
    pub(super) fn second(&mut self, playing: u64) -> Progress {
        self.ticks += 1;
        if self.ticks >= self.seconds {
            self.window();
        }
        let length = Duration::from_micros(self.plan.length());
        let iterations = self.of.clone();
        Progress::Iterations { elapsed: self.begin.elapsed(), length, iterations, playing }
    }

    /// What happened since the last one.
    fn window(&mut self) {
        let (now, used) = (Instant::now(), cpu_time());
        let (_, before, since) = self.cpu;
        let cpu = share(used.saturating_sub(before), now.saturating_duration_since(since));
        (self.cpu.1, self.cpu.2) = (used, now);
        self.cpu_max = self.cpu_max.max(cpu);
        let at = Micros::try_from(self.begin.elapsed().as_micros()).unwrap_or(Micros::MAX);
        let others = self.fresh.iter().filter(|(_, of)| !of.is_empty());
        let others = others.map(|(name, of)| Measured::of(name, of)).collect();
        self.windows.push(Window {
            at,
            sent: self.of.begun - self.before.begun,
            acked: self.of.passed - self.before.passed,
            refused: self.of.failed - self.before.failed,
            delivered: 0,
            delivery: Figures::default(),
            histogram: String::new(),
            others,
            cpu,
        });
        self.fresh.values_mut().for_each(Histogram::reset);
        (self.ticks, self.before) = (0, self.of.clone());
    }

    fn figures(&self, name: &str) -> Option<Figures> {
        self.metrics.get(name).map(figures)
    }

    /// Whether the run is to end now.
    pub(super) fn aborts(&mut self, expressions: &[Slo]) -> bool {
        let (counts, figures) = (Counts::default(), |name: &str| self.figures(name));
        let facts = Facts {
            iterations: Some(&self.of),
            took: Micros::try_from(self.begin.elapsed().as_micros()).unwrap_or(Micros::MAX),
            cpu: self.windows.last().map_or(0.0, |window| window.cpu),
            ..Facts::of(&counts, &figures)
        };
        let found = Slo::first_held(expressions, |name| facts.value(name));
        self.aborted = self.aborted.take().or(found);
        self.aborted.is_some()
    }

    /// What came of it all.
    pub(super) fn document(
        mut self,
        config: &RunConfig,
        complete: bool,
        started: SystemTime,
    ) -> Document {
        self.window();
        let used = cpu_time().saturating_sub(self.cpu.0);
        let mut rig = Rig {
            cpu: share(used, self.begin.elapsed()),
            cpu_max: self.cpu_max,
            slip_p99: self.figures(SLIP).map_or(0, |figures| figures.p99),
            ..Rig::default()
        };
        // Whatever was due was begun, however late.
        rig.judge(true, self.of.begun, self.of.begun);
        let took = self.last.max(1);
        let metrics = self.metrics.iter().map(|(name, of)| Measured::of(name, of));
        let mut document = Document {
            schema: SCHEMA.to_owned(),
            tool: config.tool.clone(),
            started: DateTime::<Utc>::from(started).to_rfc3339_opts(SecondsFormat::Millis, true),
            run: self.of.name.clone(),
            target: shown(config),
            dialect: config.target.dialect.to_string(),
            complete,
            span: None,
            steered: false,
            order_promised: config.target.capabilities.order,
            verdict: Verdict::Inconclusive,
            aborted: self.aborted,
            why: Vec::new(),
            joining: 0,
            took,
            counts: Counts::default(),
            reach: 1.0,
            rate: self.of.begun as f64 * 1e6 / took as f64,
            delivery_rate: 0.0,
            faults: Vec::new(),
            examples: Vec::new(),
            cut: Cut::default(),
            recovery: None,
            travelled: Vec::new(),
            behind: 0,
            metrics: metrics.collect(),
            scenario: Some(self.of),
            windows: self.windows,
            rig,
            server: Vec::new(),
            parts: Vec::new(),
            slos: Vec::new(),
            plan: self.plan,
        };
        document.slos = config.slos.iter().map(|slo| slo.judge(&document)).collect();
        document.judge();
        document
    }
}
