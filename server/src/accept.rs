//! The accept loop: one listener for REST and Socket.IO, with bounds on everything that a stranger
//! can make us hold before we know who it is (RELIABILITY M6, §2.13, group E).
//!
//! hyper is driven by hand because a ready-made `serve` sets no timer for half a request head:
//! thousands of them stay open for ever. Nothing here knows a route or an event.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::addresses::{Addresses, Counted};
use crate::config::{Network, Origin};
use crate::limits::{HEAD_BYTES_MAX, HEAD_TIMEOUT, HEADERS_MAX, Limits};

/// Pause after an accept that failed: the process is out of file descriptors, and only time and
/// closing connections help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes that the kernel may hold for a peer that does not read: what is beyond them is counted
/// and bounded by our own queues.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// A peer that acknowledges nothing for so long is gone, whatever its keep-alive says.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Connections that may wait for us to accept them: a whole room of clients comes back at once
/// after a restart.
const BACKLOG: u32 = 4_096;

/// Listens on an address, also right after a former owner of the port was killed.
///
/// # Errors
///
/// What the system says: in use, not ours, not permitted.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Who sent a request, with trusted proxies looked through; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Answers requests: REST and Socket.IO behind one door.
pub trait Door: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send;

    /// Answers one request from `peer`.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// What the accept loop needs to know.
pub struct Acceptor<D> {
    /// What answers.
    pub door: Arc<D>,
    /// Proxies whose word about the sender is taken.
    pub trusted: Arc<[Network]>,
    /// Bounds.
    pub limits: Limits,
    /// Cancelled: accept no more, finish what is being answered.
    pub stop: CancellationToken,
    /// Every connection is one of its tasks.
    pub tracker: TaskTracker,
    /// Counts those that are open.
    pub open: Gauge,
}

impl<D: Door> Acceptor<D> {
    /// Accepts until told to stop. At the limit, new connections wait in the kernel's queue.
    pub async fn run(&self, listener: &TcpListener) {
        let room = Arc::new(Semaphore::new(self.limits.connections_max));
        let addresses = Addresses::default();
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                next = next => next,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_peer(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let ip = peer.ip().to_canonical();
            let trusted = self.trusted.iter().any(|network| network.contains(ip));
            let max = self.limits.connections_per_address_max;
            let Some(counted) = addresses.count(ip, if trusted { usize::MAX } else { max }) else {
                tracing::debug!(%ip, max, "too many connections of one address");
                continue;
            };
            tune(&stream);
            let (door, trusted) = (Arc::clone(&self.door), Arc::clone(&self.trusted));
            let (stop, open) = (self.stop.clone(), Open::count(&self.open));
            self.tracker.spawn(async move {
                serve(stream, peer, Arc::new(counted), door, trusted, stop).await;
                drop((permit, open));
            });
        }
    }
}

/// Serves one connection to its end, or to its hand-over to a WebSocket.
async fn serve<D: Door>(
    stream: TcpStream,
    peer: SocketAddr,
    counted: Arc<Counted>,
    door: Arc<D>,
    trusted: Arc<[Network]>,
    stop: CancellationToken,
) {
    let speaker = Arc::clone(&counted);
    let service = service_fn(move |mut request: Request<Incoming>| {
        speaker.has_spoken();
        let door = Arc::clone(&door);
        let ip = sender(peer.ip(), request.headers(), &trusted);
        request.extensions_mut().insert(Peer(ip));
        let in_chunks = request.headers().contains_key(TRANSFER_ENCODING);
        async move {
            let mut answer = door.answer(request, SocketAddr::new(ip, peer.port())).await;
            if in_chunks && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                // A proxy may see the end of such a request elsewhere: what follows is not read.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        () = counted.gives_way() => return,
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A peer that goes away or speaks nonsense is its own affair.
        tracing::trace!(%error, "connection ended");
    }
}

/// Settings of the socket that hyper does not know. A socket that refuses one is served without.
fn tune(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // Small frames must not wait for the acknowledgement of the last one.
    let mut result = socket.set_tcp_nodelay(true);
    result = result.and(socket.set_send_buffer_size(SEND_BUFFER_BYTES));
    #[cfg(target_os = "linux")]
    {
        result = result.and(socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)));
    }
    if let Err(error) = result {
        tracing::debug!(%error, "socket option refused");
    }
}

