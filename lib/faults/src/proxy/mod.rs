//! A TCP proxy that is bad weather: it stands between clients and their server and can go dark, be
//! slow, cut lines at a chosen byte or refuse callers, each way apart, changeable at any time.
//!
//! Bytes are never changed, swapped or lost while a connection lives: TCP promises that, and so
//! does its weather. What one end does (closing its half, a reset) is done to the other.

mod ledger;
mod pump;
mod weather;

use std::future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use ledger::{Kept, Ledger};
pub use ledger::{SCRIPTS_MAX, Then};
use pump::pump;
pub use weather::{Cut, Way, Weather};

/// Connections through one proxy at once; more callers wait in the system's queue.
const CONNECTIONS_MAX: usize = 256;
/// How long the server may take to accept; it is on the same machine.
const UPSTREAM_WITHIN: Duration = Duration::from_secs(5);
/// Before the next try to accept, when the system has no file descriptor to spare.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection looks at.
#[derive(Debug, Clone, Copy, Default)]
struct Sky {
    to_server: Weather,
    to_client: Weather,
    /// Callers that are still to be refused.
    refusals: u32,
    /// Counts cuts: a connection ends when it sees a later one than it was born under.
    cuts: u64,
    cut: Option<Cut>,
}

impl Sky {
    fn weather(&self, way: Way) -> Weather {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }
}

/// What the proxy and its connections share.
#[derive(Debug)]
struct Shared {
    sky: watch::Sender<Sky>,
    ledger: Mutex<Ledger>,
}

impl Shared {
    fn set(&self, way: Way, weather: Weather) {
        self.sky.send_modify(|sky| match way {
            Way::ToServer => sky.to_server = weather,
            Way::ToClient => sky.to_client = weather,
        });
    }

    fn cut(&self, how: Cut) {
        self.sky.send_modify(|sky| {
            sky.cuts += 1;
            sky.cut = Some(how);
        });
    }

    fn happen(&self, then: Then) {
        match then {
            Then::Cut(how) => self.cut(how),
            Then::Set(way, weather) => self.set(way, weather),
        }
    }

    /// Whether a new caller is refused; counts those that are.
    fn refuses(&self) -> bool {
        let mut refuses = false;
        self.sky.send_if_modified(|sky| {
            refuses = sky.to_server.refuse || sky.to_client.refuse || sky.refusals > 0;
            sky.refusals = sky.refusals.saturating_sub(1);
            false
        });
        refuses
    }

    /// Never held over an await.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy that listens until it is dropped; its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free loopback port and carries everything to `upstream`. Needs a runtime.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let sky = watch::Sender::new(Sky::default());
        let shared = Arc::new(Shared { sky, ledger: Mutex::default() });
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, upstream, Arc::clone(&shared)));
        Ok(Self { address, shared, _listening: listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The weather now, for bytes that go this way.
    pub fn weather(&self, way: Way) -> Weather {
        self.shared.sky.borrow().weather(way)
    }

    /// Changes the weather both ways, for all connections, present and future.
    pub fn set(&self, weather: Weather) {
        self.shared.sky.send_modify(|sky| {
            sky.to_server = weather;
            sky.to_client = weather;
        });
    }

    /// Changes the weather one way: a line on which only one end is heard, for example.
    pub fn set_way(&self, way: Way, weather: Weather) {
        self.shared.set(way, weather);
    }

    /// Ends every connection that there is.
    pub fn cut(&self, how: Cut) {
        self.shared.cut(how);
    }

    /// Refuses the next so many callers, and then no more.
    pub fn refuse_next(&self, callers: u32) {
        self.shared.sky.send_modify(|sky| sky.refusals = callers);
    }

    /// Bytes that went this way since the proxy was started, over all connections.
    pub fn carried(&self, way: Way) -> u64 {
        self.shared.ledger().carried(way)
    }

    /// As soon as so many bytes went this way since the start ([`Proxy::carried`]), this happens:
    /// once, before another byte goes this way, and at once when they went already. To cut a
    /// story at each of its bytes, tell it once and look at what was carried.
    ///
    /// False, and nothing will happen, when [`SCRIPTS_MAX`] others wait.
    #[must_use]
    pub fn at(&self, way: Way, bytes: u64, then: Then) -> bool {
        let kept = self.shared.ledger().at(way, bytes, then);
        if kept == Kept::IsPast {
            self.shared.happen(then);
        }
        kept != Kept::NoRoom
    }
}

async fn listen(listener: TcpListener, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(carry(client, upstream, Arc::clone(&shared)));
            }
            // No file descriptor is free: somebody must end first.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut sky = shared.sky.subscribe();
    let born = sky.borrow().cuts;
    if shared.refuses() {
        return reset(&client);
    }
    let Ok(Ok(server)) = timeout(UPSTREAM_WITHIN, TcpStream::connect(upstream)).await else {
        return reset(&client);
    };
    // Delays are the weather's business, not Nagle's.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let both = async {
        let to_server = pump(&client, &server, Way::ToServer, &shared);
        let to_client = pump(&server, &client, Way::ToClient, &shared);
        tokio::try_join!(to_server, to_client)
    };
    let how = tokio::select! {
        how = next_cut(&mut sky, born) => how,
        // Both halves are closed, or one end broke: the other is told the same way.
        ended = both => if ended.is_ok() { Cut::Fin } else { Cut::Rst },
    };
    match how {
        Cut::Fin => {}
        Cut::Rst => {
            reset(&client);
            reset(&server);
        }
        Cut::HalfOpen(told) => {
            let unaware = match told {
                Way::ToServer => {
                    drop(server);
                    client
                }
                Way::ToClient => {
                    drop(client);
                    server
                }
            };
            // Open and silent, until somebody cuts once more.
            let seen = sky.borrow().cuts;
            if next_cut(&mut sky, seen).await == Cut::Rst {
                reset(&unaware);
            }
        }
    }
}

/// Waits for a later cut than the one with this number.
async fn next_cut(sky: &mut watch::Receiver<Sky>, seen: u64) -> Cut {
    match sky.wait_for(|sky| sky.cuts > seen).await.map(|sky| sky.cut) {
        Ok(Some(how)) => how,
        // Neither happens: whoever waits holds the sender, and a cut says how.
        Ok(None) | Err(_) => future::pending().await,
    }
}

/// Makes the end of a socket an RST.
fn reset(stream: &TcpStream) {
    // Where the system refuses, the socket ends with a FIN instead.
    let _ = stream.set_zero_linger();
}
