//! The only room that prints: standard output is data, standard error is talk (TUI.md §8).
//!
//! With `--json` nothing but JSON reaches standard output, and an error is one JSON line on
//! standard error. A reader that closes our pipe ends the verb quietly.

use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd as _;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;
#[cfg(unix)]
use tokio::{io::Interest, net::unix::pipe};
use trialogue_client::{LinkState, sanitize};

use crate::args::{Color, Global};
use crate::exit::{self, ClosedPipe, Exit, Mistakes};
use crate::human::live;
use crate::{json, settings};

const JSON_FLAG: &str = "--json";
/// Stands for `--json`.
const JSON_VARIABLE: &str = "TRIALOGUE_JSON";
/// Stands for `--color`.
const COLOR_VARIABLE: &str = "TRIALOGUE_COLOR";

/// Where a verb's words go.
pub(crate) struct Out {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    json: bool,
    quiet: bool,
}

impl Out {
    /// As the global flags say.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            stdout: AutoStream::new(io::stdout(), choice(global.color)),
            stderr: AutoStream::new(io::stderr(), choice(global.color)),
            json: global.json,
            quiet: global.quiet,
        }
    }

    /// Whether standard output is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether talk is left out.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Standard output itself, for what a library renders; colours are stripped where they
    /// are not wanted. Errors of writing go through [`closed`].
    pub(crate) fn stdout(&mut self) -> &mut impl Write {
        &mut self.stdout
    }

    /// One line of data.
    pub(crate) fn data(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.stdout, "{line}").and_then(|()| self.stdout.flush()).map_err(closed)
    }

    /// One JSON document, on one line: newline and object leave together.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        self.data(&json::line(document)?)
    }

    /// Talk, left out with `--quiet` and `--json`. Whatever of it came from elsewhere is harmless
    /// afterwards.
    pub(crate) fn say(&mut self, text: &str) {
        self.say_drawn(&sanitize::text(text));
    }

    /// The same for a line with colours of our own, whose foreign words are harmless already.
    pub(crate) fn say_drawn(&mut self, line: &str) {
        if !self.quiet && !self.json {
            // Nobody is left to tell when standard error itself is gone.
            let _ = writeln!(self.stderr, "{line}");
        }
    }

    /// Workflow commands for the machine that runs the job, also with `--quiet` and `--json`; whoever
    /// made them made them harmless.
    pub(crate) fn annotate(&mut self, commands: &str) {
        // Nobody is left to tell when standard error itself is gone.
        let _ = self.stderr.write_all(commands.as_bytes());
    }

    /// The state of a live connection, as talk; coming and going between tries is left out.
    pub(crate) fn say_link(&mut self, state: &LinkState) {
        match state {
            LinkState::Reconnecting { next_in, .. } if next_in.is_zero() => {}
            LinkState::Offline | LinkState::Closed => {}
            LinkState::Connecting { .. } | LinkState::Syncing { .. } => {}
            LinkState::Connected
            | LinkState::Reconnecting { .. }
            | LinkState::LoginNeeded { .. } => {
                self.say(&live::link(state));
            }
        }
    }

    /// A question to a person at the terminal; whether to ask is [`crate::prompt`]'s decision.
    pub(crate) fn ask(&mut self, question: &str) {
        let _ = write!(self.stderr, "{question}").and_then(|()| self.stderr.flush());
    }

    /// The last line of a verb that judges, when all is not well; answers the exit code.
    pub(crate) fn verdict(&mut self, exit: Exit, code: &str, message: &str) -> Exit {
        if exit != Exit::DONE {
            if self.json {
                print_error(&mut self.stderr, true, code, message);
            } else {
                let _ = writeln!(self.stderr, "{exit}: {}", sanitize::line(message));
            }
        }
        exit
    }

    /// The last line of a verb that failed; answers the exit code.
    pub(crate) fn error(&mut self, error: &anyhow::Error) -> Exit {
        let (exit, code) = exit::of(error);
        if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
            return self.mistakes(mistakes, exit, code);
        }
        if exit != Exit::DONE {
            let text = format!("{error:#}");
            // A refusal ends with its code, which JSON has a place of its own for.
            let bare = text.strip_suffix(&format!(" ({code})")).filter(|_| self.json);
            print_error(&mut self.stderr, self.json, code, bare.unwrap_or(&text));
        }
        exit
    }
}

impl Out {
    /// Mistakes of a file, on lines of their own, and how many there are.
    fn mistakes(&mut self, mistakes: &Mistakes, exit: Exit, code: &str) -> Exit {
        let sentences = mistakes.sentences();
        if self.json {
            print_error(&mut self.stderr, true, code, &sentences.join("; "));
            return exit;
        }
        self.complain(&mistakes.to_string());
        let count = match sentences.len() {
            1 => "1 mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        print_error(&mut self.stderr, false, code, &count);
        exit
    }

    /// Talk about what is wrong, which `--quiet` does not leave out.
    pub(crate) fn complain(&mut self, text: &str) {
        if !self.json {
            // Nobody is left to tell when standard error itself is gone.
            let _ = writeln!(self.stderr, "{}", sanitize::text(text));
        }
    }
}

/// Marks a closed pipe, so that it ends the verb quietly instead of failing it.
pub(crate) fn closed(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ClosedPipe(error).into(),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    }
}

