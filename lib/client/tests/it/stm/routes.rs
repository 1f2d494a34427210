//! Requests over REST, and a server that is not of the kind that was said.

use trialogue_client::Error;
use trialogue_client::rest::ListQuery;
use trialogue_protocol::{DisputeQuery, ErrorCode, JobId, Register, Role};

use super::*;
use crate::stage::Stage;

fn rest_of(url: &str, dialect: Dialect) -> Rest {
    let rest = settings(url, "good").rest;
    Rest::new(rest.http().clone(), dialect, rest.credentials().clone())
}

async fn with_routes(role: &str, routes: Vec<(&str, u16, Value)>) -> (Backend, Rest, JoinSet<()>) {
    let backend = Backend::default();
    let me = json!({"id": ME, "firstName": "A", "lastName": "B", "role": role});
    let routes = [vec![("/auth/me", 200, me)], routes].concat();
    let routes = routes.into_iter().map(|(path, status, body)| (path.to_owned(), (status, body)));
    backend.play().routes = routes.collect();
    let (url, tasks) = backend.open().await;
    (backend, rest_of(&url, Dialect::Stm), tasks)
}

#[tokio::test]
async fn a_dispute_whose_details_fail_hides_no_other_and_is_named() {
    let details = json!({"dispute": {"id": 1, "status": "pending"}, "job": {"id": 5},
        "chatStatus": {"chatId": chat(), "lsmInvited": true}});
    let routes = vec![
        ("/lsm/disputes?limit=100", 200, json!({"data": [{"id": 1}, {"id": 2}, {"id": 3}]})),
        ("/lsm/disputes/1", 200, details),
        ("/lsm/disputes/2", 500, json!({"statusCode": 500, "message": "Internal server error"})),
        ("/lsm/disputes/3", 200, json!("nonsense")),
    ];
    let (_backend, rest, _tasks) = with_routes("local_service_manager", routes).await;
    let told = rest.disputes(&DisputeQuery::default(), &ListQuery::default()).await.unwrap();
    assert_eq!(told.disputes.iter().map(|d| d.id.0).collect::<Vec<_>>(), [1]);
    assert_eq!(told.untold.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(told.untold[0].1.code(), Some(ErrorCode::Internal));
    assert!(matches!(told.untold[1].1, Error::Garbled(_)), "{:?}", told.untold[1].1);
}

#[tokio::test]
async fn a_job_is_looked_for_on_every_page() {
    let row = |id: i64| json!({"id": id, "status": "new", "service": "S", "chatId": chat()});
    let page = |page: i64, id: i64| json!({"data": [row(id)], "pagination": {"page": page, "totalPages": 3}});
    let routes = vec![
        ("/provider/jobs?limit=100", 200, page(1, 1)),
        ("/provider/jobs?limit=100&page=2", 200, page(2, 2)),
        ("/provider/jobs?limit=100&page=3", 200, page(3, 3)),
        ("/chat/provider/chats", 200, json!([])),
    ];
    let (_backend, rest, _tasks) = with_routes("service_provider", routes).await;
    assert_eq!(rest.job(JobId(3)).await.unwrap().id, JobId(3));
    assert_eq!(rest.job(JobId(4)).await.unwrap_err().code(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn only_an_lsm_registers_with_an_area() {
    let (backend, rest, _tasks) = with_routes("customer", vec![]).await;
    for role in [Role::Customer, Role::Provider, Role::Lsm] {
        let body = Register {
            email: "a@example.test".to_owned(),
            password: "secret".to_owned(),
            first_name: "A".to_owned(),
            last_name: "B".to_owned(),
            role,
            region: Some("NY".to_owned()),
            business_name: None,
        };
        rest.register(&body).await.unwrap();
    }
    let bodies = backend.play().registered.clone();
    let has = |n: usize, name: &str| bodies[n].get(name).is_some();
    assert_eq!([has(0, "state"), has(1, "state"), has(2, "state")], [false, true, true]);
    assert_eq!([has(0, "area"), has(1, "area"), has(2, "area")], [false, false, true]);
}

#[tokio::test]
async fn our_dialect_at_a_silent_server_sends_nothing_and_names_the_right_one() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let rest = rest_of(&url, Dialect::Trialogue);
    assert_eq!(rest.other_dialect().await, Some(Dialect::Stm));
    assert_eq!(rest_of(&url, Dialect::Stm).other_dialect().await, None);
    let mut client = Client::start(SessionConfig { rest, ..settings(&url, "good") });
    client.handle.send(chat(), "again and again").await.unwrap();
    let named = |state: &LinkState| {
        matches!(state, LinkState::Reconnecting { why, .. }
            if why.sentence == "this server answers like stm, not like trialogue: try --dialect stm")
    };
    client.until_link(named).await;
    assert_eq!(backend.counts(), (0, 0), "it would never be acknowledged, and repeated for ever");
}

#[tokio::test]
async fn their_dialect_at_our_server_is_named_too() {
    let stage = Stage::open().await;
    let rest = rest_of(&stage.url(), Dialect::Stm);
    let mut client = Client::start(SessionConfig { rest, ..settings(&stage.url(), "good") });
    let named = |state: &LinkState| {
        matches!(state, LinkState::Reconnecting { why, .. }
            if why.sentence.contains("answers like trialogue"))
    };
    client.until_link(named).await;
}
