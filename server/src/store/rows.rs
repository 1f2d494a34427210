//! Reading columns as the words of the protocol.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{Notification, Timestamp};

/// A word of a closed list, such as a role.
pub(super) fn word<T>(row: &PgRow, column: &str) -> sqlx::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(Box::new(error)))
}

/// A time, in the wire's precision.
pub(super) fn moment(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    row.try_get::<DateTime<Utc>, _>(column).map(Timestamp::from)
}

/// A time that may be missing.
pub(super) fn moment_if_any(row: &PgRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<DateTime<Utc>>, _>(column)?.map(Timestamp::from))
}

/// The notifications that a function stored, as it returns them.
pub(super) fn notices(row: &PgRow) -> sqlx::Result<Vec<Notification>> {
    let sqlx::types::Json(notices) = row.try_get("notices")?;
    Ok(notices)
}
