//! What all devices and voices of a run share: when to be silent, when it is over, and what they
//! were told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a server that is well may take for some more messages, on a machine that is not.
const MORE_WITHIN: Duration = Duration::from_secs(120);

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
    told: Mutex<Told>,
}

/// What the server said besides.
#[derive(Debug, Default, Clone)]
pub(super) struct Told {
    /// Refusals by event and code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Acknowledgements that said `duplicate`.
    pub(super) duplicates: u64,
}

/// `unavailable` and `draining` are promised to mean that nothing was stored; the third one that
/// nobody knows. Nothing else may be answered, whatever is broken (RELIABILITY §2.10).
const MEANS_NOTHING_STORED: [&str; 2] = ["unavailable", "draining"];
const MEANS_NOBODY_KNOWS: &str = "outcome_unknown";

impl Run {
    /// Counts a refusal; whether it says that nothing was stored.
    pub(super) fn refused(&self, event: &str, ack: &Value) -> bool {
        let code = ack["error"]["code"].as_str().unwrap_or("none");
        let is_certain = MEANS_NOTHING_STORED.contains(&code);
        assert!(is_certain || code == MEANS_NOBODY_KNOWS, "{event} was answered with {ack}");
        let mut told = self.told.lock().unwrap();
        *told.refused.entry(format!("{event} {code}")).or_default() += 1;
        is_certain
    }

    /// Counts an acknowledgement.
    pub(super) fn acknowledged(&self, chat: &str, duplicate: bool) {
        self.told.lock().unwrap().duplicates += u64::from(duplicate);
        self.oks.send_modify(|oks| *oks.entry(chat.to_owned()).or_default() += 1);
    }

    /// What the server said so far.
    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// So many refusals of an event with a code.
    pub(super) fn refusals(&self, event: &str, code: &str) -> u64 {
        self.told().refused.get(&format!("{event} {code}")).copied().unwrap_or(0)
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
