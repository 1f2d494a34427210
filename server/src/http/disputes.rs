//! `/disputes`.

use axum::extract::State;
use trialogue_protocol::{
    Dispute, DisputeId, DisputeJoined, DisputeList, DisputeOpened, DisputeQuery, DisputeStatus,
    ErrorCode, OpenDispute, ResolveDispute, route,
};

use super::extract::{Created, Json, Paging, Path, Query};
use super::route::{Route, get, post};
use super::{ID_CURSOR, settle};
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::{browse, join_chat, open_dispute, resolve_dispute};
use crate::state::AppState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(route::DISPUTES, list, "Disputes of my chats and my invitations, newest first")
            .query_of::<DisputeStatus>("status", "only these")
            .list(ID_CURSOR)
            .answers::<DisputeList>(200, "a page"),
        post(route::DISPUTES, open, "Ask for help: the local service manager is invited")
            .takes::<OpenDispute>()
            .answers::<DisputeOpened>(201, "opened")
            .refuses(&[ErrorCode::Conflict, ErrorCode::ChatClosed]),
        post("/disputes/{id}/join", join, "Accept the invitation")
            .id::<DisputeId>()
            .answers::<DisputeJoined>(200, "in; also when it was so before")
            .refuses(&[ErrorCode::Conflict]),
        post("/disputes/{id}/resolve", resolve, "Settle the dispute and leave the chat")
            .id::<DisputeId>()
            .takes::<ResolveDispute>()
            .answers::<Dispute>(200, "resolved")
            .refuses(&[ErrorCode::Conflict]),
    ]
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
