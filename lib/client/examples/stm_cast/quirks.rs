//! What the deployed backend does now and then, or did in some version (DEPLOYED.md).

use std::collections::BTreeSet;

use serde_json::json;
use trialogue_client::journal::FileJournal;
use trialogue_client::rest::{ListQuery, NotificationQuery};
use trialogue_client::{
    Begin, Credentials, Dialect, LinkState, Outcome, Rest, SessionConfig, Update,
};
use trialogue_protocol::{DisputeQuery, ErrorCode, JobId, PageQuery, Role};

use super::{Stage, Voice, person, rest};

/// An LSM serves one area of a region; of registrations at the same moment some answer 500.
pub(crate) async fn areas_and_collisions(stage: &Stage) {
    let url = stage.customer.http().server().to_string();
    let taken = rest(&url).register(&person("lars", Role::Lsm, "NY")).await.unwrap_err();
    assert_eq!(taken.code(), Some(ErrorCode::Conflict), "{taken}");
    let nowhere = rest(&url).register(&person("pia", Role::Provider, "XX")).await.unwrap_err();
    assert_eq!(nowhere.code(), Some(ErrorCode::BadRequest), "{nowhere}");
    // The LSM of another area of that region: a provider without an area finds one all the same.
    let there = json!({"email": "lola@example.test", "password": "demo-password",
        "firstName": "Lola", "lastName": "X", "phoneNumber": "555-555-0102", "role": "LSM",
        "state": "CA", "area": "Oakland"});
    let made = rest(&url).raw("POST", "/auth/register", Some(&there)).await.unwrap();
    assert_eq!(made.0, 201, "{}", made.1);
    rest(&url).register(&person("paul", Role::Provider, "CA")).await.unwrap();
    stage.quirks(&json!({"collide": 1})).await;
    rest(&url).register(&person("carl", Role::Customer, "NY")).await.unwrap();
    let names = ["c1", "c2", "c3", "c4"];
    let (one, two, three, four) = (rest(&url), rest(&url), rest(&url), rest(&url));
    let bodies = names.map(|name| person(name, Role::Customer, "NY"));
    let all = tokio::join!(
        one.register(&bodies[0]),
        two.register(&bodies[1]),
        three.register(&bodies[2]),
        four.register(&bodies[3]),
    );
    let all = [all.0, all.1, all.2, all.3];
    let ids: BTreeSet<_> = all.into_iter().map(|session| session.unwrap().user.id).collect();
    assert_eq!(ids.len(), 4);
}

/// To the room and to the own room; of a profile id; of a chat that nobody has heard of.
pub(crate) async fn twice(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    ravi.join(stage.chat).await;
    stage.quirks(&json!({"double": true})).await;
    amna.handle.send(stage.chat, "to both rooms").await.unwrap();
    ravi.until_text("to both rooms").await;
    let pay = json!({"chatId": stage.chat, "text": "please pay"});
    stage.stand_in("payment", &pay).await;
    amna.until_text("please pay").await;
    stage.quirks(&json!({"double": false, "autoMessage": "by itself"})).await;
    let made = stage.customer.create_job(&crate::sink(stage.profile), None).await.unwrap();
    stage.quirks(&json!({"autoMessage": null})).await;
    // It came before the answer, of a chat that is not open: nothing is shown, nothing is lost.
    amna.join(made.chat_id).await;
    let said = stage.customer.messages(made.chat_id, &PageQuery::default()).await.unwrap();
    assert!(said.messages.iter().any(|m| m.message == "by itself"));
    amna.handle.send(stage.chat, "the last").await.unwrap();
    ravi.until_text("the last").await;
    for voice in [&amna, &ravi] {
        let shown = voice.shown(stage.chat);
        let once: BTreeSet<_> = shown.iter().collect();
        assert_eq!(once.len(), shown.len(), "shown twice");
    }
    let history = stage.provider.messages(stage.chat, &PageQuery::default()).await.unwrap();
    let payment = history.messages.iter().find(|m| m.message == "please pay").unwrap();
    assert_eq!(payment.sender_name, "Unknown User", "its sender is a profile");
    assert_eq!(payment.sender_id, stage.profile);
    amna.handle.close().await;
    ravi.handle.close().await;
}

