//! What ended lately: so that sockets on other nodes end too, within 2 s (RELIABILITY §2.12).

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{ChatId, UserId};
use uuid::Uuid;

use super::{Store, StoreError};

/// One ending, with an id by which a reader recognises what it has dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endings {
    /// Names the ending; says nothing about order.
    pub id: i64,
    /// Whose.
    pub user_id: UserId,
    /// What ended.
    pub what: Ending,
}

/// What ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person's membership in a chat.
    Membership(ChatId),
    /// One session.
    Session(Uuid),
    /// Every session of the person, but for one.
    Sessions {
        /// That one.
        except: Option<Uuid>,
    },
}

impl Store {
    /// What ended within the last `seconds`: by time and not by id, because ids do not rise in the
    /// order of commit (M9).
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn endings(&self, seconds: u32) -> Result<Vec<Endings>, StoreError> {
        let sql = "select id, user_id, session_id, except_session, chat_id from endings
                   where at > clock_timestamp() - make_interval(secs => $1)";
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(sql)
                    .bind(f64::from(seconds))
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(ending_of)
                    .collect()
            })
        })
        .await
    }
}

fn ending_of(row: &PgRow) -> sqlx::Result<Endings> {
    let chat: Option<Uuid> = row.try_get("chat_id")?;
    let session: Option<Uuid> = row.try_get("session_id")?;
    let what = match (chat, session) {
        (Some(chat), _) => Ending::Membership(ChatId(chat)),
        (None, Some(session)) => Ending::Session(session),
        (None, None) => Ending::Sessions { except: row.try_get("except_session")? },
    };
    Ok(Endings { id: row.try_get("id")?, user_id: UserId(row.try_get("user_id")?), what })
}
