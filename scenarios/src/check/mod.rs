//! What must hold over everything that was recorded, judged when all is over.
//!
//! A recording becomes a history of `trialogue_checker`, and a word of a file is a part of its
//! verdict. Nothing is judged here but what that crate cannot see: refusals, and whether enough
//! happened for a word to mean anything. Too little is *unknown*: silence is no proof.

mod identity;
mod ops;
mod rooms;
mod told;
mod unexpected;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trialogue_checker::{Checker, Config, Doubt, Invariant, Invariants, Table, Wrong};
use trialogue_client::Outcome;
use trialogue_protocol::{ChatId, Message, MessageId, UserId};

use crate::Came;
use crate::actor::Actor;
use crate::file::{ActorId, Delivery};
use crate::record::{Entry, What};
pub use rooms::spoken_of;
use rooms::{chats_of, listens_outside};
pub use unexpected::Expected;

use wire::Wire;

/// One person's part of the recording: a device with its account.
#[derive(Debug)]
pub struct Witnessed<'a> {
    /// Who.
    pub actor: ActorId,
    /// As what messages call them.
    pub name: &'a str,
    /// Their user, once they had logged in.
    pub user: Option<UserId>,
    /// The account was made for this run: all that it wrote is known.
    pub fresh: bool,
    /// Everything that they saw.
    pub entries: Vec<Entry>,
    /// Final histories of their chats, read after everything.
    pub histories: BTreeMap<ChatId, Vec<Message>>,
    /// Why a history of one of their chats could not be read.
    pub unread: Option<String>,
}

/// Somebody who truly belongs to a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// When it was known to be out, if it was put out.
    pub removed: Option<Duration>,
}

/// Everything that is known of a run.
#[derive(Debug, Default)]
pub struct Recording<'a> {
    /// Everybody's part.
    pub people: Vec<Witnessed<'a>>,
    /// Who belongs to each chat that this run has made or named, of those who take part.
    pub members: BTreeMap<ChatId, Vec<Member>>,
    /// What is expected besides what steps have had.
    pub expected: Expected,
}

impl Recording<'_> {
    /// Whether it is this run's business who hears of a chat: an account that was there before may
    /// have other chats, and somebody else may use it.
    fn judges(&self, person: &Witnessed<'_>, chat: ChatId) -> bool {
        person.fresh || self.members.contains_key(&chat)
    }
}

/// A word of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// `delivery`, as often as promised.
    Delivery(Delivery),
    /// `per_sender_order`.
    PerSenderOrder,
    /// `room_order`.
    RoomOrder,
    /// `room_isolation`.
    RoomIsolation,
    /// `saved_before_broadcast`.
    SavedBeforeBroadcast,
    /// `history_equals_live`.
    HistoryEqualsLive,
    /// `no_server_errors`.
    NoServerErrors,
    /// `no_unexpected_events`.
    NoUnexpectedEvents,
}

impl Word {
    /// As the file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery(_) => "delivery",
            Self::PerSenderOrder => "per_sender_order",
            Self::RoomOrder => "room_order",
            Self::RoomIsolation => "room_isolation",
            Self::SavedBeforeBroadcast => "saved_before_broadcast",
            Self::HistoryEqualsLive => "history_equals_live",
            Self::NoServerErrors => "no_server_errors",
            Self::NoUnexpectedEvents => "no_unexpected_events",
        }
    }

    /// What it promises, for people.
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Delivery(_) => "every member was shown every message as often as promised",
            Self::PerSenderOrder => "nobody saw two messages of one sender swapped",
            Self::RoomOrder => "everybody saw the messages of a chat in one order",
            Self::RoomIsolation => "nobody heard of a chat that they are not in",
            Self::SavedBeforeBroadcast => "whoever saw a message found it in the history",
            Self::HistoryEqualsLive => "the history is what was seen live",
            Self::NoServerErrors => "nothing went wrong that was not expected to",
            Self::NoUnexpectedEvents => "nobody heard of anything that no step waits for",
        }
    }

    /// What breaks it.
    fn is_broken_by(self, wrong: Wrong) -> bool {
        use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8};
        let of: &[Invariant] = match self {
            Self::Delivery(Delivery::ExactlyOnce) => &[I1, I2, I5, I6],
            Self::Delivery(Delivery::AtLeastOnce) => &[I1, I5, I6],
            Self::Delivery(Delivery::AtMostOnce) => &[I2, I6],
            Self::Delivery(Delivery::Off) | Self::NoServerErrors | Self::NoUnexpectedEvents => &[],
            Self::PerSenderOrder => return wrong == Wrong::SenderMisordered,
            Self::RoomOrder => &[I3, I4],
            Self::RoomIsolation => &[I7],
            Self::SavedBeforeBroadcast => &[I8],
            Self::HistoryEqualsLive if wrong == Wrong::Mutated => return true,
            Self::HistoryEqualsLive => &[I5, I8],
        };
        of.contains(&wrong.invariant())
    }
}

