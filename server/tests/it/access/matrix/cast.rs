//! The people of the matrix and the chats that stand between them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::access::forge::expired_token;
use crate::database;
use crate::fixture::{Fixture, Person};

/// The password of everybody whom the fixture registers.
pub(super) const PASSWORD: &str = "correct horse";
/// An id of a job or a dispute that nobody has.
const NOBODYS: i64 = 999_999_999;

/// A chat with all that belongs to it.
#[derive(Clone)]
pub(super) struct Thing {
    pub(super) chat: String,
    pub(super) job: i64,
    /// The newest dispute, and the one that was settled before it.
    pub(super) dispute: i64,
    former_dispute: i64,
    /// One that the person of the column has got, where there is one.
    pub(super) notification: String,
}

/// In which state a chat is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Booked, nothing more.
    Quiet,
    /// One dispute is settled, by `former`; in a second one, `lsm` is in.
    Joined,
    /// A dispute has asked `invited` in.
    Invited,
    /// Of the person whose account is disabled.
    Disabled,
    /// Of other people.
    Foreign,
}

/// See the module.
pub(super) struct Cast {
    pub(super) server: Fixture,
    people: BTreeMap<&'static str, Person>,
    /// Chats that are asked about many times: made once, by state and whether they are closed.
    made: BTreeMap<(State, bool), Thing>,
    sql: PgConnection,
}

impl Cast {
    /// Everybody, and every chat that a refusal is asked about.
    pub(super) async fn new() -> Self {
        let server = Fixture::start().await;
        let mut people = BTreeMap::new();
        for (column, role) in [
            ("disabled", "customer"),
            ("o-cust", "customer"),
            ("o-prov", "provider"),
            ("o-lsm", "lsm"),
            ("invited", "lsm"),
            ("former", "lsm"),
            ("customer", "customer"),
            ("provider", "provider"),
            ("lsm", "lsm"),
            ("foreign customer", "customer"),
            ("foreign provider", "provider"),
            ("foreign lsm", "lsm"),
        ] {
            people.insert(column, server.register(role).await);
        }
        let nobody = server.newcomer("nobody@test.example");
        people.insert("nobody", nobody);
        let mut expired = people["customer"].log_in(PASSWORD).await;
        expired.token = expired_token(&expired.token);
        people.insert("expired", expired);
        let sql = database::connect(&server.database).await;
        let mut cast = Self { server, people, made: BTreeMap::new(), sql };
        for state in [State::Quiet, State::Joined, State::Invited, State::Disabled, State::Foreign]
        {
            for closed in [false, true] {
                let thing = cast.make(state, closed).await;
                cast.made.insert((state, closed), thing);
            }
        }
        cast
    }

    /// Who stands in that column.
    pub(super) fn person(&self, column: &str) -> &Person {
        self.people.get(column).unwrap_or_else(|| panic!("nobody is called {column}"))
    }

    /// The account is disabled, as an operator does it behind the server's back.
    pub(super) async fn disable(&mut self) {
        let id = self.person("disabled").id;
        let sql = "update users set disabled_at = now() where id = $1";
        sqlx::query(sql).bind(id).execute(&mut self.sql).await.unwrap();
    }

    /// What a row's thing is for the person of a column; `fresh` when it will not be the same
    /// afterwards.
    pub(super) async fn thing(
        &mut self,
        row: &str,
        column: &str,
        thing: &str,
        fresh: bool,
    ) -> Thing {
        let closed = thing == "closed";
        let state = match (thing, column) {
            ("missing", _) => return missing(),
            ("foreign", _) => State::Foreign,
            (_, "disabled") => State::Disabled,
            (_, "invited") => State::Invited,
            (_, "lsm" | "former") => State::Joined,
            // A dispute is opened about a chat without one.
            _ if row == "POST /disputes" => State::Quiet,
            _ => State::Joined,
        };
        let mut found = match self.made.get(&(state, closed)) {
            Some(made) if !fresh => made.clone(),
            _ => self.make(state, closed).await,
        };
        if column == "former" && state == State::Joined {
            found.dispute = found.former_dispute;
        }
        if row.contains("/notifications") {
            found.notification = self.notification_of(&found.chat, self.person(column).id).await;
        }
        found
    }

