//! A stage: Amna's client with four chats, fixed clocks and ids, played by lines of a story.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::json;
use trialogue_client::link::Trouble;
use trialogue_client::people::{Person, Presence};
use trialogue_client::session::Update;
use trialogue_client::{Dialect, LinkState, Outcome, Refusal, Via};
use trialogue_protocol::{
    Chat, ChatId, ClientMessageId, Connected, ErrorCode, JoinAck, Message, Role, User, UserId,
};
use trialogue_tui::effect::Effect;
use trialogue_tui::keys::Chord;
use trialogue_tui::model::log::State;
use trialogue_tui::model::{Model, Settings, Who};
use trialogue_tui::msg::{Msg, Now, Reply};
use trialogue_tui::{update, view};
use uuid::Uuid;

pub(crate) const AMNA: i64 = 1;
pub(crate) const RAVI: i64 = 2;
pub(crate) const LENA: i64 = 3;

/// Titles of Amna's chats; the first one is open.
const TITLES: [&str; 4] = ["Kitchen sink leak", "Boiler service", "Garden gate", "Paint hallway"];

pub(crate) fn chat_id(number: u128) -> ChatId {
    ChatId(Uuid::from_u128(0xC0 + number))
}

/// Tuesday, when the story begins.
pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_741_096_800, 0).unwrap()
}

#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) model: Model,
    pub(crate) at: Duration,
    /// Effects in words, in order.
    pub(crate) effects: Vec<String>,
    seq: i64,
}

pub(crate) fn user(id: i64) -> User {
    let (name, role) = person(id);
    let user = json!({"id": id, "email": "x@example.org", "firstName": name, "lastName": "Khan",
        "role": role.as_str()});
    serde_json::from_value(user).unwrap()
}

fn person(id: i64) -> (&'static str, Role) {
    match id {
        AMNA => ("Amna", Role::Customer),
        RAVI => ("Ravi", Role::Provider),
        _ => ("Lena", Role::Lsm),
    }
}

pub(crate) fn chat(number: u128, unread: i64) -> Chat {
    let member = |id: i64| {
        let (name, role) = person(id);
        json!({"userId": id, "role": role.as_str(), "name": format!("{name} K"),
            "joinedAt": "2025-03-04T14:01:00.000Z"})
    };
    let title = TITLES[usize::try_from(number).unwrap() % 4];
    let chat = json!({"id": chat_id(number), "job": {"id": 1042 + number as i64, "title": title,
        "status": "open"}, "members": [member(AMNA), member(RAVI)], "lastMessage": null,
        "unreadCount": unread, "lastSeq": 0, "lsmInvited": number == 1, "lsmJoined": false,
        "lsmJoinedAt": null, "closed": false, "createdAt": "2025-03-04T14:01:00.000Z"});
    serde_json::from_value(chat).unwrap()
}

impl Stage {
    /// Nobody has connected yet.
    pub(crate) fn of(id: i64) -> Self {
        let who = Who {
            user: Some(user(id)),
            server: "https://chat.example".to_owned(),
            profile: "default".to_owned(),
            can: Dialect::Trialogue.capabilities(),
        };
        let settings = Settings::new(true, false, |at| at.naive_utc());
        let model = Model::new(who, settings, 7);
        let mut stage = Self { model, at: Duration::ZERO, effects: Vec::new(), seq: 0 };
        stage.tell(Msg::Resize(80, 24));
        stage
    }

    /// Connected, listed, the first chat open, the window looked at.
    pub(crate) fn new() -> Self {
        let mut stage = Self::of(AMNA);
        stage.tell(Msg::Focus(true));
        stage.up();
        stage.list(&[0, 1, 0, 0]);
        stage.tell(Msg::Update(Update::Joined { ack: ack(0), again: false }));
        for id in [AMNA, RAVI] {
            stage.know(id, Presence::Online, false, 0);
        }
        stage.effects.clear();
        stage
    }

    pub(crate) fn up(&mut self) {
        let connected = Connected {
            message: String::new(),
            user_id: UserId(AMNA),
            role: None,
            protocol: Some(1),
            server_time: None,
            epoch: None,
        };
        self.tell(Msg::Update(Update::Ready(connected)));
        self.tell(Msg::Update(Update::Link(LinkState::Connected)));
    }

    pub(crate) fn list(&mut self, unread: &[i64]) {
        let chats = unread.iter().zip(0..).map(|(unread, number)| chat(number, *unread)).collect();
        self.tell(Msg::Reply(Reply::Chats(Ok((chats, true)))));
    }

