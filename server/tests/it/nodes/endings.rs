//! What ends at one server ends at the other: sessions, memberships; and the chat's flags change.

use serde_json::json;
use tokio::time::timeout;
use trialogue_protocol::{Role, UserId};
use trialogue_server::config::Secret;
use trialogue_server::operator::{Operator, Who};

use super::{SEEN, SWEPT, disputed, marker, resolve, two, two_deaf, within};
use crate::fixture::{Fixture, SOON};
use crate::nodes::Node;

async fn logout_ends_sockets(fixture: &Fixture, node: &Node) {
    let person = fixture.register("customer").await;
    let elsewhere = person.log_in("correct horse").await;
    let mut theirs = node.sees(&person).connect().await;
    let other = node.sees(&elsewhere).connect().await;
    let (status, body) = person.post("/auth/logout", json!({})).await;
    assert_eq!(status, 204, "{body}");
    timeout(SEEN, theirs.closed()).await.expect("not closed");
    assert_eq!(theirs.expect_came("error")["code"], "unauthenticated");
    let ack = other.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "the other session is alive: {ack}");

    let body = json!({ "oldPassword": "correct horse", "newPassword": "battery staple" });
    let third = elsewhere.log_in("correct horse").await;
    let mut doomed = node.sees(&third).connect().await;
    let (status, answer) = elsewhere.post("/auth/password", body).await;
    assert_eq!(status, 204, "{answer}");
    timeout(SEEN, doomed.closed()).await.expect("not closed");
    let ack = other.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "this session is alive: {ack}");
}

#[tokio::test]
async fn logout_and_a_new_password_end_sockets_of_the_other_server() {
    let (fixture, node) = two().await;
    logout_ends_sockets(&fixture, &node).await;
}

#[tokio::test]
async fn without_hints_they_do_so_too() {
    let (fixture, node) = two_deaf().await;
    logout_ends_sockets(&fixture, &node).await;
}

async fn a_dispute_is_followed(fixture: &Fixture, node: &Node) {
    let (customer, provider, lsm, chat, dispute) = disputed(fixture).await;
    let here = customer.enter(&chat).await;
    let mut there = node.sees(&provider).enter(&chat).await;
    // Not in any room: the flags are told to every member.
    let mut outside = node.sees(&customer).connect().await;
    let mut theirs = node.sees(&lsm).enter(&chat).await;
    for live in [&mut there, &mut outside] {
        let update = within(SEEN, live, "chat_updated").await;
        assert_eq!(update["chat"]["lsmJoined"], true, "{update}");
    }
    resolve(&lsm, dispute).await;
    assert_eq!(within(SEEN, &mut theirs, "left_chat").await["chatId"], *chat);
    for live in [&mut there, &mut outside] {
        let update = within(SEEN, live, "chat_updated").await;
        assert_eq!(update["chat"]["lsmJoined"], false, "{update}");
        assert_eq!(update["chat"]["lsmInvited"], false, "{update}");
    }
    assert_eq!(within(SEEN, &mut there, "user_left").await["userId"], lsm.id);
    theirs.take_all("new_message");
    marker(&here, &mut there, &chat).await;
    let ack = theirs.request("send_message", json!({ "chatId": chat, "message": "still?" })).await;
    assert_eq!(ack["error"]["code"], "denied", "{ack}");
    assert!(!theirs.has("new_message"), "a message after the removal: {theirs:?}");

    // The sweep finds the same changes and has nothing to add.
    there.expect_none_within(SWEPT, &["chat_updated"]).await;
}

#[tokio::test]
async fn an_lsm_who_settled_at_one_server_is_out_at_the_other() {
    let (fixture, node) = two().await;
    a_dispute_is_followed(&fixture, &node).await;
}

#[tokio::test]
async fn without_hints_the_dispute_is_followed_too() {
    let (fixture, node) = two_deaf().await;
    a_dispute_is_followed(&fixture, &node).await;
}