    async fn make(&mut self, state: State, closed: bool) -> Thing {
        let (customer, provider) = match state {
            State::Disabled => ("disabled", "provider"),
            State::Foreign => ("foreign customer", "foreign provider"),
            _ => ("customer", "provider"),
        };
        let (customer, provider) = (self.person(customer).clone(), self.person(provider).clone());
        let body = json!({ "providerId": provider.id, "title": "Leaking tap" });
        let (status, booked) = customer.post("/jobs/create", body).await;
        assert_eq!(status, 201, "{booked}");
        let (chat, job) = (booked["chatId"].as_str().unwrap(), booked["jobId"].as_i64().unwrap());
        let mut thing = Thing { chat: chat.to_owned(), job, ..missing() };
        match state {
            State::Quiet | State::Disabled => {}
            State::Joined => {
                thing.former_dispute = self.dispute(&customer, chat, "former", true).await;
                let path = format!("/disputes/{}/resolve", thing.former_dispute);
                let settled = self.person("former").post(&path, json!({"resolution": "so"})).await;
                assert_eq!(settled.0, 200, "{}", settled.1);
                thing.dispute = self.dispute(&provider, chat, "lsm", true).await;
            }
            State::Invited => {
                thing.dispute = self.dispute(&customer, chat, "invited", false).await;
            }
            State::Foreign => {
                thing.dispute = self.dispute(&customer, chat, "foreign lsm", true).await;
            }
        }
        if closed {
            let (status, body) = customer.post(&format!("/jobs/{job}/cancel"), json!({})).await;
            assert_eq!(status, 200, "{body}");
        }
        thing
    }

    /// Opens a dispute that this LSM is asked to settle, by being the only one of the region.
    async fn dispute(&mut self, by: &Person, chat: &str, lsm: &str, joined: bool) -> i64 {
        let lsm = self.person(lsm).clone();
        let sql = "update users set region_key = case id when $1 then 'north' else 'away' end
                   where role = 'local_service_manager'";
        sqlx::query(sql).bind(lsm.id).execute(&mut self.sql).await.unwrap();
        let dispute = by.dispute(chat).await;
        if joined {
            let (status, body) = lsm.post(&format!("/disputes/{dispute}/join"), json!({})).await;
            assert_eq!(status, 200, "{body}");
        }
        dispute
    }

    async fn notification_of(&mut self, chat: &str, person: i64) -> String {
        let sql = "select id from notifications where chat_id = $1
                   order by recipient_id = $2 desc, id desc limit 1";
        let chat: Uuid = chat.parse().unwrap();
        let id: Uuid =
            sqlx::query_scalar(sql).bind(chat).bind(person).fetch_one(&mut self.sql).await.unwrap();
        id.to_string()
    }

    /// A digest of everything that a refusal must leave as it was.
    pub(super) async fn digest(&mut self) -> Value {
        let sql = "select jsonb_object_agg(name, digest) from (
            select 'users' as name, md5(string_agg((to_jsonb(t) - 'last_seen_at')::text, '' order by id)) as digest from users t
            union all select 'sessions', md5(string_agg(t::text, '' order by id)) from sessions t
            union all select 'tokens', md5(string_agg(t::text, '' order by hash)) from refresh_tokens t
            union all select 'endings', md5(string_agg(t::text, '' order by id)) from endings t
            union all select 'jobs', md5(string_agg(t::text, '' order by id)) from jobs t
            union all select 'chats', md5(string_agg(t::text, '' order by id)) from chats t
            union all select 'members', md5(string_agg(t::text, '' order by chat_id, user_id)) from chat_members t
            union all select 'messages', md5(string_agg(t::text, '' order by chat_id, seq)) from messages t
            union all select 'disputes', md5(string_agg(t::text, '' order by id)) from disputes t
            union all select 'notifications', md5(string_agg(t::text, '' order by recipient_id, id)) from notifications t) d";
        sqlx::query_scalar(sql).fetch_one(&mut self.sql).await.unwrap()
    }

    /// Lets go of the database.
    pub(super) async fn end(self) {
        self.sql.close().await.unwrap();
    }
}

fn missing() -> Thing {
    Thing {
        chat: Uuid::new_v4().to_string(),
        job: NOBODYS,
        dispute: NOBODYS,
        former_dispute: NOBODYS,
        notification: Uuid::new_v4().to_string(),
    }
}
