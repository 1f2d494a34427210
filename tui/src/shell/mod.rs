//! The only room that touches the world: the terminal, the session, files, the clock.
//!
//! One loop owns the model. Keys come first, so that they are answered under any flood; updates are
//! taken in handfuls; at most sixty frames a second are drawn, and none when nothing changed.

mod account;
mod away;
mod door;
mod edit;
mod effects;
mod pace;
mod plain;
mod repaint;
mod requests;
mod script;
mod signals;
pub mod terminal;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use crossterm::event::{Event, EventStream, KeyEventKind, MouseEventKind};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trialogue_client::session::Update;

pub use self::door::{Begin, Door, Ended, Entered, Entrance, Line, News, Play, Start};
pub use self::edit::is_editing;
use self::effects::Hands;
use self::pace::{Pace, Want};
pub use self::plain::run as run_plain;
use self::script::Wings;
use self::signals::{Asked, Signals};
use self::terminal::Screen;
use crate::effect::Effect;
use crate::model::Model;
use crate::msg::{Msg, Now, Reply};
use crate::script::Script;
use crate::table::Table;
use crate::view_table;

/// Updates taken at once (64): then it is the keys' turn again.
const UPDATES_AT_ONCE: usize = 64;

/// A moment on the wall clocks of this place.
pub fn local(at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&Local).naive_local()
}

/// Runs one client on this process's terminal, or several side by side with a script or without,
/// until the user quits or `stop` is cancelled.
///
/// # Errors
/// The terminal cannot be used.
pub async fn run(
    starts: Vec<Start>,
    play: Option<Play>,
    stop: CancellationToken,
) -> io::Result<Ended> {
    let screen = Screen::enter()?;
    let (replies, replied) = mpsc::channel(effects::REPLIES_MAX);
    let (updates, updated) = mpsc::channel(effects::UPDATES_MAX);
    let mut models = Vec::new();
    let mut chairs = Vec::new();
    let mut beginnings = Vec::new();
    for (seat, start) in starts.into_iter().enumerate() {
        let mut model = Model::new(start.who, start.settings, rand_seed());
        model.chats.wanted = start.chat;
        // Whose line can be cut has a server that goes with this client, and the day has none.
        let is_shown = start.line.is_some() || matches!(start.begin, Begin::Waits | Begin::Demo);
        model.connection.in_memory = is_shown;
        models.push(model);
        let hands = Hands::new(seat, start.door, replies.clone(), updates.clone());
        chairs.push(Chair { hands, line: start.line });
        beginnings.push((start.begin, start.notices));
    }
    let mut table = Table::new(models);
    let mut wings = Wings::default();
    if let Some(play) = play {
        table.script = Some(Script::new(&play.name, play.of));
        wings.news = Some(play.news);
    }
    let mut shell = Shell {
        origin: Instant::now(),
        table,
        screen,
        chairs,
        replies: replied,
        updates: updated,
        wings,
        keys: Some(EventStream::new()),
        signals: Signals::catch()?,
        ended: None,
        pace: Pace::default(),
    };
    shell.begin(beginnings)?;
    let ended = shell.live(stop).await;
    for (chair, seat) in shell.chairs.iter_mut().zip(&mut shell.table.seats) {
        if let Some(desk) = crate::update::left(&mut seat.model) {
            chair.hands.obey(Effect::KeepDesk(desk));
        }
        chair.hands.close().await;
    }
    shell.screen.leave();
    ended
}

/// Chance for ids and delays.
fn rand_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// What moves the loop.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once, never kept")]
enum Woken {
    Stop,
    Signal(Asked),
    /// Something else than this loop gave the terminal back.
    GivenBack,
    Terminal(Option<io::Result<Event>>),
    Reply(usize, Reply),
    Updates(Vec<(usize, Update)>),
    News(Option<News>),
    Time,
}

/// What one account needs of the world.
struct Chair {
    hands: Hands,
    line: Option<Arc<dyn Line>>,
}

/// What an account begins with: its voice, and sentences for its user.
type Beginning = (Begin, Vec<String>);

struct Shell {
    origin: Instant,
    table: Table,
    screen: Screen,
    chairs: Vec<Chair>,
    replies: mpsc::Receiver<(usize, Reply)>,
    updates: mpsc::Receiver<(usize, Update)>,
    wings: Wings,
    /// Nothing while somebody else has the terminal.
    keys: Option<EventStream>,
    signals: Signals,
    ended: Option<Ended>,
    pace: Pace,
}

impl Shell {
    fn now(&self) -> Now {
        Now { at: self.origin.elapsed(), wall: Utc::now() }
    }

    fn begin(&mut self, beginnings: Vec<Beginning>) -> io::Result<()> {
        self.measure()?;
        for (seat, (begin, notices)) in beginnings.into_iter().enumerate() {
            let model = &mut self.table.seats[seat].model;
            match begin {
                Begin::In(rest, user) => self.chairs[seat].hands.enter(rest, user),
                Begin::SignIn => {
                    let form = crate::update::sign_in_form(model);
                    model.dialogs.fill(form);
                }
                Begin::Waits => model.chats.follows = true,
                Begin::Demo => self.chairs[seat].hands.pretend(),
            }
            for notice in notices {
                self.tell(seat, Msg::Reply(Reply::Said(notice)));
            }
        }
        Ok(())
    }

    /// Learns the size of the terminal.
    fn measure(&mut self) -> io::Result<()> {
        let (columns, rows) = self.screen.size()?;
        let now = self.now();
        let effects = self.table.terminal(Msg::Resize(columns, rows), now);
        self.obey_all(effects);
        Ok(())
    }

