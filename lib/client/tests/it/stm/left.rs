//! What left, what did not, and what nobody knows: over restarts, cuts and an hour without a server.

use std::path::Path;

use trialogue_client::journal::FileJournal;
use trialogue_client::outbox::{Draft, Record};
use trialogue_protocol::{ClientMessageId, ErrorCode, MessageType};

use super::*;

fn draft(id: &str, text: &str) -> Draft {
    let (id, text) = (id.parse().unwrap(), text.to_owned());
    Draft { id, chat: chat(), text, kind: MessageType::Text }
}

/// An outbox as a process left it that is no more.
fn leave_behind(folder: &Path, records: &[Record]) {
    FileJournal::open(folder, "me").unwrap().journal.append(records).unwrap();
}

fn restarted(folder: &Path, url: &str) -> Client {
    let journal = Some(FileJournal::open(folder, "me").unwrap());
    Client::start(SessionConfig { journal, ..settings(url, "good") })
}

fn said_unknown(client: &Client, id: &ClientMessageId) -> bool {
    client.told.iter().any(|u| {
        matches!(u, Update::Outcome { client_message_id, outcome, .. } if client_message_id == id
            && matches!(outcome, Outcome::Retrying { not_stored: false, .. }))
    })
}

#[tokio::test]
async fn what_a_killed_process_had_sent_is_found_and_not_sent_again_whatever_its_id() {
    for id in [Uuid::now_v7().to_string(), "job-17".to_owned()] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("outbox");
        let backend = Backend::default();
        let (url, _tasks) = backend.open().await;
        let id: ClientMessageId = id.parse().unwrap();
        {
            let mut client = restarted(&folder, &url);
            client.enter(Begin::Now).await;
            // It leaves and is stored; history does not show it before this process is gone.
            backend.play().hide_history = u32::MAX;
            let kind = MessageType::Text;
            client.handle.send_as(id.clone(), chat(), "once", kind).await.unwrap();
            backend.until(|play| play.arrived == 1).await;
            client.handle.close().await;
        }
        backend.play().hide_history = 0;
        let mut client = restarted(&folder, &url);
        client.enter(Begin::Newest(50)).await;
        let end = client.end_of(&id).await;
        assert!(matches!(end, Outcome::Stored { duplicate: true, .. }), "{end:?}");
        assert_eq!(backend.counts(), (1, 1));
    }
}

#[tokio::test]
async fn a_message_that_never_left_is_sent_although_an_older_one_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("outbox");
    let backend = Backend::default();
    backend.store(ME, &json!("ok"));
    let (url, _tasks) = backend.open().await;
    let waits = draft(&Uuid::now_v7().to_string(), "ok");
    leave_behind(&folder, &[Record::Queued(waits.clone())]);
    let mut client = restarted(&folder, &url);
    let end = client.end_of(&waits.id).await;
    assert!(matches!(end, Outcome::Stored { duplicate: false, .. }), "{end:?}");
    assert_eq!(backend.counts(), (1, 2), "the older row is another message");
    assert!(!said_unknown(&client, &waits.id));
}

#[tokio::test]
async fn a_message_that_left_and_never_arrived_is_sent_again_and_its_author_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("outbox");
    let backend = Backend::default();
    backend.store(ME, &json!("ok"));
    let (url, _tasks) = backend.open().await;
    let left = draft("job-18", "ok");
    let leaving = Record::Leaving { id: left.id.clone(), same: Some(1) };
    leave_behind(&folder, &[Record::Queued(left.clone()), leaving]);
    let mut client = restarted(&folder, &url);
    let end = client.end_of(&left.id).await;
    assert!(matches!(end, Outcome::Stored { duplicate: false, .. }), "{end:?}");
    assert_eq!(backend.counts(), (1, 2));
    assert!(said_unknown(&client, &left.id));
}

#[tokio::test]
async fn nobody_knows_of_an_older_programs_message_so_its_author_decides() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("outbox");
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let old = draft("job-19", "old");
    leave_behind(&folder, &[Record::Queued(old.clone())]);
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|e| e == "journal")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replacen("trialogue-outbox 2", "trialogue-outbox 1", 1);
    std::fs::write(&file, text).unwrap();
    let mut client = restarted(&folder, &url);
    let end = client.end_of(&old.id).await;
    let Outcome::Unknown(why) = end else { panic!("{end:?}") };
    assert_eq!(why.code, ErrorCode::OutcomeUnknown);
    assert_eq!(backend.counts(), (0, 0));
    client.handle.again(old.id.clone()).await.unwrap();
    assert!(matches!(client.end_of(&old.id).await, Outcome::Stored { duplicate: false, .. }));
    assert_eq!(backend.counts(), (1, 1));
}

