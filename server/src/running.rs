//! A server that runs: built from its settings, served, drained.
//!
//! Everything that lives is started here and waited for here. The order of the end is that of
//! RELIABILITY §2.11: say not ready, accept nobody, tell the sockets, finish what was begun, put
//! it out, close transports, close the pool.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::ORIGIN;
use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use trialogue_protocol::{NAMESPACE, NAMESPACE_ALIAS, ServerDraining, event};
use trialogue_socketio::server::{Observer, ResponseBody, Server, ServerConfig};

use crate::accept::{self, Acceptor, Door, OriginRule};
use crate::auth::{Auth, AuthConfig, AuthError};
use crate::config::{Config, ConfigError};
use crate::flow::encoded::Encoded;
use crate::http as rest;
use crate::limits::{
    BODY_BYTES_MAX, CONNECT_TIMEOUT, DRAIN_TIMEOUT, INBOUND_EVENTS_MAX, Limits, STALL_TIMEOUT,
    UPGRADE_TIMEOUT,
};
use crate::metrics::{self, Metrics, MetricsDoor};
use crate::private::{self, PrivateDatabase};
use crate::publish::{Publisher, answer};
use crate::retention::Retention;
use crate::security::Security;
use crate::socket::{ChatService, Presence};
use crate::state::AppState;
use crate::store::{OpenError, Store, StoreConfig};
use crate::supervise::{self, Supervisor, Task};
use crate::throttle::Throttle;
use crate::{cors, secret, seed, store};