/// Messages shown to an actor.
pub fn shown(actor: &Actor) -> usize {
    actor.inbox().with(|entries| messages(entries).count())
}

/// When a message was shown first.
pub fn shown_at(entries: &[Entry], id: MessageId) -> Option<Duration> {
    messages(entries).find(|(_, message)| message.id == id).map(|(at, _)| at)
}

/// What was shown, with its time.
pub fn messages(entries: &[Entry]) -> impl Iterator<Item = (Duration, &Message)> {
    entries.iter().filter_map(|entry| match &entry.what {
        What::Message { message, .. } => Some((entry.at, message)),
        _ => None,
    })
}

/// The judgement over a run.
#[derive(Debug)]
pub struct Judged {
    report: trialogue_checker::Report,
    /// Messages in words, by the print that findings call them by.
    words: BTreeMap<String, String>,
    /// Where messages were sent, by their print.
    sent_in: BTreeMap<String, String>,
    /// As what else messages came, and to whom.
    changed: BTreeMap<String, String>,
    /// Events of chats, by who had them and when (microseconds).
    heard: BTreeMap<(String, u128), String>,
    wire: Wire,
    seen: Seen,
    error: Option<String>,
    unexpected: Option<String>,
    unread: Option<String>,
}

/// How much there was to judge by.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Messages that somebody was shown after another one of the same chat.
    pairs: usize,
    shown_to_others: usize,
    of_rooms: usize,
    /// Messages that came to somebody while somebody else listened who was not in their chat.
    withheld: usize,
    looks: usize,
    stored: usize,
    exchanges: usize,
}

impl Judged {
    /// Judges everything at once; a word is a part of it.
    pub fn of(recording: &Recording<'_>) -> Self {
        use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8};
        let config = Config {
            table: Table::Reads,
            // How soon is the business of `within`, not of a word.
            judged: Invariants::only(&[I1, I2, I3, I4, I5, I6, I7, I8]),
            ..Config::default()
        };
        let mut checker = Checker::new(config);
        let ops::Words { words, sent_in, changed } = ops::tell(recording, &mut checker);
        let unread = recording.people.iter().find_map(|person| {
            let why = person.unread.as_ref()?;
            Some(format!("{} cannot read a history: {why}", person.name))
        });
        let error = recording.people.iter().find_map(first_error);
        let (seen, wire, heard) = (Seen::of(recording), Wire::of(recording), heard(recording));
        let unexpected = unexpected::told(recording);
        let report = checker.judge();
        Self { report, words, sent_in, changed, heard, wire, seen, error, unexpected, unread }
    }

    /// What a word came to, and why it does not hold.
    pub fn verdict(&self, word: Word) -> (Came, String) {
        let seen = match word {
            Word::NoServerErrors => Some(&self.error),
            Word::NoUnexpectedEvents => Some(&self.unexpected),
            _ => None,
        };
        if let Some(wrong) = seen {
            return match (wrong, self.seen.exchanges) {
                (Some(error), _) => (Came::Broken, error.clone()),
                (None, 0) => (Came::Unknown, "nobody asked the server for anything".to_owned()),
                (None, _) => (Came::Held, String::new()),
            };
        }
        let broken = self.report.findings.iter().filter(|one| word.is_broken_by(one.wrong));
        let broken = broken.map(|finding| self.told(finding)).chain(self.wire.told(word));
        let broken: Vec<String> = broken.collect();
        if !broken.is_empty() {
            return (Came::Broken, broken.join("; "));
        }
        match self.doubt(word) {
            Some(doubt) => (Came::Unknown, doubt),
            None => (Came::Held, String::new()),
        }
    }

    /// Why nothing is proved.
    fn doubt(&self, word: Word) -> Option<String> {
        let needs_reads = matches!(word, Word::Delivery(_) | Word::HistoryEqualsLive);
        if let Some(unread) = self.unread.as_ref().filter(|_| needs_reads) {
            return Some(unread.clone());
        }
        for doubt in &self.report.doubts {
            match doubt {
                Doubt::FinalReadMissing { examples, .. } if needs_reads => {
                    let who = examples.first().map_or("somebody", |(_, user)| user.as_str());
                    return Some(format!("user {who} did not read the history at the end"));
                }
                Doubt::NoOk if matches!(word, Word::Delivery(_)) => {
                    return Some("no message was acknowledged".to_owned());
                }
                _ => {}
            }
        }
        let Seen { pairs, shown_to_others, of_rooms, withheld, looks, stored, .. } = self.seen;
        let (count, what) = match word {
            Word::Delivery(_) => (shown_to_others, "a message that was shown to somebody else"),
            Word::PerSenderOrder | Word::RoomOrder => {
                (pairs, "a second message of a chat that was shown to one person")
            }
            Word::RoomIsolation if of_rooms == 0 => (0, "an event of a room"),
            Word::RoomIsolation => (withheld, "anybody who listened and was not in the chat"),
            Word::SavedBeforeBroadcast => (looks, "a look at the history while a message came"),
            Word::HistoryEqualsLive => (stored, "a message in a history"),
            Word::NoServerErrors | Word::NoUnexpectedEvents => return None,
        };
        (count == 0).then(|| format!("there was not {what} to judge by"))
    }
}

