//! Who is checked: where to find it, and what it turns out to offer.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use url::Url;

use super::frames::Ws;
use super::wire::Endpoint;
use super::{Cx, Outcome, Stop, failed};
use crate::client::stream::Target as Address;
use crate::client::{ClientConfig, RootCertificates};
use crate::engine::Handshake;

/// Where the server is and how to be let in.
#[derive(Debug, Clone)]
pub struct Target {
    /// Scheme, host, port and, if need be, a query that goes along with every request.
    pub url: Url,
    /// Where Socket.IO answers (`/socket.io/`).
    pub socket_path: String,
    /// Where plain Engine.IO echoes (`/engine.io/`); the Engine.IO suite is about this one.
    pub engine_path: String,
    /// The namespace to be used, `/` for the suites.
    pub namespace: String,
    /// The auth object of that namespace, as JSON, for a server that wants one.
    pub auth: Option<String>,
    /// Sent with every request.
    pub headers: HeaderMap,
    /// Whom to trust over TLS.
    pub root_certificates: RootCertificates,
    /// How long anything may take that is to come, and the longest heartbeat that is waited for
    /// (5 s).
    pub patience: Duration,
}

impl Target {
    /// A server at the usual paths.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            socket_path: "/socket.io/".to_owned(),
            engine_path: "/engine.io/".to_owned(),
            namespace: "/".to_owned(),
            auth: None,
            headers: HeaderMap::new(),
            root_certificates: RootCertificates::default(),
            patience: Duration::from_secs(5),
        }
    }
}

/// What a server offers, found out by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// Its handshake over polling, if it polls.
    pub polling: Option<Handshake>,
    /// Its handshake over websocket, if it has that.
    pub websocket: Option<Handshake>,
    /// Plain Engine.IO, its handshake.
    pub engine: Option<Handshake>,
    /// Plain Engine.IO sends back what it gets.
    pub echo: bool,
    /// Why the namespace is refused, if it is.
    pub refused: Option<String>,
    /// It emits `auth` as [`super::PROFILE`] says: then everything in it is expected.
    pub profile: bool,
}

/// A server that answered, ready to be checked. A clone is the same.
#[derive(Debug, Clone)]
pub struct Subject {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: Target,
    socket: Address,
    engine: Address,
    offers: Offers,
}

const NOTHING: Offers = Offers {
    polling: None,
    websocket: None,
    engine: None,
    echo: false,
    refused: None,
    profile: false,
};

impl Subject {
    /// Finds out what the server offers.
    ///
    /// # Errors
    /// A sentence, when there is no Engine.IO at that url.
    pub async fn discover(target: Target) -> Result<Self, String> {
        let address = |path: &str| {
            let mut config = ClientConfig::new(target.url.clone());
            config.path = path.to_owned();
            config.root_certificates = target.root_certificates.clone();
            Address::new(&config).map_err(|error| error.to_string())
        };
        let (socket, engine) = (address(&target.socket_path)?, address(&target.engine_path)?);
        let inner = Inner { target, socket, engine, offers: NOTHING };
        let subject = Self { inner: Arc::new(inner) };
        let offers = subject.offers_found().await?;
        let Inner { target, socket, engine, .. } = &*subject.inner;
        let (target, socket, engine) = (target.clone(), socket.clone(), engine.clone());
        Ok(Self { inner: Arc::new(Inner { target, socket, engine, offers }) })
    }

    /// What it offers.
    #[must_use]
    pub fn offers(&self) -> &Offers {
        &self.inner.offers
    }

    /// What was asked for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    pub(super) fn address(&self, endpoint: Endpoint) -> &Address {
        match endpoint {
            Endpoint::Socket => &self.inner.socket,
            Endpoint::Engine => &self.inner.engine,
        }
    }

    async fn offers_found(&self) -> Result<Offers, String> {
        let (socket, engine) = (Cx::new(self, Endpoint::Socket), Cx::new(self, Endpoint::Engine));
        let polling = socket.polling_handshake().await;
        let websocket = socket.websocket_handshake().await;
        let mut offers = Offers { engine: engine.websocket_handshake().await.ok(), ..NOTHING };
        offers.echo = offers.engine.is_some() && engine.is_echoed().await;
        if let (Err(Stop::Failed(polls)), Err(Stop::Failed(frames))) = (&polling, &websocket)
            && offers.engine.is_none()
        {
            return Err(format!("no Engine.IO: polling: {polls}; websocket: {frames}"));
        }
        (offers.polling, offers.websocket) = (polling.ok(), websocket.ok());
        if offers.websocket.is_some() {
            let (mut ws, _) = socket.open().await.map_err(|stop| format!("{stop:?}"))?;
            match socket.enter(&mut ws).await {
                Ok(()) => offers.profile = socket.is_greeted(&mut ws).await,
                Err(stop) => offers.refused = Some(format!("{stop:?}")),
            }
        }
        socket.tidy_up().await;
        Ok(offers)
    }
}

impl Cx {
    /// Does the server say `auth` first, with what it was told?
    async fn is_greeted(&self, ws: &mut Ws) -> bool {
        let auth = self.subject.target().auth.as_deref().unwrap_or("{}");
        let expected = format!("42{}[\"auth\",{auth}]", self.prefix());
        ws.packet().await.is_ok_and(|text| text == expected)
    }

    /// Does plain Engine.IO send back what it gets?
    async fn is_echoed(&self) -> bool {
        let Ok((mut ws, _)) = self.open().await else { return false };
        ws.send("4echo?").await.is_ok() && ws.packet().await.is_ok_and(|text| text == "4echo?")
    }

    /// Connects the target's namespace; what it says first comes next.
    pub(super) async fn enter(&self, ws: &mut Ws) -> Outcome {
        let auth = self.subject.target().auth.as_deref().unwrap_or_default();
        ws.send(&format!("40{}{auth}", self.prefix())).await?;
        let answer = ws.packet().await?;
        if answer.starts_with(&format!("40{}{{\"sid\":\"", self.prefix())) {
            return Ok(());
        }
        if answer.starts_with("44") {
            let namespace = &self.subject.target().namespace;
            let what = format!("namespace {namespace} refuses us: {answer}; an auth may help");
            return super::unimplemented(what);
        }
        failed(format!("40{} was answered by {answer}", self.prefix()))
    }

    /// The namespace as it stands in packets: nothing for `/`.
    pub(super) fn prefix(&self) -> String {
        match &*self.subject.target().namespace {
            "/" => String::new(),
            path => format!("{path},"),
        }
    }
}
