//! The only room that touches the world: the terminal, the session, files, the clock.
//!
//! One loop owns the model. Keys come first, so that they are answered under any flood; updates are
//! taken in handfuls; at most sixty frames a second are drawn, and none when nothing changed.

mod edit;
mod effects;
mod signals;
pub mod terminal;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use crossterm::event::{Event, EventStream, KeyEventKind, MouseEventKind};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trialogue_client::session::{SessionConfig, Update};
use trialogue_client::{Error, Rest};
use trialogue_protocol::{ChatId, User};
use url::Url;

use self::effects::Hands;
use self::signals::{Asked, Signals};
use self::terminal::Screen;
use crate::effect::Effect;
use crate::model::{Model, Settings, Who};
use crate::msg::{Msg, Now, Reply};
use crate::update::{next_wake, update};
use crate::view;

/// Least time between two frames: sixty a second.
const FRAME: Duration = Duration::from_millis(16);
/// Updates taken at once (64): then it is the keys' turn again.
const UPDATES_AT_ONCE: usize = 64;

/// How accounts are opened: the composition root knows folders, certificates and profiles.
pub trait Door: Send + Sync + 'static {
    /// A voice at a server, not signed in.
    ///
    /// # Errors
    /// [`Error::Invalid`] and the like: the address cannot be spoken to.
    fn at(&self, server: &Url) -> Result<Rest, Error>;

    /// Remembers who has signed in, and opens what belongs to the account: outbox and backup. The
    /// sentences are for the user.
    fn enter(&self, rest: Rest, user: User) -> BoxFuture<'static, (SessionConfig, Vec<String>)>;

    /// The account signed out: what was kept of it goes.
    fn forget(&self, rest: &Rest);
}

/// How to begin.
pub struct Start {
    /// Opens accounts.
    pub door: Arc<dyn Door>,
    /// Signed in already: the voice, and who it is if that is known.
    pub account: Option<(Rest, Option<User>)>,
    /// Whose client it is.
    pub who: Who,
    /// What the user chose.
    pub settings: Settings,
    /// The chat to open.
    pub chat: Option<ChatId>,
    /// Sentences for the user: words of the configuration file that mean nothing.
    pub notices: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The user wanted it.
    Quit,
    /// The user wants to see the demo.
    Demo,
    /// Somebody asked the process to end, or the terminal is gone.
    Asked,
}

/// A moment on the wall clocks of this place.
pub fn local(at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&Local).naive_local()
}

/// Runs the client on this process's terminal until the user quits or `stop` is cancelled.
///
/// # Errors
/// The terminal cannot be used.
pub async fn run(start: Start, stop: CancellationToken) -> io::Result<Ended> {
    let Start { door, account, who, settings, chat, notices } = start;
    let mut model = Model::new(who, settings, rand_seed());
    model.chats.wanted = chat;
    let screen = Screen::enter()?;
    let (hands, replies, updates) = Hands::new(door);
    let mut shell = Shell {
        origin: Instant::now(),
        model,
        screen,
        hands,
        replies,
        updates,
        keys: Some(EventStream::new()),
        signals: Signals::catch()?,
        ended: None,
        drawn: Instant::now().checked_sub(FRAME).unwrap_or_else(Instant::now),
        dirty: true,
    };
    shell.begin(account, notices)?;
    let ended = shell.live(stop).await;
    shell.hands.close().await;
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
    Terminal(Option<io::Result<Event>>),
    Reply(Reply),
    Updates(Vec<Update>),
    Time,
}

struct Shell {
    origin: Instant,
    model: Model,
    screen: Screen,
    hands: Hands,
    replies: mpsc::Receiver<Reply>,
    updates: mpsc::Receiver<Update>,
    /// Nothing while somebody else has the terminal.
    keys: Option<EventStream>,
    signals: Signals,
    ended: Option<Ended>,
    drawn: Instant,
    dirty: bool,
}

impl Shell {
    fn now(&self) -> Now {
        Now { at: self.origin.elapsed(), wall: Utc::now() }
    }

    fn begin(
        &mut self,
        account: Option<(Rest, Option<User>)>,
        notices: Vec<String>,
    ) -> io::Result<()> {
        let (columns, rows) = self.screen.size()?;
        self.tell(Msg::Resize(columns, rows));
        match account {
            Some((rest, user)) => self.hands.enter(rest, user),
            None => {
                let form = crate::update::sign_in_form(&mut self.model);
                self.model.dialogs.fill(form);
            }
        }
        for notice in notices {
            self.tell(Msg::Reply(Reply::Said(notice)));
        }
        Ok(())
    }

