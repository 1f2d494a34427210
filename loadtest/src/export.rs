//! A run while it goes on, for Prometheus: `GET /metrics` on an address of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::recorder::Metric;
use crate::run::Second;
use crate::verdict::Fault;

/// Where Prometheus asks.
const PATH: &str = "/metrics";
const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Connections at once: a monitor or two, and a bound for who is none.
const CONNECTIONS_MAX: usize = 16;
/// A question that does not come is not waited for.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

type Number = Gauge<f64, AtomicU64>;
type Labels = Vec<(&'static str, String)>;

/// What is told.
struct Told {
    registry: Registry,
    numbers: Family<Labels, Number>,
    counts: Family<Labels, Number>,
    wrong: Family<Labels, Number>,
    latency: Family<Labels, Number>,
}

/// A listener for as long as it lives.
pub struct Exporter {
    told: Arc<Told>,
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Exporter {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or not ours.
    pub async fn listen(at: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let told = Arc::new(Told::new());
        let serving = tokio::spawn(serve(listener, told.clone()));
        Ok(Self { told, address, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The run has come so far.
    pub fn tell(&self, second: &Second) {
        let Second { elapsed, length, counts, window } = second;
        let label = |name, value: &str| vec![(name, value.to_owned())];
        let set = |family: &Family<Labels, Number>, labels: Labels, value: f64| {
            family.get_or_create(&labels).set(value);
        };
        let whole = [
            ("sent", counts.sent),
            ("stored", counts.acked),
            ("refused", counts.refused),
            ("rate_limited", counts.limited),
            ("delivered", counts.delivered),
            ("owed", counts.owed),
            ("reached", counts.reached),
        ];
        for (name, count) in whole {
            set(&self.told.counts, label("what", name), count as f64);
        }
        for fault in Fault::ALL {
            set(&self.told.wrong, label("fault", fault.name()), counts.of(fault) as f64);
        }
        let numbers = [
            ("elapsed_seconds", elapsed.as_secs_f64()),
            ("length_seconds", length.as_secs_f64()),
            ("worker_core_ratio", window.cpu),
        ];
        for (name, value) in numbers {
            set(&self.told.numbers, label("what", name), value);
        }
        for metric in Metric::ALL {
            let figures = window.figures(metric);
            let of = figures.unwrap_or_default();
            let quantiles = [
                ("0.5", of.p50),
                ("0.9", of.p90),
                ("0.99", of.p99),
                ("0.999", of.p999),
                ("1", of.max),
            ];
            for (quantile, micros) in quantiles {
                let mut labels = label("metric", metric.name());
                labels.extend(label("quantile", quantile));
                match figures {
                    Some(_) => set(&self.told.latency, labels, micros as f64 / 1e6),
                    // A second in which nothing came has no latency, and not that of the last one.
                    None => _ = self.told.latency.remove(&labels),
                }
            }
        }
    }
}

impl Told {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("trialogue_load");
        let family = Family::<Labels, Number>::default;
        let (numbers, counts, wrong, latency) = (family(), family(), family(), family());
        registry.register("run", "how far the run is, and how busy its rig", numbers.clone());
        registry.register("messages", "messages and deliveries since the begin", counts.clone());
        registry.register("wrong", "deliveries that were wrong since the begin", wrong.clone());
        let help = "times of the last second, in seconds";
        registry.register("latency_seconds", help, latency.clone());
        Self { registry, numbers, counts, wrong, latency }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<String> {
        let status = |status: StatusCode| {
            let mut response = Response::new(String::new());
            *response.status_mut() = status;
            response
        };
        if request.uri().path() != PATH {
            return status(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            return status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let mut response = Response::new(text);
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
        response
    }
}

async fn serve(listener: TcpListener, told: Arc<Told>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Who finds no place waits in the system's queue.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let told = told.clone();
                tokio::spawn(async move {
                    connection(stream, told).await;
                    drop(place);
                });
            }
            // Out of file handles, for a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(stream: TcpStream, told: Arc<Told>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = told.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).keep_alive(false);
    // Whoever hangs up needs no answer.
    let _gone = server.serve_connection(TokioIo::new(stream), service).await;
}
