//! Every write of a chat waits for the chat's row, and decides by what it finds behind it: here
//! somebody else holds the row, changes what decides, and lets go (ASVS 15.4.2).

use std::fmt::Debug;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::database;
use crate::fixture::{Fixture, Live, Person, SOON};

/// What is written while the row is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Send,
    OpenDispute,
    JoinDispute,
    /// The same by the socket.
    Enter,
    Resolve,
    Complete,
    Cancel,
}

const CLOSED: &str = "update chats set closed = true where id = $1";
const LSM_OUT: &str = "update chat_members set removed_at = clock_timestamp()
                       where chat_id = $1 and role = 'local_service_manager'";
const CUSTOMER_OUT: &str = "update chat_members set removed_at = clock_timestamp()
                            where chat_id = $1 and role = 'customer'";
const DISPUTED: &str = "insert into disputes (chat_id, job_id, raised_by, description, lsm_id)
     select c.id, c.job_id, j.customer_id, 'x', (select max(id) from users)
     from chats c join jobs j on j.id = c.job_id where c.id = $1";
const SETTLED: &str = "update disputes set status = 'resolved' where chat_id = $1";
const CANCELLED: &str = "update jobs j set status = 'cancelled'
                         from chats c where c.job_id = j.id and c.id = $1";
const COMPLETED: &str = "update jobs j set status = 'completed'
                         from chats c where c.job_id = j.id and c.id = $1";

/// What is written, what somebody else changes meanwhile, and what the writer is told then.
const RACES: [(Write, &str, &str); 12] = [
    (Write::Send, LSM_OUT, "denied"),
    (Write::Send, CLOSED, "chat_closed"),
    (Write::OpenDispute, DISPUTED, "conflict"),
    (Write::OpenDispute, CLOSED, "chat_closed"),
    (Write::OpenDispute, CUSTOMER_OUT, "denied"),
    (Write::JoinDispute, SETTLED, "denied"),
    (Write::Enter, SETTLED, "denied"),
    (Write::Resolve, SETTLED, "conflict"),
    (Write::Complete, CANCELLED, "conflict"),
    (Write::Complete, COMPLETED, ""),
    (Write::Cancel, COMPLETED, "conflict"),
    (Write::Cancel, CANCELLED, ""),
];

/// A chat in the state that the write needs.
struct Stage {
    customer: Person,
    provider: Person,
    lsm: Person,
    socket: Live,
    chat: String,
    job: i64,
    dispute: i64,
}

impl Stage {
    async fn set(&mut self, write: Write) {
        let body = json!({ "providerId": self.provider.id });
        let (_, booked) = self.customer.post("/jobs/create", body).await;
        self.chat = booked["chatId"].as_str().unwrap().to_owned();
        self.job = booked["jobId"].as_i64().unwrap();
        if write != Write::OpenDispute {
            self.dispute = self.customer.dispute(&self.chat).await;
        }
        if matches!(write, Write::Send | Write::Resolve) {
            let path = format!("/disputes/{}/join", self.dispute);
            assert_eq!(self.lsm.post(&path, json!({})).await.0, 200);
        }
    }

    /// The code of the refusal; nothing when it was done.
    async fn write(&self, write: Write) -> String {
        let chat = json!({ "chatId": self.chat });
        let of_ack = |ack: Value| ack["error"]["code"].as_str().unwrap_or_default().to_owned();
        let of_rest =
            |(_, body): (u16, Value)| body["error"].as_str().unwrap_or_default().to_owned();
        match write {
            Write::Send => {
                let body = json!({ "chatId": self.chat, "message": "hello" });
                of_ack(self.socket.request("send_message", body).await)
            }
            Write::Enter => of_ack(self.socket.request("join_chat", chat).await),
            Write::OpenDispute => {
                let body = json!({ "chatId": self.chat, "description": "it leaks" });
                of_rest(self.customer.post("/disputes", body).await)
            }
            Write::JoinDispute => {
                let path = format!("/disputes/{}/join", self.dispute);
                of_rest(self.lsm.post(&path, json!({})).await)
            }
            Write::Resolve => {
                let path = format!("/disputes/{}/resolve", self.dispute);
                of_rest(self.lsm.post(&path, json!({ "resolution": "done" })).await)
            }
            Write::Complete => {
                let path = format!("/jobs/{}/complete", self.job);
                of_rest(self.provider.post(&path, json!({})).await)
            }
            Write::Cancel => {
                let path = format!("/jobs/{}/cancel", self.job);
                of_rest(self.customer.post(&path, json!({})).await)
            }
        }
    }
}

/// Waits until a statement of the server waits for a lock.
pub(crate) async fn somebody_waits(outside: &mut PgConnection, what: impl Debug) {
    let sql = "select exists (
        select from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock' and application_name = 'trialogue')";
    let waits = async {
        while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut *outside).await.unwrap() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, waits).await.unwrap_or_else(|_| panic!("{what:?} waits for nobody"));
}

#[tokio::test]
async fn every_write_waits_for_the_chat_and_decides_behind_it() {
    let server = Fixture::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let lsm = server.register("lsm").await;
    let socket = lsm.connect().await;
    let (chat, job, dispute) = (String::new(), 0, 0);
    let mut stage = Stage { customer, provider, lsm, socket, chat, job, dispute };
    let mut holder = database::connect(&server.database).await;
    let mut watcher = database::connect(&server.database).await;
    for (write, change, expect) in RACES {
        stage.set(write).await;
        let chat: Uuid = stage.chat.parse().unwrap();
        let mut holding = holder.begin().await.unwrap();
        let hold = "select 1 from chats where id = $1 for update";
        sqlx::query(hold).bind(chat).execute(&mut *holding).await.unwrap();
        let release = async {
            somebody_waits(&mut watcher, write).await;
            sqlx::query(change).bind(chat).execute(&mut *holding).await.unwrap();
            holding.commit().await.unwrap();
        };
        let (told, ()) = tokio::join!(stage.write(write), release);
        assert_eq!(told, expect, "{write:?} beside: {change}");
    }
    for outside in [holder, watcher] {
        outside.close().await.unwrap();
    }
}
