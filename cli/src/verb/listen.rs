//! `trialogue listen [CHAT…]`: what happens, as it happens; alias `tail`.
//!
//! Comes back by itself after every lost connection and shows what was missed: each message
//! exactly once, in order. A server that is not there yet is waited for; only `--for`, a `--timeout`
//! that somebody named, or a signal ends that.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap_complete::ArgValueCompleter;
use tokio::time::Instant;
use trialogue_client::link::LinkConfig;
use trialogue_client::rest::ListQuery;
use trialogue_client::session::{SessionHandle, Update};
use trialogue_client::time::Jitter;
use trialogue_client::{Begin, Error, LinkState, Trouble};
use trialogue_protocol::{ChatId, Seq};

use crate::account::Account;
use crate::args::time_limit;
use crate::chat::ChatGiven;
use crate::complete;
use crate::exit::{Exit, Failure};
use crate::human::happening::Happening;
use crate::human::live::Words;
use crate::out::{self, Out};
use crate::paging::{self, Most, Page};
use crate::verb::Context;

/// Chats listened to when none is named: as many rooms as a server gives one socket.
const CHATS_MAX: u32 = 128;

/// Arguments of `listen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The chats, each by its id or by enough of its beginning or end; all of mine when missing
    #[arg(value_name = "CHAT", add = ArgValueCompleter::new(complete::chats))]
    chats: Vec<ChatGiven>,
    /// Only these events, with commas between them
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(Happening::NAMES))]
    events: Vec<String>,
    /// Begin after the message with this number (0: with the first one)
    #[arg(long, value_name = "SEQ")]
    since: Option<Seq>,
    /// End after so many events that are shown
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 30s
    #[arg(long = "for", value_name = "TIME", value_parser = time_limit)]
    duration: Option<Duration>,
}

/// Streams until `--count`, `--for` or Ctrl-C.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let now = Instant::now();
    let limit = context.global.timeout;
    let account = Account::signed_in(&context.global)?;
    let numbers = account.rest.dialect().capabilities().seq;
    if args.since.is_some_and(|seq| seq > 0) && !numbers {
        let what = "this kind of server numbers no messages: --since 0 begins with the first one";
        return Err(Error::Unsupported(what.to_owned()).into());
    }
    let mut listener = Listener {
        account,
        words: Words::new(true),
        events: args.events,
        left: args.count,
        connect_by: context.global.is_timeout_named.then_some((now + limit, limit)),
        session: None,
    };
    let begin = match args.since {
        Some(seq) => Begin::After { seq, epoch: None },
        None => Begin::Now,
    };
    let listening = async {
        tokio::select! {
            done = listener.listen(&args.chats, begin, out) => done,
            () = out::reader_gone() => Ok(Exit::DONE),
        }
    };
    let done = match args.duration {
        None => listening.await,
        Some(duration) => match tokio::time::timeout_at(now + duration, listening).await {
            Ok(done) => done,
            Err(_) => match args.count {
                None => Ok(Exit::DONE),
                Some(count) => {
                    let came = count - listener.left.unwrap_or(0);
                    Err(Failure::time(format!("{came} of {count} events came in time")).into())
                }
            },
        },
    };
    if let Some(session) = listener.session {
        session.close().await;
    }
    done
}

struct Listener {
    account: Account,
    words: Words,
    /// Empty: all.
    events: Vec<String>,
    /// Events still to come before the end.
    left: Option<u64>,
    /// When there must have been a connection, and the limit that says so. Without one, and once
    /// there was a connection, it is tried again without an end.
    connect_by: Option<(Instant, Duration)>,
    session: Option<SessionHandle>,
}