/// Where Socket.IO lives (CONTRACT §2).
const SOCKET_PATH: &str = "/socket.io/";
/// Clients come back spread over this time after a stop, not all at once.
const RECONNECT_SPREAD_MS: u64 = 3_000;
/// Part of [`DRAIN_TIMEOUT`] for requests under way; the rest is for closing.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two writings of when people were last seen, and two prunings of what is kept of them.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// Why a server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The listener has no address.
    #[error("the listener is not usable")]
    Listener(#[source] std::io::Error),
    /// The address for metrics cannot be listened on.
    #[error("cannot listen on the metrics address")]
    Metrics(#[source] std::io::Error),
    /// The private PostgreSQL could not be had.
    #[cfg(unix)]
    #[error(transparent)]
    Embedded(#[from] crate::embedded::EmbeddedError),
    /// No private PostgreSQL on this system.
    #[cfg(not(unix))]
    #[error("this system needs a PostgreSQL of yours: --database-url")]
    NoDatabase,
    /// Nobody could be known.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The demo users could not be stored.
    #[error("cannot make the demo users: {0}")]
    Seed(#[source] crate::error::Error),
}

/// A server whose database is ready, before its first request.
pub struct Running {
    listener: TcpListener,
    address: SocketAddr,
    /// Of the operator's machines.
    metrics: Option<TcpListener>,
    state: AppState,
    engine: Server,
    router: Router,
    /// Publisher tasks, which end after everything else.
    tasks: Supervisor,
    /// The private PostgreSQL, when this server owns one.
    database: PrivateDatabase,
}

impl Running {
    /// Checks the settings, opens the database, builds the rooms.
    ///
    /// # Errors
    ///
    /// [`RunError`]; no text of it carries a secret.
    pub async fn start(listener: TcpListener, config: Config) -> Result<Self, RunError> {
        let address = listener.local_addr().map_err(RunError::Listener)?;
        Self::check(&config, address)?;
        // Before a database is started: an address that is taken is known at once.
        let metrics_listener = config.metrics_addr.map(accept::listen).transpose();
        let metrics_listener = metrics_listener.map_err(RunError::Metrics)?;
        let secret = secret::jwt_secret(&config, address)?;
        let (url, database) = match &config.database_url {
            Some(url) => (url.reveal().to_owned(), PrivateDatabase::default()),
            None => private::start(&config).await?,
        };
        let opening = StoreConfig {
            url,
            connections: config.database_connections as usize,
            unsafe_durability: config.unsafe_durability,
        };
        let store = match config.no_migrate {
            false => Store::open(&opening).await?,
            true => Store::attach(&opening).await?,
        };
        let auth = Auth::new(&AuthConfig {
            secret: secret.reveal().as_bytes().to_vec(),
            access_ttl: config.access_ttl,
            open_registration: config.open_registration,
        })?;
        let (publisher, publishing) = Publisher::new(!config.no_notify);
        let presence = Presence::new(publisher.nodes().clone());
        let limits = Arc::new(config.limits());
        let metrics = Arc::new(Metrics::with(store.restarts().clone()));
        let state = AppState {
            security: Security::new(Arc::clone(&metrics)),
            throttle: Throttle::new(Arc::clone(&limits)),
            metrics,
            limits,
            config: Arc::new(config),
            store,
            encoded: Encoded::default(),
            auth,
            publisher,
            presence,
            busy: TaskTracker::new(),
            draining: CancellationToken::new(),
        };
        if state.config.seed_demo {
            seed::demo_users(&state).await.map_err(RunError::Seed)?;
        }
        let service = ChatService { state: state.clone() };
        let engine = Server::builder(engine_config(&state))
            .namespace(&[NAMESPACE, NAMESPACE_ALIAS], service)
            .build();
        let tasks = Supervisor::new(state.metrics.restarts.clone());
        if let Some(namespace) = engine.namespace(NAMESPACE) {
            let (store, presence) = (state.store.clone(), state.presence.clone());
            let watching = (Arc::clone(&state.metrics), state.security.clone());
            publishing.start(&state.publisher, store, namespace, presence, watching, &tasks);
        }
        tasks.keep(Tidy(state.clone()));
        tasks.keep(Retention(state.clone()));
        let router = rest::router(state.clone());
        let metrics = metrics_listener;
        Ok(Self { listener, address, metrics, state, engine, router, tasks, database })
    }

    /// Everything that [`Running::start`] refuses before it has touched anything: combinations of
    /// settings, the secret, the form of the database's address. Makes and changes nothing.
    ///
    /// # Errors
    ///
    /// [`RunError`]; no text of it carries a secret.
    pub fn check(config: &Config, listening: SocketAddr) -> Result<(), RunError> {
        config.check(listening)?;
        secret::check(config, listening)?;
        if let Some(url) = &config.database_url {
            store::check_url(url.reveal())?;
        }
        Ok(())
    }

    /// Where metrics can be read, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients of this machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        format!("http://{address}")
    }

    /// Serves until `shutdown` is cancelled, then drains within 10 s.
    pub async fn serve(self, shutdown: CancellationToken) {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let door = FrontDoor {
            engine: self.engine.clone(),
            router: self.router.clone(),
            origins: OriginRule::new(&self.state.config.allow_origin),
        };
        let acceptor = Acceptor {
            door: Arc::new(door),
            trusted: self.state.config.trusted_proxy.as_slice().into(),
            limits: Limits::clone(&self.state.limits),
            stop: stop.clone(),
            tracker: tracker.clone(),
            open: self.state.metrics.connections.clone(),
        };
        let restarts = &self.state.metrics.restarts;
        let accepting = Accepting { acceptor, listener: self.listener };
        let accepting = tracker.spawn(supervise::keep(accepting, restarts.clone()));
        if let Some(listener) = self.metrics {
            let acceptor = metrics_acceptor(&self.state, &tracker, &stop);
            tracker.spawn(supervise::keep(Accepting { acceptor, listener }, restarts.clone()));
        }
        shutdown.run_until_cancelled(private::keep(&self.database)).await;

        let deadline = Instant::now() + DRAIN_TIMEOUT;
        tracing::info!("draining");
        self.state.draining.cancel();
        self.state.publisher.fade();
        accepting.abort();
        farewell(&self.state);
        self.state.busy.close();
        let finish = Instant::now() + FINISH_TIMEOUT;
        if timeout_at(finish, self.state.busy.wait()).await.is_err() {
            tracing::warn!("requests were still under way; their senders will ask again");
        }
        let flushed = timeout_at(finish + Duration::from_secs(1), self.state.publisher.flush());
        if flushed.await.is_err() {
            tracing::warn!("broadcasts were still waiting; the next start will find them");
        }
        self.engine.close(deadline.saturating_duration_since(Instant::now()) / 2).await;
        stop.cancel();
        tracker.close();
        let ended = timeout_at(deadline, tracker.wait()).await;
        self.tasks.stop();
        let tidied = timeout_at(deadline, async {
            self.tasks.ended().await;
            write_last_seen(&self.state).await;
            self.state.publisher.leave_nodes(&self.state.store).await;
            self.state.store.close().await;
        });
        if ended.is_err() | tidied.await.is_err() {
            tracing::warn!("the time for a graceful stop is over");
        }
        private::stop(self.database).await;
        tracing::info!("stopped");
    }
}

/// The accept loop of the metrics listener: the same bounds on strangers, and no more.
fn metrics_acceptor(
    state: &AppState,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> Acceptor<MetricsDoor> {
    let router = rest::health_router(state.clone());
    Acceptor {
        door: Arc::new(MetricsDoor { state: state.clone(), router }),
        trusted: Arc::new([]),
        limits: metrics::limits_of_listener(),
        stop: stop.clone(),
        tracker: tracker.clone(),
        open: Gauge::default(),
    }
}

/// Tells every socket that the server stops and when to come back, each at another time.
fn farewell(state: &AppState) {
    for socket in state.presence.all_sockets() {
        let reconnect_in_ms = rand::random_range(0..RECONNECT_SPREAD_MS);
        answer::say(&socket, event::SERVER_DRAINING, &ServerDraining { reconnect_in_ms });
    }
}

/// Writes down who went, and forgets what need not be kept of them. For ever.
struct Tidy(AppState);

impl Task for Tidy {
    const NAME: &'static str = "tidy";

    async fn run(&mut self) {
        let Self(state) = self;
        let mut tick = tokio::time::interval(TIDY_INTERVAL);
        loop {
            tick.tick().await;
            write_last_seen(state).await;
            state.presence.prune(state.limits.messages, std::time::Instant::now());
        }
    }
}

/// An accept loop that goes on.
struct Accepting<D> {
    acceptor: Acceptor<D>,
    listener: TcpListener,
}

impl<D: Door> Task for Accepting<D> {
    const NAME: &'static str = "accept";

    async fn run(&mut self) {
        self.acceptor.run(&self.listener).await;
    }
}

async fn write_last_seen(state: &AppState) {
    let went = state.presence.take_went();
    if went.is_empty() {
        return;
    }
    if state.store.store_seen(&went).await.is_err() {
        // Losing one of these is harmless: the person is shown as seen a little earlier.
        tracing::debug!(people = went.len(), "when people were last seen was not written");
    }
}

fn engine_config(state: &AppState) -> ServerConfig {
    let (config, limits) = (&state.config, &state.limits);
    let origins = OriginRule::new(&config.allow_origin);
    ServerConfig {
        path: SOCKET_PATH.to_owned(),
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        connect_timeout: CONNECT_TIMEOUT,
        upgrade_timeout: UPGRADE_TIMEOUT,
        max_payload: BODY_BYTES_MAX,
        queue_frames_max: limits.queue_frames_max,
        queue_bytes_max: limits.queue_bytes_max,
        stall_timeout: STALL_TIMEOUT,
        inbound_events_max: INBOUND_EVENTS_MAX,
        sessions_max: limits.sessions_max,
        unclaimed_max: limits.unclaimed_max,
        unclaimed_per_address_max: limits.unclaimed_per_address_max,
        origin: Some(Arc::new(move |headers: &http::HeaderMap| origins.allows(headers))),
        observer: Some(Arc::clone(&state.metrics) as Arc<dyn Observer>),
        ..ServerConfig::default()
    }
}

/// One door for REST and Socket.IO.
struct FrontDoor {
    engine: Server,
    router: Router,
    origins: OriginRule,
}

impl Door for FrontDoor {
    type Body = Either<ResponseBody, Body>;

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Self::Body> {
        if request.uri().path().starts_with(SOCKET_PATH) {
            return self.engine.serve(request, peer).await.map(Either::Left);
        }
        let headers = request.headers();
        let allowed = headers.get(ORIGIN).filter(|_| self.origins.allows(headers)).cloned();
        let mut answer = match cors::answer_at_once(&self.origins, request.method(), headers) {
            Some(answer) => answer,
            None => {
                let answer = self.router.clone().oneshot(request.map(Body::new)).await;
                answer.unwrap_or_else(|never| match never {})
            }
        };
        cors::allow(allowed, &mut answer);
        answer.map(Either::Right)
    }
}
