//! Our client, dialect `stm`, against the stand-in of `interop/stm`: the flow of the deployed
//! backend from registration to a resolved dispute, and its quirks on the way.
//!
//! `cargo run -p trialogue-client --example interop_stm -- URL [URL-WITH-SHORT-TOKENS]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a report")]
#![expect(clippy::unwrap_used, reason = "a check fails by panicking")]

mod stm_cast;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use stm_cast::{Stage, Voice, quirks};
use trialogue_client::people::Presence;
use trialogue_client::rest::{ListQuery, NotificationQuery, ProviderQuery};
use trialogue_client::{Begin, Error, LinkState, Outcome, Update, Via, backup};
use trialogue_protocol::{
    CreateJob, DisputeQuery, DisputeStatus, ErrorCode, OpenDispute, PageQuery, ResolveDispute,
};

#[tokio::main]
async fn main() -> ExitCode {
    let mut urls = std::env::args().skip(1);
    let (Some(url), short) = (urls.next(), urls.next()) else {
        eprintln!("usage: interop_stm URL [URL-WITH-SHORT-TOKENS]");
        return ExitCode::from(2);
    };
    let stage = Stage::set(&url).await;
    println!("ok          the cast is registered, the job is booked: nested answers were read");
    macro_rules! check {
        ($($name:path: $words:literal,)*) => {$(
            let began = std::time::Instant::now();
            $name(&stage).await;
            println!("ok {:5.1} s  {}", began.elapsed().as_secs_f32(), $words);
        )*};
    }
    check! {
        messages: "messages are confirmed from history, each stored once, in order",
        lost_on_the_way: "a message that vanished leaves again, one that was stored does not",
        no_is_no: "an error without a reference is one message's, and an open chat stays open",
        other_shapes: "both shapes of a message, typing, marks, no presence",
        lists_of_old_versions: "chat lists of old versions",
        a_cut: "a cut connection comes back, re-joins, and shows what was missed once",
        away: "a recipient outside of the room hears by the notification",
        backup_offline: "recent chats open offline and go on without repeats",
        quirks::areas_and_collisions: "areas are looked at, and registrations that collide are repeated",
        quirks::twice: "a message that comes twice, with a foreign sender, or of an unknown chat",
        quirks::offers: "a negotiation, in both shapes",
        quirks::pages_of_jobs: "a job on the last page of many",
        quirks::restarts: "the server killed 20 times while 60 messages are said: each once, in order",
        quirks::offline_hour: "500 messages of an offline hour, each once, in order",
        dispute: "a dispute: polled notices, the LSM asked first, REST join, resolved",
    }
    check! {
        quirks::after_the_dispute: "who was an LSM here is unknown, and a broken dispute hides no other",
        quirks::closed: "a chat that is closed, and one that is gone",
        quirks::another_dialect: "the wrong dialect is called by its name",
    }
    if let Some(short) = short {
        short_tokens(&short).await;
        println!(
            "ok          connect, error, disconnect: the token is refreshed, never shown twice"
        );
    }
    ExitCode::SUCCESS
}

async fn messages(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    ravi.join(stage.chat).await;
    let texts = ["one", "same", "same", "two"];
    let mut ids = Vec::new();
    for text in texts {
        ids.push(amna.handle.send(stage.chat, text).await.unwrap());
    }
    let mut rows = Vec::new();
    for id in &ids {
        let Outcome::Stored { message, .. } = amna.end_of(id).await else { panic!() };
        assert_eq!(message.client_message_id.as_ref(), Some(id));
        rows.push(message.id);
    }
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 4, "two of the same text are two rows");
    // The sending socket gets no echo: what it shows, it shows from history.
    assert_eq!(amna.texts_of(stage.chat, 4).await, texts);
    assert_eq!(ravi.texts_of(stage.chat, 4).await, texts);
    assert!(ravi.told.iter().any(|u| matches!(u, Update::Message { via: Via::Live, .. })));
    let unread = |u: &Update| matches!(u, Update::Unread { count: 4, .. });
    ravi.until(unread).await;
    ravi.handle.mark_read(stage.chat, None).await.unwrap();
    ravi.until(|u| matches!(u, Update::Unread { count: 0, .. })).await;
    assert_eq!(stage.stored(&texts).await, texts);
    amna.handle.close().await;
    ravi.handle.close().await;
}

/// One message never arrives at the server, one is stored although the server says "failed".
async fn lost_on_the_way(stage: &Stage) {
    let mut amna = stage.amna().await;
    amna.join(stage.chat).await;
    stage.quirks(&json!({"afterStored": 1})).await;
    let failed = amna.handle.send(stage.chat, "failed, they say").await.unwrap();
    let end = amna.end_of(&failed).await;
    assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    stage.quirks(&json!({"silently": 1})).await;
    let vanished = amna.handle.send(stage.chat, "vanished once").await.unwrap();
    let end = amna.end_of(&vanished).await;
    assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    let expect = ["failed, they say", "vanished once"];
    assert_eq!(stage.stored(&expect).await, expect, "each once");
    amna.handle.close().await;
}