    pub(crate) fn know(&mut self, id: i64, presence: Presence, typing: bool, read_seq: i64) {
        let (name, role) = person(id);
        let person = Person {
            user_id: UserId(id),
            role: Some(role),
            name: Some(format!("{name} K")),
            presence,
            typing,
            read_seq,
        };
        self.tell(Msg::Update(Update::Person { chat: chat_id(0), person }));
    }

    pub(crate) fn message(&mut self, id: i64, text: &str) -> Message {
        self.seq += 1;
        let (name, role) = person(id);
        let at = noon() + TimeDelta::from_std(self.at).unwrap();
        serde_json::from_value(json!({"id": Uuid::from_u128(0xAA00 + self.seq as u128),
            "chatId": chat_id(0), "seq": self.seq, "sender_type": role.as_str(), "sender_id": id,
            "sender_name": format!("{name} K"), "message": text, "message_type": "text",
            "created_at": at}))
        .unwrap()
    }

    pub(crate) fn says(&mut self, id: i64, text: &str, via: Via) {
        let message = self.message(id, text);
        self.tell(Msg::Update(Update::Message { message, via }));
    }

    /// The first own message that is neither stored nor refused.
    fn first(&self) -> ClientMessageId {
        let (_, log) = self.model.open_log().unwrap();
        let open = |state: &State| !matches!(state, State::Sent(_) | State::Failed { .. });
        log.pending.iter().find(|p| open(&p.state)).unwrap().id.clone()
    }

    pub(crate) fn outcome(&mut self, outcome: Outcome) {
        let client_message_id = self.first();
        let update = Update::Outcome { client_message_id, chat: chat_id(0), outcome };
        self.tell(Msg::Update(update));
    }

    /// The line is gone: the session says of everybody that nothing is known any more.
    fn part(&mut self) {
        let people = self.model.open_log().map(|(_, log)| log.people.clone()).unwrap_or_default();
        for person in people.into_values() {
            let person = Person { presence: Presence::Unknown, typing: false, ..person };
            self.tell(Msg::Update(Update::Person { chat: chat_id(0), person }));
        }
    }

    fn stored(&mut self) {
        let id = self.first();
        let text = {
            let (_, log) = self.model.open_log().unwrap();
            log.pending.iter().find(|pending| pending.id == id).unwrap().text.clone()
        };
        let mut message = self.message(AMNA, &text);
        message.client_message_id = Some(id);
        let outcome = Outcome::Stored { message: message.clone(), duplicate: false };
        self.outcome(outcome);
        self.tell(Msg::Update(Update::Message { message, via: Via::Ack }));
    }

    pub(crate) fn tell(&mut self, msg: Msg) {
        let wall = noon() + TimeDelta::from_std(self.at).unwrap();
        let now = Now { at: self.at, wall };
        for effect in update(&mut self.model, msg, now) {
            // Comes a moment after any letter; `update::desk` has tests of its own.
            if !matches!(effect, Effect::KeepDesk(_)) {
                self.effects.push(words(&effect));
            }
        }
    }

    pub(crate) fn key(&mut self, chord: &str) {
        self.tell(Msg::Key(key_event(chord)));
    }

