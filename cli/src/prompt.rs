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
    out.ask(label);
    answer().await
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
    out.ask(label);
    let answer = answer().await;
    drop(silence);
    // The person's own newline was not echoed either.
    out.ask("\n");
    answer
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
    Ok(line.to_owned())
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
