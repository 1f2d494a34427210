//! `/health`: alive, and ready.

use axum::extract::State;
use trialogue_protocol::{ErrorCode, Health, route};

use super::extract::Json;
use super::route::{Route, get};
use crate::error::Error;
use crate::state::AppState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(route::LIVE, live, "Whether the process runs").open().answers::<Health>(200, "it does"),
        get(route::READY, ready, "Whether it can work: database, migrations")
            .open()
            .answers::<Health>(200, "it can"),
    ]
}

/// The process answers.
async fn live() -> Json<Health> {
    Json(Health { status: "live".to_owned() })
}

/// The database answers, its migrations are in, and the server does not stop.
async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Error> {
    if state.draining.is_cancelled() {
        return Err(Error::new(ErrorCode::Draining, "the server is stopping"));
    }
    state.store.ready().await?;
    Ok(Json(Health { status: "ready".to_owned() }))
}