#[tokio::test]
async fn an_lsm_who_loses_the_role_is_out_at_both_and_both_tell_it() {
    let (fixture, node) = two().await;
    let (customer, provider, lsm, chat, _) = disputed(&fixture).await;
    let mut here = customer.enter(&chat).await;
    let mut there = node.sees(&provider).enter(&chat).await;
    let mut theirs = [lsm.enter(&chat).await, node.sees(&lsm).enter(&chat).await];
    while within(SEEN, &mut there, "chat_updated").await["chat"]["lsmJoined"] != true {}
    let next = fixture.register("lsm").await;
    let mut asked = node.sees(&next).connect().await;
    let operator = Operator::attach(&Secret::new(fixture.database.url())).await.unwrap();
    assert!(operator.set_role(&Who::Id(UserId(lsm.id)), Role::Provider).await.unwrap());
    for live in &mut theirs {
        timeout(SEEN, live.closed()).await.expect("not closed");
    }
    for live in [&mut here, &mut there] {
        while within(SEEN, live, "chat_updated").await["chat"]["lsmJoined"] != false {}
        assert_eq!(within(SEEN, live, "user_left").await["userId"], lsm.id);
    }
    let told = within(SEEN, &mut asked, "notification:created").await;
    assert_eq!(told["notification"]["chatId"], *chat, "{told}");
    operator.close().await;
}

async fn the_end_of_a_job_is_told(fixture: &Fixture, node: &Node) {
    let (customer, provider, chat) = fixture.booking().await;
    let lsm = fixture.register("lsm").await;
    let mut there = node.sees(&customer).connect().await;
    // The flags of the LSM have been told before, and are the same afterwards.
    let dispute = customer.dispute(&chat).await;
    assert_eq!(lsm.post(&format!("/disputes/{dispute}/join"), json!({})).await.0, 200);
    resolve(&lsm, dispute).await;
    while within(SEEN, &mut there, "chat_updated").await["chat"]["lsmInvited"] == true {}
    let (_, view) = customer.get(&format!("/chat/{chat}")).await;
    let job = view["job"]["id"].as_i64().unwrap();
    let mut here = customer.connect().await;
    let (status, body) = provider.post(&format!("/jobs/{job}/complete"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    for live in [&mut here, &mut there] {
        // What became of the dispute may come late to a socket that came late.
        while within(SEEN, live, "chat_updated").await["chat"]["job"]["status"] != "completed" {}
    }
    there.expect_none_within(SWEPT, &["chat_updated"]).await;
}

#[tokio::test]
async fn the_end_of_a_job_is_told_at_the_other_server() {
    let (fixture, node) = two().await;
    the_end_of_a_job_is_told(&fixture, &node).await;
}

#[tokio::test]
async fn without_hints_the_end_of_a_job_is_told_too() {
    let (fixture, node) = two_deaf().await;
    the_end_of_a_job_is_told(&fixture, &node).await;
}

#[tokio::test]
async fn a_removed_member_sees_no_message_with_a_later_seq() {
    let (fixture, node) = two().await;
    let (customer, _, lsm, chat, dispute) = disputed(&fixture).await;
    let mut here = customer.enter(&chat).await;
    let mut theirs = node.sees(&lsm).enter(&chat).await;
    // Both talk while the LSM is put out at the other server.
    let body = json!({ "chatId": chat, "message": "word" });
    let mut acks: Vec<_> = (0..50).map(|_| here.ask("send_message", &body)).collect();
    let mut mine: Vec<_> = (0..50).map(|_| theirs.ask("send_message", &body)).collect();
    resolve(&lsm, dispute).await;
    acks.extend((0..50).map(|_| here.ask("send_message", &body)));
    mine.extend((0..50).map(|_| theirs.ask("send_message", &body)));
    for ack in acks {
        let ack: serde_json::Value = ack.within(SOON).await.unwrap().get(0).unwrap();
        assert_eq!(ack["ok"], true, "{ack}");
    }
    let mut last_said = 0;
    let mut is_out = false;
    for ack in mine {
        let ack: serde_json::Value = ack.within(SOON).await.unwrap().get(0).unwrap();
        if ack["ok"] == true {
            assert!(!is_out, "stored after a refusal: {ack}");
            last_said = ack["message"]["seq"].as_i64().unwrap();
        } else {
            assert_eq!(ack["error"]["code"], "denied", "{ack}");
            is_out = true;
        }
    }
    within(SEEN, &mut theirs, "left_chat").await;
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let all = history["messages"].as_array().unwrap();
    let said = all.iter().filter(|m| m["sender_id"] == lsm.id).map(|m| &m["seq"]);
    assert!(said.clone().all(|seq| seq.as_i64().unwrap() <= last_said), "stored, not acknowledged");
    let heard = theirs.take_all("new_message");
    let text = "after the end";
    let late = here.send(&chat, text).await;
    while here.expect("new_message").await["id"] != late["id"] {}
    theirs.request("leave_chat", json!({ "chatId": chat })).await;
    assert!(!theirs.has("new_message"), "a message after left_chat: {theirs:?}");
    assert!(heard.iter().all(|m| m["message"] != text));
}
