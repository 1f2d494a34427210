//! The terminal: taken over, and given back whatever ends us, a panic included.

use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags,
    PushKeyboardEnhancementFlags,
};
use crossterm::style::Print;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use tokio::sync::Notify;

use super::repaint::Unsure;

/// A variable that makes the first frame panic; `aside` does it in a thread of its own.
#[cfg(debug_assertions)]
const PANIC: &str = "TRIALOGUE_FAIL_CHAT_FRAME";

#[cfg(debug_assertions)]
static FAILED_ASIDE: Once = Once::new();

/// The terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// A panic gave it back, of which the loop must know unless it was its own.
static GIVEN_BACK: Notify = Notify::const_new();

/// Waits until a panic anywhere in the process has given the terminal back.
pub(super) async fn given_back() {
    GIVEN_BACK.notified().await;
}

/// The screen of this process's terminal. Dropping it gives the terminal back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
    /// What stands on it that terminals measure each in its own way.
    unsure: Unsure,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// There is no terminal, or it does not let us.
    pub fn enter() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // First the terminal, so that the words of the panic can be read.
                give_back();
                before(panic);
                // One that ends the loop wakes nobody; after any other one it goes on drawing.
                GIVEN_BACK.notify_one();
            }));
        });
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        match terminal {
            Ok(terminal) => Ok(Self { terminal, mouse: false, unsure: Unsure::default() }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws one frame: only what changed goes out.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let drawn = self.terminal.draw(render)?.buffer;
        let unsure = Unsure::of(drawn);
        if unsure != self.unsure {
            let drawn = drawn.clone();
            self.unsure.repaint(&unsure, &drawn, self.terminal.backend_mut())?;
            self.unsure = unsure;
        }
        // Only in builds for tests, which must see that the terminal survives a panic.
        #[cfg(debug_assertions)]
        if let Some(place) = std::env::var_os(PANIC) {
            let panic = || panic!("{PANIC} is set: this panic was asked for");
            match place == "aside" {
                true => FAILED_ASIDE.call_once(|| drop(std::thread::spawn(panic).join())),
                false => panic(),
            }
        }
        Ok(())
    }

    /// The next frame is drawn whole.
    pub fn resized(&mut self) {
        // A terminal that is gone is found out by the next frame.
        let _ = self.terminal.autoresize();
        self.unsure = Unsure::default();
    }

    /// Takes the terminal over again and draws everything anew.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn again(&mut self) -> io::Result<()> {
        // What the terminal was told before is taken back first: it counts some of it, and a shell
        // may have undone the rest.
        give_back();
        take()?;
        if self.mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        // Not `Terminal::clear`: it asks the terminal where the cursor is, and the answer may go to
        // whoever reads the keys.
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        self.unsure = Unsure::default();
        Ok(())
    }

    /// Gives the terminal back as it was found.
    pub fn leave(&mut self) {
        give_back();
    }

    /// Catches the mouse, or leaves it to the terminal.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        match on {
            true => execute!(io::stdout(), EnableMouseCapture),
            false => execute!(io::stdout(), DisableMouseCapture),
        }
    }

    /// Puts text into the clipboard, by way of the terminal (OSC 52).
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Rings.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Print('\u{7}'))
    }

    /// Tells the desktop (OSC 9); the text is harmless already.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn desktop(&mut self, text: &str) -> io::Result<()> {
        // Each terminal knows one of the two; one that knows both would tell twice.
        let is_777 = |term: String| term.starts_with("rxvt") || term.starts_with("foot");
        let words = match std::env::var("TERM").is_ok_and(is_777) {
            true => format!("\u{1b}]777;notify;Trialogue;{text}\u{7}"),
            false => format!("\u{1b}]9;{text}\u{7}"),
        };
        execute!(io::stdout(), Print(words))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Terminals that know more keys are asked for them; the Linux console would only be confused.
fn knows_more_keys() -> bool {
    std::env::var("TERM").is_ok_and(|term| term != "linux" && term != "dumb")
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
    if knows_more_keys() {
        let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES;
        queue!(out, PushKeyboardEnhancementFlags(flags))?;
    }
    out.flush()
}

/// Undoes all of it, once; a terminal that is gone has nothing to undo.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    if knows_more_keys() {
        let _ = queue!(out, PopKeyboardEnhancementFlags);
    }
    let _ = execute!(
        out,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
