//! Open connections by address, and which of them have not said yet what they want.
//!
//! An address may be one attacker or a whole office behind a proxy that is not trusted. When it has
//! as many connections as it may have, a newcomer takes the place of the one that has been silent
//! for the longest; only an address whose connections are all in use is turned away. So thousands of
//! half request heads cost their neighbours nothing (RELIABILITY M6, E4).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// All addresses that have connections.
#[derive(Clone, Default)]
pub(crate) struct Addresses {
    open: Arc<Mutex<HashMap<IpAddr, Address>>>,
}

#[derive(Default)]
struct Address {
    count: usize,
    /// The number of the next connection: the lowest is the oldest.
    next: u64,
    /// Connections without one whole request head, and what makes them give way.
    silent: BTreeMap<u64, CancellationToken>,
}

/// One counted connection; uncounted when dropped.
pub(crate) struct Counted {
    addresses: Addresses,
    ip: IpAddr,
    number: u64,
    spoken: AtomicBool,
    gives_way: CancellationToken,
}

impl Addresses {
    /// Counts a connection. `None`: the address has `max`, and all of them have sent a request.
    pub(crate) fn count(&self, ip: IpAddr, max: usize) -> Option<Counted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let address = open.entry(ip).or_default();
        if address.count >= max {
            // It still counts until it is gone: a moment in which there is one more than `max`.
            let (_, oldest) = address.silent.pop_first()?;
            oldest.cancel();
        }
        address.count += 1;
        let (number, gives_way) = (address.next, CancellationToken::new());
        address.next += 1;
        address.silent.insert(number, gives_way.clone());
        let spoken = AtomicBool::new(false);
        Some(Counted { addresses: self.clone(), ip, number, spoken, gives_way })
    }
}

impl Counted {
    /// A whole request head has come: the connection will not have to give way any more.
    pub(crate) fn has_spoken(&self) {
        if self.spoken.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = open.get_mut(&self.ip) {
            address.silent.remove(&self.number);
        }
    }

    /// Comes when a newcomer takes this connection's place; not once it has spoken, since an answer
    /// under way is not cut.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.cancelled().await;
        if self.spoken.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut address) = open.entry(self.ip) {
            let counted = address.get_mut();
            counted.count -= 1;
            counted.silent.remove(&self.number);
            if counted.count == 0 {
                address.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gave_way(counted: &Counted) -> bool {
        counted.gives_way.is_cancelled()
    }

    #[test]
    fn connections_of_an_address_are_counted_while_they_live() {
        let addresses = Addresses::default();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let first = addresses.count(ip, 2).unwrap();
        let second = addresses.count(ip, 2).unwrap();
        first.has_spoken();
        second.has_spoken();
        assert!(addresses.count(ip, 2).is_none());
        drop(first);
        assert!(addresses.count(ip, 2).is_some());
        assert!(addresses.count("192.0.2.2".parse().unwrap(), 2).is_some());
        drop(second);
        assert!(addresses.open.lock().unwrap().is_empty());
    }

    #[test]
    fn a_newcomer_takes_the_place_of_who_has_been_silent_for_the_longest() {
        let addresses = Addresses::default();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let [speaks, oldest, silent] = [(); 3].map(|()| addresses.count(ip, 3).unwrap());
        speaks.has_spoken();
        let newcomer = addresses.count(ip, 3).unwrap();
        let gave = [&speaks, &oldest, &silent, &newcomer].map(gave_way);
        assert_eq!(gave, [false, true, false, false]);
        newcomer.has_spoken();
        drop(oldest);
        let another = addresses.count(ip, 3).unwrap();
        assert!(gave_way(&silent) && !gave_way(&newcomer));
        another.has_spoken();
        drop(silent);
        assert!(addresses.count(ip, 3).is_none(), "all three have sent a request");
    }
}
