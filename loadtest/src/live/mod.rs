//! The screen of a run: what it knows, and what a key does. Pure: [`update`] decides, [`view`](view::view)
//! draws, and the shell that has the terminal obeys the effects.

mod heat;
mod steer;
#[cfg(test)]
mod tests;
pub mod view;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::plan::{Pace, Plan};
use crate::recorder::{Figures, decode, figures};
use crate::result::Window;
use crate::run::{Progress, Second};
use crate::slo::{Judged, Slo};
use crate::verdict::{Counts, Fault};

pub(crate) use steer::Clock;
pub use steer::{Helm, Steered, helm};

/// Columns of the heat map that are kept: no terminal is wider.
const COLUMNS_MAX: usize = 400;
/// What a key makes of the speed.
const STEP: f64 = 1.25;
/// How long a note stands, in seconds of the run.
const NOTE_SECONDS: u32 = 8;

/// What the run is about, as it stands at the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Scheme, host and port.
    pub target: String,
    /// How it speaks.
    pub dialect: String,
}

/// Where the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// So many of so many rooms are made.
    Rooms(u64, u64),
    /// So many of so many sockets are in them.
    Sockets(u64, u64),
    /// Messages are sent.
    Running,
    /// What is under way is waited for.
    Draining,
}

/// All that the screen shows.
#[derive(Debug, Clone)]
pub struct Model {
    head: Head,
    plan: Plan,
    slos: Vec<Slo>,
    phase: Phase,
    elapsed: Duration,
    counts: Counts,
    /// The last windows, the newest last.
    windows: VecDeque<Window>,
    /// The whole run so far, by the names of metrics.
    whole: BTreeMap<String, Histogram<u64>>,
    speed: f64,
    paused: bool,
    stopping: bool,
    /// Others do the work.
    far: bool,
    note: Option<(String, u32)>,
}

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `p` or blank.
    Pause,
    /// `+`.
    Faster,
    /// `-`.
    Slower,
    /// `s`.
    Snapshot,
    /// `q`, Escape or Ctrl-C.
    Quit,
}

impl Key {
    /// What a letter means.
    pub fn of(letter: char) -> Option<Self> {
        match letter {
            'p' | ' ' => Some(Self::Pause),
            '+' | '=' => Some(Self::Faster),
            '-' => Some(Self::Slower),
            's' => Some(Self::Snapshot),
            'q' => Some(Self::Quit),
            _ => None,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The run went on.
    Progress(Progress),
    /// Somebody pressed a key.
    Key(Key),
    /// The shell has something to say.
    Note(String),
}

/// What the shell is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// So many times as fast as planned; 0 is a pause.
    Speed(f64),
    /// Ask the run for what there is so far.
    Snapshot,
    /// Stop sending; what happened is judged.
    Stop,
}

impl Model {
    /// Before anything has happened.
    pub fn new(head: Head, plan: Plan, slos: Vec<Slo>) -> Self {
        Self {
            head,
            phase: Phase::Rooms(0, plan.rooms.into()),
            plan,
            slos,
            elapsed: Duration::ZERO,
            counts: Counts::default(),
            windows: VecDeque::new(),
            whole: BTreeMap::new(),
            speed: 1.0,
            paused: false,
            stopping: false,
            far: false,
            note: None,
        }
    }

    /// The same for workers on other machines, which keep to the plan that they have.
    #[must_use]
    pub fn far(self) -> Self {
        Self { far: true, ..self }
    }

    fn second(&mut self, second: &Second) {
        self.phase = match self.phase {
            Phase::Draining => Phase::Draining,
            Phase::Rooms(..) | Phase::Sockets(..) | Phase::Running => Phase::Running,
        };
        (self.elapsed, self.counts) = (second.elapsed, second.counts);
        for one in second.window.metrics() {
            // What the run itself has written is one.
            let Ok(more) = decode(&one.histogram) else { continue };
            match self.whole.get_mut(&one.name) {
                Some(sum) => _ = sum.add(&more),
                None => _ = self.whole.insert(one.name, more),
            }
        }
        if self.windows.len() == COLUMNS_MAX {
            self.windows.pop_front();
        }
        self.windows.push_back(second.window.clone());
        self.note = self.note.take().and_then(|(text, left)| Some((text, left.checked_sub(1)?)));
    }

