//! Forms: what is asked once is done once, and what is wrong is said where it is.

use serde_json::json;
use trialogue_client::{Error, Refusal};
use trialogue_protocol::{ErrorCode, JobCreated};
use trialogue_tui::msg::{Msg, Reply};

use crate::stage::{RAVI, Stage, chat_id};

fn booked(number: u128) -> Msg {
    let chat = crate::stage::chat(number, 0);
    let created =
        json!({"jobId": 3, "chatId": chat.id, "chat": chat, "title": "t", "status": "open"});
    let created: JobCreated = serde_json::from_value(created).unwrap();
    Msg::Reply(Reply::Booked(Ok(created)))
}

/// The booking form, filled in, with somebody to book, sent.
fn books() -> Stage {
    let mut stage = Stage::new();
    stage.play("presses f2");
    let provider = json!({"id": RAVI, "name": "Ravi K", "firstName": "Ravi", "lastName": "K"});
    let provider = serde_json::from_value(provider).unwrap();
    stage.tell(Msg::Reply(Reply::Providers(Ok(vec![provider]))));
    stage.play("presses tab; types leak; presses ctrl-s");
    assert!(stage.effects.iter().any(|effect| effect.starts_with("Book ")), "{:?}", stage.effects);
    stage
}

fn keys(stage: &Stage) -> Vec<String> {
    let books = stage.effects.iter().filter(|effect| effect.starts_with("Book "));
    books.map(|book| book.rsplit("key: ").next().unwrap().to_owned()).collect()
}

#[test]
fn a_late_answer_opens_no_chat_under_whoever_writes_in_another() {
    let mut stage = books();
    stage.play("presses esc; types typing on in");
    stage.tell(booked(3));
    stage.shows("Job 3 booked").shows("> typing on in");
    assert_eq!(stage.model.chats.open, Some(chat_id(0)));
    let mut stage = books();
    stage.tell(booked(3));
    assert_eq!(stage.model.chats.open, Some(chat_id(3)), "who waited for it sees it");
}

#[test]
fn every_job_is_booked_under_a_key_of_its_own() {
    let mut stage = books();
    stage.play("presses esc");
    stage.tell(booked(3));
    stage.play("presses f2").hides("[ leak");
    let mut stage = books();
    stage.play("presses esc f2 ctrl-s; presses esc f2; types s; presses ctrl-s");
    let keys = keys(&stage);
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0], keys[1], "the same job again");
    assert_ne!(keys[1], keys[2], "another one");
    // What was written after it was sent stays.
    stage.play("presses esc f2; types x");
    stage.tell(booked(3));
    stage.shows("leaksx");
}

#[test]
fn no_year_is_too_far_to_be_refused() {
    for year in ["+262142-12-31 23:59", "-0001-01-01 00:00"] {
        let mut stage = Stage::new();
        stage.model.settings.local = |at| (at + chrono::TimeDelta::hours(5)).naive_utc();
        stage.play("presses f2");
        let provider = json!({"id": RAVI, "name": "Ravi K"});
        let provider = serde_json::from_value(provider).unwrap();
        stage.tell(Msg::Reply(Reply::Providers(Ok(vec![provider]))));
        stage.play("presses tab; types leak; presses tab tab");
        stage.play(&format!("types {year}; presses ctrl-s")).shows("When: such as 2026");
    }
}

#[test]
fn a_field_that_the_server_refuses_has_the_cursor_and_the_words() {
    let mut stage = books();
    let mut refusal = Refusal::new(ErrorCode::BadRequest, "title must not be this");
    refusal.details = Some(json!({"fields": ["title"]}));
    stage.play("presses tab");
    stage.tell(Msg::Reply(Reply::Booked(Err(refusal.into()))));
    stage.shows("title must not be this").shows("[ leak");
    stage.play("types s").shows("[ leaks");
}

#[test]
fn nobody_is_counted_where_nobody_can_be_chosen() {
    let mut stage = Stage::new();
    stage.play("presses f2").shows("[ asking who can be booked").hides("0/0");
    stage.tell(Msg::Reply(Reply::Providers(Err(Error::NotConnected))));
    stage.shows("[ nobody to show: the list did not come");
    stage.tell(Msg::Reply(Reply::Providers(Ok(Vec::new()))));
    stage.shows("[ nobody can be booked yet");
    stage.play("presses tab; types leak; presses ctrl-s").shows("Provider: nobody to choose yet");
}
