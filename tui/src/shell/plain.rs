//! The loop of a client without a screen: lines in, lines out.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::effects::{self, Hands};
use super::{Begin, Ended, Start, UPDATES_AT_ONCE, rand_seed, taken_is_open};
use crate::edit::DRAFT_BYTES_MAX;
use crate::effect::Effect;
use crate::model::{Listing, Model};
use crate::msg::{Msg, Now, Reply};
use crate::plain::Spoken;
use crate::update::{next_wake, update};

/// Lines read ahead (16): a fast writer is held back by its pipe.
const LINES_AHEAD_MAX: usize = 16;

/// How long the first line waits for the list of chats: a person can look and type again (3 s), what
/// comes through a pipe would be lost (30 s).
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_OF_A_PIPE: Duration = Duration::from_secs(30);

/// Runs the client on standard input and output until `/quit`, the end of input or `stop`.
///
/// # Errors
/// Nobody takes the output any more.
pub async fn run(start: Start, stop: CancellationToken) -> io::Result<Ended> {
    let (replies, mut replied) = mpsc::channel(effects::REPLIES_MAX);
    let (updates, mut updated) = mpsc::channel(effects::UPDATES_MAX);
    let mut model = Model::new(start.who, start.settings, rand_seed());
    model.chats.wanted = start.chat;
    let mut hands = Hands::new(0, Arc::clone(&start.door), replies, updates);
    let patience = if io::stdin().is_terminal() { PATIENCE } else { PATIENCE_OF_A_PIPE };
    let mut plain = Plain { origin: Instant::now(), patience, model, spoken: Spoken::default() };
    match start.begin {
        Begin::In(rest, user) => hands.enter(rest, user),
        Begin::Demo => hands.pretend(),
        // Where nothing is drawn there is no form, and no table for a script.
        Begin::SignIn | Begin::Waits => {}
    }
    for notice in start.notices {
        plain.tell(&Msg::Reply(Reply::Said(notice)), &mut hands)?;
    }
    let mut lines = lines();
    let ended = loop {
        let patience = (!plain.is_ready()).then_some(plain.patience);
        let wake = [next_wake(&plain.model), patience].into_iter().flatten().min();
        let wake = wake.map(|at| plain.origin + at);
        let time = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let mut heard = Vec::new();
        let messages = tokio::select! {
            biased;
            () = stop.cancelled() => break Ok(Ended::Asked),
            line = lines.recv(), if plain.is_ready() => match line {
                Some(line) => vec![Msg::Line(line)],
                None => break Ok(Ended::Quit),
            },
            () = time => vec![Msg::Tick],
            Some((_, reply)) = replied.recv() => vec![Msg::Reply(reply)],
            _ = updated.recv_many(&mut heard, UPDATES_AT_ONCE), if taken_is_open(&updated) => {
                heard.into_iter().map(|(_, update)| Msg::Update(update)).collect()
            }
        };
        let mut quits = false;
        for msg in &messages {
            quits |= plain.tell(msg, &mut hands)?;
        }
        if quits {
            break Ok(Ended::Quit);
        }
    };
    if let Some(desk) = crate::update::left(&mut plain.model) {
        hands.obey(Effect::KeepDesk(desk));
    }
    hands.close().await;
    ended
}

struct Plain {
    origin: Instant,
    patience: Duration,
    model: Model,
    spoken: Spoken,
}

impl Plain {
    /// Whether lines have something to be about: a pipe is faster than any server.
    fn is_ready(&self) -> bool {
        let listed = !matches!(self.model.chats.listing, Listing::Loading(_));
        listed || self.origin.elapsed() >= self.patience
    }

    /// Tells the model and says what changed; answers whether the user quits.
    fn tell(&mut self, msg: &Msg, hands: &mut Hands) -> io::Result<bool> {
        let now = Now { at: self.origin.elapsed(), wall: Utc::now() };
        let effects = update(&mut self.model, msg.clone(), now);
        let mut out = io::stdout().lock();
        for line in self.spoken.lines(&mut self.model, msg) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        let mut quits = false;
        for effect in effects {
            match effect {
                Effect::Quit => quits = true,
                // Lines that were typed ahead belong to this account.
                Effect::Profile(name) => {
                    let mut out = io::stdout().lock();
                    writeln!(out, "/quit first, then: trialogue --profile {name} shell")?;
                }
                // What only a screen can do.
                Effect::Bell
                | Effect::Desktop(_)
                | Effect::Copy(_)
                | Effect::Editor(_)
                | Effect::Mouse(_)
                | Effect::Redraw
                | Effect::Suspend
                | Effect::CutLine(_)
                | Effect::Script
                | Effect::StepScript
                | Effect::Demo => {}
                other => hands.obey(other),
            }
        }
        Ok(quits)
    }
}

/// The lines of standard input, as they come; what is longer than a draft may be comes in pieces.
fn lines() -> mpsc::Receiver<String> {
    use std::io::{BufRead as _, Read as _};
    let (tell, lines) = mpsc::channel(LINES_AHEAD_MAX);
    // Ends with standard input or with the process: a blocked read cannot be interrupted.
    tokio::task::spawn_blocking(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let most = DRAFT_BYTES_MAX as u64;
            match (&mut input).take(most).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']).to_owned();
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
