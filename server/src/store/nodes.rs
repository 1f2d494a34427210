//! The other servers on this database: leases, who is with whom, hints (RELIABILITY §2.14).
//!
//! Every statement here may be asked twice with the effect of once, so all of them are run like
//! reads: again on a new connection when the one at hand turns out to be dead.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use trialogue_protocol::{ChatId, Role, UserId};
use uuid::Uuid;

use super::rows::word;
use super::{Store, StoreError};

/// Where hints are told.
pub(super) const CHANNEL: &str = "trialogue";

/// Stands for "has a socket at all" where a chat is named otherwise.
const NO_CHAT: Uuid = Uuid::nil();

/// What a heartbeat has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The own lease was alive, and is longer now.
    pub own: bool,
    /// Everybody else who has a row.
    pub others: Vec<OtherNode>,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNode {
    /// Who.
    pub id: Uuid,
    /// The newest version of what it has said.
    pub version: i64,
    /// When it was alive for certain.
    pub beat_at: DateTime<Utc>,
    /// Its lease has not ended.
    pub is_alive: bool,
}

/// Somebody who came or went at a node: in a chat's room, or with a socket at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Who.
    pub user_id: UserId,
    /// In the room of this chat; at all when absent.
    pub chat_id: Option<ChatId>,
}

/// What a node has said since it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which node.
    pub node: Uuid,
    /// As far as this.
    pub version: i64,
    /// This is all that counts; what was known before is to be forgotten.
    pub is_whole: bool,
    /// Who came and who went.
    pub people: Vec<SaidPlace>,
}

/// One row of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidPlace {
    /// Who and where.
    pub place: Place,
    /// Came, or went.
    pub here: bool,
    /// For who came into a room: as what, and under which name.
    pub person: Option<(Role, String)>,
}

const BEAT: &str = "
    with own as (
        update nodes set beat_at = clock_timestamp(), lease_until = clock_timestamp() + $2
        where id = $1 and lease_until > clock_timestamp()
        returning id)
    select n.id, n.version, n.beat_at, n.lease_until > clock_timestamp() as is_alive,
           exists (select from own) as own
    from nodes n";

/// $1 ids, $2 how far each was read. Of a node that has not said everybody since it began nothing
/// is read: it would look as if those that are still to be said were gone. What somebody is called
/// is read here, once, and not with every frame that names the person.
const SAID: &str = "
    select n.id, n.version, k.version < n.whole_from as is_whole,
           p.user_id, p.chat_id, p.here, m.role, u.name
    from unnest($1::uuid[], $2::bigint[]) as k (id, version)
    join nodes n on n.id = k.id and n.version > k.version and n.said_all
    left join node_people p on p.node_id = n.id
        and p.version > case when k.version < n.whole_from then -1 else k.version end
    left join chat_members m on m.chat_id = p.chat_id and m.user_id = p.user_id and p.here
    left join users u on u.id = m.user_id";

/// Only what is dead by the database's clock: a node that has come back meanwhile stays.
const BURY: &str = "
    with dead as (
        delete from nodes where id = any($1) and lease_until <= clock_timestamp() returning id)
    delete from node_people p using dead d where p.node_id = d.id";

const LEAVE: &str = "
    with gone as (delete from nodes where id = $1 returning id)
    delete from node_people p using gone g where p.node_id = g.id";

