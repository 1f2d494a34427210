//! REST: a router, extractors, a file per resource. Parses, calls a flow, publishes, answers.
//!
//! What may not happen here: SQL, a decision about access, a text of a cause in an answer. Every
//! answer that is not a success has the body of CONTRACT §1, unknown routes and methods included.

mod accounts;
mod chats;
mod disputes;
mod document;
mod extract;
mod health;
mod history;
mod jobs;
mod notifications;
mod route;

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use tracing::Instrument as _;
use trialogue_protocol::route::OPENAPI;
use trialogue_protocol::{ErrorCode, UserId};
use uuid::Uuid;

use route::Route;

use crate::accept::Peer;
use crate::error::Error;
use crate::flow::Outcome;
use crate::security::Whose;
use crate::state::AppState;

/// Names a request in our log and in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `next` of a list that goes by ids.
const ID_CURSOR: &str = "^[0-9]{1,18}$";

/// All routes of CONTRACT §1: what the router, the document and the tests are made from.
fn routes() -> Vec<Route> {
    [
        accounts::routes(),
        jobs::routes(),
        chats::routes(),
        disputes::routes(),
        notifications::routes(),
        health::routes(),
        vec![
            route::get(OPENAPI, openapi, "The description of all of this")
                .open()
                .answers_any("OpenAPI 3.1"),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Method and path of every route, with `{id}` where an id stands.
pub fn operations() -> Vec<(Method, &'static str)> {
    routes().into_iter().map(|route| (route.method, route.path)).collect()
}

/// The document, which never changes while the server runs.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&document::of(routes())).unwrap_or_default().into());

async fn openapi() -> Response {
    let json = [(CONTENT_TYPE, HeaderValue::from_static(extract::JSON))];
    (json, DOCUMENT.clone()).into_response()
}

/// The router of all of them.
pub fn router(state: AppState) -> Router {
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.serve));
    router
        .fallback(async || Error::new(ErrorCode::NotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            Error::new(ErrorCode::MethodNotAllowed, "the route has no such method")
        })
        .layer(middleware::from_fn_with_state(state.clone(), named))
        .with_state(state)
}

/// Runs a flow and publishes its events, whatever becomes of the caller: a request whose connection
/// ends is dropped where it waits, and what it has committed must be heard of all the same. A stop
/// waits for it.
///
/// # Errors
///
/// Those of the flow; `internal` when it panicked.
async fn settle<T: Send + 'static>(
    state: &AppState,
    flow: impl Future<Output = Result<Outcome<T>, Error>> + Send + 'static,
) -> Result<T, Error> {
    let publisher = state.publisher.clone();
    let settled = async move {
        let Outcome { reply, events } = flow.await?;
        publisher.publish(events).await;
        Ok(reply)
    };
    let task = state.busy.spawn(settled.in_current_span());
    task.await.unwrap_or_else(|_| Err(Error::new(ErrorCode::Internal, "internal error")))
}

/// Who is behind a request: written down by the one who finds out, read when it is answered.
#[derive(Clone, Default)]
struct Behind(Arc<OnceLock<UserId>>);

/// Gives the request an id, counts it, and logs its end: route, status, time. Never a query, a
/// header or a body: they may carry secrets and what people say to each other.
async fn named(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let (id, begin) = (Uuid::now_v7(), Instant::now());
    let address = request.extensions().get::<Peer>().map(|peer| peer.0);
    let behind = Behind::default();
    request.extensions_mut().insert(behind.clone());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", %id, %method, route);
    // Probes of an orchestrator share an address and must not be starved.
    let is_health = route.as_deref().is_some_and(|route| route.starts_with("/health/"));
    let allowed = match address {
        Some(address) if !is_health => state.throttle.address(address, begin),
        _ => Ok(()),
    };
    let mut response = match allowed {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(error) => error.into_response(),
    };
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status, took_us, "answered"));
    state.metrics.answered(took);
    if let Some(code) = response.extensions().get::<ErrorCode>() {
        state.metrics.refused(*code);
        // A wrong password has said so itself.
        if response.extensions().get::<Noted>().is_none() {
            state.security.refused(*code, Whose { user: behind.0.get().copied(), address });
        }
    }
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// On an answer whose refusal is in the security log already.
#[derive(Clone, Copy)]
struct Noted;

/// A router of health alone, for the metrics listener.
pub(crate) fn health_router(state: AppState) -> Router {
    let router = health::routes()
        .into_iter()
        .fold(Router::new(), |r, route| r.route(route.path, route.serve));
    router.fallback(async || Error::new(ErrorCode::NotFound, "no such route")).with_state(state)
}
