//! `trialogue chat --demo`: a day of Amna's, made up, without any server. What comes is a script of
//! moments; what the user does is answered as a server and two people would.
//!
//! Pure: time comes in, moments with their delays go out.

mod people;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use trialogue_client::link::Trouble;
use trialogue_client::outbox::Draft;
use trialogue_client::session::{Kept, Update};
use trialogue_client::{Dialect, Error, LinkState, Outcome, Refusal, Via};
use trialogue_protocol::{
    Chat, ChatId, ChatJob, ClientMessageId, DisputeId, DisputeOpened, ErrorCode, JobCreated, JobId,
    JobStatus, JoinAck, LsmRef, Message, MessageId, MessageType, NotificationList, Provider, Seq,
    UserId,
};
use uuid::Uuid;

use crate::effect::Effect;
use crate::model::Who;
use crate::msg::{Msg, Reply};
use people::{AMNA, Cast, LENA, RAVI, greeting, member, person, user};

/// Jobs of the day: title, messages that were not read, whether a dispute is open.
const JOBS: [(&str, i64, bool); 4] = [
    ("Kitchen sink leak", 0, false),
    ("Boiler service", 1, true),
    ("Garden gate", 0, false),
    ("Paint hallway", 0, false),
];

/// What was said about the kitchen so far, with the minutes since then.
const BEFORE: [(Cast, i64, &str); 3] = [
    (AMNA, 141, "Hi Ravi, there is water under the sink again. Can you come today?"),
    (RAVI, 140, "Yes, I finish here at 16:00.\nPlease close the stop valve."),
    (AMNA, 138, "Done. See you then."),
];

/// What was refused before the day began.
const REFUSED: &str = "Park in the yard, the second bay.";

/// What Ravi answers, one after the other.
const ANSWERS: [&str; 4] = [
    "Thank you, I am coming up.",
    "The trap is cracked, I have a new one in the car.",
    "Done. Please run the tap for a minute.",
    "All dry. Have a nice evening!",
];

/// Everything that happened, with what came of it, in the order of time.
type Acts = Vec<(Duration, Msg)>;

/// See the module.
#[derive(Debug, Clone)]
pub struct Demo {
    chats: Vec<Chat>,
    said: Vec<Message>,
    answers: usize,
    ids: u128,
}

impl Default for Demo {
    fn default() -> Self {
        let mut demo = Self { chats: Vec::new(), said: Vec::new(), answers: 0, ids: 0xD0 };
        for (title, unread, disputed) in JOBS {
            let mut chat = demo.chat(title, DateTime::UNIX_EPOCH);
            (chat.unread_count, chat.lsm_invited) = (unread, disputed);
            demo.chats.push(chat);
        }
        demo
    }
}

impl Demo {
    /// Whose day it is.
    pub fn who() -> Who {
        Who {
            user: Some(user(AMNA)),
            server: "https://demo".to_owned(),
            profile: "demo".to_owned(),
            can: Dialect::Trialogue.capabilities(),
        }
    }

    /// The day as it begins: what is there, and what comes by itself.
    pub fn opening(&mut self, now: DateTime<Utc>) -> Acts {
        let booked = now - TimeDelta::minutes(142);
        for chat in &mut self.chats {
            chat.created_at = booked.into();
        }
        for (who, minutes, text) in BEFORE {
            let chat = self.chats[0].id;
            self.say(chat, who, text, now - TimeDelta::minutes(minutes));
        }
        let mut acts = Vec::new();
        let mut at = |millis, msg| acts.push((Duration::from_millis(millis), msg));
        let kitchen = self.chats[0].id;
        let later = |millis| now + TimeDelta::milliseconds(millis);
        at(0, Msg::Reply(Reply::SignedIn(Ok(user(AMNA)))));
        at(0, greeting());
        at(0, Msg::Update(Update::Link(LinkState::Connected)));
        at(0, Msg::Reply(Reply::Chats(Ok((self.chats.clone(), true)))));
        at(300, Msg::Reply(Reply::Kept(vec![self.refused(kitchen)])));
        at(3_000, person(kitchen, RAVI, true, 3));
        at(5_000, self.live(kitchen, RAVI, "I am outside.", later(5_000)));
        at(6_500, self.live(kitchen, RAVI, "What is the door code?", later(6_500)));
        at(6_500, person(kitchen, RAVI, false, 3));
        at(9_000, Msg::Update(Update::Unread { chat: self.chats[1].id, count: 2 }));
        for (millis, next_in) in [(20_000, 3_000), (23_000, 0)] {
            let state = LinkState::Reconnecting {
                attempt: 1,
                next_in: Duration::from_millis(next_in),
                why: Trouble::new("connection reset"),
            };
            at(millis, Msg::Update(Update::Link(state)));
        }
        at(23_500, greeting());
        at(23_500, Msg::Update(Update::Link(LinkState::Connected)));
        acts
    }

