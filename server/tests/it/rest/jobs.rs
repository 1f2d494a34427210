//! Booking, and ending what was booked.

use serde_json::{Value, json};

use super::{Trio, check_error};
use crate::fixture::Fixture;

#[tokio::test]
async fn a_booking_answers_with_job_and_chat() {
    let server = Fixture::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let (status, body) = customer
        .post(
            "/jobs/create",
            json!({
                "providerId": provider.id, "title": " Leaking tap ", "description": "drip\ndrip",
                "location": "kitchen", "scheduledAt": "2030-01-02T03:04:05+01:00", "budget": 80.5,
            }),
        )
        .await;
    assert_eq!(status, 201, "{body}");
    let (job, chat) = (&body["job"], &body["chat"]);
    assert_eq!((&job["id"], &job["chatId"]), (&body["jobId"], &body["chatId"]));
    assert_eq!(job["title"], "Leaking tap");
    assert_eq!(job["description"], "drip\ndrip");
    assert_eq!(job["scheduledAt"], "2030-01-02T02:04:05.000Z");
    assert_eq!((&job["budget"], &job["status"]), (&json!(80.5), &json!("open")));
    assert_eq!(
        (&job["customerId"], &job["providerId"]),
        (&customer.id.into(), &provider.id.into())
    );
    assert_eq!(chat["id"], body["chatId"]);
    assert_eq!(chat["job"]["title"], "Leaking tap");
    assert_eq!(chat["members"].as_array().unwrap().len(), 2);
    assert_eq!((&chat["lastMessage"], &chat["lastSeq"]), (&Value::Null, &json!(0)));
    let (_, told) = provider.get("/notifications").await;
    assert_eq!(told["notifications"][0]["type"], "job");
    assert_eq!(told["notifications"][0]["jobId"], body["jobId"]);
    assert_eq!(told["unreadCount"], 1);
}

#[tokio::test]
async fn a_booking_that_is_wrong_names_its_field() {
    let trio = Trio::new().await;
    let check = async |field: &str, value: Value, code: &str| {
        let mut body = json!({ "providerId": trio.provider.id });
        body[field] = value;
        let answer = trio.customer.post("/jobs/create", body).await;
        check_error(&answer, code);
        if code == "bad_request" {
            assert_eq!(answer.1["details"]["fields"][0], field, "{}", answer.1);
        }
    };
    check("providerId", json!("1"), "bad_request").await;
    check("providerId", Value::Null, "bad_request").await;
    check("providerId", json!(1.5), "bad_request").await;
    check("providerId", json!(-1), "not_found").await;
    check("providerId", json!(i64::MAX), "not_found").await;
    check("providerId", json!(trio.customer.id), "not_found").await;
    check("title", json!("x".repeat(201)), "bad_request").await;
    check("title", json!("a\u{0}b"), "bad_request").await;
    check("description", json!("x".repeat(4_001)), "bad_request").await;
    check("description", json!("a\u{0}b"), "bad_request").await;
    check("location", json!({}), "bad_request").await;
    check("scheduledAt", json!("tomorrow"), "bad_request").await;
    check("budget", json!(-0.01), "bad_request").await;
    check("budget", json!(1e300), "bad_request").await;
    let (_, jobs) = trio.customer.get("/jobs").await;
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "nothing was half-stored");
}

#[tokio::test]
async fn only_customers_book() {
    let trio = Trio::new().await;
    for who in [&trio.provider, &trio.lsm] {
        let body = json!({ "providerId": trio.provider.id });
        check_error(&who.post("/jobs/create", body).await, "denied");
    }
}

#[tokio::test]
async fn a_key_makes_a_retry_harmless() {
    let trio = Trio::new().await;
    let book = async |key: &str, title: &str| {
        let body = json!({ "providerId": trio.provider.id, "title": title });
        trio.customer.post_with("/jobs/create", ("Idempotency-Key", key), body).await
    };
    let first = book("k1", "tap").await;
    assert_eq!(first.0, 201);
    assert_eq!(book("k1", "tap").await, first);
    check_error(&book("k1", "roof").await, "idempotency_conflict");
    assert_ne!(book("k2", "tap").await.1["jobId"], first.1["jobId"]);
    check_error(&book("with blank", "tap").await, "bad_request");
    check_error(&book(&"k".repeat(256), "tap").await, "bad_request");
    let (_, told) = trio.provider.get("/notifications").await;
    assert_eq!(told["unreadCount"], 3, "one per booking: {told}");
}

