//! A TCP connection, bare or under TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::config::ClientConfig;
use super::error::ConnectError;
use super::http::tunnel;
use super::proxy::Proxy;

/// Where to connect to, and how to name it in requests.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    proxy: Option<Proxy>,
    /// Where connections come from, and whose turn it is.
    sources: Arc<[IpAddr]>,
    turn: Arc<AtomicUsize>,
    /// Host and port as the `Host` header has them.
    pub(super) authority: String,
    /// Path and query without the pairs of the transport; ends in `?` or `&`.
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let url = &config.url;
        let refuse = |what: &str| ConnectError::Config(format!("{what} in {url}"));
        let (secure, default_port) = match url.scheme() {
            "http" | "ws" => (false, 80),
            "https" | "wss" => (true, 443),
            _ => return Err(refuse("the scheme is not http, https, ws or wss")),
        };
        let authority_host = url.host_str().ok_or_else(|| refuse("no host"))?;
        // An IPv6 address has brackets in a url, and none where it is looked up.
        let host = authority_host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authority = match url.port() {
            Some(port) => format!("{authority_host}:{port}"),
            None => authority_host.to_owned(),
        };
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|_| refuse("no server name"))?;
            Some((config.root_certificates.tls()?, name))
        } else {
            None
        };
        let mut path = config.path.clone();
        path.push('?');
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            path.push_str(query);
            path.push('&');
        }
        let (port, proxy) = (url.port().unwrap_or(default_port), config.proxy.clone());
        let (sources, turn) = (config.local_addresses.as_slice().into(), Arc::default());
        Ok(Self { host, port, tls, proxy, sources, turn, authority, path })
    }

    /// Tries the host's addresses one after another, each for its share of `within`. Behind a proxy
    /// the addresses are the proxy's, and the name of the host is the proxy's to look up.
    pub(crate) async fn connect(&self, within: Duration) -> Result<Stream, ConnectError> {
        let Some(proxy) = &self.proxy else {
            let tcp = self.dial((&self.host, self.port), &self.authority, within).await?;
            return self.secure(tcp).await;
        };
        let tcp = self.dial((&proxy.host, proxy.port), &proxy.address(), within).await?;
        let tunnel = tunnel(proxy, tcp, &self.host, self.port).await?;
        self.secure(tunnel).await
    }

    async fn dial(
        &self,
        place: (&str, u16),
        name: &str,
        within: Duration,
    ) -> Result<TcpStream, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable { host: name.to_owned(), source };
        let found = tokio::net::lookup_host(place).await;
        let addresses: Vec<_> = found.map_err(unreachable)?.collect();
        let share = within / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match tokio::time::timeout(share, self.open(address)).await {
                Ok(Ok(tcp)) => {
                    // Small frames must not wait for the acknowledgement of the one before.
                    tcp.set_nodelay(true).map_err(unreachable)?;
                    return Ok(tcp);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(unreachable(last))
    }

    /// From the next source address of the same kind, where some are named.
    async fn open(&self, to: SocketAddr) -> io::Result<TcpStream> {
        if self.sources.is_empty() {
            return TcpStream::connect(to).await;
        }
        let alike = || self.sources.iter().filter(|source| source.is_ipv4() == to.is_ipv4());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % alike().count().max(1);
        let Some(source) = alike().nth(turn) else {
            let what = format!("{to} cannot be reached from any source address that is named");
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what));
        };
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(*source, 0))?;
        socket.connect(to).await
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, ConnectError> {
        let failed = |source| ConnectError::Tls { host: self.authority.clone(), source };
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name.clone(), tcp).await.map_err(failed)?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }
}

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Its end will be a reset, as when a machine is gone, and not a good-bye.
    pub(crate) fn reset_at_end(&self) {
        let tcp = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        // A connection that is over already needs no reset.
        let _over = tcp.set_zero_linger();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_come_from_the_named_addresses_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut config = ClientConfig::new(format!("http://127.0.0.1:{port}").parse().unwrap());
        config.local_addresses =
            ["::1", "127.0.0.2", "127.0.0.3"].map(|a| a.parse().unwrap()).into();
        let target = Target::new(&config).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (_kept, accepted) =
                tokio::join!(target.connect(Duration::from_secs(10)), listener.accept());
            seen.push(accepted.unwrap().1.ip().to_string());
        }
        assert_eq!(seen, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"]);
        config.local_addresses = vec!["::1".parse().unwrap()];
        let refused = Target::new(&config).unwrap().connect(Duration::from_secs(10)).await;
        assert!(matches!(refused, Err(ConnectError::Unreachable { .. })));
    }
}
