//! `/health`: alive, and ready.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use trialogue_protocol::{ErrorCode, route};

use super::extract::Json;
use crate::error::Error;
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route(route::LIVE, get(live)).route(route::READY, get(ready))
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// The process answers.
async fn live() -> Json<Status> {
    Json(Status { status: "live" })
}

/// The database answers, its migrations are in, and the server does not stop.
async fn ready(State(state): State<AppState>) -> Result<Json<Status>, Error> {
    if state.draining.is_cancelled() {
        return Err(Error::new(ErrorCode::Draining, "the server is stopping"));
    }
    state.store.ready().await?;
    Ok(Json(Status { status: "ready" }))
}
