//! A dispute from its opening to its end.

use serde_json::json;

use super::{Trio, check_error};

#[tokio::test]
async fn a_dispute_invites_the_lsm_who_joins_and_resolves() {
    let trio = Trio::new().await;
    let chat_path = format!("/chat/{}", trio.chat);
    let (status, opened) = trio
        .customer
        .post("/disputes", json!({ "jobId": trio.job, "description": "it still leaks" }))
        .await;
    assert_eq!(status, 201, "{opened}");
    assert_eq!(opened["chatId"], trio.chat.as_str());
    assert_eq!((&opened["lsm"]["id"], &opened["lsmInvited"]), (&trio.lsm.id.into(), &json!(true)));
    let id = opened["disputeId"].as_i64().unwrap();

    check_error(&trio.lsm.get(&chat_path).await, "denied");
    let (_, chat) = trio.customer.get(&chat_path).await;
    assert_eq!((&chat["lsmInvited"], &chat["lsmJoined"]), (&json!(true), &json!(false)));
    let (_, invitations) = trio.lsm.get("/disputes?status=pending").await;
    assert_eq!(invitations["disputes"][0]["id"], id);
    assert_eq!(invitations["disputes"][0]["description"], "it still leaks");
    let (_, told) = trio.lsm.get("/notifications").await;
    assert_eq!(told["notifications"][0]["type"], "dispute");
    assert_eq!(trio.provider.get("/notifications").await.1["notifications"][0]["type"], "dispute");

    let join = format!("/disputes/{id}/join");
    let (status, joined) = trio.lsm.post(&join, json!({})).await;
    assert_eq!((status, joined), (200, json!({ "chatId": trio.chat })));
    assert_eq!(trio.lsm.post(&join, json!({})).await.0, 200, "idempotent");
    let (_, chat) = trio.lsm.get(&chat_path).await;
    assert_eq!((&chat["lsmJoined"], chat["members"].as_array().unwrap().len()), (&json!(true), 3));
    assert!(chat["lsmJoinedAt"].is_string());
    let (_, told) = trio.customer.get("/notifications").await;
    assert_eq!(told["notifications"][0]["type"], "dispute_joined");

    let resolve = format!("/disputes/{id}/resolve");
    let (status, resolved) = trio.lsm.post(&resolve, json!({ "resolution": "a new tap" })).await;
    assert_eq!((status, resolved["status"].as_str()), (200, Some("resolved")), "{resolved}");
    assert_eq!(resolved["resolution"], "a new tap");
    assert!(resolved["resolvedAt"].is_string());
    check_error(&trio.lsm.get(&chat_path).await, "denied");
    check_error(&trio.lsm.get(&format!("{chat_path}/messages")).await, "denied");
    check_error(&trio.lsm.post(&resolve, json!({ "resolution": "x" })).await, "conflict");
    let (_, chat) = trio.provider.get(&chat_path).await;
    assert_eq!((&chat["lsmInvited"], &chat["lsmJoined"]), (&json!(false), &json!(false)));
    let (_, told) = trio.provider.get("/notifications").await;
    assert_eq!(told["notifications"][0]["type"], "dispute_resolved");
    let again = json!({ "chatId": trio.chat, "description": "again" });
    assert_eq!(trio.provider.post("/disputes", again).await.0, 201);
}

#[tokio::test]
async fn a_dispute_is_refused_for_a_reason() {
    let trio = Trio::new().await;
    let open = async |who: &crate::fixture::Person, body| who.post("/disputes", body).await;
    let body = json!({ "chatId": trio.chat, "description": "it leaks" });
    let foreign = open(&trio.stranger, body.clone()).await;
    check_error(&foreign, "denied");
    let missing = json!({ "chatId": uuid::Uuid::now_v7(), "description": "it leaks" });
    assert_eq!(foreign, open(&trio.stranger, missing).await);
    check_error(&open(&trio.lsm, body.clone()).await, "denied");
    for wrong in [
        json!({ "description": "it leaks" }),
        json!({ "chatId": trio.chat, "jobId": trio.job, "description": "it leaks" }),
        json!({ "chatId": trio.chat }),
        json!({ "chatId": trio.chat, "description": " " }),
        json!({ "chatId": trio.chat, "description": "a\u{0}b" }),
        json!({ "chatId": trio.chat, "description": "x".repeat(4_001) }),
        json!({ "chatId": "x", "description": "it leaks" }),
    ] {
        check_error(&open(&trio.customer, wrong).await, "bad_request");
    }
    assert_eq!(open(&trio.customer, body.clone()).await.0, 201);
    check_error(&open(&trio.provider, body).await, "conflict");
    let far = trio.server.register_in("provider", "far away").await;
    let chat = trio.customer.book(&far).await;
    let nobody_near = json!({ "chatId": chat, "description": "it leaks" });
    check_error(&open(&trio.customer, nobody_near).await, "conflict");
}

#[tokio::test]
async fn only_the_invited_lsm_joins_and_resolves() {
    let trio = Trio::new().await;
    let id = trio.customer.dispute(&trio.chat).await;
    let other = trio.server.register("lsm").await;
    let (join, resolve) = (format!("/disputes/{id}/join"), format!("/disputes/{id}/resolve"));
    let resolution = json!({ "resolution": "mine" });
    for who in [&trio.customer, &trio.provider, &trio.stranger, &other] {
        let foreign = who.post(&join, json!({})).await;
        check_error(&foreign, "denied");
        assert_eq!(foreign, who.post("/disputes/999999/join", json!({})).await);
        check_error(&who.post(&resolve, resolution.clone()).await, "denied");
    }
    check_error(&trio.lsm.post(&resolve, resolution).await, "conflict");
    check_error(&trio.lsm.post("/disputes/x/join", json!({})).await, "bad_request");
    assert_eq!(other.get("/disputes").await.1["disputes"], json!([]));
    assert_eq!(trio.stranger.get("/disputes").await.1["disputes"], json!([]));
    assert_eq!(trio.provider.get("/disputes").await.1["disputes"][0]["id"], id);
    check_error(&trio.provider.get("/disputes?status=lost").await, "bad_request");
}
