//! `/notifications`.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use trialogue_protocol::{NotificationId, NotificationList, route};

use super::extract::{Json, Path, Query};
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::notify::{self, NotificationQuery};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route(route::NOTIFICATIONS, get(list))
        .route("/notifications/{id}/read", post(read))
        .route(route::READ_ALL, post(read_all))
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

/// How many are left.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unread {
    unread_count: i64,
}

async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<NotificationId>,
) -> Result<Json<Unread>, Error> {
    let unread_count = notify::read(&state.store, caller.person.id, id).await?;
    Ok(Json(Unread { unread_count }))
}

async fn read_all(State(state): State<AppState>, caller: Caller) -> Result<Json<Unread>, Error> {
    let unread_count = notify::read_all(&state.store, caller.person.id).await?;
    Ok(Json(Unread { unread_count }))
}
