//! The security log: one line per event, with who, from where, and the code (RELIABILITY S7).
//!
//! Never in it: what people write, tokens, passwords, e-mail addresses, query strings. A flood from
//! one address costs a bounded number of lines; how many were left out stands on the next one.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use trialogue_protocol::{ErrorCode, UserId};

use crate::limits::{Bucket, Rate};
use crate::metrics::Metrics;

/// Lines of one event from one address: a person sees them, a flood does not fill the disk.
const LINES: Rate = Rate::new(1, 20);
/// Allowances for lines. Addresses share them by chance, so their number is all the memory there is.
const SLOTS: usize = 1_024;

macro_rules! happenings {
    ($($(#[$doc:meta])* $name:ident $word:literal),* $(,)?) => {
        /// What has happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Happening {
            $($(#[$doc])* $name,)*
        }

        impl Happening {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the log and in the metrics.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

happenings! {
    /// Somebody has logged in or registered.
    LoggedIn "logged_in",
    /// A password was wrong, or the account is not there.
    LoginFailed "login_failed",
    /// A token was missing, wrong, over, or of a session that has ended.
    TokenRefused "token_refused",
    /// Something that is not theirs was asked for.
    Denied "denied",
    /// A limit was met.
    Limited "limited",
    /// A session was ended: logout, new password, a refresh token used twice.
    Revoked "revoked",
    /// Live sockets were closed because their session is over.
    SocketsEnded "sockets_ended",
    /// What a socket sent is not the protocol, or not a request of ours.
    BadPacket "bad_packet",
}

/// Who and from where, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whose {
    /// By token or password.
    pub user: Option<UserId>,
    /// Behind trusted proxies.
    pub address: Option<IpAddr>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Security(Arc<Inside>);

struct Inside {
    metrics: Arc<Metrics>,
    slots: Box<[Mutex<Option<Slot>>]>,
    hash: RandomState,
}

struct Slot {
    lines: Bucket,
    left_out: u32,
}

impl Security {
    /// A log that counts in `metrics` too.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let slots = (0..SLOTS).map(|_| Mutex::new(None)).collect();
        Self(Arc::new(Inside { metrics, slots, hash: RandomState::new() }))
    }

    /// One more line, or one more that is left out.
    pub fn note(&self, happening: Happening, whose: Whose, code: Option<ErrorCode>) {
        self.0.metrics.happened(happening);
        let Some(left_out) = self.may_log(happening, whose, Instant::now()) else { return };
        tracing::info!(
            target: "trialogue_server::security",
            event = happening.word(),
            user = whose.user.map(|user| user.0),
            address = whose.address.map(tracing::field::display),
            code = code.map(ErrorCode::as_str),
            left_out = (left_out > 0).then_some(left_out),
            "security event"
        );
    }

    /// What a refusal means for this log; most of them mean nothing.
    pub fn refused(&self, code: ErrorCode, whose: Whose) {
        let happening = match code {
            ErrorCode::Denied => Happening::Denied,
            ErrorCode::RateLimited => Happening::Limited,
            ErrorCode::Unauthenticated | ErrorCode::TokenExpired => Happening::TokenRefused,
            _ => return,
        };
        self.note(happening, whose, Some(code));
    }

    /// How many lines were left out before this one; nothing when this one is left out too.
    fn may_log(&self, happening: Happening, whose: Whose, now: Instant) -> Option<u32> {
        let slot = self.0.hash.hash_one((happening, whose.address)) % SLOTS as u64;
        let slot = &self.0.slots[usize::try_from(slot).unwrap_or_default()];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let slot =
            slot.get_or_insert_with(|| Slot { lines: Bucket::full(LINES, now), left_out: 0 });
        if slot.lines.take(LINES, now).is_err() {
            slot.left_out = slot.left_out.saturating_add(1);
            return None;
        }
        Some(std::mem::take(&mut slot.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_a_bounded_number_of_lines_and_says_how_many_it_was() {
        let security = Security::new(Arc::default());
        let whose = Whose { address: Some([192, 0, 2, 1].into()), user: None };
        let start = Instant::now();
        let may_log = |now| security.may_log(Happening::BadPacket, whose, now);
        let lines = (0..10_000).filter(|_| may_log(start).is_some()).count();
        assert_eq!(lines, 20);
        assert_eq!(may_log(start + Duration::from_secs(2)), Some(9_980));
        assert_eq!(may_log(start + Duration::from_secs(4)), Some(0));
    }
}
