//! What a server does not start with, or does not go on with: a weak secret, a database that
//! forgets (A16, F19 of RELIABILITY; promise 1).

use std::net::SocketAddr;
use std::time::Duration;

use sqlx::Connection;
use trialogue_protocol::{ChatId, MessageType, Role, UserId};
use trialogue_server::config::{Config, Secret};
use trialogue_server::embedded::{Cluster, Database};
use trialogue_server::store::{
    Booking, NewJob, NewMessage, NewUser, OpenError, PersonDetails, SessionTokens, Store,
    StoreConfig, StoreError, Verdict,
};
use trialogue_server::{Running, accept};
use uuid::Uuid;

use crate::database;
use crate::fixture::SECRET;

/// Why a server with these settings does not start.
async fn refusal(listen: SocketAddr, change: impl FnOnce(&mut Config)) -> String {
    let database = database::migrated().await;
    let mut config = Config {
        listen,
        database_url: Some(Secret::new(database.url())),
        jwt_secret: Some(Secret::new(SECRET)),
        unsafe_durability: true,
        ..Config::default()
    };
    change(&mut config);
    let listener = accept::listen(listen).unwrap();
    match Running::start(listener, config).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_server_does_not_start_with_a_weak_secret_or_none() {
    let local = ([127, 0, 0, 1], 0).into();
    let anywhere = ([0, 0, 0, 0], 0).into();
    for short in ["", "12345678", "a secret of only thirty-one byt"] {
        let said = refusal(local, |config| config.jwt_secret = Some(Secret::new(short))).await;
        assert!(said.contains(&format!("{} bytes", short.len())), "{said}");
        assert!(short.is_empty() || !said.contains(short), "says the secret: {said}");
    }
    let said = refusal(anywhere, |config| config.jwt_secret = None).await;
    assert!(said.contains("no JWT secret"), "{said}");
    let said = refusal(anywhere, |config| config.open_registration = true).await;
    assert!(said.contains("--open-registration"), "{said}");
    let said = refusal(anywhere, |config| config.seed_demo = true).await;
    assert!(said.contains("--seed-demo"), "{said}");
}

#[tokio::test]
async fn a_server_does_not_start_on_a_database_that_forgets() {
    if std::env::var("TRIALOGUE_TEST_DATABASE_URL").is_ok() {
        // Somebody's own server may well be durable.
        return;
    }
    let local = ([127, 0, 0, 1], 0).into();
    let said = refusal(local, |config| config.unsafe_durability = false).await;
    assert!(said.contains("fsync is off") && said.contains("--unsafe-durability"), "{said}");
}

#[tokio::test]
async fn a_database_that_begins_to_forget_is_not_written_to_any_more() {
    let durable = Durable::start().await;
    assert!(matches!(durable.say().await, Ok(Verdict::Stored(_))));

    let mut outside = database::connect(&durable.database).await;
    let forget = "do $$ begin execute format(
        'alter database %I set synchronous_commit = off', current_database()); end $$";
    sqlx::raw_sql(forget).execute(&mut outside).await.unwrap();
    let reconnect = "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(reconnect).execute(&mut outside).await.unwrap();
    // The first statement may still be that of a connection that was cut.
    let mut refused = 0;
    for _ in 0..3 {
        match durable.say().await {
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(StoreError::OutcomeUnknown(_)) => {}
            other => panic!("written to a database that forgets: {other:?}"),
        }
    }
    assert!(refused > 0);
    let again = Store::open(&strict(&durable.database)).await.err().unwrap();
    assert!(matches!(again, OpenError::NotDurable("synchronous_commit is off")), "{again}");
    let rows: i64 =
        sqlx::query_scalar("select count(*) from messages").fetch_one(&mut outside).await.unwrap();
    assert_eq!(rows, 1);
    outside.close().await.unwrap();
    durable.stop().await;
}

/// Promise 1: an answer comes after the commit, and the commit after the flush.
#[tokio::test]
async fn what_is_answered_is_committed_and_flushed() {
    let durable = Durable::start().await;
    let mut outside = database::connect(&durable.database).await;
    let look = "select (select count(*) from messages),
                       pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()";
    let mut behind = 0;
    for said in 1..=20_i64 {
        let answer = durable.say().await;
        assert!(matches!(answer, Ok(Verdict::Stored(_))), "{answer:?}");
        let (rows, unflushed): (i64, bool) =
            sqlx::query_as(look).fetch_one(&mut outside).await.unwrap();
        assert_eq!(rows, said, "answered before it was committed");
        behind += usize::from(unflushed);
    }
    // Nobody else writes here, but for what the cluster notes for itself now and then.
    assert!(behind <= 2, "{behind} of 20 were answered before they were flushed");
    outside.close().await.unwrap();
    durable.stop().await;
}

/// A store on a cluster of its own that keeps what it commits, and a chat.
struct Durable {
    cluster: Cluster,
    database: Database,
    store: Store,
    chat: ChatId,
    customer: UserId,
}

impl Durable {
    async fn start() -> Self {
        let cluster = Cluster::throwaway(true).await.unwrap();
        let database = cluster.fresh_database("durable").await.unwrap();
        let store = Store::open(&strict(&database)).await.unwrap();
        let customer = person(&store, Role::Customer).await;
        let provider = person(&store, Role::Provider).await;
        let job = NewJob {
            customer_id: customer,
            provider_id: provider,
            title: None,
            description: None,
            location: None,
            scheduled_at: None,
            budget: None,
            key: None,
        };
        let booked = store.book_job(job).await.unwrap();
        let Booking::Booked { chat_id: chat, .. } = booked else { panic!("{booked:?}") };
        Self { cluster, database, store, chat, customer }
    }

    async fn say(&self) -> Result<Verdict, StoreError> {
        let message = NewMessage {
            chat_id: self.chat,
            sender_id: self.customer,
            client_message_id: None,
            message_type: MessageType::Text,
            body: "hello".into(),
        };
        self.store.put_message(message).unwrap().await.unwrap()
    }

    async fn stop(self) {
        self.store.close().await;
        self.cluster.stop().await.unwrap();
    }
}

fn strict(database: &Database) -> StoreConfig {
    StoreConfig { url: database.url(), connections: 2, unsafe_durability: false }
}

async fn person(store: &Store, role: Role) -> UserId {
    let details = PersonDetails {
        first_name: "Some".to_owned(),
        last_name: "Body".to_owned(),
        role,
        region: None,
        business_name: None,
    };
    let email = format!("{}@test.example", Uuid::new_v4());
    let user = NewUser { email, password_hash: "none".to_owned(), details };
    let ttl = Duration::from_secs(60);
    let tokens = SessionTokens { session: Uuid::now_v7(), refresh_hash: rand::random(), ttl };
    store.register_user(user, tokens).await.unwrap().unwrap()
}
