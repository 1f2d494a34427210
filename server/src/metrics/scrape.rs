//! The listener of `--metrics-addr`: metrics and health, for machines of the operator alone.
//!
//! On an address of its own, so that it is never public by mistake and still answers when the
//! public listener is full.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tower::ServiceExt;
use trialogue_protocol::ErrorCode;

use super::{Gauges, Metrics, process};
use crate::accept::Door;
use crate::error::Error;
use crate::limits::Limits;
use crate::state::AppState;

/// Where Prometheus asks.
const METRICS: &str = "/metrics";
/// What is answered to it.
const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Connections of monitors: a handful, and a bound for who is none.
const CONNECTIONS_MAX: usize = 64;

/// What is asked for when somebody reads.
pub(super) struct Asked {
    pub(super) rooms: Gauge,
    sockets: Gauge,
    people: Gauge,
    queues: Gauges,
    database: Gauges,
    resident: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
}

impl Asked {
    pub(super) fn register(r: &mut Registry) -> Self {
        let asked = Self {
            rooms: Gauge::default(),
            sockets: Gauge::default(),
            people: Gauge::default(),
            queues: Family::default(),
            database: Family::default(),
            resident: Gauge::default(),
            open_files: Gauge::default(),
            open_files_max: Gauge::default(),
        };
        r.register(
            "rooms",
            "Chats with somebody in them, as the last sweep saw it",
            asked.rooms.clone(),
        );
        r.register("sockets", "Live sockets of people", asked.sockets.clone());
        r.register("people", "People with a live socket", asked.people.clone());
        r.register("queue_depth", "What waits, by queue", asked.queues.clone());
        let connections = asked.database.clone();
        r.register("database_connections", "Connections to PostgreSQL, by state", connections);
        r.register("resident_memory_bytes", "Memory of this process", asked.resident.clone());
        r.register(
            "open_files",
            "Open files and sockets of this process",
            asked.open_files.clone(),
        );
        r.register("open_files_max", "Most that it may have", asked.open_files_max.clone());
        asked
    }

    fn look(&self, state: &AppState, usage: process::Usage) {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (people, sockets) = state.presence.count();
        self.people.set(whole(people));
        self.sockets.set(whole(sockets));
        let load = state.store.load();
        for (queue, depth) in [
            ("store", load.messages_waiting),
            ("statements", load.statements_waiting),
            ("publish", state.publisher.depth()),
            ("passwords", state.auth.passwords.waiting()),
        ] {
            self.queues.get_or_create(&[("queue", queue)]).set(whole(depth));
        }
        for (kind, count) in [
            ("busy", load.connections_busy),
            ("idle", load.connections_idle),
            ("max", load.connections_max),
        ] {
            self.database.get_or_create(&[("state", kind)]).set(whole(count));
        }
        self.resident.set(usage.resident_bytes);
        self.open_files.set(usage.open_files);
        self.open_files_max.set(usage.open_files_max);
    }
}

impl Metrics {
    /// Everything, in the text format.
    fn text(&self, state: &AppState, usage: process::Usage) -> Result<String, std::fmt::Error> {
        self.gauges.look(state, usage);
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The bounds of the metrics listener.
pub(crate) fn limits_of_listener() -> Limits {
    Limits {
        connections_max: CONNECTIONS_MAX,
        connections_per_address_max: CONNECTIONS_MAX,
        ..Limits::standard()
    }
}

/// What answers there.
pub(crate) struct MetricsDoor {
    pub(crate) state: AppState,
    /// Health, which this door has too.
    pub(crate) router: Router,
}

impl Door for MetricsDoor {
    type Body = Body;

    async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        let path = request.uri().path();
        if path.starts_with("/health/") {
            let answer = self.router.clone().oneshot(request.map(Body::new)).await;
            return answer.unwrap_or_else(|never| match never {});
        }
        if path != METRICS {
            return Error::new(ErrorCode::NotFound, "no such route").into_response();
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let message = "the route has no such method";
            return Error::new(ErrorCode::MethodNotAllowed, message).into_response();
        }
        let usage = tokio::task::spawn_blocking(process::usage).await.unwrap_or_default();
        match self.state.metrics.text(&self.state, usage) {
            Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
            Err(_) => Error::new(ErrorCode::Internal, "internal error").into_response(),
        }
    }
}
