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

use std::sync::LazyLock;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use tracing::Instrument as _;
use trialogue_protocol::ErrorCode;
use trialogue_protocol::route::OPENAPI;
use uuid::Uuid;

use route::Route;

use crate::error::Error;
use crate::flow::Outcome;
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

/// The router of [`routes`].
pub fn router(state: AppState) -> Router {
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.serve));
    router
        .fallback(async || Error::new(ErrorCode::NotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            Error::new(ErrorCode::MethodNotAllowed, "the route has no such method")
        })
        .layer(middleware::from_fn(named))
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

/// Gives the request an id and logs its end: route, status, time. Never a query, a header or a
/// body: they may carry secrets and what people say to each other.
async fn named(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", %id, %method, route);
    let begin = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let took_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status, took_us, "answered"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
