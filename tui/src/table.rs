//! Three accounts at one table: customer, provider and LSM side by side, and one of them has the
//! keys. Nothing in a client is global, so three of them are three models.

use ratatui::layout::Rect;

use crate::effect::Effect;
use crate::keys::{Action, Chord, Place};
use crate::model::Model;
use crate::msg::{Msg, Now, Reply};
use crate::script::{Script, Told};
use crate::update::update;

/// From this width on they stand side by side; below, one pane and a line for each of the others.
const SIDE_BY_SIDE_FROM: u16 = 96;

/// One account and its line.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The client.
    pub model: Model,
    /// The line is cut by hand.
    pub cut: bool,
}

/// Everybody at the table; one client alone is a table of one.
#[derive(Debug, Clone)]
pub struct Table {
    /// In the order of their keys.
    pub seats: Vec<Seat>,
    /// Who has the keys.
    pub focus: usize,
    /// Columns and rows of the whole screen.
    pub size: (u16, u16),
    /// A script that plays them.
    pub script: Option<Script>,
    /// The next F8 leaves these three for a script.
    leaving: bool,
    /// Whether the window has the focus, where that is told.
    window: Option<bool>,
    /// Somebody else has the terminal: nobody sees this.
    covered: bool,
}

impl Table {
    /// These clients, the first with the keys.
    pub fn new(models: Vec<Model>) -> Self {
        let seats = models.into_iter().map(|model| Seat { model, cut: false }).collect();
        Self {
            seats,
            focus: 0,
            size: (0, 0),
            script: None,
            leaving: false,
            window: None,
            covered: false,
        }
    }

    /// Whether there is more than one.
    pub fn is_trio(&self) -> bool {
        self.seats.len() > 1
    }