#[tokio::test]
async fn a_server_that_still_stores_it_after_the_connection_is_lost_gets_it_once() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut client = in_chat(&url).await;
    backend.play().slow = Duration::from_millis(300);
    let id = client.handle.send(chat(), "slow").await.unwrap();
    backend.until(|play| play.arrived == 1).await;
    client.handle.abort().await.unwrap();
    let end = client.end_of(&id).await;
    assert!(matches!(end, Outcome::Stored { duplicate: true, .. }), "{end:?}");
    assert_eq!(backend.counts(), (1, 1));
    assert!(said_unknown(&client, &id));
}

#[tokio::test]
async fn an_attempt_that_waits_behind_the_one_that_succeeds_does_not_leave() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut config = settings(&url, "good");
    let ms = Duration::from_millis;
    (config.outbox.ack_timeout, config.settle, config.look_for) = (ms(150), ms(20), ms(5_000));
    let mut client = Client::start(config);
    client.enter(Begin::Now).await;
    backend.play().slow = ms(600);
    let id = client.handle.send(chat(), "slow").await.unwrap();
    let end = client.end_of(&id).await;
    assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    backend.play().slow = Duration::ZERO;
    let id = client.handle.send(chat(), "next").await.unwrap();
    assert!(matches!(client.end_of(&id).await, Outcome::Stored { .. }));
    assert_eq!(backend.counts(), (2, 2));
}

#[tokio::test]
async fn a_chat_that_vanished_meanwhile_is_no_answer_to_what_had_left() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("outbox");
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let gone = trialogue_protocol::ChatId(Uuid::from_u128(9));
    let left = Draft { chat: gone, ..draft("job-20", "x") };
    let never = Draft { chat: gone, ..draft("job-21", "y") };
    let leaving = Record::Leaving { id: left.id.clone(), same: Some(0) };
    let queued = [left.clone(), never.clone()].map(Record::Queued);
    leave_behind(&folder, &[&queued[..], &[leaving]].concat());
    let mut client = restarted(&folder, &url);
    let end = client.end_of(&left.id).await;
    assert!(matches!(end, Outcome::Unknown(_)), "it may have been stored: {end:?}");
    let end = client.end_of(&never.id).await;
    assert!(matches!(end, Outcome::Refused(_)), "it never left: {end:?}");
    assert_eq!(client.handle.kept().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_text_longer_than_ours_takes_is_sent_and_one_longer_than_a_packet_is_not_queued() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut client = in_chat(&url).await;
    let id = client.handle.send(chat(), &"x".repeat(40_000)).await.unwrap();
    assert!(matches!(client.end_of(&id).await, Outcome::Stored { .. }));
    let error = client.handle.send(chat(), &"x".repeat(1_000_000)).await.unwrap_err();
    assert!(error.sentence().contains("1000000 bytes"), "{error}");
}

#[tokio::test]
async fn five_hundred_messages_of_an_offline_hour_arrive_in_order_with_one_look_or_two_each() {
    const MESSAGES: u32 = 500;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("outbox");
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let texts: Vec<String> = (0..MESSAGES).map(|n| format!("message {n}")).collect();
    let queued: Vec<_> =
        texts.iter().map(|text| draft(&Uuid::now_v7().to_string(), text)).collect();
    let records: Vec<_> = queued.iter().cloned().map(Record::Queued).collect();
    leave_behind(&folder, &records);
    let mut client = restarted(&folder, &url);
    let end = client.end_of(&queued.last().unwrap().id).await;
    assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    assert!(client.handle.kept().await.unwrap().is_empty());
    let play = backend.play();
    let stored: Vec<_> = play.rows.iter().map(|row| row["message"].as_str().unwrap()).collect();
    assert_eq!(stored, texts);
    // It is stored before the first look at it, which also counts for the next one; the rest are
    // looks that a busy machine was late for.
    assert!((MESSAGES..MESSAGES * 3 / 2).contains(&play.histories), "{}", play.histories);
}
