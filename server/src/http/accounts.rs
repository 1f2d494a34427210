//! `/auth` and `/providers`.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use trialogue_protocol::openapi::NameGiven as SearchText;
use trialogue_protocol::{
    ChangePassword, ErrorCode, Login, Me, ProviderList, Refresh, Register, Session, TokenPair,
    UserId, route,
};

use super::extract::{Address, Created, Json, Paging, Query};
use super::route::{Route, get, post};
use super::{ID_CURSOR, Noted, settle};
use crate::error::Error;
use crate::flow::browse;
use crate::flow::log_in::{self, Caller};
use crate::publish::Broadcast;
use crate::security::{Happening, Whose};
use crate::state::AppState;
use crate::throttle::Attempt;

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
    Address(address): Address,
    Json(body): Json<Register>,
) -> Result<Created<Session>, Error> {
    login_from(&state, address)?;
    let session = log_in::register(&state.store, &state.auth, body).await?;
    note(&state, Happening::LoggedIn, Some(session.user.id), address);
    Ok(Created(session))
}

async fn login(
    State(state): State<AppState>,
    Address(address): Address,
    Json(body): Json<Login>,
) -> Result<Json<Session>, Response> {
    let refused = |error: Error| error.into_response();
    login_from(&state, address).map_err(refused)?;
    let attempt = state.throttle.attempt(&body.email, Instant::now()).map_err(refused)?;
    let session = judged(attempt, log_in::log_in(&state.store, &state.auth, body).await);
    match &session {
        Ok(session) => note(&state, Happening::LoggedIn, Some(session.user.id), address),
        Err(error) => return Err(wrong_password(&state, error.clone(), None, address)),
    }
    session.map(Json).map_err(refused)
}

/// Takes a login out of the allowance of an address.
fn login_from(state: &AppState, address: Option<IpAddr>) -> Result<(), Error> {
    address.map_or(Ok(()), |address| state.throttle.login_from(address, Instant::now()))
}

/// Tells an attempt how it ended; one that could not be looked at says nothing of the password.
fn judged<T>(attempt: Attempt, done: Result<T, Error>) -> Result<T, Error> {
    match &done {
        Ok(_) => attempt.right(),
        // Dropped: it was wrong.
        Err(error) if error.code() == ErrorCode::Unauthenticated => {}
        Err(_) => attempt.unknown(),
    }
    done
}

/// The answer to a wrong password, which the security log hears of as such.
fn wrong_password(
    state: &AppState,
    error: Error,
    user: Option<UserId>,
    address: Option<IpAddr>,
) -> Response {
    let is_wrong = error.code() == ErrorCode::Unauthenticated;
    let mut response = error.into_response();
    if is_wrong {
        let whose = Whose { user, address };
        state.security.note(Happening::LoginFailed, whose, Some(ErrorCode::Unauthenticated));
        response.extensions_mut().insert(Noted);
    }
    response
}

fn note(state: &AppState, what: Happening, user: Option<UserId>, address: Option<IpAddr>) {
    state.security.note(what, Whose { user, address }, None);
}

async fn refresh(
    State(state): State<AppState>,
    Address(address): Address,
    Json(body): Json<Refresh>,
) -> Result<Json<TokenPair>, Error> {
    let (store, auth, security) = (state.store.clone(), state.auth.clone(), state.security.clone());
    let refreshing = async move {
        let outcome = log_in::refresh(&store, &auth, &body).await?;
        if let (Err(error), [Broadcast::SessionsEnded { user_id, .. }]) =
            (&outcome.reply, outcome.events.as_slice())
        {
            // A token that was used twice may be a stolen one.
            let whose = Whose { user: Some(*user_id), address };
            security.note(Happening::Revoked, whose, Some(error.code()));
        }
        Ok(outcome)
    };
    settle(&state, refreshing).await?.map(Json)
}

async fn logout(
    State(state): State<AppState>,
    Address(address): Address,
    caller: Caller,
) -> Result<StatusCode, Error> {
    let (store, user) = (state.store.clone(), caller.person.id);
    let leaving = async move { log_in::log_out(&store, &caller.claims).await };
    settle(&state, leaving).await?;
    note(&state, Happening::Revoked, Some(user), address);
    Ok(StatusCode::NO_CONTENT)
}

async fn password(
    State(state): State<AppState>,
    Address(address): Address,
    caller: Caller,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Response> {
    let ChangePassword { old_password, new_password } = body;
    let (store, auth, user) = (state.store.clone(), state.auth.clone(), caller.person.id);
    // Whoever has a token may guess here too; the allowance is one of its own, or a guesser at the
    // front door could keep the owner from changing the password.
    let account = format!("user {user}");
    let refused = |error: Error| error.into_response();
    let attempt = state.throttle.attempt(&account, Instant::now()).map_err(refused)?;
    let changing = async move {
        log_in::change_password(&store, &auth, &caller.claims, old_password, new_password).await
    };
    match judged(attempt, settle(&state, changing).await) {
        Ok(()) => {
            note(&state, Happening::Revoked, Some(user), address);
            Ok(StatusCode::NO_CONTENT)
        }
        Err(error) => Err(wrong_password(&state, error, Some(user), address)),
    }
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
