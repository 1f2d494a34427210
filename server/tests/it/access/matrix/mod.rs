//! The access matrix: every route and every event, asked by everybody about everything (B1).
//!
//! `matrix.txt` says what must come; the lists of routes and events come from the server, so that a
//! new one without its rows fails here.

mod ask;
mod cast;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use trialogue_protocol::event::ClientEvent;
use trialogue_protocol::{NAMESPACE, NAMESPACE_ALIAS};
use trialogue_server::http::operations;

use ask::{Answer, LISTS, SPENDS_ITS_SESSION, word_of, word_of_ack};
use cast::{Cast, Thing};
use table::{Row, Table};

use crate::fixture::{Live, Person, connect_at};

/// Everything that can be asked of the server, with the things that must have a row each.
fn asked() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut asked = BTreeMap::new();
    for (method, path) in operations() {
        let operation = format!("{method} {path}");
        let is_about = path.contains("{id}") || operation == "POST /disputes";
        let things: &[&str] = match () {
            () if path.starts_with("/notifications/{id}") => &["own", "foreign", "missing"],
            () if is_about => &["own", "closed", "foreign", "missing"],
            () if LISTS.iter().any(|(list, _)| *list == operation) => &["own", "closed", "foreign"],
            () => &["-"],
        };
        asked.insert(operation, things.iter().copied().collect());
    }
    for event in ClientEvent::ALL {
        let things: &[&str] = match event {
            ClientEvent::RefreshAuth => &["own", "foreign", "over", "junk"],
            _ => &["own", "outside", "closed", "foreign", "missing"],
        };
        asked.insert(format!("EMIT {}", event.as_str()), things.iter().copied().collect());
    }
    for namespace in [NAMESPACE, NAMESPACE_ALIAS] {
        asked.insert(format!("CONNECT {namespace}"), BTreeSet::from(["-"]));
    }
    asked
}

#[test]
fn every_route_and_every_event_has_its_rows() {
    let (asked, table) = (asked(), Table::read());
    for (operation, things) in &asked {
        assert_eq!(table.things_of(operation), *things, "rows of {operation}");
    }
    let known: BTreeSet<&str> = asked.keys().map(String::as_str).collect();
    assert_eq!(table.operations(), known, "rows of what the server does not have");
    assert!(table.len() >= 200, "{} cells", table.len());
}

/// The sockets of one person: one goes into rooms, the other one never does.
struct Sockets {
    inside: Live,
    outside: Live,
}

/// Asks every cell, and keeps what was not as it should be.
struct Run {
    table: Table,
    cast: Cast,
    sockets: BTreeMap<String, Sockets>,
    wrong: Vec<String>,
    /// Answers that said `no`, by operation.
    denials: BTreeMap<String, BTreeSet<Answer>>,
    asked: usize,
}

/// Columns whose people cannot connect.
const UNCONNECTED: [&str; 2] = ["nobody", "expired"];
/// Columns whose people may enter their chat's room.
const MEMBERS: [&str; 3] = ["customer", "provider", "lsm"];

impl Run {
    async fn new() -> Self {
        let (table, cast) = (Table::read(), Cast::new().await);
        let mut sockets = BTreeMap::new();
        for (column, _) in &table.rows[0].cells {
            if !UNCONNECTED.contains(&column.as_str()) {
                let who = cast.person(column);
                let pair = Sockets { inside: who.connect().await, outside: who.connect().await };
                sockets.insert(column.clone(), pair);
            }
        }
        let (wrong, denials) = (Vec::new(), BTreeMap::new());
        Self { table, cast, sockets, wrong, denials, asked: 0 }
    }

    /// Asks the cells that are refusals, or those that are not.
    async fn ask(&mut self, refusals: bool) {
        let rows = std::mem::take(&mut self.table.rows);
        for row in &rows {
            for (column, expect) in &row.cells {
                if self.table.is_refusal(expect) == refusals {
                    // A client that is not read from stops its connection.
                    for Sockets { inside, outside } in self.sockets.values_mut() {
                        let _ = (inside.has(""), outside.has(""));
                    }
                    self.cell(row, column, expect).await;
                    self.asked += 1;
                }
            }
        }
        self.table.rows = rows;
    }