impl Store {
    /// A sign of life; answers who else gives one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn beat(&self, node: Uuid, lease: Duration) -> Result<Beat, StoreError> {
        self.aside
            .read(move |connection| {
                Box::pin(async move {
                    let rows =
                        sqlx::query(BEAT).bind(node).bind(lease).fetch_all(connection).await?;
                    let mut beat = Beat { own: false, others: Vec::new() };
                    for row in &rows {
                        beat.own = row.try_get("own")?;
                        let id: Uuid = row.try_get("id")?;
                        if id != node {
                            beat.others.push(other_of(id, row)?);
                        }
                    }
                    Ok(beat)
                })
            })
            .await
    }

    /// Begins a lease with nobody there; what this node said under it before is forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn enter_node(
        &self,
        node: Uuid,
        version: i64,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let sql = "select enter_node($1, $2, $3)";
        self.tell_aside(move || sqlx::query(sql).bind(node).bind(version).bind(lease)).await
    }

    /// Says who came and who went, as one version. `is_all`: with that everybody was said who is
    /// there; before it nobody reads what this node says under its lease. False when the lease is
    /// over, and then nothing was said.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn store_people(
        &self,
        node: Uuid,
        version: i64,
        is_all: bool,
        people: &[(Place, bool)],
    ) -> Result<bool, StoreError> {
        let users: Vec<i64> = people.iter().map(|(place, _)| place.user_id.0).collect();
        let chat = |place: &Place| place.chat_id.map_or(NO_CHAT, |chat| chat.0);
        let chats: Vec<Uuid> = people.iter().map(|(place, _)| chat(place)).collect();
        let here: Vec<bool> = people.iter().map(|(_, here)| *here).collect();
        self.aside
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_scalar("select store_people($1, $2, $3, $4, $5, $6)")
                        .bind(node)
                        .bind(version)
                        .bind(is_all)
                        .bind(users)
                        .bind(chats)
                        .bind(here)
                        .fetch_one(connection)
                        .await
                })
            })
            .await
    }

    /// Forgets who had gone up to a version: whoever has not read that far must read all.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget_people(&self, node: Uuid, through: i64) -> Result<(), StoreError> {
        let sql = "select forget_people($1, $2)";
        self.tell_aside(move || sqlx::query(sql).bind(node).bind(through)).await
    }

    /// What these nodes have said after the versions that were read before (-1: nothing was).
    /// Those with nothing new are left out, and those that have not said everybody yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn said(&self, known: &[(Uuid, i64)]) -> Result<Vec<Said>, StoreError> {
        let (ids, versions): (Vec<Uuid>, Vec<i64>) = known.iter().copied().unzip();
        self.aside
            .read(move |connection| {
                Box::pin(async move {
                    let rows =
                        sqlx::query(SAID).bind(ids).bind(versions).fetch_all(connection).await?;
                    said_of(&rows)
                })
            })
            .await
    }

    /// Removes nodes whose lease has ended, and everybody with them.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn bury_nodes(&self, nodes: &[Uuid]) -> Result<(), StoreError> {
        let nodes = nodes.to_vec();
        self.tell_aside(move || sqlx::query(BURY).bind(nodes)).await
    }

    /// Ends the own lease.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then the lease ends by itself.
    pub async fn leave_node(&self, node: Uuid) -> Result<(), StoreError> {
        self.tell_aside(move || sqlx::query(LEAVE).bind(node)).await
    }

    /// How much of the queue behind hints is in use, 0 to 1. It belongs to the whole cluster, and a
    /// listener of anybody's that does not read fills it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn hint_queue_usage(&self) -> Result<f64, StoreError> {
        self.aside
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_scalar("select pg_notification_queue_usage()")
                        .fetch_one(connection)
                        .await
                })
            })
            .await
    }

    /// Tells every listener on this database; one transaction for all. Whoever does not listen, or
    /// hears nothing because the queue is full, misses nothing that the sweep does not bring.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nobody was told.
    pub async fn tell_nodes(&self, hints: Vec<String>) -> Result<(), StoreError> {
        let sql = "select pg_notify($1, t.hint) from unnest($2::text[]) as t (hint)";
        self.tell_aside(move || sqlx::query(sql).bind(CHANNEL).bind(hints)).await
    }

    /// Runs a statement of which nothing is read.
    async fn tell_aside<F>(&self, statement: F) -> Result<(), StoreError>
    where
        F: FnOnce() -> Query<'static, Postgres, PgArguments> + Clone + Send + 'static,
    {
        self.aside
            .read(move |connection| {
                Box::pin(async move { statement().execute(connection).await.map(drop) })
            })
            .await
    }
}

fn other_of(id: Uuid, row: &PgRow) -> sqlx::Result<OtherNode> {
    Ok(OtherNode {
        id,
        version: row.try_get("version")?,
        beat_at: row.try_get("beat_at")?,
        is_alive: row.try_get("is_alive")?,
    })
}

fn said_of(rows: &[PgRow]) -> sqlx::Result<Vec<Said>> {
    let mut said: HashMap<Uuid, Said> = HashMap::new();
    for row in rows {
        let node: Uuid = row.try_get("id")?;
        if let Entry::Vacant(new) = said.entry(node) {
            let (version, is_whole) = (row.try_get("version")?, row.try_get("is_whole")?);
            new.insert(Said { node, version, is_whole, people: Vec::new() });
        }
        let (Some(said), Some(user)) = (said.get_mut(&node), row.try_get("user_id")?) else {
            continue;
        };
        let chat: Uuid = row.try_get("chat_id")?;
        let name: Option<String> = row.try_get("name")?;
        let person = name.map(|name| Ok::<_, sqlx::Error>((word(row, "role")?, name)));
        said.people.push(SaidPlace {
            place: Place {
                user_id: UserId(user),
                chat_id: (chat != NO_CHAT).then_some(ChatId(chat)),
            },
            here: row.try_get("here")?,
            person: person.transpose()?,
        });
    }
    Ok(said.into_values().collect())
}
