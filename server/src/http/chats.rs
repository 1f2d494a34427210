//! `/chat`.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use trialogue_protocol::{Chat, ChatId, ChatList, PageQuery, route};

use super::extract::{Json, Paging, Path, Query};
use super::history;
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::{browse, load_history};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route(route::CHATS, get(list))
        .route("/chat/{id}", get(one))
        .route("/chat/{id}/messages", get(messages))
}

async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<ChatList>, Error> {
    let mut list = browse::chats(&state.store, caller.person.id, &paging.into()).await?;
    list.chats = list.chats.into_iter().map(|chat| with_presence(&state, chat)).collect();
    Ok(Json(list))
}

async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<ChatId>,
) -> Result<Json<Chat>, Error> {
    let chat = browse::chat(&state.store, caller.person.id, id).await?;
    Ok(Json(with_presence(&state, chat)))
}

async fn messages(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<ChatId>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let history =
        load_history::open(&state.store, &state.encoded, caller.person.id, id, &query).await?;
    history::answer(history).await
}

/// What the database knows of the members, and who of them is online.
pub(super) fn with_presence(state: &AppState, mut chat: Chat) -> Chat {
    for member in &mut chat.members {
        let (status, last_seen) = state.presence.of(member.user_id);
        member.status = Some(status);
        member.last_seen = match status {
            trialogue_protocol::PresenceStatus::Online => None,
            trialogue_protocol::PresenceStatus::Offline => last_seen.or(member.last_seen),
        };
    }
    chat
}