    /// Plays lines: who does what.
    pub(crate) fn play(&mut self, story: &str) -> &mut Self {
        for line in story.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty()) {
            self.step(line);
        }
        self
    }

    fn step(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let link = |state| Msg::Update(Update::Link(state));
        match word {
            "types" => rest.chars().for_each(|c| self.key(&c.to_string().replace(' ', "space"))),
            "pastes" => self.tell(Msg::Paste(rest.replace("\\n", "\n"))),
            "presses" => rest.split(' ').for_each(|chord| self.key(chord)),
            "sends" => {
                self.tell(Msg::Paste(rest.to_owned()));
                self.key("enter");
            }
            "ravi" | "lena" => {
                let id = if word == "ravi" { RAVI } else { LENA };
                let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                match verb {
                    "says" => self.says(id, rest, Via::Live),
                    "said" => self.says(id, rest, Via::CatchUp),
                    "types" => self.know(id, Presence::Online, true, 0),
                    "stops" => self.know(id, Presence::Online, false, 0),
                    "reads" => self.know(id, Presence::Online, false, rest.parse().unwrap()),
                    other => panic!("who {other}?"),
                }
            }
            "queued" => self.outcome(Outcome::Queued),
            "sending" => self.outcome(Outcome::Sending { attempt: 1 }),
            "stored" => self.stored(),
            "waits" => {
                let next_in = Duration::from_secs(rest.parse().unwrap());
                let why = Trouble::new("too many messages");
                self.outcome(Outcome::Retrying { attempt: 2, next_in, why, not_stored: true });
            }
            "refused" => {
                let refusal = Refusal::new(ErrorCode::Internal, rest);
                self.outcome(Outcome::Refused(refusal));
            }
            "lost" => {
                self.part();
                let (attempt, seconds) = rest.split_once(' ').unwrap();
                self.tell(link(LinkState::Reconnecting {
                    attempt: attempt.parse().unwrap(),
                    next_in: Duration::from_secs(seconds.parse().unwrap()),
                    why: Trouble::new("connection reset"),
                }));
            }
            "rejoining" => self.tell(link(LinkState::Syncing { done: 2, of: 3 })),
            "connected" => self.up(),
            "expired" => {
                self.part();
                self.tell(link(LinkState::LoginNeeded { why: Trouble::new("token is over") }));
            }
            "listed" => {
                let counts: Vec<i64> = rest.split(' ').map(|n| n.parse().unwrap()).collect();
                self.list(&counts);
            }
            "looks" => self.tell(Msg::Focus(rest != "away")),
            "waited" => {
                self.at += Duration::from_millis(rest.parse::<u64>().unwrap());
                self.tell(Msg::Tick);
            }
            "sized" => {
                let (width, height) = rest.split_once('x').unwrap();
                self.tell(Msg::Resize(width.parse().unwrap(), height.parse().unwrap()));
            }
            other => panic!("nobody knows how to play `{other}`"),
        }
    }

    /// The screen as text.
    pub(crate) fn frame(&mut self, width: u16, height: u16) -> String {
        text_of(&self.buffer(width, height))
    }

    /// The screen with its looks.
    pub(crate) fn buffer(&mut self, width: u16, height: u16) -> Buffer {
        self.drawn(width, height).backend().buffer().clone()
    }

    pub(crate) fn drawn(&mut self, width: u16, height: u16) -> Terminal<TestBackend> {
        self.tell(Msg::Resize(width, height));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let model = &self.model;
        terminal.draw(|frame| view(model, frame)).unwrap();
        terminal
    }

    /// Whether the screen says this somewhere.
    #[track_caller]
    pub(crate) fn shows(&mut self, words: &str) -> &mut Self {
        let (width, height) = self.model.window.size;
        let frame = self.frame(width, height);
        assert!(frame.contains(words), "`{words}` is not in\n{frame}");
        self
    }

    #[track_caller]
    pub(crate) fn hides(&mut self, words: &str) -> &mut Self {
        let (width, height) = self.model.window.size;
        let frame = self.frame(width, height);
        assert!(!frame.contains(words), "`{words}` is in\n{frame}");
        self
    }

    /// Exactly these effects came since the last look, in this order.
    #[track_caller]
    pub(crate) fn wants(&mut self, effects: &[&str]) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.effects), effects);
        self
    }
}

/// The rows of a screen, without the blanks at their ends.
pub(crate) fn text_of(buffer: &Buffer) -> String {
    let row = |y| {
        let (mut row, mut skip) = (String::new(), 0);
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            skip = trialogue_tui::text::width(symbol).saturating_sub(1);
        }
        row.trim_end().to_owned()
    };
    (0..buffer.area.height).map(row).collect::<Vec<_>>().join("\n")
}

pub(crate) fn ack(number: u128) -> JoinAck {
    JoinAck {
        chat_id: chat_id(number),
        members: Vec::new(),
        last_seq: 0,
        epoch: "e".to_owned(),
        messages: None,
        has_more: None,
    }
}

pub(crate) fn key_event(chord: &str) -> crossterm::event::KeyEvent {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let chord = if chord == "space" { " " } else { chord };
    if let [c] = chord.chars().collect::<Vec<_>>()[..] {
        return KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
    }
    chord.parse::<Chord>().unwrap().into()
}

fn words(effect: &Effect) -> String {
    let number = |chat: &ChatId| chat.0.as_u128() - 0xC0;
    match effect {
        Effect::Send { chat, text, .. } => format!("send {}: {text}", number(chat)),
        Effect::Again(_) => "again".to_owned(),
        Effect::Discard(_) => "discard".to_owned(),
        Effect::Join(chat) => format!("join {}", number(chat)),
        Effect::Typing(_, is) => format!("typing {is}"),
        Effect::MarkRead(_, seq) => format!("read {}", seq.unwrap_or_default()),
        Effect::Page { ask, .. } => format!("page {ask:?}"),
        other => format!("{other:?}"),
    }
}
