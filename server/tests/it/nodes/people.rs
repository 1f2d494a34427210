//! Who is online and who is in a room, over all servers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    GONE, LEASE_OVER, SEEN, SWEPT, marker, meet, status_of, two, two_deaf, until, until_status,
    within,
};
use crate::fixture::{Fixture, Live, Person};
use crate::{database, nodes::Node};

/// Two people in the room of their chat, one at each server.
struct Met {
    customer: Person,
    provider: Person,
    chat: String,
    /// The customer's, who knows that the provider is there.
    here: Live,
    /// The provider's.
    there: Live,
}

async fn one_at_each(fixture: &Fixture, node: &Node) -> Met {
    let (customer, provider, chat) = fixture.booking().await;
    let mut here = customer.enter(&chat).await;
    let there = node.sees(&provider).enter(&chat).await;
    within(SEEN, &mut here, "user_joined").await;
    within(SEEN, &mut here, "presence").await;
    Met { customer, provider, chat, here, there }
}

#[tokio::test]
async fn somebody_comes_with_the_first_socket_and_goes_with_the_last_over_both_servers() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let there = node.sees(&provider);
    // Somebody in the room at each of the servers.
    let mut here = customer.enter(&chat).await;
    let mut also = node.sees(&customer).enter(&chat).await;
    let first = there.enter(&chat).await;
    for live in [&mut here, &mut also] {
        let came = within(SEEN, live, "user_joined").await;
        assert_eq!(came["userId"], provider.id);
        assert_eq!(came["role"], "service_provider");
        assert_eq!(came["name"], "Test provider");
    }
    let second = provider.enter(&chat).await;
    marker(&second, &mut here, &chat).await;
    marker(&second, &mut also, &chat).await;
    for live in [&mut here, &mut also] {
        assert!(!live.has("user_joined"), "a device at another server is no arrival: {live:?}");
    }
    // The one that came later goes first, then the other way round.
    first.abort();
    until_status(&customer, &chat, provider.id, "online").await;
    marker(&second, &mut also, &chat).await;
    assert!(!here.has("user_left") && !also.has("user_left"), "one device is still here");
    assert!(!here.take_all("presence").iter().any(|p| p["status"] == "offline"));

    let left = second.request("leave_chat", json!({ "chatId": chat })).await;
    assert_eq!(left["ok"], true, "{left}");
    for live in [&mut here, &mut also] {
        assert_eq!(within(SEEN, live, "user_left").await["userId"], provider.id);
    }
}

#[tokio::test]
async fn whoever_changes_the_server_was_never_gone() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let there = node.sees(&provider);
    let mut here = customer.enter(&chat).await;
    let mut also = node.sees(&customer).enter(&chat).await;
    let mut now = provider.enter(&chat).await;
    for live in [&mut here, &mut also] {
        assert_eq!(within(SEEN, live, "user_joined").await["userId"], provider.id);
        within(SEEN, live, "presence").await;
    }
    for round in 0..20 {
        let next = if round % 2 == 0 { &there } else { &provider };
        let next = next.enter(&chat).await;
        std::mem::replace(&mut now, next).abort();
    }
    // Whatever was told of it has come before what is said now.
    until_status(&customer, &chat, provider.id, "online").await;
    marker(&now, &mut here, &chat).await;
    marker(&now, &mut also, &chat).await;
    for live in [&mut here, &mut also] {
        live.expect_none_within(SWEPT, &["user_left", "user_joined", "presence"]).await;
    }
}

#[tokio::test]
async fn members_are_shown_online_wherever_they_are() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut here = customer.enter(&chat).await;
    let there = node.sees(&provider).connect().await;
    let online = within(SEEN, &mut here, "presence").await;
    assert_eq!((&online["userId"], &online["status"]), (&json!(provider.id), &json!("online")));
    until_status(&customer, &chat, provider.id, "online").await;
    until_status(&node.sees(&provider), &chat, customer.id, "online").await;
    let ack = there.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(status_of(&ack, customer.id), "online", "{ack}");

    there.abort();
    let offline = within(SEEN, &mut here, "presence").await;
    assert_eq!((&offline["userId"], &offline["status"]), (&json!(provider.id), &json!("offline")));
    assert!(offline["lastSeen"].is_string(), "{offline}");
    until_status(&customer, &chat, provider.id, "offline").await;
}

#[tokio::test]
async fn without_hints_people_are_found_in_the_table() {
    let (fixture, node) = two_deaf().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut here = customer.enter(&chat).await;
    let there = node.sees(&provider).enter(&chat).await;
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "online");
    assert_eq!(within(SEEN, &mut here, "user_joined").await["userId"], provider.id);
    there.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "offline");
}

