//! What a connection needs to know, with a default and a reason for every bound.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use super::error::ConnectError;
use super::proxy::Proxy;
use super::tap::Tap;

/// How to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transports {
    /// A websocket from the start: one connection, least work. The default.
    #[default]
    Websocket,
    /// HTTP requests only.
    Polling,
    /// HTTP requests first, then a websocket where the server offers one and it can be opened.
    PollingUpgrade,
}

/// Whom to trust over TLS.
#[derive(Debug, Clone, Default)]
pub enum RootCertificates {
    /// The operating system's store and rules.
    #[default]
    Platform,
    /// A configuration shared by all connections that use it, such as [`Self::only`].
    Custom(Arc<rustls::ClientConfig>),
}

impl RootCertificates {
    /// Trusts these authorities and no other.
    ///
    /// # Errors
    /// [`ConnectError::Config`] when one of them is not a certificate.
    pub fn only(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, ConnectError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(unusable)?;
        }
        let config = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self::Custom(Arc::new(config)))
    }

    pub(super) fn tls(&self) -> Result<Arc<rustls::ClientConfig>, ConnectError> {
        // The system's store is read once: it costs milliseconds and a megabyte.
        static PLATFORM: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
        match (self, PLATFORM.get()) {
            (Self::Custom(config), _) => Ok(config.clone()),
            (Self::Platform, Some(config)) => Ok(config.clone()),
            (Self::Platform, None) => {
                let builder = builder()?.with_platform_verifier().map_err(unusable)?;
                let config = Arc::new(builder.with_no_client_auth());
                Ok(PLATFORM.get_or_init(|| config).clone())
            }
        }
    }
}

type Builder = rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().map_err(unusable)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unusable(error: rustls::Error) -> ConnectError {
    ConnectError::Config(format!("the root certificates cannot be used: {error}"))
}

/// Everything about one connection. Construct it with [`ClientConfig::new`] and change fields.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `http`, `https`, `ws` or `wss`; host and port; a query is sent along. Its path is not used.
    pub url: Url,
    /// Where the server answers, `/socket.io/` unless it was told otherwise.
    pub path: String,
    /// How to travel.
    pub transports: Transports,
    /// Sent with every request, for servers that look at headers.
    pub headers: HeaderMap,
    /// Whom to trust over TLS.
    pub root_certificates: RootCertificates,
    /// Through which proxy (none): see [`Proxy::of_environment`].
    pub proxy: Option<Proxy>,
    /// Source addresses of connections, taken in turn (none: the system chooses). One address has
    /// some 28,000 ports.
    pub local_addresses: Vec<IpAddr>,
    /// For the connection up to the server's handshake, and for the answer of a namespace (10 s).
    pub connect_timeout: Duration,
    /// The longest message of the server in bytes (1 MiB: a page of history, not a download).
    pub max_payload: usize,
    /// Events and their bytes that wait for [`super::ClientSocket::recv`] (256, 1 MiB). When either
    /// is reached, the connection is not read any further until some were received: nothing is
    /// dropped, and a server's rule for slow readers applies to us.
    pub inbound_events_max: usize,
    /// See [`Self::inbound_events_max`].
    pub inbound_bytes_max: usize,
    /// Packets and their bytes that wait to be sent (1,024, 4 MiB): beyond, an emit answers
    /// [`super::EmitError::Full`]. As much again may be on its way to the socket.
    pub queue_frames_max: usize,
    /// See [`Self::queue_frames_max`].
    pub queue_bytes_max: usize,
    /// Acknowledgements awaited at once (16,384).
    pub acks_max: usize,
    /// Is told of every packet (nobody).
    pub tap: Option<Tap>,
}

impl ClientConfig {
    /// The defaults for that server.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            path: "/socket.io/".to_owned(),
            transports: Transports::default(),
            headers: HeaderMap::new(),
            root_certificates: RootCertificates::default(),
            proxy: None,
            local_addresses: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            max_payload: 1024 * 1024,
            inbound_events_max: 256,
            inbound_bytes_max: 1024 * 1024,
            queue_frames_max: 1_024,
            queue_bytes_max: 4 * 1024 * 1024,
            acks_max: 16_384,
            tap: None,
        }
    }
}
