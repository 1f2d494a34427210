//! `/notifications`.

use axum::extract::State;
use serde::Deserialize;
use trialogue_protocol::{LIST_LIMIT_MAX, NotificationId, NotificationList, UnreadCount, route};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::extract::{Json, Path, Query};
use super::route::{Route, get, post};
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::notify::{self, NotificationQuery};
use crate::state::AppState;

pub(super) fn routes() -> Vec<Route> {
    let unread = ObjectBuilder::new().schema_type(Type::Boolean);
    vec![
        get(route::NOTIFICATIONS, list, "What I was told, newest first")
            .query("unread", unread, "only those not read, or only those read")
            .limit(LIST_LIMIT_MAX)
            .query_of::<NotificationId>("before", "older than this one")
            .query_of::<NotificationId>("cursor", "the same, as lists call it")
            .answers::<NotificationList>(200, "a page"),
        post("/notifications/{id}/read", read, "Mark one as read")
            .id::<NotificationId>()
            .answers::<UnreadCount>(200, "how many are left"),
        post(route::READ_ALL, read_all, "Mark all as read")
            .answers::<UnreadCount>(200, "how many are left: those that came meanwhile"),
    ]
}

#[derive(Deserialize)]
struct Filter {
    unread: Option<bool>,
    limit: Option<i64>,
    before: Option<NotificationId>,
    /// The same as `before`: what every list takes.
    cursor: Option<NotificationId>,
}

async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<NotificationList>, Error> {
    let query = NotificationQuery {
        unread: filter.unread,
        limit: filter.limit,
        before: filter.before.or(filter.cursor),
    };
    notify::list(&state.store, caller.person.id, &query).await.map(Json)
}

async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<NotificationId>,
) -> Result<Json<UnreadCount>, Error> {
    let unread_count = notify::read(&state.store, caller.person.id, id).await?;
    Ok(Json(UnreadCount { unread_count }))
}

async fn read_all(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<UnreadCount>, Error> {
    let unread_count = notify::read_all(&state.store, caller.person.id).await?;
    Ok(Json(UnreadCount { unread_count }))
}