    /// What comes of something that the user does.
    pub fn answer(&mut self, effect: &Effect, now: DateTime<Utc>) -> Acts {
        let soon = |msg| vec![(Duration::from_millis(150), msg)];
        match effect {
            Effect::Send { id, chat, text } => self.sent(id, *chat, text, now),
            Effect::Again(id) => {
                let chat = self.chats[0].id;
                self.sent(id, chat, REFUSED, now)
            }
            Effect::Join(chat) | Effect::Accept(chat) => self.joined(*chat, now),
            Effect::LoadChats => soon(Msg::Reply(Reply::Chats(Ok((self.chats.clone(), true))))),
            Effect::MarkRead(chat, _) => {
                if let Some(known) = self.chats.iter_mut().find(|known| known.id == *chat) {
                    known.unread_count = 0;
                }
                soon(Msg::Update(Update::Unread { chat: *chat, count: 0 }))
            }
            Effect::LoadProviders => {
                let provider = Provider {
                    id: UserId(RAVI.0),
                    name: format!("{} {}", RAVI.1, RAVI.2),
                    business_name: Some("plumbing".to_owned()),
                    region: None,
                };
                soon(Msg::Reply(Reply::Providers(Ok(vec![provider]))))
            }
            Effect::Book { body, .. } => {
                let title = body.title.clone().unwrap_or_default();
                let chat = self.chat(&title, now);
                self.chats.insert(0, chat.clone());
                let (job_id, chat_id) = (chat.job.id, chat.id);
                let created = JobCreated { job_id, chat_id, job: None, chat: Some(chat) };
                soon(Msg::Reply(Reply::Booked(Ok(created))))
            }
            Effect::OpenDispute(body) => self.disputed(body.chat_id, now),
            Effect::LoadNotifications { .. } => {
                let none =
                    NotificationList { notifications: Vec::new(), unread_count: 0, next: None };
                soon(Msg::Reply(Reply::Notifications(Ok(none))))
            }
            Effect::Older(_)
            | Effect::Page { .. }
            | Effect::CompleteJob(_)
            | Effect::CancelJob(_)
            | Effect::SignIn { .. }
            | Effect::SignUp { .. }
            | Effect::SignOut => {
                let why = "the demo has no server for that".to_owned();
                soon(Msg::Reply(Reply::Failed(Error::Unsupported(why))))
            }
            _ => Vec::new(),
        }
    }

