//! The shell of the screen: the terminal, the keys, and who obeys them.

use std::io;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trialogue_loadtest::live::{Effect, Helm, Key, Model, Msg, update, view::view};
use trialogue_tui::shell::terminal::Screen;

/// What is told and not drawn yet: seconds of a run, of which the next one says more.
const TOLD_MAX: usize = 64;

/// The screen of a run; dropping it gives the terminal back.
pub(super) struct Live {
    told: mpsc::Sender<Msg>,
    drawing: JoinHandle<()>,
}

impl Live {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It does not let us.
    pub(super) fn start(model: Model, helm: Helm, stop: CancellationToken) -> io::Result<Self> {
        let screen = Screen::enter()?;
        let (told, hears) = mpsc::channel(TOLD_MAX);
        let drawing = tokio::spawn(draw(screen, model, helm, stop, hears));
        Ok(Self { told, drawing })
    }

    /// Shows something, unless the terminal is too slow to show what was before.
    pub(super) fn tell(&self, msg: Msg) {
        if self.told.try_send(msg).is_err() {
            tracing::debug!("a frame of the screen is left out");
        }
    }

    /// Gives the terminal back.
    pub(super) async fn end(self) {
        drop(self.told);
        // It ends with the last thing that was told.
        let _ended = self.drawing.await;
    }
}

async fn draw(
    mut screen: Screen,
    mut model: Model,
    helm: Helm,
    stop: CancellationToken,
    mut hears: mpsc::Receiver<Msg>,
) {
    let mut keys = Some(EventStream::new());
    loop {
        if screen.draw(|frame| view(&model, frame)).is_err() {
            // The terminal is gone; the run goes on, and its reports are written.
            keys = None;
        }
        let msg = tokio::select! {
            told = hears.recv() => match told {
                Some(msg) => msg,
                None => return,
            },
            event = next(&mut keys) => match event {
                Some(Event::Key(key)) => match meaning(key) {
                    Some(key) => Msg::Key(key),
                    None => continue,
                },
                Some(Event::Resize(..)) => {
                    screen.resized();
                    continue;
                }
                Some(_) => continue,
                None => {
                    keys = None;
                    continue;
                }
            },
        };
        match update(&mut model, msg) {
            Some(Effect::Speed(speed)) => helm.speed(speed),
            Some(Effect::Snapshot) => helm.ask(),
            Some(Effect::Stop) => stop.cancel(),
            None => {}
        }
    }
}

/// The next event; none when there are no more, and nothing for ever after that.
async fn next(keys: &mut Option<EventStream>) -> Option<Event> {
    match keys {
        Some(keys) => keys.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

fn meaning(key: KeyEvent) -> Option<Key> {
    if key.kind != KeyEventKind::Press {
        return None;
    }
    match key.code {
        KeyCode::Esc => Some(Key::Quit),
        // The terminal does not make a signal of it while the screen has it.
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            interrupt();
            Some(Key::Quit)
        }
        KeyCode::Char(letter) => Key::of(letter),
        _ => None,
    }
}

/// The signal that Ctrl-C is anywhere else.
fn interrupt() {
    let own = rustix::process::getpid();
    if let Err(error) = rustix::process::kill_process(own, rustix::process::Signal::INT) {
        tracing::warn!(%error, "no signal");
    }
}
