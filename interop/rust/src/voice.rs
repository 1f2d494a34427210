//! What every act needs of rust_socketio: a client that remembers every event it got.

use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::Value;

/// Why an act failed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long any one answer may take: a loaded machine, never a hanging one.
pub(crate) const WAIT: Duration = Duration::from_secs(15);

/// What came: arguments, or the first attachment of an event that has one; the crate gives a
/// callback the one or the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Came {
    Values(Vec<Value>),
    Bytes(Vec<u8>),
}

impl Came {
    /// The first argument.
    pub(crate) fn value(&self) -> Result<&Value, Failure> {
        match self {
            Self::Values(values) => values.first().ok_or_else(|| "no argument".into()),
            Self::Bytes(_) => Err("bytes instead of an argument".into()),
        }
    }
}

impl From<Payload> for Came {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Binary(bytes) => Self::Bytes(bytes.to_vec()),
            Payload::Text(values) => Self::Values(values),
            #[allow(deprecated, reason = "the variant is there and must be matched")]
            Payload::String(text) => Self::Values(vec![text.into()]),
        }
    }
}

/// Events that have arrived and were not taken yet.
#[derive(Clone, Default)]
struct Seen {
    events: Arc<(Mutex<Vec<(String, Came)>>, Condvar)>,
}

impl Seen {
    fn keep(&self, event: &Event, payload: Payload) {
        let (events, arrived) = &*self.events;
        let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push((event.to_string(), payload.into()));
        arrived.notify_all();
    }

    fn next(
        &self,
        name: &str,
        test: impl Fn(&Came) -> bool,
        within: Duration,
    ) -> Result<Came, Failure> {
        let deadline = Instant::now() + within;
        let (events, arrived) = &*self.events;
        let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(at) = events.iter().position(|(what, came)| what == name && test(came)) {
                return Ok(events.remove(at).1);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "expected {name} within {within:?}, got {:.600}",
                    format!("{events:?}")
                )
                .into());
            }
            let waited = arrived.wait_timeout(events, left);
            events = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn count(&self, name: &str) -> usize {
        let events = self.events.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|(what, _)| what == name).count()
    }
}

/// A client in one namespace.
///
/// It is never disconnected: the crate's thread would spin on the closed connection for ever. The
/// process of the act ends instead.
pub(crate) struct Voice {
    client: Client,
    seen: Seen,
}

impl Voice {
    pub(crate) fn connect(
        url: &str,
        namespace: &str,
        auth: Value,
        transport: TransportType,
    ) -> Result<Self, Failure> {
        let seen = Seen::default();
        let hears = |event: Event| {
            let seen = seen.clone();
            move |payload, _| seen.keep(&event, payload)
        };
        let any = seen.clone();
        let client = ClientBuilder::new(url)
            .namespace(namespace)
            .auth(auth)
            .transport_type(transport)
            .reconnect(true)
            .reconnect_delay(200, 1_000)
            .on(Event::Connect, hears(Event::Connect))
            .on(Event::Close, hears(Event::Close))
            // An event named `error` comes here too, as does a refusal.
            .on(Event::Error, hears(Event::Error))
            .on_any(move |event, payload, _| any.keep(&event, payload))
            .connect()?;
        Ok(Self { client, seen })
    }

    pub(crate) fn emit(&self, name: &str, payload: impl Into<Payload>) -> Result<(), Failure> {
        Ok(self.client.emit(name, payload)?)
    }

    /// Emits an event and waits for its acknowledgement: the first value of it.
    pub(crate) fn ask(&self, name: &str, body: Value) -> Result<Value, Failure> {
        let (sender, receiver) = mpsc::channel();
        let answered = move |payload: Payload, _| drop(sender.send(Came::from(payload)));
        self.client.emit_with_ack(name, body, WAIT, answered)?;
        let came = receiver.recv_timeout(WAIT).map_err(|_| format!("no answer to {name}"))?;
        // The array of the acknowledgement comes as one value.
        let answer = came.value()?.get(0).ok_or("an empty acknowledgement")?;
        Ok(answer.clone())
    }

    /// Takes the first event of that name that satisfies `test` out of what has arrived.
    pub(crate) fn next(&self, name: &str, test: impl Fn(&Came) -> bool) -> Result<Came, Failure> {
        self.seen.next(name, test, WAIT)
    }

    pub(crate) fn next_within(&self, name: &str, within: Duration) -> Result<Came, Failure> {
        self.seen.next(name, |_| true, within)
    }

    /// How many events of that name have arrived and were not taken.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.seen.count(name)
    }
}

pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(
    came: &T,
    expected: &T,
    what: &str,
) -> Result<(), Failure> {
    if came == expected {
        return Ok(());
    }
    Err(format!("expected {what} {expected:?}, got {came:?}").into())
}