    /// The figures of a metric since the begin.
    fn figures(&self, metric: &str) -> Option<Figures> {
        self.whole.get(metric).map(figures).filter(|figures| figures.count > 0)
    }

    /// The value of a name in an expression, as far as it can be said while messages are under way.
    fn value(&self, name: &str) -> Option<f64> {
        if let Some((metric, figure)) = name.split_once('.') {
            return self.figures(metric)?.value(figure);
        }
        if let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) {
            return Some(self.counts.of(fault) as f64);
        }
        let last = self.windows.back();
        let elapsed = self.elapsed.as_secs_f64();
        let a_second = |count: u64| (elapsed > 0.0).then(|| count as f64 / elapsed);
        match name {
            // What has not come yet is on its way, until it is called lost.
            "reach" if self.counts.of(Fault::Lost) == 0 => None,
            "reach" => (self.counts.owed > 0).then(|| self.counts.reach()),
            "rate" => a_second(self.counts.sent),
            "delivery_rate" => a_second(self.counts.delivered),
            "sent" => Some(self.counts.sent as f64),
            "acked" => Some(self.counts.acked as f64),
            "refused" => Some(self.counts.refused as f64),
            "rate_limited" => Some(self.counts.limited as f64),
            "delivered" => Some(self.counts.delivered as f64),
            "cpu" => last.map(|window| window.cpu),
            _ => None,
        }
    }

    /// The objectives as they stand.
    fn objectives(&self) -> Vec<Judged> {
        self.slos.iter().map(|slo| slo.so_far(|name| self.value(name))).collect()
    }

    fn is_planned(&self) -> bool {
        matches!(self.plan.pace, Pace::Open { .. })
    }

    fn says(&mut self, text: impl Into<String>) {
        self.note = Some((text.into(), NOTE_SECONDS));
    }
}

/// Decides.
pub fn update(model: &mut Model, msg: Msg) -> Option<Effect> {
    match msg {
        Msg::Progress(progress) => {
            match progress {
                Progress::Rooms(made, all) => model.phase = Phase::Rooms(made as u64, all as u64),
                Progress::Sockets(joined, all) => model.phase = Phase::Sockets(joined, all),
                Progress::Second(second) => model.second(&second),
                Progress::Draining => model.phase = Phase::Draining,
                // Stories have lines of their own.
                Progress::SoFar(_) | Progress::Iterations { .. } => {}
            }
            None
        }
        Msg::Note(text) => {
            model.says(text);
            None
        }
        Msg::Key(key) => press(model, key),
    }
}

fn press(model: &mut Model, key: Key) -> Option<Effect> {
    match key {
        Key::Quit => {
            model.stopping = true;
            model.says("stopping: what is under way is waited for, then comes the report");
            Some(Effect::Stop)
        }
        Key::Snapshot if model.windows.is_empty() => {
            model.says("there is nothing to keep yet");
            None
        }
        Key::Snapshot => Some(Effect::Snapshot),
        Key::Pause | Key::Faster | Key::Slower if !model.is_planned() => {
            model.says("only a planned rate can be changed");
            None
        }
        Key::Pause | Key::Faster | Key::Slower if model.far => {
            model.says("workers on other machines keep to their plan");
            None
        }
        Key::Pause => {
            model.paused = !model.paused;
            Some(Effect::Speed(if model.paused { 0.0 } else { model.speed }))
        }
        Key::Faster | Key::Slower => {
            let by = if key == Key::Faster { STEP } else { 1.0 / STEP };
            let speed = model.speed * by;
            // Up and down again is where it was.
            model.speed = if (speed - 1.0).abs() < 0.01 { 1.0 } else { speed.clamp(0.05, 20.0) };
            model.paused = false;
            Some(Effect::Speed(model.speed))
        }
    }
}