#[tokio::test]
async fn jobs_are_listed_to_their_members_newest_first() {
    let trio = Trio::new().await;
    for _ in 0..4 {
        trio.customer.book(&trio.provider).await;
    }
    let mut seen = Vec::new();
    let mut path = "/jobs?limit=2".to_owned();
    loop {
        let (status, list) = trio.provider.get(&path).await;
        assert_eq!(status, 200, "{list}");
        seen.extend(list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()));
        let Some(next) = list["next"].as_str() else { break };
        path = format!("/jobs?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    assert_eq!(trio.stranger.get("/jobs").await.1["jobs"], json!([]));
    let one = format!("/jobs/{}", trio.job);
    assert_eq!(trio.provider.get(&one).await.1["id"], trio.job);
    let foreign = trio.stranger.get(&one).await;
    check_error(&foreign, "denied");
    assert_eq!(foreign, trio.stranger.get("/jobs/999999").await);
    check_error(&trio.stranger.get("/jobs/one").await, "bad_request");
}

#[tokio::test]
async fn the_provider_completes_and_the_chat_stays_open() {
    let trio = Trio::new().await;
    let path = format!("/jobs/{}/complete", trio.job);
    for who in [&trio.customer, &trio.stranger, &trio.lsm] {
        check_error(&who.post(&path, json!({})).await, "denied");
    }
    let (status, job) = trio.provider.post(&path, json!({})).await;
    assert_eq!((status, job["status"].as_str()), (200, Some("completed")));
    assert_eq!(trio.provider.post(&path, json!({})).await.0, 200, "idempotent");
    let cancel = trio.customer.post(&format!("/jobs/{}/cancel", trio.job), json!({})).await;
    check_error(&cancel, "conflict");
    let (_, chat) = trio.customer.get(&format!("/chat/{}", trio.chat)).await;
    assert_eq!((&chat["closed"], &chat["job"]["status"]), (&json!(false), &json!("completed")));
    let (_, told) = trio.customer.get("/notifications").await;
    assert_eq!(told["notifications"][0]["type"], "job");
}

#[tokio::test]
async fn the_customer_cancels_and_the_chat_closes() {
    let trio = Trio::new().await;
    let path = format!("/jobs/{}/cancel", trio.job);
    for who in [&trio.provider, &trio.stranger] {
        check_error(&who.post(&path, json!({})).await, "denied");
    }
    let (status, job) = trio.customer.post(&path, json!({})).await;
    assert_eq!((status, job["status"].as_str()), (200, Some("cancelled")));
    let (_, chat) = trio.provider.get(&format!("/chat/{}", trio.chat)).await;
    assert_eq!(chat["closed"], true);
    let history = trio.provider.get(&format!("/chat/{}/messages", trio.chat)).await;
    assert_eq!(history.0, 200, "history stays readable");
    let dispute = json!({ "chatId": trio.chat, "description": "why?" });
    check_error(&trio.provider.post("/disputes", dispute).await, "chat_closed");
}

/// A booking may tell of a day that is over, or far ahead; only what no RFC 3339 time can say of it
/// is refused, because it would make the job unreadable for its members.
#[tokio::test]
async fn a_booking_is_for_any_moment_that_can_be_written() {
    let trio = Trio::new().await;
    let book = async |at: Value| {
        let body = json!({ "providerId": trio.provider.id, "scheduledAt": at });
        trio.customer.post("/jobs/create", body).await
    };
    let mut booked = Vec::new();
    for (said, shown) in [
        ("2001-09-09T01:46:40Z", "2001-09-09T01:46:40.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59+23:59", "9999-12-31T00:00:59.000Z"),
        ("2024-02-29T12:00:00-00:00", "2024-02-29T12:00:00.000Z"),
        ("2030-01-02t03:04:05.6z", "2030-01-02T03:04:05.600Z"),
    ] {
        let (status, body) = book(json!(said)).await;
        assert_eq!((status, body["job"]["scheduledAt"].as_str()), (201, Some(shown)), "{said}");
        booked.push(shown);
    }
    let (status, none) = book(Value::Null).await;
    assert_eq!((status, &none["job"]["scheduledAt"]), (201, &Value::Null));
    for wrong in [
        json!("9999-12-31T23:59:59-00:01"),
        json!("0000-01-01T00:00:00+00:01"),
        json!("10000-01-01T00:00:00Z"),
        json!("+10000-01-01T00:00:00Z"),
        json!("-0001-01-01T00:00:00Z"),
        json!("2023-02-29T00:00:00Z"),
        json!("2030-13-01T00:00:00Z"),
        json!("2030-01-01T24:00:00Z"),
        json!("2030-01-01T00:00:00"),
        json!("2030-01-01T00:00:00+24:00"),
        json!("2030-01-01"),
        json!("infinity"),
        json!(""),
        json!("2030-01-01T00:00:00Z\u{0}"),
        json!(1_893_456_000),
        json!({ "at": "2030-01-01T00:00:00Z" }),
    ] {
        let answer = book(wrong.clone()).await;
        check_error(&answer, "bad_request");
        assert_eq!(answer.1["details"]["fields"][0], "scheduledAt", "{wrong}");
    }
    let (status, list) = trio.provider.get("/jobs?limit=100").await;
    assert_eq!(status, 200, "{list}");
    let mut listed: Vec<_> =
        list["jobs"].as_array().unwrap().iter().filter_map(|j| j["scheduledAt"].as_str()).collect();
    listed.reverse();
    assert_eq!(listed, booked, "as they were booked, and nothing of what was refused");
}
