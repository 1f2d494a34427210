//! All sessions of a server and the bounds on their number.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::config::ServerConfig;
use super::flusher::Flusher;
use super::id::{IdHash, SessionId};
use super::namespace::NamespaceInner;
use super::raw::DynRawHandler;
use super::session::{Session, lock};
use crate::reason::DisconnectReason;

/// One path of a namespace.
pub(super) struct Path {
    pub(super) path: Arc<str>,
    pub(super) namespace: Arc<NamespaceInner>,
    /// Its number among the paths of the namespace.
    pub(super) index: u8,
}

/// Why no further session may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The server is stopping.
    Closing,
    /// A limit is reached, named as in [`ServerConfig`].
    Limit(&'static str),
}

#[derive(Default)]
struct Unclaimed {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

pub(super) struct Registry {
    pub(super) config: ServerConfig,
    pub(super) paths: Vec<Path>,
    /// What gets Engine.IO messages when no Socket.IO is spoken on them.
    pub(super) raw: Option<Arc<dyn DynRawHandler>>,
    pub(super) tasks: TaskTracker,
    pub(super) flusher: Flusher,
    started: Instant,
    sessions: Mutex<HashMap<SessionId, Arc<Session>, IdHash>>,
    unclaimed: Mutex<Unclaimed>,
    closing: AtomicBool,
}

impl Registry {
    pub(super) fn new(
        config: ServerConfig,
        paths: Vec<Path>,
        raw: Option<Arc<dyn DynRawHandler>>,
    ) -> Self {
        Self {
            config,
            paths,
            raw,
            tasks: TaskTracker::new(),
            flusher: Flusher::default(),
            started: Instant::now(),
            sessions: Mutex::default(),
            unclaimed: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Milliseconds since the server was built: the clock of all deadlines.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant at which [`Self::now_ms`] says `ms`.
    pub(super) fn instant(&self, ms: u64) -> Instant {
        self.started + Duration::from_millis(ms)
    }

    /// May one more session begin? It counts as unclaimed until a namespace is connected.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Full> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Full::Closing);
        }
        if lock(&self.sessions).len() >= self.config.sessions_max {
            return Err(Full::Limit("sessions_max"));
        }
        let permit = Permit { registry: Arc::clone(self), address: network_of(peer) };
        let mut unclaimed = lock(&self.unclaimed);
        let here = unclaimed.by_address.get(&permit.address).copied().unwrap_or(0);
        let full = if unclaimed.total >= self.config.unclaimed_max {
            Some(Full::Limit("unclaimed_max"))
        } else if here >= self.config.unclaimed_per_address_max {
            Some(Full::Limit("unclaimed_per_address_max"))
        } else {
            None
        };
        // Counted even when refused: dropping the permit uncounts it.
        unclaimed.count(permit.address);
        drop(unclaimed);
        full.map_or(Ok(permit), Err)
    }

    /// Counts a session as unclaimed again, past the limits: it is there already.
    pub(super) fn unclaim(self: &Arc<Self>, peer: IpAddr) -> Permit {
        let permit = Permit { registry: Arc::clone(self), address: network_of(peer) };
        lock(&self.unclaimed).count(permit.address);
        permit
    }

    pub(super) fn insert(&self, session: &Arc<Session>) {
        self.flusher.start();
        lock(&self.sessions).insert(session.id, Arc::clone(session));
        if let Some(observer) = &self.config.observer {
            observer.session_opened();
        }
        // Closing looks at the sessions after it has set the flag: one of us sees the other.
        if self.closing.load(Ordering::Acquire) {
            session.close(DisconnectReason::ServerShutdown);
        }
    }

    pub(super) fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&id).cloned()
    }

    pub(super) fn remove(&self, id: SessionId, reason: DisconnectReason) {
        let removed = lock(&self.sessions).remove(&id);
        if let (Some(_), Some(observer)) = (removed, &self.config.observer) {
            observer.session_closed(reason);
        }
    }

    pub(super) fn sessions(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Admits nobody any more, asks all sessions to end and waits for them, at most for `grace`.
    pub(super) async fn close(&self, grace: Duration) {
        self.closing.store(true, Ordering::Release);
        let sessions: Vec<_> = lock(&self.sessions).values().cloned().collect();
        for session in sessions {
            session.close(DisconnectReason::ServerShutdown);
        }
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(sessions = self.sessions(), "sessions outlive the server's grace");
        }
    }
}

impl Unclaimed {
    fn count(&mut self, address: IpAddr) {
        self.total += 1;
        *self.by_address.entry(address).or_insert(0) += 1;
    }

    fn uncount(&mut self, address: IpAddr) {
        self.total -= 1;
        if let Some(here) = self.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// A place among the unclaimed sessions, given back when dropped.
pub(super) struct Permit {
    registry: Arc<Registry>,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.registry.unclaimed).uncount(self.address);
    }
}

/// An IPv6 customer has a whole /64, so that is what is counted.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(total: usize, per_address: usize) -> Arc<Registry> {
        let config = ServerConfig {
            unclaimed_max: total,
            unclaimed_per_address_max: per_address,
            ..ServerConfig::default()
        };
        Arc::new(Registry::new(config, Vec::new(), None))
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn unclaimed_sessions_are_counted_per_network_and_in_all() {
        let registry = registry(3, 2);
        let first = registry.admit(peer("2001:db8::1")).ok();
        let _second = registry.admit(peer("2001:db8::2")).ok().unwrap();
        let full = registry.admit(peer("2001:db8::3")).err();
        assert_eq!(full, Some(Full::Limit("unclaimed_per_address_max")));
        let _other = registry.admit(peer("10.0.0.1")).ok().unwrap();
        let full = registry.admit(peer("10.0.0.2")).err();
        assert_eq!(full, Some(Full::Limit("unclaimed_max")));
        drop(first);
        assert!(registry.admit(peer("::ffff:10.0.0.1")).is_ok());
        assert_eq!(lock(&registry.unclaimed).total, 2);
        assert_eq!(lock(&registry.unclaimed).by_address.len(), 2);
    }
}
