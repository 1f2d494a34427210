//! `/disputes`.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use trialogue_protocol::{
    Dispute, DisputeId, DisputeJoined, DisputeList, DisputeOpened, DisputeQuery, OpenDispute,
    ResolveDispute, route,
};

use super::extract::{Created, Json, Paging, Path, Query};
use super::settle;
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::{browse, join_chat, open_dispute, resolve_dispute};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route(route::DISPUTES, get(list).post(open))
        .route("/disputes/{id}/join", post(join))
        .route("/disputes/{id}/resolve", post(resolve))
}

async fn open(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<OpenDispute>,
) -> Result<Created<DisputeOpened>, Error> {
    let store = state.store.clone();
    let opening = async move { open_dispute::open(&store, caller.person.id, body).await };
    settle(&state, opening).await.map(Created)
}

async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<DisputeQuery>,
    Query(paging): Query<Paging>,
) -> Result<Json<DisputeList>, Error> {
    let reader = caller.person.id;
    browse::disputes(&state.store, reader, query.status, &paging.into()).await.map(Json)
}

async fn join(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<DisputeId>,
) -> Result<Json<DisputeJoined>, Error> {
    let store = state.store.clone();
    let joining = async move { join_chat::join_dispute(&store, caller.person.id, id).await };
    settle(&state, joining).await.map(Json)
}

async fn resolve(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<DisputeId>,
    Json(body): Json<ResolveDispute>,
) -> Result<Json<Dispute>, Error> {
    let store = state.store.clone();
    let resolving =
        async move { resolve_dispute::resolve(&store, caller.person.id, id, &body).await };
    settle(&state, resolving).await?.map(Json)
}
