//! An independent look into the database at the moment at which a client saw something (I8).

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

/// A database that is away answers nothing, and then nothing is known.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A connection of its own, made when it is needed.
#[derive(Debug)]
pub(super) struct Witness {
    url: String,
    connection: Option<PgConnection>,
}

impl Witness {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connection: None }
    }

    /// Whether the row of this message is there; `None` when nobody answers.
    pub(super) async fn sees(&mut self, message: &Value) -> Option<bool> {
        let chat: Uuid = message["chatId"].as_str()?.parse().ok()?;
        let id: Uuid = message["id"].as_str()?.parse().ok()?;
        let seq = message["seq"].as_i64()?;
        // Left out of the value while it is asked: one that fails half-way is not asked again.
        let connection = self.connection.take();
        let look = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => PgConnection::connect(&self.url).await?,
            };
            let sql = "select exists (
                select from messages where chat_id = $1 and seq = $2 and id = $3)";
            let query = sqlx::query_scalar::<_, bool>(sql).bind(chat).bind(seq).bind(id);
            let sees = query.fetch_one(&mut connection).await?;
            Ok::<_, sqlx::Error>((sees, connection))
        };
        let (sees, connection) = timeout(LOOK_WITHIN, look).await.ok()?.ok()?;
        self.connection = Some(connection);
        Some(sees)
    }
}