async fn no_is_no(stage: &Stage) {
    let mut amna = stage.amna().await;
    amna.join(stage.chat).await;
    let nowhere = "0190a0b0-0000-7000-8000-00000000abcd".parse().unwrap();
    amna.handle.join(nowhere, Begin::Now).await.unwrap();
    let failed = amna.until(|u| matches!(u, Update::JoinFailed { .. })).await;
    let Update::JoinFailed { chat, error } = failed else { unreachable!() };
    assert_eq!((chat, error.code()), (nowhere, Some(ErrorCode::Denied)));
    let id = amna.handle.send(stage.chat, "still here").await.unwrap();
    assert!(matches!(amna.end_of(&id).await, Outcome::Stored { .. }));
    amna.handle.close().await;
}

async fn other_shapes(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    ravi.join(stage.chat).await;
    stage.camel("in the other shape").await;
    amna.until_text("in the other shape").await;
    ravi.handle.typing(stage.chat, true).await.unwrap();
    amna.until(|u| matches!(u, Update::Person { person, .. } if person.typing)).await;
    // Nobody says that they stopped: it expires here.
    let quiet = |u: &Update| match u {
        Update::Person { person, .. } => {
            assert_eq!(person.presence, Presence::Unknown, "nobody can know");
            !person.typing
        }
        _ => false,
    };
    amna.until(quiet).await;
    let capabilities = amna.rest.dialect().capabilities();
    assert!(!capabilities.acks && !capabilities.presence && !capabilities.seq);
    amna.handle.close().await;
    ravi.handle.close().await;
}

async fn lists_of_old_versions(stage: &Stage) {
    for old in [false, true] {
        stage.quirks(&json!({"oldLists": old})).await;
        let chats = stage.customer.chats(&ListQuery::default()).await.unwrap().chats;
        let listed = chats.iter().find(|chat| chat.id == stage.chat).unwrap();
        let provider = stage.provider.me().await.unwrap();
        assert!(listed.members.iter().any(|m| m.user_id == provider.id), "{listed:?}");
        assert_ne!(provider.id, stage.profile, "a profile is no user");
        let jobs = stage.customer.jobs(&ListQuery::default()).await.unwrap().jobs;
        assert!(jobs.iter().any(|job| job.chat_id == stage.chat), "{jobs:?}");
    }
    stage.quirks(&json!({"oldLists": false})).await;
    let query = ProviderQuery { q: Some("pipes".to_owned()), ..ProviderQuery::default() };
    let providers = stage.customer.providers(&query).await.unwrap().providers;
    assert_eq!(providers[0].id, stage.profile, "what a booking takes");
}

async fn a_cut(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    ravi.join(stage.chat).await;
    ravi.handle.stop().await.unwrap();
    ravi.until(|u| matches!(u, Update::Link(LinkState::Offline))).await;
    let id = amna.handle.send(stage.chat, "while you were away").await.unwrap();
    amna.end_of(&id).await;
    let queued = ravi.handle.send(stage.chat, "while I was away").await.unwrap();
    ravi.handle.start().await.unwrap();
    ravi.until_text("while you were away").await;
    assert!(matches!(ravi.end_of(&queued).await, Outcome::Stored { .. }));
    amna.until_text("while I was away").await;
    amna.handle.abort().await.unwrap();
    amna.until(|u| matches!(u, Update::Joined { again: true, .. })).await;
    amna.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    for (voice, name) in [(&amna, "amna"), (&ravi, "ravi")] {
        let mut shown = voice.shown(stage.chat);
        let all = shown.len();
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), all, "{name} saw a message twice");
    }
    amna.handle.close().await;
    ravi.handle.close().await;
}

async fn away(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    let id = amna.handle.send(stage.chat, "are you there?").await.unwrap();
    amna.end_of(&id).await;
    let told = ravi.until(|u| matches!(u, Update::Notification { .. })).await;
    let Update::Notification { notification, .. } = told else { unreachable!() };
    assert_eq!(notification.chat_id, Some(stage.chat));
    assert_eq!(notification.message, "are you there?");
    ravi.until(|u| matches!(u, Update::Unread { count: 1, .. })).await;
    amna.handle.close().await;
    ravi.handle.close().await;
}