#[tokio::test]
async fn people_of_a_killed_server_are_gone_with_its_lease() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let other = fixture.register("provider").await;
    let second_chat = customer.book(&other).await;
    let mut here = customer.enter(&chat).await;
    let mut elsewhere = customer.enter(&second_chat).await;
    let _there = node.sees(&provider).enter(&chat).await;
    let _moves = node.sees(&other).enter(&second_chat).await;
    within(SEEN, &mut here, "user_joined").await;
    within(SEEN, &mut elsewhere, "user_joined").await;
    node.kill();
    // One of them comes back to the server that is left, before anybody knows.
    let _moved = other.enter(&second_chat).await;

    assert_eq!(within(GONE, &mut here, "user_left").await["userId"], provider.id);
    let offline = loop {
        let presence = within(SEEN, &mut here, "presence").await;
        if presence["status"] == "offline" {
            break presence;
        }
    };
    assert_eq!(offline["userId"], provider.id);
    assert!(offline["lastSeen"].is_string(), "{offline}");
    // What the dead node cannot write down any more is written by the one that noticed.
    let (_, chats) = until(SEEN, || async {
        let (status, body) = customer.get(&format!("/chat/{chat}")).await;
        let members = body["members"].as_array().unwrap();
        let seen = &members.iter().find(|m| m["userId"] == provider.id).unwrap()["lastSeen"];
        if seen.is_string() { Ok((status, body.clone())) } else { Err(body.to_string()) }
    })
    .await;
    assert_eq!(status_of(&chats, provider.id), "offline");

    assert!(!elsewhere.has("user_left"), "who came back was never gone: {elsewhere:?}");
    assert!(!elsewhere.has("user_joined"), "{elsewhere:?}");
    until_status(&customer, &second_chat, other.id, "online").await;
    let mut database = database::connect(&fixture.database).await;
    let left: i64 = until(GONE, || async {
        let mut database = database::connect(&fixture.database).await;
        let rows = "select count(*) from nodes";
        let rows: i64 = sqlx::query_scalar(rows).fetch_one(&mut database).await.unwrap();
        if rows == 1 { Ok(rows) } else { Err(format!("{rows} nodes")) }
    })
    .await;
    assert_eq!(left, 1);
    let people = "select count(*) from node_people where node_id not in (select id from nodes)";
    let people: i64 = sqlx::query_scalar(people).fetch_one(&mut database).await.unwrap();
    assert_eq!(people, 0, "a dead node leaves rows");
}

#[tokio::test]
async fn a_server_that_stalled_beyond_its_lease_comes_back_with_its_people() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut here = customer.enter(&chat).await;
    let mut there = node.sees(&provider).enter(&chat).await;
    within(SEEN, &mut here, "user_joined").await;
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "online");

    let stalled = node.stall().await;
    assert_eq!(within(GONE, &mut here, "user_left").await["userId"], provider.id);
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "offline");
    let missed = here.send(&chat, "are you asleep?").await;

    drop(stalled);
    let came = within(SEEN, &mut there, "new_message").await;
    assert_eq!(came["id"], missed["id"], "the same socket, which was never closed");
    assert_eq!(within(SEEN, &mut here, "user_joined").await["userId"], provider.id);
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "online");
    marker(&there, &mut here, &chat).await;
    there.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
}

#[tokio::test]
async fn a_server_that_is_replaced_makes_nobody_look_gone() {
    let (fixture, node) = two().await;
    let Met { provider, chat, mut here, mut there, .. } = one_at_each(&fixture, &node).await;
    node.stop().await;
    there.closed().await;
    let next = Node::beside(&fixture, |_| ()).await;
    let back = next.sees(&provider).enter(&chat).await;
    // Beyond the lease of the one that was stopped.
    here.expect_none_within(LEASE_OVER, &["user_left", "user_joined", "presence"]).await;
    marker(&back, &mut here, &chat).await;
    back.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
}

#[tokio::test]
async fn a_database_that_forgot_who_is_where_is_told_again() {
    let (fixture, node) = two().await;
    let Met { provider, chat, mut here, there, .. } = one_at_each(&fixture, &node).await;
    // As after a crash: unlogged tables are empty.
    let mut database = database::connect(&fixture.database).await;
    sqlx::query("truncate nodes, node_people").execute(&mut database).await.unwrap();
    let rows = || async {
        let mut database = database::connect(&fixture.database).await;
        let sql = "select count(*) from node_people where here";
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
        if rows >= 4 { Ok(()) } else { Err(format!("{rows} rows")) }
    };
    until(GONE, rows).await;
    marker(&there, &mut here, &chat).await;
    assert!(!here.has("user_left") && !here.has("presence"), "{here:?}");
    there.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "offline");
}