    async fn cell(&mut self, row: &Row, column: &str, expect: &str) {
        let (verb, what) = row.operation.split_once(' ').unwrap();
        let is_refusal = self.table.is_refusal(expect);
        let changes = match verb {
            "POST" => true,
            "EMIT" => column == "invited" && what == "join_chat",
            _ => false,
        };
        let fresh = changes && !is_refusal && row.thing != "-";
        let thing = self.cast.thing(&row.operation, column, &row.thing, fresh).await;
        let (word, answer) = match verb {
            "CONNECT" => (self.connect(column, what).await, None),
            "EMIT" => self.emit(row, column, what, &thing).await,
            _ => self.rest(row, column, is_refusal, &thing).await,
        };
        if word != expect {
            let Row { operation, thing, .. } = row;
            self.wrong.push(format!("{operation} {thing} {column}: {word}, not {expect}"));
        }
        if let Some(answer) = answer.filter(|_| word == "no") {
            self.denials.entry(row.operation.clone()).or_default().insert(answer);
        }
    }

    async fn rest(
        &mut self,
        row: &Row,
        column: &str,
        is_refusal: bool,
        thing: &Thing,
    ) -> (String, Option<Answer>) {
        let spends = SPENDS_ITS_SESSION.contains(&row.operation.as_str()) && !is_refusal;
        // Somebody else of no more rights pays for it.
        let double: Person;
        let who = if spends {
            double = self.cast.server.register("customer").await;
            &double
        } else {
            self.cast.person(column)
        };
        let answer = ask::rest(&row.operation, &self.cast, who, thing).await;
        (word_of(&self.table, &row.operation, thing, &answer), Some(answer))
    }

    async fn connect(&self, column: &str, namespace: &str) -> String {
        let who = self.cast.person(column);
        match connect_at(&who.url, namespace, &who.token).await {
            Ok(mut live) => {
                assert_eq!(live.next().await.1["userId"], who.id);
                "ok".to_owned()
            }
            Err(refused) => {
                let data = refused.data.unwrap();
                self.table.word_of(data["code"].as_str().unwrap())
            }
        }
    }

    async fn emit(
        &mut self,
        row: &Row,
        column: &str,
        event: &str,
        thing: &Thing,
    ) -> (String, Option<Answer>) {
        let who = self.cast.person(column);
        let payload = ask::payload_of(event, &self.cast, who, &row.thing, thing);
        if UNCONNECTED.contains(&column) {
            let code = ask::emit_unconnected(&self.cast, who, event, &payload).await;
            return (self.table.word_of(&code), None);
        }
        let Sockets { inside, outside } = self.sockets.get_mut(column).unwrap();
        let live = match row.thing.as_str() {
            "own" | "closed" if MEMBERS.contains(&column) && event != "refresh_auth" => {
                inside.join(&thing.chat).await;
                inside
            }
            _ => outside,
        };
        let answer = ask::emit(live, event, &payload).await;
        if (event, column) == ("join_chat", "lsm") || MEMBERS.contains(&column) {
            // The next row's socket is outside again.
            live.request("leave_chat", serde_json::json!({ "chatId": thing.chat })).await;
        }
        (word_of_ack(&self.table, &answer), Some(answer))
    }
}

#[tokio::test]
async fn every_cell_is_as_the_table_says() {
    let mut run = Run::new().await;
    run.cast.disable().await;
    let mut watchers = Vec::new();
    for (watcher, column, thing) in [
        ("customer", "customer", "own"),
        ("provider", "invited", "own"),
        ("foreign customer", "customer", "foreign"),
        ("foreign provider", "customer", "foreign"),
    ] {
        let chat = run.cast.thing("", column, thing, false).await.chat;
        watchers.push((run.cast.person(watcher).connect().await, chat));
    }
    for (live, chat) in &mut watchers {
        live.join(chat).await;
    }
    for (live, chat) in &mut watchers {
        // What came of the others' joining has come before the answer to this.
        live.join(chat).await;
        live.take_all("user_joined");
    }

    let before = run.cast.digest().await;
    run.ask(true).await;
    assert_eq!(run.cast.digest().await, before, "a refusal has changed something");
    for (live, chat) in &mut watchers {
        live.join(chat).await;
        live.take_all("positions");
        assert!(live.came_nothing(), "a refusal was heard of: {:?}", live.next().await);
    }
    for (column, Sockets { inside, outside }) in &mut run.sockets {
        let heard = inside.take_all("new_message").len() + outside.take_all("new_message").len();
        assert_eq!(heard, 0, "{column} heard what was not said");
    }
    drop(watchers);
    run.ask(false).await;

    assert!(run.wrong.is_empty(), "{} cells:\n{}", run.wrong.len(), run.wrong.join("\n"));
    assert_eq!(run.asked, run.table.len(), "every cell was asked");
    for (operation, answers) in &run.denials {
        assert_eq!(answers.len(), 1, "{operation} tells denials apart: {answers:#?}");
    }
    run.cast.end().await;
}
