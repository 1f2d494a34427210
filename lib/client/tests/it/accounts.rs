//! Tokens that end, over real sockets and HTTP.

use trialogue_client::{Error, LinkState};

use crate::cast::{Client, quick, rest};
use crate::stage::{ME, Stage};

#[tokio::test]
async fn a_stale_token_is_shown_once_then_refreshed() {
    let stage = Stage::open().await;
    let mut client = Client::start(quick(rest(&stage, "stale")));
    client.until_link(|s| *s == LinkState::Connected).await;
    assert_eq!(stage.play().presented, ["stale", "good"]);
    assert_eq!(stage.play().refreshes, 1);
}

#[tokio::test]
async fn a_refused_refresh_asks_for_a_login_and_leaves_the_server_alone() {
    let stage = Stage::open().await;
    stage.play().cues.refuse_refresh = true;
    let rest = rest(&stage, "stale");
    let mut client = Client::start(quick(rest.clone()));
    client.until_link(|s| matches!(s, LinkState::LoginNeeded { .. })).await;
    client.handle.retry_now().await.unwrap();
    client.handle.kept().await.unwrap();
    assert_eq!(stage.play().presented.len(), 1);
    assert_eq!(stage.play().refreshes, 1);
    // Somebody signs in.
    let good = trialogue_protocol::TokenPair {
        access_token: "good".to_owned(),
        refresh_token: "refresh".to_owned(),
    };
    rest.credentials().set(Some(&good)).unwrap();
    client.handle.signed_in().await.unwrap();
    client.until_link(|s| *s == LinkState::Connected).await;
}

#[tokio::test]
async fn a_token_that_ended_during_an_outage_is_refreshed_before_the_reconnect() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.kill().await;
    client.until_link(|s| matches!(s, LinkState::Reconnecting { .. })).await;
    stage.play().token = "newer".to_owned();
    stage.revive().await;
    client.until_link(|s| *s == LinkState::Connected).await;
    let presented = stage.play().presented.clone();
    assert_eq!(presented.iter().filter(|t| *t == "good").count(), 2, "{presented:?}");
    assert_eq!(presented.last().unwrap(), "newer");
}

#[tokio::test]
async fn a_request_with_a_stale_token_is_repeated_once_with_a_fresh_one() {
    let stage = Stage::open().await;
    let rest = rest(&stage, "stale");
    let many = futures_util::future::join_all((0..10).map(|_| rest.me())).await;
    assert!(many.iter().all(|me| me.as_ref().is_ok_and(|user| user.id.0 == ME)), "{many:?}");
    assert_eq!(stage.play().refreshes, 1, "ten requests share one refresh");
    stage.play().cues.refuse_refresh = true;
    stage.play().token = "other".to_owned();
    assert!(matches!(rest.me().await, Err(Error::LoginNeeded(_))));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_and_that_is_transient() {
    let mut stage = Stage::open().await;
    stage.kill().await;
    let error = rest(&stage, "good").me().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert!(error.is_transient());
}
