//! What a person sees while scenarios are played: steps as they happen, then a line for each run.
//!
//! Steps are talk (standard error), results are data (standard output); a drawing of a single
//! scenario is data too.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use trialogue_client::sanitize;
use trialogue_report::diagram::{Row, Story};
use trialogue_report::format::{mermaid, svg};
use trialogue_report::terminal::{Renderer, facts};
use trialogue_scenarios::trace::Trace;
use trialogue_scenarios::{Came, Observer, Report, StepDone, cast};

use super::choose::{Chosen, Round};
use super::judged::{Ended, Played};
use super::verdict::{NAMES_MAX, count};
use super::{Args, Diagram};
use crate::out::{Out, closed};
use crate::play::{as_json, style, table};

/// Widest column of names.
const NAME_COLUMNS_MAX: usize = 32;

/// Everything that runs shares it, one word at a time.
pub(super) struct Log<'a> {
    out: Mutex<&'a mut Out>,
    /// How a story is drawn.
    diagram: Diagram,
    /// Standard output belongs to a report.
    aside: bool,
    json: bool,
    /// Columns of the names of scenarios; 0 where there is only one.
    names: usize,
    strict: bool,
    failed: Mutex<Option<io::Error>>,
    gone: CancellationToken,
}

impl<'a> Log<'a> {
    pub(super) fn new(
        args: &Args,
        single: bool,
        aside: bool,
        chosen: &[Chosen],
        out: &'a mut Out,
    ) -> Self {
        let json = out.is_json();
        let usual = if single && !args.step { Diagram::Ascii } else { Diagram::None };
        let diagram = match args.diagram.unwrap_or(usual) {
            // Nothing but JSON, or nothing but a report, is on standard output.
            _ if json || aside => Diagram::None,
            diagram => diagram,
        };
        let longest = chosen.iter().map(|chosen| chosen.scenario.name.chars().count()).max();
        let names = if single { 0 } else { longest.unwrap_or(0).min(NAME_COLUMNS_MAX) };
        let failed = Mutex::default();
        let gone = CancellationToken::new();
        let strict = args.strict;
        Self { out: Mutex::new(out), diagram, aside, json, names, strict, failed, gone }
    }

    fn out(&self) -> MutexGuard<'_, &'a mut Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancelled when nobody reads any more.
    pub(super) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    fn wrote(&self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.gone.cancel();
        }
    }

    fn data(&self, text: &str) {
        let mut out = self.out();
        if self.aside {
            out.say_drawn(text.trim_end_matches('\n'));
            return;
        }
        let stdout = out.stdout();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        drop(out);
        self.wrote(written);
    }

    fn document(&self, document: &serde_json::Value) {
        let line = crate::json::line(document).unwrap_or_default();
        self.data(&(line + "\n"));
    }

    /// A question at the terminal.
    pub(super) fn ask(&self, question: &str) {
        self.out().ask(&sanitize::text(question));
    }

    /// The error of writing, when there was one.
    pub(super) fn end(self) -> anyhow::Result<()> {
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), |error| Err(closed(error)))
    }

    /// Looks at one run.
    pub(super) fn watcher<'l>(&'l self, round: &Round<'_>) -> Watcher<'l> {
        let cast = cast(&round.of.scenario);
        let drawn = self.diagram == Diagram::Ascii && self.names == 0;
        let renderer = drawn.then(|| Renderer::new(style(), cast.clone()));
        let story = Story { cast, ..Story::default() };
        let (name, steps, trace) = (round.name(), Vec::new(), None);
        Watcher { log: self, name, renderer, steps, story, trace }
    }

    /// One run is over.
    pub(super) fn played(&self, played: &Played) {
        if self.json {
            return self.document(&document(played));
        }
        match (self.diagram, &played.ended) {
            (Diagram::Ascii, Ended::Report(report)) if self.names == 0 && played.is_played() => {
                self.data(&format!("\n{}", facts(style(), &table(report, report.took))));
            }
            (Diagram::Mermaid, _) => self.data(&mermaid(&played.story)),
            (Diagram::Svg, _) => self.data(&svg(&played.story)),
            // Drawn as it happened, with its steps.
            (Diagram::Ascii, _) if self.names == 0 => {
                self.data(&(line(played, self.strict) + "\n"))
            }
            (Diagram::Ascii, _) => {
                let drawn = trialogue_report::terminal::plain(&played.story, style());
                self.data(&format!("{}\n{drawn}", line(played, self.strict)));
            }
            (Diagram::None, _) => self.data(&(line(played, self.strict) + "\n")),
        }
        let mut out = self.out();
        match &played.ended {
            Ended::Report(report) => {
                // The reason of a failure is no talk: it stays with `--quiet`.
                report.failures.iter().for_each(|failure| out.complain(&format!("\n{failure}")));
                not_reached(report).iter().for_each(|line| out.say(line));
                left_out(report).iter().for_each(|line| out.say(line));
            }
            Ended::NotRun(why) => out.complain(&format!("{}: {why}", played.name)),
            Ended::CutShort => out.say(&format!("{}: cut short", played.name)),
        }
        if let Some(trace) = &played.trace {
            out.say(&format!("trace: trialogue trace view {}", trace.display()));
        }
    }
}

/// The checks that a failed step left open, in one line.
fn not_reached(report: &Report) -> Option<String> {
    let open = report.verdicts.iter().filter(|verdict| verdict.came == Came::NotReached);
    let names = open.map(|verdict| match verdict.name.as_str() {
        // Lines of these have no names of their own.
        "order" | "count" => format!("{} {}", verdict.name, verdict.promise),
        name => name.to_owned(),
    });
    let names: Vec<String> = names.collect();
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    let more = match names.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = count(names.len(), "check");
    (!names.is_empty()).then(|| format!("  {count} not reached: {shown}{more}"))
}

