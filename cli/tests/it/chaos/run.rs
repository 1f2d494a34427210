//! What all devices and voices of a run share: when to be silent, when it is over, and what they
//! were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a server that is well may take for some more messages, on a machine that is not.
const MORE_WITHIN: Duration = Duration::from_secs(120);

/// Longest pauses before a device or a voice tries again.
const PAUSE_MS_MAX: u64 = 150;
const PAUSE_MS_QUICK: u64 = 10;

/// Begins every body, and then the chat: found in anything else, it is a leak or a copy of it.
const CANARY: &str = "canary-of-";
/// Digits of a UUID with its dashes.
const ID_BYTES: usize = 36;

/// A body unlike all others, which says of which chat it is.
pub(super) fn body_of(chat: &str) -> String {
    format!("{CANARY}{chat} {}", Uuid::new_v4())
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Nobody begins another message.
    pub(super) silence: CancellationToken,
    /// Devices end.
    pub(super) over: CancellationToken,
    /// Acknowledgements by chat.
    oks: watch::Sender<BTreeMap<String, u64>>,
    told: watch::Sender<Told>,
    /// Messages on their way to the server or back.
    under_way: watch::Sender<usize>,
    is_quick: AtomicBool,
}

/// What the server said besides.
#[derive(Debug, Default, Clone)]
pub(super) struct Told {
    /// Refusals by event and code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Acknowledgements that said `duplicate`.
    pub(super) duplicates: u64,
    /// Farewells of a server that stops.
    pub(super) drains: u64,
}

/// `unavailable` and `draining` are promised to mean that nothing was stored; the third one that
/// nobody knows. Nothing else may be answered, whatever is broken (RELIABILITY §2.10).
const MEANS_NOTHING_STORED: [&str; 2] = ["unavailable", "draining"];
const MEANS_NOBODY_KNOWS: &str = "outcome_unknown";

impl Told {
    /// Messages that were refused with this code.
    pub(super) fn messages(&self, code: &str) -> u64 {
        self.refused.get(&format!("send_message {code}")).copied().unwrap_or(0)
    }
}

impl Run {
    /// Counts a refusal; whether it says that nothing was stored.
    pub(super) fn refused(&self, event: &str, ack: &Value) -> bool {
        let code = ack["error"]["code"].as_str().unwrap_or("none");
        let is_certain = MEANS_NOTHING_STORED.contains(&code);
        assert!(is_certain || code == MEANS_NOBODY_KNOWS, "{event} was answered with {ack}");
        let what = format!("{event} {code}");
        self.told.send_modify(|told| *told.refused.entry(what).or_default() += 1);
        is_certain
    }

    /// Counts an acknowledgement.
    pub(super) fn acknowledged(&self, chat: &str, duplicate: bool) {
        self.told.send_modify(|told| told.duplicates += u64::from(duplicate));
        self.oks.send_modify(|oks| *oks.entry(chat.to_owned()).or_default() += 1);
    }

    /// What the server said so far.
    pub(super) fn told(&self) -> Told {
        self.told.borrow().clone()
    }

    /// Waits until the server has said something.
    pub(super) async fn hears(&self, what: impl Fn(&Told) -> bool) {
        let mut told = self.told.subscribe();
        let has_heard = timeout(MORE_WITHIN, told.wait_for(what)).await.is_ok();
        assert!(has_heard, "not said within {MORE_WITHIN:?}: {:?}", self.told());
    }

    /// A message leaves.
    pub(super) fn sends(&self) {
        self.under_way.send_modify(|count| *count += 1);
    }

    /// It has come to some end.
    pub(super) fn has_sent(&self) {
        self.under_way.send_modify(|count| *count -= 1);
    }

    /// Waits until so many messages are on their way at once: a fault that nobody meets proves
    /// nothing.
    pub(super) async fn is_busy(&self, count: usize) {
        let mut under_way = self.under_way.subscribe();
        let is_busy = timeout(MORE_WITHIN, under_way.wait_for(|now| *now >= count)).await.is_ok();
        assert!(is_busy, "no {count} messages at once: {:?}", self.told());
    }

    /// A server says that it will stop.
    pub(super) fn hear_of_drain(&self) {
        self.told.send_modify(|told| told.drains += 1);
    }

    /// Nobody pauses for long.
    pub(super) fn be_quick(&self) {
        self.is_quick.store(true, Ordering::Relaxed);
    }

    /// The pause before anybody tries again: a chance one, so that nobody keeps step.
    pub(super) fn pause(&self) -> Duration {
        let most =
            if self.is_quick.load(Ordering::Relaxed) { PAUSE_MS_QUICK } else { PAUSE_MS_MAX };
        Duration::from_millis(rand::random_range(1..most))
    }

    /// Waits for so many acknowledgements more.
    pub(super) async fn more(&self, count: u64) {
        self.more_of(count, |_| true).await;
    }

    /// The same in the chats that count.
    pub(super) async fn more_of(&self, count: u64, counts: impl Fn(&str) -> bool) {
        let of = |oks: &BTreeMap<String, u64>| -> u64 {
            oks.iter().filter(|(chat, _)| counts(chat)).map(|(_, oks)| oks).sum()
        };
        let mut oks = self.oks.subscribe();
        let enough = of(&oks.borrow()) + count;
        let wait = timeout(MORE_WITHIN, oks.wait_for(|oks| of(oks) >= enough)).await;
        let is_enough = wait.is_ok();
        assert!(is_enough, "no {count} more within {MORE_WITHIN:?}: {:?}", self.told());
    }

    /// The chats whose canaries are in a text.
    pub(super) fn canaries<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let found = text.match_indices(CANARY).map(|(at, _)| at + CANARY.len());
        found.filter_map(|at| text.get(at..at + ID_BYTES)).collect()
    }
}
