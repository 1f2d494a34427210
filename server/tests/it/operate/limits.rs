//! How often somebody may ask over REST, and how often guess a password (CONTRACT §3.9,
//! RELIABILITY §2.12, D16).

use std::time::Duration;

use serde_json::json;
use trialogue_server::config::{Config, LimitsProfile};

use crate::fixture::{Fixture, Person, SOON};

/// The table for people, with these rows of it.
async fn limited(rows: &[&str]) -> Fixture {
    Fixture::with(|config| limit(config, rows)).await
}

fn limit(config: &mut Config, rows: &[&str]) {
    config.limits = LimitsProfile::Default;
    config.limit = rows.iter().map(|row| row.parse().unwrap()).collect();
}

/// Status, seconds of `Retry-After` and body of an answer.
async fn answer(request: reqwest::RequestBuilder) -> (u16, Option<u64>, serde_json::Value) {
    let answer = request.timeout(SOON).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let wait = headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (status, wait, answer.json().await.unwrap_or_default())
}

fn login(server: &Fixture, email: &str, password: &str) -> reqwest::RequestBuilder {
    let body = json!({ "email": email, "password": password });
    server.http.post(format!("{}/auth/login", server.url)).json(&body)
}

#[tokio::test]
async fn wrong_passwords_make_an_account_wait_whoever_guesses_and_never_lock_it() {
    let server = limited(&["logins-per-address=1000/s:1000"]).await;
    let (person, other) = (server.register("customer").await, server.register("customer").await);
    let spellings = [person.email.clone(), person.email.to_uppercase()];
    for at in 0..5 {
        let (status, ..) = answer(login(&server, &spellings[at % 2], "wrong horse")).await;
        assert_eq!(status, 401, "guess {at}");
    }
    // The right one waits like a wrong one, or waiting would tell them apart.
    for password in ["wrong horse", "correct horse"] {
        let (status, wait, body) = answer(login(&server, &person.email, password)).await;
        assert_eq!((status, wait), (429, Some(1)), "{body}");
        assert_eq!(body["error"], "rate_limited");
        assert!(body["message"].as_str().unwrap().contains("over 5 wrong passwords"), "{body}");
    }
    other.log_in("correct horse").await;
    // An address that nobody has waits in the same way.
    for _ in 0..5 {
        assert_eq!(answer(login(&server, "nobody@x.example", "wrong horse")).await.0, 401);
    }
    assert_eq!(answer(login(&server, "nobody@x.example", "wrong horse")).await.0, 429);

    tokio::time::sleep(Duration::from_secs(1)).await;
    person.log_in("correct horse").await;
    for _ in 0..5 {
        let (status, ..) = answer(login(&server, &person.email, "wrong horse")).await;
        assert_eq!(status, 401, "all is forgiven");
    }
}

#[tokio::test]
async fn the_old_password_cannot_be_guessed_with_a_token_either() {
    let server = limited(&["logins-per-address=1000/s:1000"]).await;
    let person = server.register("customer").await;
    let change = async |old: &str| {
        let body = json!({ "oldPassword": old, "newPassword": "battery staple" });
        person.post("/auth/password", body).await.0
    };
    for _ in 0..5 {
        assert_eq!(change("wrong horse").await, 401);
    }
    assert_eq!(change("correct horse").await, 429);
    person.log_in("correct horse").await;
}

#[tokio::test]
async fn an_address_may_log_in_so_often_a_minute() {
    let server = limited(&["logins-per-address=3/m"]).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for at in 0..4 {
            let email = format!("{at}@x.example");
            statuses.push(answer(login(&server, &email, "wrong horse")).await);
        }
        statuses
    };
    let first = statuses().await;
    let plain: Vec<u16> = first.iter().map(|(status, ..)| *status).collect();
    assert_eq!(plain, [401, 401, 401, 429]);
    let (_, wait, body) = &first[3];
    assert!((15..=20).contains(&wait.unwrap()), "{wait:?}");
    assert!(body["message"].as_str().unwrap().contains("over 3 logins per address a minute"));
}

#[tokio::test]
async fn a_user_has_one_allowance_over_all_devices() {
    let server = limited(&["requests-per-user=5/s:10"]).await;
    let person = server.register("customer").await;
    let laptop = person.log_in("correct horse").await;
    let other = server.register("customer").await;
    let mut refused = 0;
    for at in 0..20 {
        let device = if at % 2 == 0 { &person } else { &laptop };
        let request = server.http.get(format!("{}/auth/me", server.url));
        let (status, wait, body) = answer(request.bearer_auth(&device.token)).await;
        if status == 429 {
            refused += 1;
            assert_eq!(wait, Some(1));
            let text = body["message"].as_str().unwrap();
            assert!(text.contains("over 5 requests per user a second"), "{text}");
        } else {
            assert_eq!(status, 200);
        }
    }
    assert!((1..=10).contains(&refused), "{refused}");
    assert_eq!(other.get("/auth/me").await.0, 200, "others are not affected");
}

async fn live(server: &Fixture, forwarded: Option<&str>) -> u16 {
    let request = server.http.get(format!("{}/openapi.json", server.url));
    let request = match forwarded {
        Some(address) => request.header("x-forwarded-for", address),
        None => request,
    };
    answer(request).await.0
}

#[tokio::test]
async fn an_address_cannot_dodge_its_limit_by_what_it_says_of_itself() {
    let server = limited(&["requests-per-address=1/s:5"]).await;
    let mut statuses = Vec::new();
    for at in 0..10 {
        statuses.push(live(&server, Some(&format!("203.0.113.{at}"))).await);
    }
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let health = server.http.get(format!("{}/health/live", server.url));
    assert_eq!(answer(health).await.0, 200, "health is not counted");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_sender_has_the_own_allowance() {
    let server = Fixture::with(|config| {
        limit(config, &["requests-per-address=1/m:5"]);
        config.trusted_proxy = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    for sender in ["203.0.113.1", "203.0.113.2", "6.6.6.6, 203.0.113.3"] {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(live(&server, Some(sender)).await);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 429], "{sender}");
    }
    assert_eq!(live(&server, Some("203.0.113.3")).await, 429, "what lies left of it is hearsay");
}

#[tokio::test]
async fn the_bench_profile_lifts_all_of_it() {
    let server = Fixture::start().await;
    let person: Person = server.register("customer").await;
    for _ in 0..30 {
        assert_eq!(answer(login(&server, &person.email, "wrong horse")).await.0, 401);
    }
    for _ in 0..150 {
        assert_eq!(person.get("/auth/me").await.0, 200);
    }
}
