//! `/chat`.

use axum::extract::State;
use axum::response::Response;
use trialogue_protocol::{
    Chat, ChatId, ChatList, HISTORY_PAGE_MAX, MessagePage, PageQuery, Seq, route,
};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::extract::{Json, Paging, Path, Query};
use super::history;
use super::route::{Route, get};
use crate::error::Error;
use crate::flow::log_in::Caller;
use crate::flow::{browse, load_history};
use crate::state::AppState;

/// `next` of the list of chats: when it was active, and which.
const CHAT_CURSOR: &str = "^[0-9]{1,17}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
/// Largest position that is asked for: leaves room for arithmetic, and no chat gets there.
const SEQ_MAX: Seq = i64::MAX / 2;

pub(super) fn routes() -> Vec<Route> {
    let seq =
        || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(SEQ_MAX));
    vec![
        get(route::CHATS, list, "My chats, most recently active first")
            .list(CHAT_CURSOR)
            .answers::<ChatList>(200, "a page"),
        get("/chat/{id}", one, "One of my chats").id::<ChatId>().answers::<Chat>(200, "it"),
        get("/chat/{id}/messages", messages, "What was said: all of it, or a page by key")
            .id::<ChatId>()
            .limit(HISTORY_PAGE_MAX)
            .query("afterSeq", seq(), "messages after this one")
            .query("beforeSeq", seq(), "messages before this one")
            .answers::<MessagePage>(200, "ascending; streamed when it is long"),
    ]
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
