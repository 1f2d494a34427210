//! How often somebody may ask: requests per address and per user, logins per address, and guesses
//! per account (RELIABILITY §2.12). Pure but for the locks; the time is an argument.
//!
//! An account is never locked: wrong passwords only make the next try wait, at most for minutes,
//! so that nobody can keep its owner out. Memory is bounded whatever addresses and names are tried.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use trialogue_protocol::UserId;

use crate::error::Error;
use crate::limits::{Bucket, Limits, Rate};

/// Locks per table, so that requests do not queue for one.
const STRIPES: usize = 16;
/// Keys per table: some 4 MiB. Beyond it, those that say least are forgotten.
const KEYS_MAX: usize = 65_536;
/// An account without a failure for so long starts again from nothing.
const FORGIVEN_AFTER: Duration = Duration::from_mins(15);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Throttle(Arc<Inside>);

struct Inside {
    limits: Arc<Limits>,
    addresses: Table<IpAddr, Bucket>,
    users: Table<UserId, Bucket>,
    logins: Table<IpAddr, Bucket>,
    /// By the hash of a name: the names themselves are not kept.
    accounts: Table<u64, Account>,
}

/// What is remembered of wrong passwords.
#[derive(Debug, Clone, Copy)]
struct Account {
    failures: u32,
    /// The next try is looked at from here on.
    open_at: Instant,
    last: Instant,
}

impl Throttle {
    /// Nobody has asked yet.
    pub fn new(limits: Arc<Limits>) -> Self {
        Self(Arc::new(Inside {
            limits,
            addresses: Table::new(),
            users: Table::new(),
            logins: Table::new(),
            accounts: Table::new(),
        }))
    }

    /// One request from an address.
    ///
    /// # Errors
    ///
    /// `rate_limited`, with the name of the limit and the time after which it works again.
    pub fn address(&self, address: IpAddr, now: Instant) -> Result<(), Error> {
        let rate = self.0.limits.requests_per_address;
        self.0.addresses.take(network_of(address), rate, now, "requests per address")
    }

    /// One request of a user, from whichever address and device.
    ///
    /// # Errors
    ///
    /// `rate_limited`.
    pub fn user(&self, user: UserId, now: Instant) -> Result<(), Error> {
        self.0.users.take(user, self.0.limits.requests_per_user, now, "requests per user")
    }

    /// A login or a registration from an address: each costs a hash.
    ///
    /// # Errors
    ///
    /// `rate_limited`.
    pub fn login_from(&self, address: IpAddr, now: Instant) -> Result<(), Error> {
        let rate = self.0.limits.logins_per_address;
        self.0.logins.take(network_of(address), rate, now, "logins per address")
    }

    /// A password is about to be checked for an account, whether it is there or not. Counted as
    /// wrong from now on, so that many at once gain nothing, until the [`Attempt`] says otherwise.
    ///
    /// # Errors
    ///
    /// `rate_limited` while earlier wrong passwords make the account wait.
    pub fn attempt(&self, account: &str, now: Instant) -> Result<Attempt, Error> {
        let Limits { login_failures_free: free, login_delay_max: most, .. } = *self.0.limits;
        let account = account.trim().to_lowercase();
        let key = self.0.accounts.hash.hash_one(&account);
        let mut stripe = self.0.accounts.stripe(&key);
        let known = stripe.get(&key).copied();
        let known =
            known.filter(|known| now.saturating_duration_since(known.last) < FORGIVEN_AFTER);
        if let Some(known) = known
            && known.open_at > now
        {
            let message = format!("over {free} wrong passwords for this account");
            return Err(Error::rate_limited(message, known.open_at - now));
        }
        let failures = known.map_or(0, |known| known.failures).saturating_add(1);
        let open_at = now + delay(failures, free, most);
        let silent = |a: &Account| {
            now.saturating_duration_since(a.last) >= FORGIVEN_AFTER || a.failures < free
        };
        room_for_one(&mut stripe, silent);
        stripe.insert(key, Account { failures, open_at, last: now });
        drop(stripe);
        Ok(Attempt { throttle: self.clone(), key, before: known })
    }
}

/// After so many failures: nothing, then 1 s, 2 s, 4 s and so on.
fn delay(failures: u32, free: u32, most: Duration) -> Duration {
    match failures.checked_sub(free) {
        None => Duration::ZERO,
        Some(doublings) => {
            let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
            Duration::from_secs(seconds).min(most)
        }
    }
}

/// A password that is being checked. Dropped without a word, it was wrong.
#[must_use = "an attempt that is dropped counts as a wrong password"]
pub struct Attempt {
    throttle: Throttle,
    key: u64,
    before: Option<Account>,
}

impl Attempt {
    /// It was right: what was before is forgotten.
    pub fn right(self) {
        self.throttle.0.accounts.stripe(&self.key).remove(&self.key);
    }

    /// It could not be checked, so it says nothing.
    pub fn unknown(self) {
        let mut stripe = self.throttle.0.accounts.stripe(&self.key);
        match self.before {
            Some(before) => stripe.insert(self.key, before),
            None => stripe.remove(&self.key),
        };
    }
}

/// One person may have a whole /64 of IPv6 addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Something per key, bounded.
struct Table<K, V> {
    stripes: [Mutex<HashMap<K, V>>; STRIPES],
    hash: RandomState,
}

impl<K: Hash + Eq + Copy, V> Table<K, V> {
    fn new() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::default()), hash: RandomState::new() }
    }

    fn stripe(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let at = self.hash.hash_one(key) % STRIPES as u64;
        let stripe = &self.stripes[usize::try_from(at).unwrap_or_default()];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Copy> Table<K, Bucket> {
    fn take(&self, key: K, rate: Rate, now: Instant, what: &str) -> Result<(), Error> {
        let mut stripe = self.stripe(&key);
        if !stripe.contains_key(&key) {
            room_for_one(&mut stripe, |bucket: &Bucket| bucket.is_full(rate, now));
        }
        let bucket = stripe.entry(key).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).map_err(|wait| Error::rate_limited(rate.exceeded(what), wait))
    }
}

/// Makes room in a stripe that is full: those that say nothing go, and when all say something, a
/// quarter of them by chance. Rare by then, so its cost is shared by many insertions.
fn room_for_one<K: Hash + Eq + Copy, V>(stripe: &mut HashMap<K, V>, silent: impl Fn(&V) -> bool) {
    const STRIPE_MAX: usize = KEYS_MAX / STRIPES;
    if stripe.len() < STRIPE_MAX {
        return;
    }
    stripe.retain(|_, value| !silent(value));
    if stripe.len() > STRIPE_MAX - STRIPE_MAX / 4 {
        let some: Vec<K> = stripe.keys().take(STRIPE_MAX / 4).copied().collect();
        some.iter().for_each(|key| drop(stripe.remove(key)));
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
