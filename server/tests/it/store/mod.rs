//! The store against a real PostgreSQL: what is promised of what is written.

mod access;
mod booking;
mod disputes;
mod faults;
mod history;
mod messages;
mod notices;
mod opening;
mod sessions;
mod uniqueness;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::oneshot;
use trialogue_protocol::{ChatId, MessageType, Role, UserId};
use trialogue_server::embedded::Database;
use trialogue_server::store::{
    Booking, NewDispute, NewJob, NewMessage, NewUser, PersonDetails, SessionTokens, Store,
    StoreError, Verdict,
};
use uuid::Uuid;

use crate::database;

/// How long anything that should happen may take.
const SOON: Duration = Duration::from_secs(10);

/// A store on a database of its own.
struct World {
    database: Database,
    store: Store,
}

/// A chat with its two people.
#[derive(Clone, Copy)]
struct Booked {
    customer: UserId,
    provider: UserId,
    chat: ChatId,
}

impl World {
    async fn new() -> Self {
        let database = database::migrated().await;
        let store = Store::open(&database::config(&database)).await.unwrap();
        Self { database, store }
    }

    /// Somebody in the north.
    async fn person(&self, role: Role) -> UserId {
        self.person_in(role, Some("North")).await
    }

    async fn person_in(&self, role: Role, region: Option<&str>) -> UserId {
        let details = PersonDetails {
            first_name: "Some".to_owned(),
            last_name: role.short().to_owned(),
            role,
            region: region.map(str::to_owned),
            business_name: None,
        };
        let email = format!("{}@test.example", Uuid::new_v4());
        let user = NewUser { email, password_hash: "none".to_owned(), details };
        self.store.register_user(user, tokens()).await.unwrap().unwrap()
    }

    async fn booking(&self) -> Booked {
        let customer = self.person(Role::Customer).await;
        let provider = self.person(Role::Provider).await;
        let chat = self.book(customer, provider).await;
        Booked { customer, provider, chat }
    }

    async fn book(&self, customer: UserId, provider: UserId) -> ChatId {
        match self.store.book_job(job(customer, provider)).await.unwrap() {
            Booking::Booked { chat_id, .. } => chat_id,
            other => panic!("not booked: {other:?}"),
        }
    }

    /// Puts a message in line.
    fn put(
        &self,
        sender: UserId,
        chat: ChatId,
        text: &str,
        key: Option<&str>,
    ) -> oneshot::Receiver<Result<Verdict, StoreError>> {
        let message = NewMessage {
            chat_id: chat,
            sender_id: sender,
            client_message_id: key.map(|key| key.parse().unwrap()),
            message_type: MessageType::Text,
            body: text.into(),
        };
        self.store.put_message(message).unwrap()
    }

    /// Says something and waits for the verdict.
    async fn say(&self, sender: UserId, chat: ChatId, text: &str, key: Option<&str>) -> Verdict {
        let verdict = self.put(sender, chat, text, key);
        tokio::time::timeout(SOON, verdict).await.unwrap().unwrap().unwrap()
    }

    /// Says something that must be stored; its place.
    async fn stored(&self, sender: UserId, chat: ChatId, text: &str) -> i64 {
        match self.say(sender, chat, text, None).await {
            Verdict::Stored(stored) => stored.message.seq.unwrap(),
            other => panic!("not stored: {other:?}"),
        }
    }

    /// A connection behind the store's back.
    async fn connect(&self) -> PgConnection {
        database::connect(&self.database).await
    }

    /// One number behind the store's back, with a person as `$1`.
    async fn count_of(&self, sql: &'static str, user: UserId) -> i64 {
        let mut connection = self.connect().await;
        sqlx::query_scalar(sql).bind(user.0).fetch_one(&mut connection).await.unwrap()
    }

    /// Runs SQL behind the store's back, with a chat as `$1`.
    async fn run(&self, sql: &'static str, chat: ChatId) {
        let mut connection = self.connect().await;
        sqlx::query(sql).bind(chat.0).execute(&mut connection).await.unwrap();
    }
}

fn tokens() -> SessionTokens {
    let refresh_hash: [u8; 32] = rand::random();
    SessionTokens { session: Uuid::now_v7(), refresh_hash, ttl: Duration::from_secs(3_600) }
}

/// A dispute about a chat.
fn dispute(booked: Booked, by: UserId) -> NewDispute {
    NewDispute {
        raised_by: by,
        chat_id: Some(booked.chat),
        job_id: None,
        description: "it still leaks".to_owned(),
    }
}

fn job(customer: UserId, provider: UserId) -> NewJob {
    NewJob {
        customer_id: customer,
        provider_id: provider,
        title: Some("Leaking tap".to_owned()),
        description: None,
        location: None,
        scheduled_at: None,
        budget: None,
        key: None,
    }
}

/// Runs the same thing many times at once.
async fn at_once<T, F>(count: usize, make: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|index| {
            let (start, work) = (Arc::clone(&start), make(index));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(count);
    for task in tasks {
        results.push(tokio::time::timeout(SOON, task).await.unwrap().unwrap());
    }
    results
}