/// What was not tried, each reason once.
fn left_out(report: &Report) -> Vec<String> {
    let steps = report.steps.iter().map(|step| (step.came, step.why.as_str()));
    let checks = report.verdicts.iter().map(|verdict| (verdict.came, verdict.why.as_str()));
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for (_, why) in steps.chain(checks).filter(|(came, _)| *came == Came::Unimplemented) {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, times)) => *times += 1,
            None => reasons.push((why, 1)),
        }
    }
    reasons.iter().map(|(why, times)| format!("  unimplemented, {times} x: {why}")).collect()
}

fn document(played: &Played) -> serde_json::Value {
    let mut document = match &played.ended {
        Ended::Report(report) => as_json(report),
        Ended::NotRun(why) => json!({"type": "report", "passed": false, "notRun": why}),
        Ended::CutShort => json!({"type": "report", "passed": false, "cutShort": true}),
    };
    document["scenario"] = json!(played.name);
    document["file"] = json!(played.file);
    document["tookMs"] = json!(played.took.as_secs_f64() * 1e3);
    document["trace"] = json!(played.trace);
    document
}

/// What came of one, as the exit code says it.
fn line(played: &Played, strict: bool) -> String {
    let name = sanitize::line(&played.name);
    let seconds = played.took.as_secs_f64();
    let came = played.came(strict);
    let (word, style) = word(came);
    match &played.ended {
        // Whoever is not let in has not played, however far that was.
        _ if played.not_run().is_some() => {
            format!("{style}ERROR{style:#} {name} could not run ({seconds:.2} s)")
        }
        Ended::NotRun(_) => format!("{style}ERROR{style:#} {name} could not run ({seconds:.2} s)"),
        Ended::Report(report) if !played.is_played() => {
            let of = report.of;
            format!("{style}{word}{style:#} {name} was not played ({of} unimplemented)")
        }
        Ended::Report(report) => {
            let (held, of, seed) = (report.held, report.of, report.seed);
            let left_out = report.count(Came::Unimplemented);
            let mut counts = format!("{held} of {of} held");
            if left_out > 0 {
                counts += &format!(", {left_out} unimplemented");
            }
            let rest = of.saturating_sub(held + left_out);
            if report.passed() && rest > 0 {
                counts += &format!(", {rest} not tried");
            }
            format!("{style}{word}{style:#} {name} ({counts}, {seconds:.2} s, seed {seed})")
        }
        Ended::CutShort => format!("cut   {name} ({seconds:.2} s)"),
    }
}

fn word(came: Came) -> (&'static str, Style) {
    match came {
        Came::Held => ("ok   ", AnsiColor::Green.on_default()),
        Came::NotReached | Came::Unimplemented => ("-    ", Style::new().dimmed()),
        Came::Unknown => ("UNKNOWN", AnsiColor::Yellow.on_default().bold()),
        Came::Broken => ("FAIL ", AnsiColor::Red.on_default().bold()),
    }
}

/// Looks at one run: shows it, and remembers it for the reports.
pub(super) struct Watcher<'l> {
    log: &'l dyn Shown,
    name: String,
    renderer: Option<Renderer>,
    /// Every time that a step was done.
    pub(super) steps: Vec<StepDone>,
    pub(super) story: Story,
    pub(super) trace: Option<Trace>,
}

/// What a watcher needs of the log, whatever the log borrows.
trait Shown: Sync {
    fn drawn(&self, text: &str);
    fn said(&self, text: &str);
    fn step(&self, name: &str, done: &StepDone, drawn: bool);
}

impl Shown for Log<'_> {
    fn drawn(&self, text: &str) {
        self.data(text);
    }

    fn said(&self, text: &str) {
        self.out().say(text);
    }

    fn step(&self, name: &str, done: &StepDone, drawn: bool) {
        if self.json {
            return self.document(&json!({
                "type": "step", "scenario": name, "place": done.place, "id": done.id,
                "words": done.words, "came": done.came.name(),
                "beganMs": done.began.as_secs_f64() * 1e3,
                "tookMs": done.took.as_secs_f64() * 1e3, "why": done.why,
            }));
        }
        if drawn {
            return;
        }
        let (word, style) = word(done.came);
        let name = match self.names {
            0 => String::new(),
            columns => format!("{:<columns$}  ", sanitize::line(name)),
        };
        let (millis, words) = (done.took.as_millis(), sanitize::line(&done.words));
        let why = match done.came {
            Came::Unimplemented => format!("  ({})", sanitize::line(&done.why)),
            _ => String::new(),
        };
        let line = format!("{name}{style}{word}{style:#} {millis:>6} ms  {words}{why}");
        self.out().say_drawn(&line);
    }
}

impl Observer for Watcher<'_> {
    fn row(&mut self, row: &Row) {
        self.story.push(row);
        if let Some(renderer) = &mut self.renderer {
            let text = renderer.row(row);
            self.log.drawn(&text);
        }
    }

    fn waits(&mut self, why: &str) {
        self.log.said(why);
    }

    fn step(&mut self, done: &StepDone) {
        if let Some(trace) = &self.trace {
            trace.step(done);
        }
        self.log.step(&self.name, done, self.renderer.is_some());
        // A step that is repeated is one case.
        match self.steps.iter_mut().rfind(|known| known.place == done.place) {
            Some(known) => {
                known.took += done.took;
                known.times += 1;
                if done.came > known.came {
                    (known.came, known.why) = (done.came, done.why.clone());
                }
            }
            None => self.steps.push(done.clone()),
        }
    }
}
