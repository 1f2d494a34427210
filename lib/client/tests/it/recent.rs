//! What a face sees of a chat besides its messages, and what it sees before there is a connection.

use std::path::Path;

use serde_json::json;
use trialogue_client::people::{Person, Presence};
use trialogue_client::{Begin, SessionConfig, Update, Via, backup};
use trialogue_protocol::{Chat, ChatJob, JobId, JobStatus, Role, UserId};

use crate::cast::{Client, quick, rest};
use crate::stage::{ME, Stage, chat};

const OWNER: &str = "http://here 1";

fn with_backup(stage: &Stage, folder: &Path) -> SessionConfig {
    let backup = Some(backup::open(folder, OWNER).unwrap());
    let backup_pause = std::time::Duration::from_millis(10);
    SessionConfig { backup, backup_pause, ..quick(rest(stage, "good")) }
}

fn listed(last_seq: i64, unread_count: i64) -> Chat {
    Chat {
        id: chat(),
        job: ChatJob { id: JobId(1), title: Some("sink".to_owned()), status: JobStatus::Open },
        members: vec![],
        last_message: None,
        unread_count,
        last_seq,
        lsm_invited: false,
        lsm_joined: false,
        lsm_joined_at: None,
        closed: false,
        created_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

#[tokio::test]
async fn recent_chats_open_at_once_and_offline_and_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let mut stage = Stage::open().await;
    stage.say("one");
    stage.say("two");
    let mut client = Client::start(with_backup(&stage, &folder));
    client.handle.list(vec![listed(2, 0)], true).await.unwrap();
    client.enter(Begin::Newest(50)).await;
    assert_eq!(client.texts(2).await, ["one", "two"]);
    client.handle.close().await;
    drop(client);

    stage.kill().await;
    let opened = backup::open(&folder, OWNER).unwrap();
    let kept = opened.shelf.get(chat()).unwrap();
    assert_eq!(kept.chat.as_ref().unwrap().job.title.as_deref(), Some("sink"));
    drop(opened);
    let mut client = Client::start(with_backup(&stage, &folder));
    client.handle.join(chat(), Begin::Newest(50)).await.unwrap();
    let offline = client.shown(2).await;
    assert_eq!(offline, [("one".to_owned(), Via::Backup), ("two".to_owned(), Via::Backup)]);

    stage.say("three");
    stage.revive().await;
    assert_eq!(client.shown(3).await[2], ("three".to_owned(), Via::CatchUp));
    client.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    let join = stage.play().heard.iter().find(|(name, _)| name == "join_chat").cloned();
    assert_eq!(join.unwrap().1["sinceSeq"], json!(null), "the first session had nothing");
    let last = stage.play().heard.iter().rfind(|(name, _)| name == "join_chat").cloned();
    assert_eq!(last.unwrap().1["sinceSeq"], json!(2), "the second one went on");
    client.handle.close().await;
}

#[tokio::test]
async fn a_backup_of_another_database_is_shown_and_then_void() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let stage = Stage::open().await;
    stage.say("old");
    let mut client = Client::start(with_backup(&stage, &folder));
    client.enter(Begin::Newest(50)).await;
    client.handle.close().await;
    drop(client);
    {
        let mut play = stage.play();
        play.epoch = "e2".to_owned();
        play.messages.clear();
    }
    stage.say("new");
    let mut client = Client::start(with_backup(&stage, &folder));
    client.enter(Begin::Newest(50)).await;
    let story: Vec<String> = client
        .told
        .iter()
        .filter_map(|update| match update {
            Update::Message { message, via } => Some(format!("{} {via:?}", message.message)),
            Update::Reset { why, .. } => Some(format!("{why:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(story, ["old Backup", "EpochChanged", "new CatchUp"]);
    client.handle.close().await;
    let kept = backup::look(&folder, OWNER).unwrap();
    let texts = kept.get(chat()).unwrap().messages.iter().map(|m| m.message.clone());
    assert_eq!(texts.collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn a_logout_wipes_the_backup_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let stage = Stage::open().await;
    stage.say("one");
    let mut client = Client::start(with_backup(&stage, &folder));
    client.enter(Begin::Newest(50)).await;
    client.handle.wipe_backup().await.unwrap();
    stage.say("two");
    client.texts(2).await;
    client.handle.close().await;
    assert!(backup::look(&folder, OWNER).unwrap().chats().is_empty());

    // The same by another process, under this one.
    let mut client = Client::start(with_backup(&stage, &folder));
    client.enter(Begin::Newest(50)).await;
    backup::wipe(&folder, OWNER).unwrap();
    stage.say("three");
    client.texts(3).await;
    client.handle.close().await;
    assert!(backup::look(&folder, OWNER).unwrap().chats().is_empty());
}

#[tokio::test]
async fn an_invited_lsm_is_asked_before_an_invitation_is_accepted() {
    let stage = Stage::open().await;
    {
        let mut play = stage.play();
        play.role = Role::Lsm;
        play.invitations = vec![json!({"id": 5, "chatId": chat(), "jobId": 1, "raisedBy": 2,
            "description": "the leak is back", "status": "pending",
            "lsm": {"id": ME, "name": "Lena"}, "resolution": null,
            "createdAt": "2026-01-01T00:00:00.000Z", "resolvedAt": null})];
    }
    let mut client = Client::start(quick(rest(&stage, "good")));
    client.handle.join(chat(), Begin::Now).await.unwrap();
    let invited = client.until(|u| matches!(u, Update::Invited { .. })).await;
    let Update::Invited { dispute, .. } = invited else { unreachable!() };
    assert_eq!(dispute.description, "the leak is back");
    assert_eq!(stage.play().count("join_chat"), 0, "nobody was asked");
    client.handle.accept(chat(), Begin::Now).await.unwrap();
    client.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    assert_eq!(stage.play().count("join_chat"), 1);
    // Once in, nobody is asked again after a reconnect.
    client.handle.abort().await.unwrap();
    client.until(|u| matches!(u, Update::Joined { again: true, .. })).await;
}

#[tokio::test]
async fn people_and_counts_are_told_and_are_unknown_without_a_connection() {
    let mut stage = Stage::open().await;
    let member = |id: i64, read: i64| {
        json!({"userId": id, "role": "customer", "name": "N", "status": "online",
            "lastSeen": null, "lastReadSeq": read, "joinedAt": "2026-01-01T00:00:00.000Z"})
    };
    stage.say("read");
    stage.say("not read");
    stage.play().members = json!([member(ME, 1), member(2, 0)]);
    let mut client = Client::in_chat(&stage).await;
    let counts = |told: &[Update]| -> Vec<u64> {
        let count = |u: &Update| match u {
            Update::Unread { count, .. } => Some(*count),
            _ => None,
        };
        told.iter().filter_map(count).collect()
    };
    assert_eq!(counts(&client.told), [1]);
    client.handle.mark_read(chat(), Some(2)).await.unwrap();
    client.until(|u| matches!(u, Update::Unread { count: 0, .. })).await;

    stage.emit("user_typing", &json!({"userId": 2, "chatId": chat(), "isTyping": true}));
    let types = |u: &Update| matches!(u, Update::Person { person, .. } if person.typing);
    client.until(types).await;
    stage.say("said");
    let quiet = |u: &Update| {
        matches!(u, Update::Person { person: Person { user_id: UserId(2), typing: false, .. }, .. })
    };
    client.until(|u| matches!(u, Update::Unread { count: 1, .. })).await;
    client.until(quiet).await;
    stage.kill().await;
    client
        .until(
            |u| matches!(u, Update::Person { person, .. } if person.presence == Presence::Unknown),
        )
        .await;
    stage.revive().await;
    let online = |u: &Update| matches!(u, Update::Person { person, .. } if person.presence == Presence::Online);
    client.until(online).await;
}