    fn fresh(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn chat(&mut self, title: &str, at: DateTime<Utc>) -> Chat {
        let number = 1_042 + i64::try_from(self.chats.len()).unwrap_or_default();
        Chat {
            id: ChatId(self.fresh()),
            job: ChatJob {
                id: JobId(number),
                title: Some(title.to_owned()),
                status: JobStatus::Open,
            },
            members: [AMNA, RAVI].map(|who| member(who, at)).to_vec(),
            last_message: None,
            unread_count: 0,
            last_seq: 0,
            lsm_invited: false,
            lsm_joined: false,
            lsm_joined_at: None,
            closed: false,
            created_at: at.into(),
        }
    }

    fn say(&mut self, chat: ChatId, who: Cast, text: &str, at: DateTime<Utc>) -> Message {
        let before = self.said.iter().filter(|said| said.chat_id == chat).count();
        let message = Message {
            id: MessageId(self.fresh()),
            chat_id: chat,
            seq: Seq::try_from(before + 1).ok(),
            sender_type: who.3,
            sender_id: UserId(who.0),
            sender_name: format!("{} {}", who.1, who.2),
            message: text.to_owned(),
            message_type: MessageType::Text,
            client_message_id: None,
            created_at: at.into(),
        };
        self.said.push(message.clone());
        message
    }

    fn live(&mut self, chat: ChatId, who: Cast, text: &str, at: DateTime<Utc>) -> Msg {
        let message = self.say(chat, who, text, at);
        Msg::Update(Update::Message { message, via: Via::Live })
    }

    /// A message of Amna's that no server wanted.
    fn refused(&mut self, chat: ChatId) -> Kept {
        let id = ClientMessageId::from(self.fresh());
        let draft = Draft { id, chat, text: REFUSED.to_owned(), kind: MessageType::Text };
        let why = Refusal::new(ErrorCode::Internal, "server error");
        Kept { draft, refused: Some(why) }
    }

    /// What was said so far; the rest of the day is still to come.
    fn joined(&mut self, chat: ChatId, now: DateTime<Utc>) -> Acts {
        let is_said =
            |said: &&Message| said.chat_id == chat && said.created_at.as_datetime() <= now;
        let said: Vec<Message> = self.said.iter().filter(is_said).cloned().collect();
        let last_seq = Seq::try_from(said.len()).unwrap_or_default();
        let ack = JoinAck {
            chat_id: chat,
            members: Vec::new(),
            last_seq,
            epoch: "demo".to_owned(),
            messages: None,
            has_more: Some(false),
        };
        let news = said.into_iter().map(|message| Update::Message { message, via: Via::CatchUp });
        let acts = [Update::Joined { ack, again: false }].into_iter().chain(news);
        let acts = acts.chain([Update::CaughtUp { chat }]).map(Msg::Update);
        let people = [person(chat, AMNA, false, last_seq), person(chat, RAVI, false, last_seq)];
        acts.chain(people).map(|msg| (Duration::from_millis(50), msg)).collect()
    }

    fn sent(&mut self, id: &ClientMessageId, chat: ChatId, text: &str, now: DateTime<Utc>) -> Acts {
        let mut message = self.say(chat, AMNA, text, now);
        message.client_message_id = Some(id.clone());
        let seq = message.seq.unwrap_or_default();
        let outcome =
            |outcome| Msg::Update(Update::Outcome { client_message_id: id.clone(), chat, outcome });
        let stored = Outcome::Stored { message: message.clone(), duplicate: false };
        let answer = ANSWERS[self.answers % ANSWERS.len()];
        self.answers += 1;
        let later = now + TimeDelta::seconds(5);
        let moments = [
            (0, outcome(Outcome::Sending { attempt: 1 })),
            (350, outcome(stored)),
            (350, Msg::Update(Update::Message { message, via: Via::Ack })),
            (1_500, person(chat, RAVI, false, seq)),
            (2_500, person(chat, RAVI, true, seq)),
            (5_000, self.live(chat, RAVI, answer, later)),
            (5_000, person(chat, RAVI, false, seq)),
        ];
        moments.map(|(millis, msg)| (Duration::from_millis(millis), msg)).to_vec()
    }

    /// An LSM is asked in, and comes.
    fn disputed(&mut self, chat: Option<ChatId>, now: DateTime<Utc>) -> Acts {
        let Some(at) = self.chats.iter().position(|known| Some(known.id) == chat) else {
            return Vec::new();
        };
        let id = self.chats[at].id;
        self.chats[at].lsm_invited = true;
        let opened = DisputeOpened {
            dispute_id: DisputeId(7),
            chat_id: id,
            lsm: LsmRef { id: UserId(LENA.0), name: format!("{} {}", LENA.1, LENA.2) },
            lsm_invited: true,
        };
        let mut joined = self.chats.clone();
        joined[at].lsm_joined = true;
        joined[at].members.push(member(LENA, now));
        let invited = std::mem::replace(&mut self.chats, joined.clone());
        let hello = "Hello both. Amna, please send one photo of the trap.";
        let moments = [
            (200, Msg::Reply(Reply::Disputed(Ok(opened)))),
            (250, Msg::Reply(Reply::Chats(Ok((invited, true))))),
            (3_000, Msg::Reply(Reply::Chats(Ok((joined, true))))),
            (3_000, person(id, LENA, false, 0)),
            (4_000, person(id, LENA, true, 0)),
            (6_000, self.live(id, LENA, hello, now + TimeDelta::seconds(6))),
            (6_000, person(id, LENA, false, 0)),
        ];
        moments.map(|(millis, msg)| (Duration::from_millis(millis), msg)).to_vec()
    }
}