impl Listener {
    async fn listen(
        &mut self,
        given: &[ChatGiven],
        begin: Begin,
        out: &mut Out,
    ) -> anyhow::Result<Exit> {
        let named = !given.is_empty();
        let chats = self.chats(given, out).await?;
        self.words = Words::new(chats.len() != 1);
        let (session, mut updates) = self.account.session()?;
        self.session = Some(session.clone());
        for chat in chats {
            session.join(chat, begin.clone()).await?;
        }
        while let Some(update) = self.in_time(updates.recv()).await? {
            match &update {
                Update::Ready(_) => self.connect_by = None,
                Update::Link(LinkState::LoginNeeded { why }) => {
                    return Err(Error::LoginNeeded(why.sentence.clone()).into());
                }
                Update::JoinFailed { error, .. } if named => return Err(error.clone().into()),
                Update::Invited { chat, .. } if named => {
                    return Err(Failure::invited(*chat).into());
                }
                _ => {}
            }
            if let Update::Notification { notification, .. } = &update
                && !named
            {
                for chat in self.newcomers(notification.chat_id).await {
                    session.join(chat, Begin::After { seq: 0, epoch: None }).await?;
                }
            }
            let Some(happening) = Happening::of(&update) else { continue };
            if self.show(&happening, out)? && self.left == Some(0) {
                return Ok(Exit::DONE);
            }
        }
        Err(Error::Closed.into())
    }

    /// Chats that came to be while we listen to all, after a notification about this one; to enter one
    /// that is open changes nothing.
    async fn newcomers(&self, chat: Option<ChatId>) -> Vec<ChatId> {
        if let Some(chat) = chat {
            return vec![chat];
        }
        // A new job's notification names no chat on every server, but the list does.
        match chats(&self.account, &[]).await {
            Ok(chats) => chats,
            Err(error) => {
                tracing::warn!(%error, "new chats were not looked for");
                Vec::new()
            }
        }
    }

    /// The chats to listen to. A server that is away is asked again, as the session itself does.
    async fn chats(&mut self, given: &[ChatGiven], out: &mut Out) -> anyhow::Result<Vec<ChatId>> {
        let backoff = LinkConfig::default().backoff;
        let mut jitter = Jitter::new(rand::random());
        for attempt in 1.. {
            let error = match self.in_time(chats(&self.account, given)).await? {
                Ok(chats) => return Ok(chats),
                Err(error) => error,
            };
            let why = match error.downcast_ref::<Error>() {
                Some(known) if known.is_transient() => Trouble::from(known),
                Some(_) | None => return Err(error),
            };
            let next_in = backoff.delay(attempt, &mut jitter);
            let state = LinkState::Reconnecting { attempt, next_in, why };
            self.show(&Happening::Link(&state), out)?;
            self.in_time(tokio::time::sleep(next_in)).await?;
        }
        Err(Error::Closed.into())
    }

    /// Fails when there should have been a connection before this is done.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let Some((end, limit)) = self.connect_by else { return Ok(work.await) };
        tokio::time::timeout_at(end, work).await.map_err(|_| {
            Failure::time(format!("not connected within {limit:?} (--timeout)")).into()
        })
    }

    /// Whether it was one of the events asked for, and was shown.
    fn show(&mut self, happening: &Happening<'_>, out: &mut Out) -> anyhow::Result<bool> {
        self.words.learn(happening);
        let name = happening.name();
        let is_named = self.events.iter().any(|event| event == name);
        // The state of the line is told beside the events, unless it is what is asked for.
        let is_beside = matches!(happening, Happening::Link(_)) && !is_named;
        let wanted = is_named || self.events.is_empty();
        let is_shown = match happening {
            Happening::Link(state) if is_beside && !out.is_json() => {
                out.say_link(state);
                false
            }
            _ if !wanted => false,
            _ if out.is_json() => {
                out.json(&happening.line(chrono::Utc::now().into()))?;
                !is_beside
            }
            _ => match self.words.line(happening, is_named) {
                Some(line) => out.data(&line).map(|()| true)?,
                None => false,
            },
        };
        if is_shown && let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(is_shown)
    }
}

async fn chats(account: &Account, given: &[ChatGiven]) -> anyhow::Result<Vec<ChatId>> {
    let mut chats = Vec::new();
    for chat in given {
        let chat = account.chat(chat).await?;
        if !chats.contains(&chat) {
            chats.push(chat);
        }
    }
    if !given.is_empty() {
        return Ok(chats);
    }
    let fetch = async |page: ListQuery| {
        let list = account.rest.chats(&page).await?;
        let items = list.chats.into_iter().map(|chat| chat.id).collect();
        Ok(Page { items, next: list.next })
    };
    Ok(paging::collect(Most::of(CHATS_MAX), fetch).await?.items)
}