async fn backup_offline(stage: &Stage) {
    let folder = std::env::temp_dir().join(format!("trialogue-interop-{}", std::process::id()));
    let open = || Some(backup::open(&folder, "ravi").unwrap());
    let mut ravi = Voice::with_backup(&stage.provider, open(), true);
    ravi.handle.join(stage.chat, Begin::Newest(3)).await.unwrap();
    ravi.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    let before = ravi.shown(stage.chat);
    assert_eq!(before.len(), 3);
    ravi.handle.close().await;
    let mut ravi = Voice::with_backup(&stage.provider, open(), false);
    ravi.handle.join(stage.chat, Begin::Newest(3)).await.unwrap();
    ravi.texts_of(stage.chat, 3).await;
    assert_eq!(ravi.shown(stage.chat), before, "offline");
    ravi.handle.start().await.unwrap();
    ravi.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    assert_eq!(ravi.shown(stage.chat), before, "and not again");
    ravi.handle.older(stage.chat, 2).await.unwrap();
    let older = ravi.until(|u| matches!(u, Update::Older { .. })).await;
    assert!(matches!(older, Update::Older { messages, more: true, .. } if messages.len() == 2));
    ravi.handle.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

async fn dispute(stage: &Stage) {
    let (customer, provider, lsm) = (&stage.customer, &stage.provider, &stage.lsm);
    let body = OpenDispute {
        chat_id: Some(stage.chat),
        job_id: None,
        description: "the leak is back".to_owned(),
    };
    let early = customer.open_dispute(&body).await.unwrap_err();
    assert_eq!(early.code(), Some(ErrorCode::BadRequest), "the job is not completed: {early}");
    let job = stage.job;
    let accept = json!({"action": "accept"});
    let path = format!("/provider/jobs/{job}/respond");
    assert_eq!(provider.raw("POST", &path, Some(&accept)).await.unwrap().0, 200);
    let close = json!({"action": "close_deal"});
    let path = format!("/customers/jobs/{job}/action");
    assert_eq!(customer.raw("POST", &path, Some(&close)).await.unwrap().0, 200);
    provider.complete_job(job).await.unwrap();

    let mut lena = Voice::of(lsm);
    lena.until(|u| matches!(u, Update::Ready(_))).await;
    let mut amna = stage.amna().await;
    amna.join(stage.chat).await;
    let opened = customer.open_dispute(&body).await.unwrap();
    // Nothing of it is pushed: the session polls.
    let told = lena.until(|u| matches!(u, Update::Notification { .. })).await;
    assert!(matches!(told, Update::Notification { notification, .. }
        if notification.title == "New dispute"));
    let pending = DisputeQuery { status: Some(DisputeStatus::Pending) };
    let invites = lsm.disputes(&pending, &ListQuery::default()).await.unwrap().disputes;
    assert_eq!((invites[0].id, invites[0].chat_id), (opened.dispute_id, stage.chat));

    lena.handle.join(stage.chat, Begin::Newest(5)).await.unwrap();
    lena.until(|u| matches!(u, Update::Invited { .. })).await;
    lena.handle.accept(stage.chat, Begin::Newest(5)).await.unwrap();
    lena.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    let came = |u: &Update| matches!(u, Update::Event { name, .. } if name == "user_joined");
    amna.until(came).await;
    assert_eq!(lsm.join_dispute(opened.dispute_id).await, Ok(stage.chat), "twice is no error");
    let id = lena.handle.send(stage.chat, "hello both").await.unwrap();
    assert!(matches!(lena.end_of(&id).await, Outcome::Stored { .. }));
    amna.until_text("hello both").await;

    let resolution = ResolveDispute { resolution: "a new joint".to_owned() };
    let resolved = lsm.resolve_dispute(opened.dispute_id, &resolution).await.unwrap();
    assert_eq!(resolved.status, DisputeStatus::Resolved);
    lena.handle.leave(stage.chat).await.unwrap();
    let refused = lsm.messages(stage.chat, &PageQuery::default()).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::Denied));
    let query = NotificationQuery { unread: true, ..NotificationQuery::default() };
    let unread = customer.notifications(&query).await.unwrap();
    assert!(unread.notifications.iter().any(|n| n.title == "Dispute resolved"));
    customer.read_all_notifications().await.unwrap();
    assert_eq!(customer.notifications(&query).await.unwrap().unread_count, 0);
    let unsupported = customer.messages(stage.chat, &after(5)).await.unwrap_err();
    assert!(matches!(unsupported, Error::Unsupported(_)), "{unsupported}");
    lena.handle.close().await;
    amna.handle.close().await;
}

fn after(seq: i64) -> PageQuery {
    PageQuery { after_seq: Some(seq), ..PageQuery::default() }
}

/// Tokens that end after three seconds, while connected and while away.
async fn short_tokens(url: &str) {
    let stage = Stage::set(url).await;
    let mut amna = stage.amna().await;
    amna.join(stage.chat).await;
    let old = stage.customer.credentials().tokens().unwrap();
    // Longer than a token lives: only the next connection looks at it again.
    tokio::time::sleep(Duration::from_secs(4)).await;
    amna.handle.abort().await.unwrap();
    amna.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    let id = amna.handle.send(stage.chat, "with a fresh token").await.unwrap();
    assert!(matches!(amna.end_of(&id).await, Outcome::Stored { .. }));
    let new = stage.customer.credentials().tokens().unwrap();
    assert_ne!(old.access_token, new.access_token);
    // After a logout the refresh token is refused too: a login is asked for, nothing hammers.
    stage.customer.raw("POST", "/auth/logout", None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    amna.handle.abort().await.unwrap();
    amna.until(|u| matches!(u, Update::Link(LinkState::LoginNeeded { .. }))).await;
    amna.handle.close().await;
}

/// What `Stage::set` books.
fn sink(provider: trialogue_protocol::UserId) -> CreateJob {
    CreateJob {
        provider_id: provider,
        title: Some("sink".to_owned()),
        description: Some("it drips".to_owned()),
        location: None,
        scheduled_at: None,
        budget: Some(80.0),
    }
}