impl Seen {
    fn of(recording: &Recording<'_>) -> Self {
        let mut seen = Self::default();
        let mut came = Vec::new();
        for person in &recording.people {
            let mut chats = BTreeSet::new();
            seen.stored += person.histories.values().map(Vec::len).sum::<usize>();
            for entry in &person.entries {
                match &entry.what {
                    What::Message { message, .. } => {
                        seen.pairs += usize::from(!chats.insert(message.chat_id));
                        let is_own = person.user == Some(message.sender_id);
                        seen.shown_to_others += usize::from(!is_own);
                    }
                    What::Event { name, data } => {
                        let is_judged = |chat: &ChatId| recording.judges(person, *chat);
                        let message = rooms::chat_of_message(name, data).filter(is_judged);
                        came.extend(message.map(|chat| (entry.at, chat)));
                        let others = chats_of(name, data).into_iter().filter(is_judged);
                        seen.of_rooms += usize::from(message.is_some()) + others.count();
                    }
                    What::Looked { .. } => seen.looks += 1,
                    What::Ready(_) | What::Http(_) => seen.exchanges += 1,
                    _ => {}
                }
            }
        }
        let is_withheld = |(at, chat): &&(Duration, ChatId)| {
            recording.people.iter().any(|person| listens_outside(recording, person, *at, *chat))
        };
        seen.withheld = came.iter().filter(is_withheld).count();
        seen
    }
}

/// Which event of a chat it was that somebody had at a moment.
fn heard(recording: &Recording<'_>) -> BTreeMap<(String, u128), String> {
    let mut heard = BTreeMap::new();
    for person in &recording.people {
        for entry in &person.entries {
            if let What::Event { name, .. } = &entry.what {
                let key = (person.name.to_owned(), entry.at.as_micros());
                heard.insert(key, name.clone());
            }
        }
    }
    heard
}

fn words(message: &Message) -> String {
    format!("seq {} {:?}", message.seq.unwrap_or_default(), message.message)
}

/// Something that went wrong and that no step had expected.
fn first_error(person: &Witnessed<'_>) -> Option<String> {
    // What a step has had was its business.
    let mut left = person.entries.iter().filter(|entry| !entry.taken);
    let odd = left.find(|entry| match &entry.what {
        What::Odd(_) | What::JoinFailed { .. } => true,
        What::Event { name, .. } => name == "error",
        What::Outcome { outcome, .. } => {
            matches!(outcome, Outcome::Refused(_) | Outcome::Conflict(_) | Outcome::Unknown(_))
        }
        What::Http(exchange) => exchange.status.is_some_and(|status| status >= 500),
        _ => false,
    })?;
    Some(format!("{} saw at {}", person.name, odd.to_string().trim_start()))
}

#[cfg(test)]
mod tests;