/// Here the actor does get an own message, and everybody gets it once.
pub(crate) async fn offers(stage: &Stage) {
    let mut amna = stage.amna().await;
    amna.join(stage.chat).await;
    for camel in [false, true] {
        stage.quirks(&json!({"camelOffers": camel})).await;
        let price = if camel { 91 } else { 90 };
        let offer = json!({"job_id": stage.job, "proposed_price": price, "notes": "all in"});
        let path = "/chat/negotiation/send-offer";
        let (status, answer) = stage.customer.raw("POST", path, Some(&offer)).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        amna.until_text(&format!("Offer: {price} all in")).await;
        let path = "/chat/negotiation/respond";
        let no = json!({"job_id": stage.job, "action": "decline"});
        let (status, answer) = stage.provider.raw("POST", path, Some(&no)).await.unwrap();
        assert_eq!((status, &answer["action"]), (201, &json!("declined")));
    }
    stage.quirks(&json!({"camelOffers": false})).await;
    amna.until_text("Offer declined").await;
    // An own message that nobody of this client sent confirms none of its own.
    let id = amna.handle.send(stage.chat, "Offer: 90 all in").await.unwrap();
    assert!(matches!(amna.end_of(&id).await, Outcome::Stored { duplicate: false, .. }));
    let offer = ["Offer: 90 all in"];
    assert_eq!(
        stage.stored(&offer).await.len(),
        2,
        "the offer, and the message that says the same"
    );
    amna.handle.close().await;
}

pub(crate) async fn pages_of_jobs(stage: &Stage) {
    let many = json!({"chatId": stage.chat, "count": 150});
    let (_, made) = stage.customer.raw("POST", "/stand-in/jobs", Some(&many)).await.unwrap();
    let last = JobId(made["last"].as_i64().unwrap());
    assert_eq!(stage.provider.job(last).await.unwrap().id, last);
    let none = stage.provider.job(JobId(last.0 + 1)).await.unwrap_err();
    assert_eq!(none.code(), Some(ErrorCode::NotFound));
}

pub(crate) async fn restarts(stage: &Stage) {
    let (mut amna, mut ravi) = (stage.amna().await, stage.ravi().await);
    amna.join(stage.chat).await;
    ravi.join(stage.chat).await;
    stage.quirks(&json!({"storeMs": 60})).await;
    let texts: Vec<String> = (0..60).map(|n| format!("through {n} restarts")).collect();
    for (n, text) in texts.iter().enumerate() {
        let id = amna.handle.send(stage.chat, text).await.unwrap();
        if n % 3 == 0 {
            let sending = |u: &Update| {
                matches!(u, Update::Outcome { client_message_id, outcome, .. }
                    if *client_message_id == id
                        && matches!(outcome, Outcome::Sending { .. } | Outcome::Stored { .. }))
            };
            amna.until(sending).await;
            stage.stand_in("restart", &json!({"downMs": 50})).await;
        }
        let end = amna.end_of(&id).await;
        assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    }
    stage.quirks(&json!({"storeMs": 8})).await;
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(stage.stored(&words).await, texts, "each once, in order");
    let unknown = |u: &&Update| {
        matches!(u, Update::Outcome { outcome: Outcome::Retrying { not_stored: false, .. }, .. })
    };
    assert!(amna.told.iter().filter(unknown).count() >= 5, "the kills hit messages on their way");
    ravi.until_text(&texts[59]).await;
    amna.handle.close().await;
    ravi.handle.close().await;
}

