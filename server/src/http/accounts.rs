//! `/auth` and `/providers`.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use trialogue_protocol::openapi::NameGiven as SearchText;
use trialogue_protocol::{
    ChangePassword, ErrorCode, Login, Me, ProviderList, Refresh, Register, Session, TokenPair,
    route,
};

use super::extract::{Created, Json, Paging, Query};
use super::route::{Route, get, post};
use super::{ID_CURSOR, settle};
use crate::error::Error;
use crate::flow::browse;
use crate::flow::log_in::{self, Caller};
use crate::state::AppState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        post(route::REGISTER, register, "Make an account and open a session")
            .open()
            .takes::<Register>()
            .answers::<Session>(201, "signed in")
            .refuses(&[ErrorCode::Conflict]),
        post(route::LOGIN, login, "Open a session")
            .open()
            .takes::<Login>()
            .answers::<Session>(200, "signed in")
            .refuses(&[ErrorCode::Unauthenticated]),
        post(route::REFRESH, refresh, "Exchange a refresh token for the next pair")
            .open()
            .takes::<Refresh>()
            .answers::<TokenPair>(200, "the next pair; the old refresh token is used up")
            .refuses(&[ErrorCode::Unauthenticated]),
        post(route::LOGOUT, logout, "End this session and its live sockets")
            .answers_nothing("signed out"),
        post(route::PASSWORD, password, "Set a new password and end the other sessions")
            .takes::<ChangePassword>()
            .answers_nothing("changed"),
        get(route::ME, me, "Who I am").answers::<Me>(200, "the owner of the token"),
        get(route::PROVIDERS, providers, "Providers that can be booked, by id")
            .query_of::<SearchText>("q", "part of a name or a business")
            .query_of::<SearchText>("region", "where")
            .list(ID_CURSOR)
            .answers::<ProviderList>(200, "a page"),
    ]
}

async fn register(
    State(state): State<AppState>,
    Json(body): Json<Register>,
) -> Result<Created<Session>, Error> {
    log_in::register(&state.store, &state.auth, body).await.map(Created)
}

async fn login(
    State(state): State<AppState>,
    Json(body): Json<Login>,
) -> Result<Json<Session>, Error> {
    log_in::log_in(&state.store, &state.auth, body).await.map(Json)
}

async fn refresh(
    State(state): State<AppState>,
    Json(body): Json<Refresh>,
) -> Result<Json<TokenPair>, Error> {
    let (store, auth) = (state.store.clone(), state.auth.clone());
    let refreshing = async move { log_in::refresh(&store, &auth, &body).await };
    settle(&state, refreshing).await?.map(Json)
}

async fn logout(State(state): State<AppState>, caller: Caller) -> Result<StatusCode, Error> {
    let store = state.store.clone();
    let leaving = async move { log_in::log_out(&store, &caller.claims).await };
    settle(&state, leaving).await.map(|()| StatusCode::NO_CONTENT)
}

async fn password(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Error> {
    let ChangePassword { old_password, new_password } = body;
    let (store, auth) = (state.store.clone(), state.auth.clone());
    let changing = async move {
        log_in::change_password(&store, &auth, &caller.claims, old_password, new_password).await
    };
    settle(&state, changing).await.map(|()| StatusCode::NO_CONTENT)
}

async fn me(State(state): State<AppState>, caller: Caller) -> Result<Json<Me>, Error> {
    let user = log_in::me(&state.store, caller.person.id).await?;
    Ok(Json(Me { user }))
}

#[derive(Deserialize)]
struct Search {
    q: Option<String>,
    region: Option<String>,
}

async fn providers(
    State(state): State<AppState>,
    _: Caller,
    Query(search): Query<Search>,
    Query(paging): Query<Paging>,
) -> Result<Json<ProviderList>, Error> {
    let (q, region) = (search.q.as_deref(), search.region.as_deref());
    browse::providers(&state.store, q, region, &paging.into()).await.map(Json)
}
