//! Asking a person at a terminal, and never anybody else.

use std::io::{self, BufRead, IsTerminal, Read};

use anyhow::Context as _;

use crate::args::Global;
use crate::exit::Failure;
use crate::out::Out;

/// Longest answer in bytes: four times what a password may have in characters, and a newline.
const ANSWER_BYTES_MAX: u64 = 4 * 128 + 1;

/// Asks for something that may be seen while it is typed. `instead` names the way for scripts.
pub(crate) async fn line(
    global: &Global,
    out: &mut Out,
    label: &str,
    instead: &str,
) -> anyhow::Result<String> {
    may_ask(global, label, instead)?;
    Question::ask(out, label).answered(true).await
}

/// Asks for something that may not be seen: the terminal does not echo it.
pub(crate) async fn secret(
    global: &Global,
    out: &mut Out,
    label: &str,
    instead: &str,
) -> anyhow::Result<String> {
    may_ask(global, label, instead)?;
    // Also undone when Ctrl-C drops this future in the middle of the question.
    let silence = silence().context("cannot turn off the terminal's echo")?;
    let answer = Question::ask(out, label).answered(false).await;
    drop(silence);
    answer
}

/// A question that has no answer yet.
struct Question<'a> {
    out: &'a mut Out,
    /// The person's own newline ends the line.
    is_ended: bool,
}

impl<'a> Question<'a> {
    fn ask(out: &'a mut Out, label: &str) -> Self {
        out.ask(label);
        Self { out, is_ended: false }
    }

    /// Waits for the answer, whose newline `is_seen` or not.
    async fn answered(mut self, is_seen: bool) -> anyhow::Result<String> {
        let answer = answer().await;
        self.is_ended = answer.is_ok() && is_seen;
        answer
    }
}

impl Drop for Question<'_> {
    /// Also when Ctrl-C drops the question: what comes next begins a line of its own.
    fn drop(&mut self) {
        if !self.is_ended {
            self.out.ask("\n");
        }
    }
}

/// The first line of standard input, for `--password-stdin` and the like.
pub(crate) async fn answer() -> anyhow::Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line).map(|_| line)
    });
    let line = read.await?.context("cannot read standard input")?;
    if line.len() as u64 == ANSWER_BYTES_MAX && !line.ends_with('\n') {
        return Err(Failure::usage("the answer is too long").into());
    }
    let line = line.strip_suffix('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).unwrap_or(&line);
    match line {
        "" => Err(Failure::usage("no answer: the line is empty").into()),
        line => Ok(line.to_owned()),
    }
}

fn may_ask(global: &Global, label: &str, instead: &str) -> anyhow::Result<()> {
    if !global.no_input && io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    let what = label.trim_end_matches([':', ' ']).to_lowercase();
    Err(Failure::usage(format!("no {what}, and nobody to ask: {instead}")).into())
}

#[cfg(unix)]
fn silence() -> io::Result<Silence> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(io::stdin())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
    Ok(Silence { before })
}

/// A terminal that does not echo until this is dropped.
#[cfg(unix)]
struct Silence {
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // The terminal may be gone; then there is nothing to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(not(unix))]
struct Silence;

#[cfg(not(unix))]
fn silence() -> io::Result<Silence> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "use --password-stdin on this system"))
}
