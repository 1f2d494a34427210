//! REST, route by route: the happy path and what is refused (CONTRACT §1).

mod accounts;
mod chats;
mod disputes;
mod jobs;
mod messages;
mod notifications;
mod openapi;
mod refusals;

use serde_json::Value;

use crate::database;
use crate::fixture::{Fixture, Person};

/// The shape of every answer that is not a success.
pub(crate) fn check_error(answer: &(u16, Value), code: &str) {
    let (status, body) = answer;
    assert_eq!(body["error"], code, "{status} {body}");
    assert_eq!(body["statusCode"], *status, "{body}");
    let known: trialogue_protocol::ErrorCode =
        serde_json::from_value(body["error"].clone()).unwrap();
    assert_eq!(known.http_status(), *status);
    let message = body["message"].as_str().unwrap();
    assert!(!message.is_empty());
    for leak in ["select", "insert", "postgres", "/src/", "sqlx", "panicked", "Bearer"] {
        assert!(!message.contains(leak), "{message}");
    }
}

/// A chat with an LSM in it, and somebody who has nothing to do with it.
struct Trio {
    server: Fixture,
    customer: Person,
    provider: Person,
    lsm: Person,
    stranger: Person,
    chat: String,
    job: i64,
}

impl Trio {
    async fn new() -> Self {
        let server = Fixture::start().await;
        let (customer, provider, chat) = server.booking().await;
        let lsm = server.register("lsm").await;
        let stranger = server.register("customer").await;
        let (_, jobs) = customer.get("/jobs").await;
        let job = jobs["jobs"][0]["id"].as_i64().unwrap();
        Self { server, customer, provider, lsm, stranger, chat, job }
    }
}

impl Fixture {
    /// Runs SQL behind the server's back.
    pub(crate) async fn sql(&self, sql: &'static str) {
        let mut connection = database::connect(&self.database).await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    /// Somebody without an account.
    pub(crate) fn nobody(&self) -> Person {
        Person {
            id: 0,
            email: String::new(),
            token: String::new(),
            refresh_token: String::new(),
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }
}

impl Person {
    /// A `POST` with a header of its own.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        header: (&str, &str),
        body: Value,
    ) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        self.answer(request.header(header.0, header.1)).await
    }
}
