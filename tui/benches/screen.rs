//! How fast the client answers: a chat of 100,000 messages is opened and scrolled, a flood is heard.
//!
//! The promises (issue 7): opened within 50 ms, a frame within 4 ms, a key answered within 16 ms
//! while 1,000 messages come each second.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use trialogue_client::session::Update;
use trialogue_client::{Dialect, LinkState, Via};
use trialogue_protocol::{Chat, ChatId, JoinAck, Message, User};
use trialogue_tui::model::{Model, Settings, Who};
use trialogue_tui::msg::{Msg, Now, Reply};
use trialogue_tui::{update, view};
use uuid::Uuid;

const LONG: i64 = 100_000;

fn chat_id() -> ChatId {
    ChatId(Uuid::from_u128(0xC0))
}

fn now() -> Now {
    Now { at: Duration::from_secs(1), wall: DateTime::UNIX_EPOCH }
}

fn message(seq: i64) -> Message {
    let (sender, role) = if seq % 3 == 0 { (1, "customer") } else { (2, "service_provider") };
    let words = "The valve under the sink is closed, and the floor is dry again.";
    let text = &words[..words.len() - usize::try_from(seq % 40).unwrap_or_default()];
    let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(seq);
    let value = json!({"id": Uuid::from_u128(seq as u128), "chatId": chat_id(), "seq": seq,
        "sender_type": role, "sender_id": sender, "sender_name": "Somebody Else", "message": text,
        "message_type": "text", "created_at": at});
    serde_json::from_value(value).expect("a message")
}

/// A client with a chat of so many messages on the screen.
fn model(messages: i64) -> Model {
    let user: User =
        serde_json::from_value(json!({"id": 1, "firstName": "Amna", "lastName": "Khan",
        "role": "customer"}))
        .expect("a user");
    let who = Who {
        user: Some(user),
        server: "https://chat.example".to_owned(),
        profile: "default".to_owned(),
        can: Dialect::Trialogue.capabilities(),
    };
    let mut model = Model::new(who, Settings::new(true, false, |at| at.naive_utc()), 7);
    let chat: Chat = serde_json::from_value(json!({"id": chat_id(), "job": {"id": 1,
        "title": "Kitchen sink leak", "status": "open"}, "members": [], "lastMessage": null,
        "unreadCount": 0, "lastSeq": messages, "lsmInvited": false, "lsmJoined": false,
        "lsmJoinedAt": null, "closed": false, "createdAt": "2026-01-01T00:00:00.000Z"}))
    .expect("a chat");
    let ack = JoinAck {
        chat_id: chat_id(),
        members: Vec::new(),
        last_seq: messages,
        epoch: "e".to_owned(),
        messages: None,
        has_more: None,
    };
    for msg in [
        Msg::Resize(120, 40),
        Msg::Focus(true),
        Msg::Update(Update::Link(LinkState::Connected)),
        Msg::Reply(Reply::Chats(Ok((vec![chat], true)))),
        Msg::Update(Update::Joined { ack, again: false }),
    ] {
        update(&mut model, msg, now());
    }
    for seq in 1..=messages {
        let message = message(seq);
        let update_of = Update::Message { message, via: Via::CatchUp };
        update(&mut model, Msg::Update(update_of), now());
    }
    model
}

fn key(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn screen() -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(120, 40)).expect("a screen in memory")
}

fn draw(terminal: &mut Terminal<TestBackend>, model: &Model) {
    terminal.draw(|frame| view(model, frame)).expect("a screen in memory takes everything");
}

fn benches(c: &mut Criterion) {
    let long = model(LONG);
    c.bench_function("first frame of a chat of 100,000 messages", |b| {
        b.iter_batched(screen, |mut terminal| draw(&mut terminal, &long), BatchSize::SmallInput);
    });
    let mut scrolled = long.clone();
    let mut terminal = screen();
    let mut direction = KeyCode::PageUp;
    let mut pages = 0;
    c.bench_function("one page up or down in it, and its frame", |b| {
        b.iter(|| {
            pages += 1;
            if pages % 500 == 0 {
                let up = direction == KeyCode::PageUp;
                direction = if up { KeyCode::PageDown } else { KeyCode::PageUp };
            }
            update(&mut scrolled, key(direction), now());
            draw(&mut terminal, &scrolled);
        });
    });
    let mut flooded = long.clone();
    let mut seq = LONG;
    c.bench_function("64 messages of a flood, a key, and a frame", |b| {
        b.iter(|| {
            for _ in 0..64 {
                seq += 1;
                let message = message(seq);
                let heard = Update::Message { message, via: Via::Live };
                update(&mut flooded, Msg::Update(heard), now());
            }
            update(&mut flooded, key(KeyCode::Char('x')), now());
            update(&mut flooded, key(KeyCode::Backspace), now());
            draw(&mut terminal, &flooded);
        });
    });
    let text = "a pasted line of some length, and another one\n".repeat(2_200);
    let mut pasted = model(50);
    update(&mut pasted, Msg::Paste(text), now());
    c.bench_function("a key and a frame with a draft of 100 KB", |b| {
        b.iter(|| {
            update(&mut pasted, key(KeyCode::Char('x')), now());
            update(&mut pasted, key(KeyCode::Backspace), now());
            draw(&mut terminal, &pasted);
        });
    });
}

criterion_group!(group, benches);
criterion_main!(group);