pub(crate) async fn offline_hour(stage: &Stage) {
    let folder = std::env::temp_dir().join(format!("trialogue-hour-{}", std::process::id()));
    let journal = Some(FileJournal::open(&folder, "amna").unwrap());
    let config = SessionConfig::new(stage.customer.clone());
    let mut amna = Voice::start(SessionConfig { journal, autostart: false, ..config });
    let texts: Vec<String> = (0..500).map(|n| format!("hour {n}")).collect();
    let mut last = None;
    for text in &texts {
        last = Some(amna.handle.send(stage.chat, text).await.unwrap());
    }
    amna.handle.start().await.unwrap();
    let end = amna.end_of(&last.unwrap()).await;
    assert!(matches!(end, Outcome::Stored { .. }), "{end:?}");
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(stage.stored(&words).await, texts);
    amna.handle.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

pub(crate) async fn after_the_dispute(stage: &Stage) {
    let said = stage.customer.messages(stage.chat, &PageQuery::default()).await.unwrap();
    let hers = said.messages.iter().find(|m| m.message == "hello both").unwrap();
    assert_eq!((hers.sender_name.as_str(), hers.sender_type), ("Unknown User", Role::Lsm));
    let again = json!({"jobId": stage.job, "description": "and again"});
    for _ in 0..2 {
        let path = "/customers/disputes";
        assert_eq!(stage.customer.raw("POST", path, Some(&again)).await.unwrap().0, 201);
    }
    stage.quirks(&json!({"brokenDetails": 1})).await;
    let all = DisputeQuery::default();
    let told = stage.lsm.disputes(&all, &ListQuery::default()).await.unwrap();
    assert_eq!((told.disputes.len(), told.untold.len()), (2, 1));
    assert_eq!(told.untold[0].1.code(), Some(ErrorCode::Internal));
    let query = NotificationQuery::default();
    assert!(!stage.lsm.notifications(&query).await.unwrap().notifications.is_empty());
}

pub(crate) async fn closed(stage: &Stage) {
    let mut amna = stage.amna().await;
    let path = format!("chat/{}", stage.chat);
    stage.stand_in(&path, &json!({"is_active": false})).await;
    amna.join(stage.chat).await;
    let id = amna.handle.send(stage.chat, "is anybody here?").await.unwrap();
    let Outcome::Refused(no) = amna.end_of(&id).await else { panic!() };
    assert_eq!(no.code, ErrorCode::ChatClosed);
    let listed = stage.customer.chats(&ListQuery::default()).await.unwrap().chats;
    assert!(listed.iter().all(|chat| chat.id != stage.chat), "not listed");
    assert!(stage.customer.messages(stage.chat, &PageQuery::default()).await.is_ok());
    // The provider rejects a job: its chat vanishes without a word.
    let made = stage.customer.create_job(&crate::sink(stage.profile), None).await.unwrap();
    amna.join(made.chat_id).await;
    let no = json!({"action": "reject", "reason": "too far"});
    let path = format!("/provider/jobs/{}/respond", made.job_id);
    assert_eq!(stage.provider.raw("POST", &path, Some(&no)).await.unwrap().0, 200);
    let id = amna.handle.send(made.chat_id, "hello?").await.unwrap();
    let Outcome::Refused(no) = amna.end_of(&id).await else { panic!() };
    assert_eq!(no.code, ErrorCode::NotFound);
    amna.handle.close().await;
}

pub(crate) async fn another_dialect(stage: &Stage) {
    let tokens = stage.customer.credentials().tokens().map(|tokens| (*tokens).clone());
    let http = stage.customer.http().clone();
    let ours = Rest::new(http, Dialect::Trialogue, Credentials::in_memory(tokens));
    assert_eq!(ours.other_dialect().await, Some(Dialect::Stm));
    assert_eq!(stage.customer.other_dialect().await, None);
    let mut wrong = Voice::of(&ours);
    wrong.handle.join(stage.chat, Begin::Now).await.unwrap();
    wrong.handle.send(stage.chat, "to nobody").await.unwrap();
    let said = |u: &Update| {
        matches!(u, Update::Link(LinkState::Reconnecting { why, .. })
            if why.sentence.contains("answers like stm"))
    };
    wrong.until(said).await;
    assert!(stage.stored(&["to nobody"]).await.is_empty());
    wrong.handle.close().await;
}