#[tokio::test]
async fn a_server_that_has_its_lease_again_and_has_not_said_its_people_makes_nobody_look_gone() {
    let (fixture, node) = two().await;
    let Met { customer, provider, chat, mut here, there } = one_at_each(&fixture, &node).await;
    let mut database = database::connect(&fixture.database).await;
    let whose = "select distinct node_id from node_people where user_id = $1 and here";
    let whose = sqlx::query_scalar::<_, Uuid>(whose).bind(provider.id);
    let other = whose.fetch_one(&mut database).await.unwrap();
    // Both servers have to begin their lease anew, and one of them cannot say who is with it.
    let mute = format!("check (node_id <> '{other}') not valid");
    let mute = format!("alter table node_people add constraint mute {mute}");
    sqlx::query(AssertSqlSafe(mute)).execute(&mut database).await.unwrap();
    sqlx::query("truncate nodes, node_people").execute(&mut database).await.unwrap();
    let beats = "select max(beat_at) from nodes where id <> $1
                 having exists (select from nodes where id = $1)";
    let mut seen = None;
    // The one that is read from is there again, and the reader has looked three times since.
    for _ in 0..4 {
        seen = until(GONE, || async {
            let mut database = database::connect(&fixture.database).await;
            let beat = sqlx::query_scalar::<_, Option<DateTime<Utc>>>(beats).bind(other);
            let beat = beat.fetch_optional(&mut database).await.unwrap().flatten();
            if beat > seen { Ok(beat) } else { Err(format!("{seen:?}, {beat:?}")) }
        })
        .await;
    }
    marker(&there, &mut here, &chat).await;
    assert!(!here.has("user_left") && !here.has("presence"), "{here:?}");
    until_status(&customer, &chat, provider.id, "online").await;

    let speak = "alter table node_people drop constraint mute";
    sqlx::query(speak).execute(&mut database).await.unwrap();
    until(GONE, || async {
        let mut database = database::connect(&fixture.database).await;
        let sql = "select said_all from nodes where id = $1";
        let said = sqlx::query_scalar::<_, bool>(sql).bind(other).fetch_one(&mut database).await;
        if said.unwrap() { Ok(()) } else { Err("not said") }.map_err(str::to_owned)
    })
    .await;
    marker(&there, &mut here, &chat).await;
    assert!(!here.has("user_left") && !here.has("presence"), "{here:?}");
    there.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
    assert_eq!(within(SEEN, &mut here, "presence").await["status"], "offline");
}

#[tokio::test]
async fn a_database_that_was_away_makes_nobody_look_gone() {
    let (fixture, node) = two().await;
    let Met { provider, chat, mut here, there, .. } = one_at_each(&fixture, &node).await;
    // No heartbeat gets through until every lease is over.
    let mut outside = database::connect(&fixture.database).await;
    let mut holding = outside.begin().await.unwrap();
    sqlx::query("lock table nodes").execute(&mut *holding).await.unwrap();
    let over = "select bool_and(lease_until < clock_timestamp()) from nodes";
    while !sqlx::query_scalar::<_, bool>(over).fetch_one(&mut *holding).await.unwrap() {
        sleep(Duration::from_millis(50)).await;
    }
    holding.rollback().await.unwrap();
    here.expect_none_within(LEASE_OVER, &["user_left", "user_joined", "presence"]).await;
    marker(&there, &mut here, &chat).await;
    there.abort();
    assert_eq!(within(SEEN, &mut here, "user_left").await["userId"], provider.id);
}

#[tokio::test]
async fn whoever_is_here_already_is_told_to_a_server_that_comes_later() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let here = customer.enter(&chat).await;
    let node = Node::beside(&fixture, |_| ()).await;
    meet(&fixture, &node).await;
    until_status(&node.sees(&provider), &chat, customer.id, "online").await;
    let mut there = node.sees(&provider).enter(&chat).await;
    here.abort();
    assert_eq!(within(SEEN, &mut there, "user_left").await["userId"], customer.id);
}

#[tokio::test]
async fn what_a_server_gave_up_saying_and_comes_late_undoes_nothing() {
    let fixture = Fixture::start().await;
    let mut database = database::connect(&fixture.database).await;
    let node = Uuid::new_v4();
    let enter = || sqlx::query("select enter_node($1, $2, interval '1 hour')").bind(node);
    let say = "select store_people($1, $2, true, array[7], array[$3], array[$4])";
    let say = |version: i64, here: bool| {
        let say = sqlx::query_scalar::<_, bool>(say);
        say.bind(node).bind(version).bind(Uuid::nil()).bind(here)
    };
    enter().bind(5_i64).execute(&mut database).await.unwrap();
    assert!(say(7, true).fetch_one(&mut database).await.unwrap());
    assert!(say(7, true).fetch_one(&mut database).await.unwrap(), "the same once more");
    assert!(!say(6, false).fetch_one(&mut database).await.unwrap());
    enter().bind(5_i64).execute(&mut database).await.unwrap();
    let now = "select n.version, n.said_all, p.here from nodes n
               join node_people p on p.node_id = n.id where n.id = $1";
    let now = sqlx::query_as::<_, (i64, bool, bool)>(now).bind(node);
    assert_eq!(now.fetch_one(&mut database).await.unwrap(), (7, true, true));
    enter().bind(8_i64).execute(&mut database).await.unwrap();
    let left = "select count(*) from node_people where node_id = $1";
    let left = sqlx::query_scalar::<_, i64>(left).bind(node);
    assert_eq!(left.fetch_one(&mut database).await.unwrap(), 0, "begins anew");
}
