//! The lines between actors and the server: a proxy for every actor whose network is touched.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use trialogue_faults::{Cut, Proxy, Way, Weather};
use url::Url;

use super::{RunConfig, RunError, Seen};
use crate::actor::Wrong;
use crate::file::{ActorId, Network, NetworkCut, Refuse, Scenario, Verb};

/// How long a call to this very machine may take.
const CALL_WITHIN: Duration = Duration::from_secs(1);

/// The proxies of a run.
#[derive(Debug, Default)]
pub(super) struct Lines {
    proxies: BTreeMap<ActorId, Arc<Proxy>>,
    /// Clears the weather when its time is over; ends with the run.
    timers: Mutex<Timers>,
}

/// What clears the weather, at most one thing for each actor.
#[derive(Debug, Default)]
struct Timers {
    tasks: JoinSet<()>,
    of: BTreeMap<ActorId, AbortHandle>,
}

impl Lines {
    /// A proxy for every actor of a `network` step, or for all of them where their lines may be cut
    /// by hand; the others talk to the server directly.
    pub(super) async fn draw(
        scenario: &Scenario,
        url: &Url,
        by_hand: bool,
    ) -> Result<Self, RunError> {
        let everybody = 0..if by_hand { scenario.actors.len() } else { 0 };
        let mut touched: Vec<ActorId> = everybody.map(ActorId).collect();
        scenario.walk(&mut |step| {
            if let Verb::Network(_) = step.verb {
                touched.extend(&step.actors);
            }
        });
        let mut lines = Self::default();
        for id in touched {
            if let Entry::Vacant(place) = lines.proxies.entry(id) {
                let proxy = Proxy::start(upstream(url).await?).await.map_err(RunError::Proxy)?;
                place.insert(Arc::new(proxy));
            }
        }
        Ok(lines)
    }

    /// Where an actor finds the server.
    pub(super) fn url_for(&self, id: ActorId, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some(proxy) = self.proxies.get(&id) {
            // Both are of a URL that has a host and a port already.
            let _ = url.set_ip_host(proxy.address().ip());
            let _ = url.set_port(Some(proxy.address().port()));
        }
        url
    }

    /// An actor's place before whoever watches, where somebody does.
    pub(super) fn seen(&self, id: ActorId, config: &RunConfig) -> Option<Seen> {
        let (audience, line) = config.audience.clone().zip(self.proxies.get(&id).cloned())?;
        Some(Seen { audience, actor: id.0, line })
    }

    /// Changes an actor's weather.
    pub(super) fn change(&self, id: ActorId, network: &Network) -> Result<(), Wrong> {
        let proxy = self.proxies.get(&id);
        let proxy = proxy.ok_or_else(|| Wrong::new("a line of the runner's", "none"))?;
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        // The end of an earlier weather is not the end of this one.
        if let Some(earlier) = timers.of.remove(&id) {
            earlier.abort();
        }
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        proxy.set(Weather {
            dark: network.cut == Some(NetworkCut::Blackhole),
            latency: network.latency,
            jitter: network.jitter,
            slice: network.slice.and_then(|n| usize::try_from(n).ok()),
            bytes_per_second: network.bandwidth.map(narrow),
            refuse: network.refuse == Some(Refuse::All),
        });
        // Before the cut, whose first attempt to come back may be quick.
        proxy.refuse_next(match network.refuse {
            Some(Refuse::Next(callers)) => callers,
            Some(Refuse::All) | None => 0,
        });
        match network.cut {
            Some(NetworkCut::Fin) => proxy.cut(Cut::Fin),
            Some(NetworkCut::Rst) => proxy.cut(Cut::Rst),
            Some(NetworkCut::HalfOpen) => proxy.cut(Cut::HalfOpen(Way::ToServer)),
            Some(NetworkCut::HalfOpenServer) => proxy.cut(Cut::HalfOpen(Way::ToClient)),
            Some(NetworkCut::Blackhole) | None => {}
        }
        if let Some(lasting) = network.lasting {
            let proxy = Arc::clone(proxy);
            let timer = timers.tasks.spawn(async move {
                tokio::time::sleep(lasting).await;
                proxy.set(Weather::default());
            });
            timers.of.insert(id, timer);
        }
        Ok(())
    }
}

/// Whether a proxy can stand before this server: it carries bytes to an address; TLS is not for it,
/// and neither are names of other machines, which a server may want to hear.
pub(super) fn is_carried(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

/// The address of such a server. `localhost` may be two of them: the first that takes a call.
async fn upstream(url: &Url) -> Result<SocketAddr, RunError> {
    let not_carried = || RunError::NotCarried(url.to_string());
    let port = url.port_or_known_default().filter(|_| is_carried(url));
    let port = port.ok_or_else(not_carried)?;
    let name = match url.host() {
        Some(url::Host::Ipv4(ip)) => return Ok(SocketAddr::new(ip.into(), port)),
        Some(url::Host::Ipv6(ip)) => return Ok(SocketAddr::new(ip.into(), port)),
        Some(url::Host::Domain(name)) => name,
        None => return Err(not_carried()),
    };
    let found = tokio::net::lookup_host((name, port)).await.map_err(RunError::Proxy)?;
    let found: Vec<SocketAddr> = found.filter(|address| address.ip().is_loopback()).collect();
    for address in &found {
        if matches!(timeout(CALL_WITHIN, TcpStream::connect(address)).await, Ok(Ok(_))) {
            return Ok(*address);
        }
    }
    found.first().copied().ok_or_else(not_carried)
}

impl Network {
    /// The weather in a few words.
    pub(crate) fn words(&self) -> String {
        words(self)
    }
}

/// The weather in a few words.
pub(super) fn words(network: &Network) -> String {
    let mut words = Vec::new();
    match network.cut {
        Some(NetworkCut::Blackhole) => words.push("a black hole".to_owned()),
        Some(NetworkCut::Fin) => words.push("cut (FIN)".to_owned()),
        Some(NetworkCut::Rst) => words.push("cut (RST)".to_owned()),
        Some(NetworkCut::HalfOpen) => words.push("half open: only the server hears".to_owned()),
        Some(NetworkCut::HalfOpenServer) => {
            words.push("half open: the server does not hear".to_owned());
        }
        None => {}
    }
    if !network.latency.is_zero() {
        words.push(format!("{:?} late", network.latency));
    }
    if !network.jitter.is_zero() {
        words.push(format!("up to {:?} more", network.jitter));
    }
    words.extend(network.slice.map(|bytes| format!("{bytes} bytes at once")));
    words.extend(network.bandwidth.map(|bytes| format!("{bytes} bytes/s")));
    words.extend(network.refuse.map(|refuse| match refuse {
        Refuse::All => "refuses".to_owned(),
        Refuse::Next(callers) => format!("refuses the next {callers}"),
    }));
    let mut text = if words.is_empty() { "clear".to_owned() } else { words.join(", ") };
    if let Some(lasting) = network.lasting {
        text += &format!(" for {lasting:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proxy_stands_before_addresses_and_this_very_machine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = |text: String| text.parse::<Url>().unwrap();
        let found = upstream(&url(format!("http://localhost:{}", address.port()))).await;
        assert_eq!(found.unwrap(), address);
        assert_eq!(upstream(&url(format!("http://{address}"))).await.unwrap(), address);
        for far in ["https://127.0.0.1", "https://localhost", "http://chat.example.test"] {
            assert!(!is_carried(&url(far.to_owned())), "{far}");
        }
    }
}