    async fn live(&mut self, stop: CancellationToken) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            self.draw()?;
            match self.wait(&stop).await {
                Woken::Stop => return Ok(Ended::Asked),
                Woken::Signal(Asked::HangUp) => return Ok(Ended::Asked),
                Woken::Signal(Asked::Stop) => self.suspend()?,
                Woken::Signal(Asked::Continue) => self.screen.again()?,
                // Without a terminal nobody is there any more.
                Woken::Terminal(None | Some(Err(_))) => return Ok(Ended::Asked),
                Woken::Terminal(Some(Ok(event))) => self.event(event).await?,
                Woken::Reply(reply) => self.tell(Msg::Reply(reply)),
                Woken::Updates(updates) => {
                    for update in updates {
                        self.tell(Msg::Update(update));
                    }
                }
                Woken::Time => self.tell(Msg::Tick),
            }
            self.dirty = true;
        }
    }

    async fn wait(&mut self, stop: &CancellationToken) -> Woken {
        let due = next_wake(&self.model).map(|at| self.origin + at);
        let frame = self.dirty.then(|| self.drawn + FRAME);
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
            () = time => Woken::Time,
            Some(reply) = self.replies.recv() => Woken::Reply(reply),
            taken = self.updates.recv_many(&mut updates, UPDATES_AT_ONCE), if taken_is_open(&self.updates) => {
                debug_assert!(taken > 0 || self.updates.is_closed());
                Woken::Updates(updates)
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if !self.dirty || self.keys.is_none() || self.drawn.elapsed() < FRAME {
            return Ok(());
        }
        let model = &self.model;
        self.screen.draw(|frame| view(model, frame))?;
        self.drawn = Instant::now();
        self.dirty = false;
        Ok(())
    }

    async fn event(&mut self, event: Event) -> io::Result<()> {
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
        let effects = update(&mut self.model, msg, now);
        self.obey(effects).await
    }

    /// Tells the model something that needs nothing of the terminal.
    fn tell(&mut self, msg: Msg) {
        let now = self.now();
        let effects = update(&mut self.model, msg, now);
        for effect in effects {
            if let Err(error) = self.obey_now(effect) {
                tracing::warn!(%error, "the terminal does not take it");
                self.ended = Some(Ended::Asked);
            }
        }
    }

    async fn obey(&mut self, effects: Vec<Effect>) -> io::Result<()> {
        for effect in effects {
            match effect {
                Effect::Editor(draft) => self.edit(draft).await?,
                other => self.obey_now(other)?,
            }
        }
        Ok(())
    }

    fn obey_now(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::Bell => self.screen.bell()?,
            Effect::Desktop(text) => self.screen.desktop(&text)?,
            Effect::Mouse(on) => self.screen.mouse(on)?,
            Effect::Redraw => self.screen.again()?,
            Effect::Suspend => self.suspend()?,
            Effect::Quit => self.ended = Some(Ended::Quit),
            Effect::Demo => self.ended = Some(Ended::Demo),
            other => self.hands.obey(other),
        }
        Ok(())
    }

    /// To the background, with the terminal as it was found; comes back where it was.
    fn suspend(&mut self) -> io::Result<()> {
        self.screen.leave();
        signals::stop_here()?;
        self.screen.again()?;
        let (columns, rows) = self.screen.size()?;
        self.tell(Msg::Resize(columns, rows));
        self.dirty = true;
        Ok(())
    }

    /// Gives the terminal to `$EDITOR` and the draft with it. Meanwhile the session is still heard.
    async fn edit(&mut self, draft: String) -> io::Result<()> {
        self.keys = None;
        self.screen.leave();
        let edited = {
            let editing = edit::edit(draft);
            tokio::pin!(editing);
            loop {
                let mut updates = Vec::new();
                tokio::select! {
                    edited = &mut editing => break edited,
                    _ = self.updates.recv_many(&mut updates, UPDATES_AT_ONCE),
                        if taken_is_open(&self.updates) =>
                    {
                        for update in updates {
                            self.tell(Msg::Update(update));
                        }
                    }
                    Some(reply) = self.replies.recv() => self.tell(Msg::Reply(reply)),
                }
            }
        };
        self.screen.again()?;
        self.keys = Some(EventStream::new());
        let (columns, rows) = self.screen.size()?;
        self.tell(Msg::Resize(columns, rows));
        self.tell(Msg::Reply(Reply::Edited(edited)));
        Ok(())
    }
}

/// A channel that is closed and empty would wake the loop for ever.
fn taken_is_open(updates: &mpsc::Receiver<Update>) -> bool {
    !(updates.is_closed() && updates.is_empty())
}