/// Ends when nobody reads standard output any more, which is else noticed only by the next line; never
/// where that cannot be known.
pub(crate) async fn reader_gone() {
    #[cfg(unix)]
    if let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned()
        // Unchecked: to make it non-blocking would make it so for every process that has it. What
        // is no pipe is not taken, or never in error.
        && let Ok(stdout) = pipe::Sender::from_owned_fd_unchecked(stdout)
        && stdout.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// What a shell reads that asks for completions.
pub(crate) fn script(script: &[u8]) -> Exit {
    // Nobody is told when the shell has gone away.
    let _ = io::stdout().write_all(script);
    Exit::DONE
}

/// What clap has to say: help and version are data, the rest is a usage error.
pub(crate) fn usage(mut error: clap::Error) -> Exit {
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage)
        && let Some(usage) = settings::usage_without_globals(&usage.to_string())
    {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    let is_without_verb =
        [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];
    let json = typed(JSON_FLAG, JSON_VARIABLE).is_some_and(|value| is_on(&value));
    if json && error.use_stderr() {
        let message = match is_without_verb.contains(&error.kind()) {
            true => "no verb: --help lists what there is".to_owned(),
            false => sentence(&error.to_string()),
        };
        print_error(&mut io::stderr(), true, "usage", &message);
        return Exit::USAGE;
    }
    let mut text = error.render().ansi().to_string();
    if std::env::args_os().any(|arg| arg.to_string_lossy().contains(is_hostile)) {
        // It quotes what was typed, or what `xargs` made of what somebody else typed.
        text = sanitize::text(&error.to_string()).into_owned();
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let color = typed("--color", COLOR_VARIABLE).and_then(|when| Color::from_str(&when, true).ok());
    let color = choice(color.unwrap_or(Color::Auto));
    let written = match error.use_stderr() {
        true => write!(AutoStream::new(io::stderr(), color), "{text}{end}"),
        false => write!(AutoStream::new(io::stdout(), color), "{text}{end}"),
    };
    match (error.use_stderr(), written) {
        (true, _) => Exit::USAGE,
        // A closed pipe ends quietly here too.
        (false, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Exit::UNEXPECTED,
        (false, _) => Exit::DONE,
    }
}

/// What somebody has given to a global flag, looked for by hand because parsing failed; `true` for a
/// flag without a value.
fn typed(flag: &str, variable: &str) -> Option<String> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.take_while(|word| word != "--").collect();
    let joined = |word: &String| word.strip_prefix(flag)?.strip_prefix('=').map(str::to_owned);
    let apart = || {
        let at = words.iter().position(|word| word == flag)?;
        let is_value = |word: &&String| !word.starts_with('-') && flag != JSON_FLAG;
        Some(words.get(at + 1).filter(is_value).cloned().unwrap_or_else(|| "true".to_owned()))
    };
    let variable = || std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned());
    words.iter().find_map(joined).or_else(apart).or_else(variable)
}

fn is_hostile(c: char) -> bool {
    sanitize::is_hazard(c) && !matches!(c, '\n' | '\t')
}

/// All that clap says of a mistake, without the usage, in one line.
pub(crate) fn sentence(text: &str) -> String {
    let is_end = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more info");
    let lines = text.lines().take_while(is_end).map(str::trim).filter(|line| !line.is_empty());
    let mut sentence = String::new();
    for line in lines {
        let between = match sentence.chars().next_back() {
            None => "",
            // A list follows: what is missing, or what cannot stand together.
            Some(':') => " ",
            Some(_) if line.starts_with('[') => " ",
            Some(_) if line.starts_with("tip:") => "; ",
            Some(_) => ", ",
        };
        sentence.push_str(between);
        sentence.push_str(line);
    }
    sentence.strip_prefix("error: ").map(str::to_owned).unwrap_or(sentence)
}

/// As clap reads the variables of switches.
fn is_on(value: &str) -> bool {
    !["", "n", "no", "f", "false", "off", "0"].contains(&value.to_lowercase().as_str())
}

/// Whether what is drawn on standard output may use colours.
pub(crate) fn stdout_colors(color: Color) -> bool {
    AutoStream::new(io::stdout(), choice(color)).current_choice() != ColorChoice::Never
}

/// Whether the log on standard error may use colours.
pub(crate) fn stderr_colors(color: Color) -> bool {
    AutoStream::new(io::stderr(), choice(color)).current_choice() != ColorChoice::Never
}

fn print_error(to: &mut impl Write, json: bool, code: &str, message: &str) {
    let _ = if json {
        let error = serde_json::json!({"error": {"code": code, "message": message}});
        writeln!(to, "{}", json::line(&error).unwrap_or_default())
    } else {
        let bad = anstyle::AnsiColor::Red.on_default().bold();
        // Half of it may be the server's words.
        writeln!(to, "{bad}error:{bad:#} {}", sanitize::line(message))
    };
}

fn choice(color: Color) -> ColorChoice {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}
