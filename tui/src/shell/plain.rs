//! The loop of a client without a screen: lines in, lines out.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trialogue_protocol::ChatId;

use super::effects::{self, Hands};
use super::{Begin, Ended, Start, UPDATES_AT_ONCE, rand_seed, taken_is_open};
use crate::edit::DRAFT_BYTES_MAX;
use crate::effect::Effect;
use crate::model::{Listing, Model, Settings, Who};
use crate::msg::{Msg, Now, Reply};
use crate::plain::Spoken;
use crate::update::{is_settled, next_wake, update};

/// Lines read ahead (16): a fast writer is held back by its pipe.
const LINES_AHEAD_MAX: usize = 16;

/// How long a person's first line waits for the list of chats (3 s): a person can type again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a line from a pipe waits until what was asked for before it is answered (30 s): longer
/// than any request may take.
const LINE_WAITS_MAX: Duration = Duration::from_secs(30);
/// How long what comes through a pipe waits for a chat to go to (2 min): ten attempts to connect on
/// a machine that is busy. After it nothing was taken, and that is said.
const CHAT_WAITS_MAX: Duration = Duration::from_secs(120);

/// Runs the client on standard input and output until `/quit`, the end of input or `stop`.
///
/// # Errors
/// Nobody takes the output any more.
pub async fn run(start: Start, stop: CancellationToken) -> io::Result<Ended> {
    let (replies, mut replied) = mpsc::channel(effects::REPLIES_MAX);
    let (updates, mut updated) = mpsc::channel(effects::UPDATES_MAX);
    let mut hands = Hands::new(0, Arc::clone(&start.door), replies, updates);
    let mut plain = Plain::new(start.who, start.settings, start.chat);
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
        let answered = hands.is_idle() && replied.is_empty();
        let waited = plain.waited(answered);
        if waited == Waited::ForNothing {
            break Ok(Ended::Unheard);
        }
        let patience = (waited == Waited::NotYet).then(|| plain.patience());
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
            Some((_, reply)) = replied.recv() => vec![Msg::Reply(reply)],
            line = lines.recv(), if waited == Waited::Enough => match line {
                Some(line) => vec![Msg::Line(line)],
                None => break Ok(Ended::Quit),
            },
            () = hands.idle(), if !answered => Vec::new(),
            () = time => vec![Msg::Tick],
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
    plain.say_what_is_left()?;
    ended
}

/// Whether the next line may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    NotYet,
    Enough,
    /// There will be no chat to go to.
    ForNothing,
}

struct Plain {
    origin: Instant,
    /// Somebody types; else it is a pipe, which is faster than any server.
    is_person: bool,
    /// When the last line was taken.
    line_at: Duration,
    model: Model,
    spoken: Spoken,
}

impl Plain {
    fn new(who: Who, settings: Settings, chat: Option<ChatId>) -> Self {
        let mut model = Model::new(who, settings, rand_seed());
        model.chats.wanted = chat;
        Self {
            origin: Instant::now(),
            is_person: io::stdin().is_terminal(),
            line_at: Duration::ZERO,
            model,
            spoken: Spoken::default(),
        }
    }

    /// Whether lines have something to be about, and those before them are done with.
    fn waited(&self, answered: bool) -> Waited {
        let now = self.origin.elapsed();
        let listed = self.model.chats.listing == Listing::Loaded;
        let somewhere = self.model.chats.open.is_some() || listed;
        let enough = if self.is_person {
            !matches!(self.model.chats.listing, Listing::Loading(_)) || now >= PATIENCE
        } else {
            somewhere
                && (answered && is_settled(&self.model) || now >= self.line_at + LINE_WAITS_MAX)
        };
        let is_out = now >= CHAT_WAITS_MAX || self.model.connection.is_signed_out();
        match enough {
            true => Waited::Enough,
            false if !self.is_person && !somewhere && is_out => Waited::ForNothing,
            false => Waited::NotYet,
        }
    }

    /// When waiting is over at the latest.
    fn patience(&self) -> Duration {
        let now = self.origin.elapsed();
        let ends = if self.is_person {
            [PATIENCE, PATIENCE]
        } else {
            [self.line_at + LINE_WAITS_MAX, CHAT_WAITS_MAX]
        };
        ends.into_iter().filter(|at| *at > now).min().unwrap_or(now + PATIENCE)
    }

    /// What was not sent, at the end.
    fn say_what_is_left(&self) -> io::Result<()> {
        let (waiting, refused) = match self.model.connection.in_memory {
            true => (0, 0),
            false => (self.model.waiting(), self.model.refused()),
        };
        let kept = ["the outbox keeps it", "the outbox keeps them"];
        let lost = ["it is lost", "they are lost"];
        let mut out = io::stdout().lock();
        for (count, state, [one, several]) in [
            (waiting, "not sent yet", kept),
            (refused, "not sent", kept),
            (self.model.lost(), "not sent", lost),
        ] {
            match count {
                0 => {}
                1 => writeln!(out, "1 message is {state}; {one}.")?,
                count => writeln!(out, "{count} messages are {state}; {several}.")?,
            }
        }
        out.flush()
    }

    /// Tells the model and says what changed; answers whether the user quits.
    fn tell(&mut self, msg: &Msg, hands: &mut Hands) -> io::Result<bool> {
        let now = Now { at: self.origin.elapsed(), wall: Utc::now() };
        if let Msg::Line(_) = msg {
            self.line_at = now.at;
        }
        // What comes after it in a pipe was meant for somebody who is signed in.
        let mut quits = matches!(msg, Msg::Reply(Reply::SignedOut(_)));
        let effects = update(&mut self.model, msg.clone(), now);
        let mut out = io::stdout().lock();
        for line in self.spoken.lines(&mut self.model, msg) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
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
