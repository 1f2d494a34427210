//! What the server counts, as Prometheus reads it: `GET /metrics` on an address of its own.
//!
//! Counting is an atomic addition and nothing else: no lock, no label looked up, no allocation.
//! What can be asked for when somebody reads (queues, connections, memory) is asked for then.

mod histogram;
mod process;
mod scrape;

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use trialogue_protocol::{ErrorCode, SendStatus};
use trialogue_socketio::DisconnectReason;
use trialogue_socketio::server::Observer;

pub(crate) use histogram::Durations;
pub(crate) use scrape::{MetricsDoor, limits_of_listener};

use crate::security::Happening;

/// One label; its values come from closed lists of ours.
type Label = [(&'static str, &'static str); 1];
type Counters = Family<Label, Counter>;
type Gauges = Family<Label, Gauge>;

/// From a lone message on a fast disk to a database that is nearly lost.
const STORE_BOUNDS: &[Duration] = &[
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// From a room of two to one of thousands.
const FANOUT_BOUNDS: &[Duration] = &[
    Duration::from_micros(2),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(100),
];

/// How often each task was started again after a panic. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Restarts(Counters);

impl Restarts {
    /// The counter of one task, which is shown from now on.
    pub(crate) fn of(&self, task: &'static str) -> Counter {
        self.0.get_or_create(&[("task", task)]).clone()
    }
}

/// Every counter of one server.
pub struct Metrics {
    registry: Registry,
    /// HTTP connections, those that a WebSocket has taken over no longer among them.
    pub(crate) connections: Gauge,
    sessions: Gauge,
    sessions_closed: [Counter; REASONS.len()],
    slow_cuts: Counter,
    sockets_connected: Counter,
    sockets_refused: Counter,
    /// Turned away at the handshake, by limit: rare, so the name is looked up.
    handshake_limits: Counters,
    stored: Counter,
    duplicates: Counter,
    acked: Counter,
    published: Counter,
    deliveries: Counter,
    resumed: Counter,
    sweeper_finds: Counter,
    gaps_filled: Counter,
    refused: Vec<Counter>,
    happenings: Vec<Counter>,
    pruned: Counters,
    pub(crate) restarts: Restarts,
    store: Durations,
    fanout: Durations,
    rest: Durations,
    gauges: scrape::Asked,
}

/// Every reason that a session may end for.
const REASONS: [DisconnectReason; 11] = [
    DisconnectReason::TransportClose,
    DisconnectReason::TransportError,
    DisconnectReason::PingTimeout,
    DisconnectReason::ClientDisconnect,
    DisconnectReason::ServerDisconnect,
    DisconnectReason::Closed,
    DisconnectReason::ServerShutdown,
    DisconnectReason::Slow,
    DisconnectReason::Protocol,
    DisconnectReason::ConnectTimeout,
    DisconnectReason::HandlerFailed,
];

/// Names, explains and keeps a metric.
macro_rules! register {
    ($registry:ident: $metric:expr, $name:literal, $help:literal) => {{
        let metric = $metric;
        $registry.register($name, $help, metric.clone());
        metric
    }};
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        Self::with(Restarts::default())
    }

    /// The same with a counter of restarts that somebody had need of before.
    pub(crate) fn with(restarts: Restarts) -> Self {
        let mut r = Registry::with_prefix("trialogue");
        let gauges = scrape::Asked::register(&mut r);
        let counter = Counter::default;
        let closed: Counters = register!(r: Family::default(), "sessions_closed",
            "Engine.IO sessions that ended, by reason");
        let refused: Counters = register!(r: Family::default(), "refused",
            "Requests of REST and sockets that were refused, by error code");
        let happenings: Counters = register!(r: Family::default(), "security_events",
            "What the security log is told, lines left out included");
        let of = |family: &Counters, label, word| family.get_or_create(&[(label, word)]).clone();
        Self {
            connections: register!(r: Gauge::default(), "http_connections",
                "Open HTTP connections, without those that became WebSockets"),
            sessions: register!(r: Gauge::default(), "sessions", "Engine.IO sessions"),
            sessions_closed: REASONS.map(|reason| of(&closed, "reason", reason.as_str())),
            slow_cuts: register!(r: counter(), "slow_cuts", "Sockets cut because they do not read"),
            sockets_connected: register!(r: counter(), "sockets_connected",
                "Sockets that were let in"),
            sockets_refused: register!(r: counter(), "sockets_refused",
                "Sockets that were refused a namespace"),
            handshake_limits: register!(r: Family::default(), "handshake_limits",
                "Handshakes turned away, by limit"),
            stored: register!(r: counter(), "messages_stored", "Messages stored"),
            duplicates: register!(r: counter(), "messages_duplicate",
                "Messages that were stored before under the same key"),
            acked: register!(r: counter(), "messages_acked",
                "Messages whose sender was told that they are stored"),
            published: register!(r: counter(), "messages_published",
                "Messages put out to a room on this node"),
            deliveries: register!(r: counter(), "deliveries",
                "Copies of messages handed to sockets"),
            resumed: register!(r: counter(), "messages_resumed",
                "Messages that a join with sinceSeq brought"),
            sweeper_finds: register!(r: counter(), "sweeper_finds",
                "Messages committed and not heard of until the sweep: by a fault, or without hints"),
            gaps_filled: register!(r: counter(), "gaps_filled",
                "Messages read from the database: another node has stored them, or no news came"),
            refused: ErrorCode::ALL.iter().map(|c| of(&refused, "code", c.as_str())).collect(),
            happenings: Happening::ALL.iter().map(|h| of(&happenings, "event", h.word())).collect(),
            pruned: register!(r: Family::default(), "rows_pruned",
                "Rows that retention has removed, by what they were"),
            store: register!(r: Durations::new(STORE_BOUNDS), "store_seconds",
                "From a message's arrival to the answer of the database about it"),
            fanout: register!(r: Durations::new(FANOUT_BOUNDS), "fanout_seconds",
                "Putting one message into the queues of all sockets of its room"),
            rest: register!(r: Durations::new(STORE_BOUNDS), "rest_seconds",
                "From a REST request to the head of its answer"),
            restarts: Restarts(register!(r: restarts.0, "tasks_restarted",
                "Tasks that have failed and were started again: each is a bug")),
            gauges,
            registry: r,
        }
    }

    /// A message's fate is known, so long after it came.
    pub(crate) fn settled(&self, status: Option<SendStatus>, took: Duration) {
        self.store.observe(took);
        match status {
            Some(SendStatus::Stored) => self.stored.inc(),
            Some(SendStatus::Duplicate) => self.duplicates.inc(),
            None => return,
        };
        self.acked.inc();
    }

    /// A message was handed to so many sockets.
    pub(crate) fn put_out(&self, sockets: usize, took: Duration) {
        self.published.inc();
        self.deliveries.inc_by(sockets as u64);
        self.fanout.observe(took);
    }

    /// A join brought so many missed messages.
    pub(crate) fn resumed(&self, messages: usize) {
        self.resumed.inc_by(messages as u64);
    }

    /// The sweep has found so many messages that nobody had heard of.
    pub(crate) fn swept(&self, messages: i64) {
        self.sweeper_finds.inc_by(messages.unsigned_abs());
    }

    /// So many rows were read to fill a gap.
    pub(crate) fn filled(&self, rows: usize) {
        self.gaps_filled.inc_by(rows as u64);
    }

    /// How many rooms somebody is in: known once per sweep.
    pub(crate) fn rooms(&self, rooms: usize) {
        self.gauges.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
    }

    /// A request was refused.
    pub(crate) fn refused(&self, code: ErrorCode) {
        if let Some(at) = ErrorCode::ALL.iter().position(|known| *known == code) {
            self.refused[at].inc();
        }
    }

    /// Something for the security log has happened.
    pub(crate) fn happened(&self, happening: Happening) {
        self.happenings[happening as usize].inc();
    }

    /// A REST request was answered.
    pub(crate) fn answered(&self, took: Duration) {
        self.rest.observe(took);
    }

    /// Retention has removed rows.
    pub(crate) fn pruned(&self, what: &'static str, rows: u64) {
        self.pruned.get_or_create(&[("what", what)]).inc_by(rows);
    }
}

impl Observer for Metrics {
    fn session_opened(&self) {
        self.sessions.inc();
    }

    fn session_closed(&self, reason: DisconnectReason) {
        self.sessions.dec();
        if reason == DisconnectReason::Slow {
            self.slow_cuts.inc();
        }
        if let Some(at) = REASONS.iter().position(|known| *known == reason) {
            self.sessions_closed[at].inc();
        }
    }

    fn socket_connected(&self) {
        self.sockets_connected.inc();
    }

    fn socket_refused(&self) {
        self.sockets_refused.inc();
    }

    fn limit_hit(&self, limit: &'static str) {
        self.handshake_limits.get_or_create(&[("limit", limit)]).inc();
    }
}
