//! `trialogue listen [CHAT…]`: what happens, as it happens; alias `tail`.
//!
//! Comes back by itself after every lost connection and shows what was missed: each message
//! exactly once, in order.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap_complete::ArgValueCompleter;
use tokio::sync::mpsc;
use tokio::time::Instant;
use trialogue_client::rest::ListQuery;
use trialogue_client::session::{SessionHandle, Update};
use trialogue_client::{Begin, Error, LinkState};
use trialogue_protocol::{ChatId, Seq};

use crate::account::{Account, ChatGiven};
use crate::args::time_limit;
use crate::complete;
use crate::exit::{Exit, Failure};
use crate::human::happening::Happening;
use crate::human::live::Words;
use crate::out::Out;
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
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 30s
    #[arg(long = "for", value_name = "TIME", value_parser = time_limit)]
    duration: Option<Duration>,
}

/// Streams until `--count`, `--for` or Ctrl-C.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let end = args.duration.map(|duration| Instant::now() + duration);
    let account = Account::signed_in(&context.global)?;
    let numbers = account.rest.dialect().capabilities().seq;
    if args.since.is_some_and(|seq| seq > 0) && !numbers {
        let what = "this kind of server numbers no messages: --since 0 begins with the first one";
        return Err(Error::Unsupported(what.to_owned()).into());
    }
    let chats = context.within(chats(&account, &args.chats)).await?;
    let (handle, updates) = account.session()?;
    let begin = match args.since {
        Some(seq) => Begin::After { seq, epoch: None },
        None => Begin::Now,
    };
    for chat in &chats {
        handle.join(*chat, begin.clone()).await?;
    }
    let mut listener = Listener {
        words: Words::new(chats.len() != 1),
        all_of: args.chats.is_empty().then_some(account),
        events: args.events,
        left: args.count,
        handle,
        updates,
    };
    let listening = listener.listen(out);
    let done = match end {
        None => listening.await,
        Some(end) => match tokio::time::timeout_at(end, listening).await {
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
    listener.handle.close().await;
    done
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

struct Listener {
    words: Words,
    /// All chats of this account, new ones as they appear; nothing: the chats were named.
    all_of: Option<Account>,
    /// Empty: all.
    events: Vec<String>,
    /// Events still to come before the end.
    left: Option<u64>,
    handle: SessionHandle,
    updates: mpsc::Receiver<Update>,
}

impl Listener {
    async fn listen(&mut self, out: &mut Out) -> anyhow::Result<Exit> {
        while let Some(update) = self.updates.recv().await {
            if let Update::Link(LinkState::LoginNeeded { why }) = update {
                return Err(Error::LoginNeeded(why.sentence).into());
            }
            if let Update::JoinFailed { error, .. } = &update
                && self.all_of.is_none()
            {
                return Err(error.clone().into());
            }
            if let Update::Invited { chat, .. } = &update
                && self.all_of.is_none()
            {
                return Err(Failure::invited(*chat).into());
            }
            for chat in self.newcomers(&update).await {
                self.handle.join(chat, Begin::After { seq: 0, epoch: None }).await?;
            }
            let Some(happening) = Happening::of(&update) else { continue };
            if self.show(&happening, out)? && self.left == Some(0) {
                return Ok(Exit::DONE);
            }
        }
        Err(Error::Closed.into())
    }

    /// Chats that came to be while we listen to all; entering one that is open changes nothing.
    async fn newcomers(&self, update: &Update) -> Vec<ChatId> {
        let (Some(account), Update::Notification { notification, .. }) = (&self.all_of, update)
        else {
            return Vec::new();
        };
        if let Some(chat) = notification.chat_id {
            return vec![chat];
        }
        // A new job's notification names no chat on every server, but the list does.
        match chats(account, &[]).await {
            Ok(chats) => chats,
            Err(error) => {
                tracing::warn!(%error, "new chats were not looked for");
                Vec::new()
            }
        }
    }

    /// Whether it was one of the events asked for.
    fn show(&mut self, happening: &Happening<'_>, out: &mut Out) -> anyhow::Result<bool> {
        self.words.learn(happening);
        let name = happening.name();
        let is_link = matches!(happening, Happening::Link(_));
        let wanted = match self.events.as_slice() {
            // The state of the line is told beside the events, not counted among them.
            [] => !is_link,
            events => events.iter().any(|event| event == name),
        };
        if out.is_json() {
            if wanted || is_link && self.events.is_empty() {
                out.json(&happening.line(chrono::Utc::now().into()))?;
            }
        } else if let Happening::Link(state) = happening {
            out.say_link(state);
        } else if wanted && let Some(line) = self.words.line(happening, !self.events.is_empty()) {
            out.data(&line)?;
        }
        if wanted && let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(wanted)
    }
}
