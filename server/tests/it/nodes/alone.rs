//! A server that is alone pays next to nothing for others that might be there.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgListener;
use tokio::time::{sleep, timeout};

use super::{Node, meet, until};
use crate::database;
use crate::fixture::{Fixture, SOON};

async fn rows(fixture: &Fixture) -> i64 {
    let mut database = database::connect(&fixture.database).await;
    let sql = "select count(*) from node_people";
    let rows = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();
    rows
}

#[tokio::test]
async fn a_lone_server_says_nothing_and_whispers_nothing() {
    let fixture = Fixture::start().await;
    fixture.register("lsm").await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut listener = PgListener::connect(&fixture.database.url()).await.unwrap();
    listener.listen("trialogue").await.unwrap();
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    for _ in 0..10 {
        ours.send(&chat, "to ourselves").await;
        theirs.expect("new_message").await;
    }
    customer.dispute(&chat).await;
    let heard = timeout(Duration::from_secs(2), listener.recv()).await;
    // Its first word, should it come so late.
    let heard = heard.ok().map(|heard| heard.unwrap().payload().to_owned());
    assert!(heard.as_deref().is_none_or(|text| text.ends_with(" h")), "{heard:?}");
    assert_eq!(rows(&fixture).await, 0, "nobody reads these rows");

    let node = Node::beside(&fixture, |_| ()).await;
    meet(&fixture, &node).await;
    let _elsewhere = node.sees(&provider).enter(&chat).await;
    let whispered = async { while !listener.recv().await.unwrap().payload().contains(" m ") {} };
    let talking = async {
        loop {
            ours.send(&chat, "to others").await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = whispered => {}
        () = talking => {}
        () = sleep(SOON) => panic!("nothing is whispered to another server"),
    }
    assert!(rows(&fixture).await > 0);
}

#[tokio::test]
async fn a_lone_server_that_stops_leaves_no_lease() {
    let mut fixture = Fixture::start().await;
    let count = || async {
        let mut database = database::connect(&fixture.database).await;
        let sql = "select count(*) from nodes";
        let nodes: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
        if nodes == 1 { Ok(()) } else { Err(format!("{nodes} nodes")) }
    };
    until(SOON, count).await;
    fixture.stop().await;
    let mut database = database::connect(&fixture.database).await;
    let sql = "select count(*) from nodes";
    let nodes: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
    assert_eq!(nodes, 0, "the next one would take it for another that is alive");
}
