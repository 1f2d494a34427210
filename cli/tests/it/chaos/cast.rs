//! Who is there: people of three roles, and the chats that they are in.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

/// A request of the beginning, when nothing is broken yet.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);

/// Somebody with a session.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) token: String,
    url: String,
}

/// A chat and who is in it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) chat: String,
    pub(super) customer: Person,
    pub(super) provider: Person,
    pub(super) lsm: Option<Person>,
}

impl Room {
    /// A new customer and a new provider with a chat of theirs.
    pub(super) async fn book(url: &str) -> Self {
        let customer = Person::register(url, "customer").await;
        let provider = Person::register(url, "provider").await;
        let body = json!({ "providerId": provider.id, "title": "Leaking tap" });
        let booked = customer.post("/jobs/create", &body).await;
        let chat = booked["chatId"].as_str().unwrap().to_owned();
        Self { chat, customer, provider, lsm: None }
    }

    /// Calls this LSM, who must be the only one.
    pub(super) async fn call(&mut self, lsm: &Person) {
        let body = json!({ "chatId": self.chat, "description": "it still leaks" });
        let dispute = self.customer.post("/disputes", &body).await;
        assert_eq!(dispute["lsm"]["id"], lsm.id);
        lsm.post(&format!("/disputes/{}/join", dispute["disputeId"]), &json!({})).await;
        self.lsm = Some(lsm.clone());
    }
}

impl Person {
    pub(super) async fn register(url: &str, role: &str) -> Self {
        let email = format!("{}@test.example", Uuid::new_v4());
        let body = json!({
            "email": email, "password": "correct horse", "firstName": "Test", "lastName": role,
            "role": role, "region": "north",
        });
        let nobody = Self { id: 0, token: String::new(), url: url.to_owned() };
        let session = nobody.post("/auth/register", &body).await;
        let token = session["accessToken"].as_str().unwrap().to_owned();
        Self { id: session["user"]["id"].as_i64().unwrap(), token, ..nobody }
    }

    /// A `POST` that works.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.answer(http().post(format!("{}{path}", self.url)).json(body)).await
    }

    /// A `GET` that works.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.answer(http().get(format!("{}{path}", self.url))).await
    }

    /// A `GET` that may not work yet.
    pub(super) async fn try_get(&self, path: &str) -> Option<Value> {
        let request = http().get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.timeout(REQUEST_WITHIN).send().await.ok()?;
        if answer.status().is_success() { answer.json().await.ok() } else { None }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let request = request.bearer_auth(&self.token).timeout(REQUEST_WITHIN);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{status}: {body}");
        body
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