    /// Something happened to the terminal: answers whose effects follow.
    pub fn terminal(&mut self, msg: Msg, now: Now) -> Vec<(usize, Effect)> {
        let mut out = Vec::new();
        match msg {
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                for seat in 0..self.seats.len() {
                    let area = self.pane(seat);
                    // A pane is a screen without a status bar of its own.
                    let rows = if self.is_trio() { area.height + 1 } else { area.height };
                    self.tell(seat, Msg::Resize(area.width, rows), now, &mut out);
                }
            }
            Msg::Focus(has) => {
                self.window = Some(has);
                self.look(now, &mut out);
            }
            Msg::Key(key) if self.is_trio() => {
                let leaving = std::mem::take(&mut self.leaving);
                let seat = &self.seats[self.focus];
                match seat.model.settings.keys.action(Place::Trio, Chord::from(key)) {
                    Some(Action::CutLine) => {
                        let seat = &mut self.seats[self.focus];
                        seat.cut = !seat.cut;
                        out.push((self.focus, Effect::CutLine(seat.cut)));
                        if !seat.cut {
                            // Healed before everybody's eyes, not some seconds later.
                            out.push((self.focus, Effect::RetryNow));
                        }
                    }
                    Some(Action::FocusFirst) => self.turn(0, now, &mut out),
                    Some(Action::FocusSecond) => self.turn(1, now, &mut out),
                    Some(Action::FocusThird) => self.turn(2, now, &mut out),
                    Some(action @ (Action::StepScript | Action::PlayScript)) => {
                        self.script_key(action, leaving, now, &mut out);
                    }
                    _ => self.tell(self.focus, Msg::Key(key), now, &mut out),
                }
            }
            other => self.tell(self.focus, other, now, &mut out),
        }
        out
    }

    /// Somebody else gets the terminal, or it comes back: what is told meanwhile is not read.
    pub fn cover(&mut self, covered: bool, now: Now) -> Vec<(usize, Effect)> {
        let mut out = Vec::new();
        self.covered = covered;
        self.look(now, &mut out);
        out
    }

    /// Something happened to one of them.
    pub fn heard(&mut self, seat: usize, msg: Msg, now: Now) -> Vec<(usize, Effect)> {
        let mut out = Vec::new();
        self.tell(seat, msg, now, &mut out);
        out
    }

    /// Time has passed for all of them.
    pub fn tick(&mut self, now: Now) -> Vec<(usize, Effect)> {
        let mut out = Vec::new();
        for seat in 0..self.seats.len() {
            self.tell(seat, Msg::Tick, now, &mut out);
        }
        let begin = self.script.as_mut().map_or(0, |script| script.tick(now.at));
        self.steps(begin, &mut out);
        out
    }

    /// Something is told of the script.
    pub fn told(&mut self, told: Told, now: Now) -> Vec<(usize, Effect)> {
        let mut out = Vec::new();
        let Some(script) = &mut self.script else { return out };
        let begin = script.hear(told, now.at);
        if script.is_over() {
            // From now on nobody plays them but the user.
            for seat in &mut self.seats {
                seat.model.chats.follows = false;
            }
        }
        self.steps(begin, &mut out);
        out
    }

    fn steps(&self, begin: usize, out: &mut Vec<(usize, Effect)>) {
        out.extend((0..begin).map(|_| (self.focus, Effect::StepScript)));
    }

    /// Steps or plays; where there is no script, the one that comes with the three, once it is sure.
    fn script_key(
        &mut self,
        action: Action,
        leaving: bool,
        now: Now,
        out: &mut Vec<(usize, Effect)>,
    ) {
        let begin = match (&mut self.script, action) {
            (Some(script), Action::PlayScript) => script.play(now.at),
            (Some(script), _) => script.step(),
            (None, _) if leaving => return out.push((self.focus, Effect::Script)),
            (None, _) => {
                self.leaving = true;
                let said = "once more: leave these three for the script dispute-join".to_owned();
                self.tell(self.focus, Msg::Reply(Reply::Said(said)), now, out);
                0
            }
        };
        self.steps(begin, out);
    }

    fn tell(&mut self, seat: usize, msg: Msg, now: Now, out: &mut Vec<(usize, Effect)>) {
        if let Some(known) = self.seats.get_mut(seat) {
            let effects = update(&mut known.model, msg, now);
            out.extend(effects.into_iter().map(|effect| (seat, effect)));
        }
    }

    fn turn(&mut self, seat: usize, now: Now, out: &mut Vec<(usize, Effect)>) {
        if seat < self.seats.len() {
            self.focus = seat;
            self.look(now, out);
            // Where one pane has the screen, another one has it now.
            let (columns, rows) = self.size;
            out.extend(self.terminal(Msg::Resize(columns, rows), now));
        }
    }

    /// Who has the keys has the eyes too: only that one reads.
    fn look(&mut self, now: Now, out: &mut Vec<(usize, Effect)>) {
        if !self.is_trio() {
            if let Some(has) = self.window {
                self.tell(0, Msg::Focus(has && !self.covered), now, out);
            }
            return;
        }
        for seat in 0..self.seats.len() {
            let has = seat == self.focus && self.window.unwrap_or(true) && !self.covered;
            self.tell(seat, Msg::Focus(has), now, out);
        }
    }

    /// Whether they stand side by side.
    pub fn is_wide(&self) -> bool {
        self.size.0 >= SIDE_BY_SIDE_FROM
    }

    /// Where the pane of one of them is, below its two lines; empty where it is not shown.
    pub fn pane(&self, seat: usize) -> Rect {
        let (width, height) = self.size;
        let screen = Rect { x: 0, y: 0, width, height };
        if !self.is_trio() {
            return screen;
        }
        let count = u16::try_from(self.seats.len()).unwrap_or(1);
        let at = u16::try_from(seat).unwrap_or_default();
        if self.is_wide() {
            // A rule stands between two panes.
            let each = (width - (count - 1)) / count;
            let x = at * (each + 1);
            let width = if at + 1 == count { width - x } else { each };
            return Rect { x, y: 2, width, height: height.saturating_sub(3) };
        }
        // A line for each of them above the one that is shown.
        let body = Rect { y: count, height: height.saturating_sub(count + 1), ..screen };
        if seat == self.focus { body } else { Rect { height: 0, ..body } }
    }

    /// When a tick is due at the latest.
    pub fn next_wake(&self) -> Option<std::time::Duration> {
        let script = self.script.as_ref().and_then(Script::next_wake);
        let seats = self.seats.iter().filter_map(|seat| crate::update::next_wake(&seat.model));
        seats.chain(script).min()
    }
}