/// Errors that concern the one connection, not the listener.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// The address behind trusted proxies: `X-Forwarded-For` is read from the right, and only as far
/// as the addresses that wrote it are trusted (RELIABILITY D16).
fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut sender = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(sender) {
        return sender;
    }
    let lines = headers.get_all(&FORWARDED_FOR).into_iter().collect::<Vec<_>>();
    let entries = lines.iter().rev().filter_map(|line| line.to_str().ok());
    for entry in entries.flat_map(|line| line.rsplit(',')) {
        let Ok(ip) = entry.trim().parse::<IpAddr>() else { return sender };
        sender = ip.to_canonical();
        if !is_trusted(sender) {
            return sender;
        }
    }
    sender
}

/// Which web pages may use the server: one rule for CORS and for the handshake, because CORS does
/// not cover WebSockets (CONTRACT §1).
#[derive(Debug, Clone, Default)]
pub struct OriginRule {
    allowed: Arc<[Origin]>,
}

impl OriginRule {
    /// Same host, loopback, and these.
    pub fn new(allowed: &[Origin]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether a request with these headers may be served. Without `Origin` it does not come from
    /// a page, and as there are no cookies nobody else's rights ride on it.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).into_iter();
        let Some(first) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        let Some(origin) = first.to_str().ok().and_then(Origin::of_header) else { return false };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        origin.is_loopback()
            || self.allowed.contains(&origin)
            || host.is_some_and(|host| origin.is_same_host(host))
    }
}

/// One open connection in a gauge; uncounted when dropped.
struct Open(Gauge);

impl Open {
    fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
        let check = |peer: &str, forwarded: &str, expect: &str| {
            let headers = headers(&[("x-forwarded-for", forwarded)]);
            let found = sender(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), expect, "{peer} {forwarded}");
        };
        check("192.0.2.1", "203.0.113.9", "192.0.2.1");
        check("10.0.0.1", "203.0.113.9", "203.0.113.9");
        check("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9");
        check("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1");
        check("10.0.0.1", "10.0.0.3", "10.0.0.3");
    }

    #[test]
    fn a_page_is_served_by_its_own_host_or_by_name() {
        let rule = OriginRule::new(&["https://chat.example.org".parse().unwrap()]);
        let check = |origin: &str, expect| {
            let headers = headers(&[("host", "api.example:3000"), ("origin", origin)]);
            assert_eq!(rule.allows(&headers), expect, "{origin}");
        };
        check("https://chat.example.org", true);
        check("http://api.example:3000", true);
        check("http://localhost:5173", true);
        check("http://api.example", false);
        check("https://chat.example.org.evil.com", false);
        check("null", false);
        assert!(rule.allows(&headers(&[("host", "api.example:3000")])));
        let mut twice = headers(&[("origin", "http://localhost")]);
        twice.append(ORIGIN, "http://localhost".parse().unwrap());
        assert!(!rule.allows(&twice));
    }

    struct Yes;

    impl Door for Yes {
        type Body = String;

        async fn answer(&self, _: Request<Incoming>, _: SocketAddr) -> Response<String> {
            Response::new("yes".to_owned())
        }
    }

    #[tokio::test]
    async fn half_a_head_gives_way_to_a_newcomer_of_its_address() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = Addresses::default();
        let connect = async || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, peer) = listener.accept().await.unwrap();
            let counted = addresses.count(peer.ip(), 2);
            let stop = CancellationToken::new();
            if let Some(counted) = counted.map(Arc::new) {
                tokio::spawn(serve(stream, peer, counted, Arc::new(Yes), Arc::new([]), stop));
            }
            client
        };
        let mut rest = [0; 256];
        let mut speaker = connect().await;
        speaker.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(speaker.read(&mut rest).await.unwrap() > 0, "the address is at home");
        let mut half = connect().await;
        half.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx-half: ").await.unwrap();

        let mut newcomer = connect().await;
        let closed = tokio::time::timeout(HEAD_TIMEOUT / 2, half.read(&mut rest)).await;
        assert!(!closed.expect("half a head keeps its place").is_ok_and(|read| read > 0));
        for client in [&mut newcomer, &mut speaker] {
            client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let read = client.read(&mut rest).await.unwrap();
            assert!(rest[..read].ends_with(b"yes"), "{:?}", String::from_utf8_lossy(&rest[..read]));
        }
    }
}