    async fn live(&mut self, stop: CancellationToken) -> io::Result<Ended> {
        self.pace.want(Want::News);
        loop {
            if let Some(ended) = self.ended.take() {
                return Ok(ended);
            }
            self.draw()?;
            match self.wait(&stop).await {
                Woken::Stop => return Ok(Ended::Asked),
                Woken::Signal(Asked::HangUp) => return Ok(Ended::HungUp),
                Woken::Signal(Asked::Stop) => self.suspend(self.table.focus)?,
                Woken::Signal(Asked::Continue) | Woken::GivenBack => self.screen.again()?,
                // Without a terminal nobody is there any more.
                Woken::Terminal(None | Some(Err(_))) => return Ok(Ended::HungUp),
                Woken::Terminal(Some(Ok(event))) => {
                    self.event(event, &stop).await?;
                    self.pace.want(Want::Answer);
                }
                Woken::Reply(seat, reply) => self.tell(seat, Msg::Reply(reply)),
                Woken::Updates(updates) => self.hear(updates),
                Woken::News(news) => self.news(news),
                Woken::Time => {
                    let now = self.now();
                    let effects = self.table.tick(now);
                    self.obey_all(effects);
                }
            }
            self.pace.want(Want::News);
        }
    }

    async fn wait(&mut self, stop: &CancellationToken) -> Woken {
        let due = self.table.next_wake().map(|at| self.origin + at);
        let frame = self.pace.due().map(|at| self.origin + at);
        let wake = [due, frame].into_iter().flatten().min();
        let mut updates = Vec::new();
        let keys = async {
            match &mut self.keys {
                Some(keys) => keys.next().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stop,
            event = keys => Woken::Terminal(event),
            asked = self.signals.next() => Woken::Signal(asked),
            () = terminal::given_back() => Woken::GivenBack,
            () = time => Woken::Time,
            Some((seat, reply)) = self.replies.recv() => Woken::Reply(seat, reply),
            news = self.wings.next() => Woken::News(news),
            taken = self.updates.recv_many(&mut updates, UPDATES_AT_ONCE), if taken_is_open(&self.updates) => {
                debug_assert!(taken > 0 || self.updates.is_closed());
                Woken::Updates(updates)
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if self.keys.is_none() || !self.pace.is_due(self.origin.elapsed()) {
            return Ok(());
        }
        let table = &self.table;
        self.screen.draw(|frame| view_table(table, frame))?;
        self.pace.drew(self.origin.elapsed());
        Ok(())
    }

    async fn event(&mut self, event: Event, stop: &CancellationToken) -> io::Result<()> {
        let msg = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Msg::Key(key),
            Event::Paste(text) => Msg::Paste(text),
            Event::Resize(columns, rows) => {
                // Several sizes at once: the last one counts.
                self.screen.resized();
                Msg::Resize(columns, rows)
            }
            Event::FocusGained => Msg::Focus(true),
            Event::FocusLost => Msg::Focus(false),
            Event::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => Msg::Wheel(-1),
                MouseEventKind::ScrollDown => Msg::Wheel(1),
                _ => return Ok(()),
            },
            Event::Key(_) => return Ok(()),
        };
        let now = self.now();
        let effects = self.table.terminal(msg, now);
        for (seat, effect) in effects {
            match effect {
                Effect::Editor(draft) => self.edit(seat, draft, stop).await?,
                other => self.obey(seat, other)?,
            }
        }
        Ok(())
    }

    fn hear(&mut self, updates: Vec<(usize, Update)>) {
        for (seat, update) in updates {
            self.tell(seat, Msg::Update(update));
        }
    }

    /// Tells an account something that needs nothing of the terminal.
    fn tell(&mut self, seat: usize, msg: Msg) {
        let now = self.now();
        let effects = self.table.heard(seat, msg, now);
        self.obey_all(effects);
    }

    fn obey_all(&mut self, effects: Vec<(usize, Effect)>) {
        for (seat, effect) in effects {
            if let Err(error) = self.obey(seat, effect) {
                tracing::warn!(%error, "the terminal does not take it");
                self.ended = Some(Ended::HungUp);
            }
        }
    }

    fn obey(&mut self, seat: usize, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::Bell => self.screen.bell()?,
            Effect::Desktop(text) => self.screen.desktop(&text)?,
            Effect::Mouse(on) => self.screen.mouse(on)?,
            Effect::Redraw => self.screen.again()?,
            Effect::Suspend => self.suspend(seat)?,
            Effect::Quit => self.ended = Some(Ended::Quit),
            Effect::Demo => self.ended = Some(Ended::Demo),
            Effect::Profile(name) => self.ended = Some(Ended::Profile(name)),
            Effect::Script => self.ended = Some(Ended::Script),
            Effect::StepScript => self.wings.go(),
            Effect::CutLine(cut) => {
                if let Some(line) = self.chairs.get(seat).and_then(|chair| chair.line.as_ref()) {
                    line.cut(cut);
                }
            }
            other => {
                if let Some(chair) = self.chairs.get_mut(seat) {
                    chair.hands.obey(other);
                }
            }
        }
        Ok(())
    }
}

/// A channel that is closed and empty would wake the loop for ever.
fn taken_is_open(updates: &mpsc::Receiver<(usize, Update)>) -> bool {
    !(updates.is_closed() && updates.is_empty())
}
