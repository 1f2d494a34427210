//! Who is checked: where to find it, and what it turns out to offer.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use url::Url;

use super::frames::Ws;
use super::wire::{Endpoint, parse_handshake};
use super::{Cx, Outcome, Secrets, failed, unimplemented};
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

    /// What no reason repeats: the strings of the auth object.
    pub(super) fn secrets(&self) -> Secrets {
        self.auth.as_deref().map(Secrets::new).unwrap_or_default()
    }
}

/// A transport of one path, found out by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It opened a session with this handshake.
    Handshake(Handshake),
    /// It answers, but not with a handshake, and why.
    Broken(String),
    /// It is not there, and why.
    Absent(String),
}

impl Offer {
    /// The handshake, if there is a right one.
    #[must_use]
    pub fn handshake(&self) -> Option<&Handshake> {
        match self {
            Self::Handshake(handshake) => Some(handshake),
            Self::Broken(_) | Self::Absent(_) => None,
        }
    }

    /// Its name where it is there, and why where it is broken.
    fn fact(&self, name: &str) -> Option<String> {
        match self {
            Self::Handshake(_) => Some(name.to_owned()),
            Self::Broken(why) => Some(format!("{name} (broken: {why})")),
            Self::Absent(_) => None,
        }
    }

    fn new(text: Outcome<String>, secrets: &Secrets) -> Self {
        match text.map(|text| parse_handshake(&text)) {
            Ok(Ok(handshake)) => Self::Handshake(handshake),
            Ok(Err(stop)) => Self::Broken(stop.reason(secrets)),
            Err(stop) => Self::Absent(stop.reason(secrets)),
        }
    }
}

/// Both transports of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// HTTP long-polling.
    pub polling: Offer,
    /// A websocket from the beginning.
    pub websocket: Offer,
}

impl Offered {
    /// What a session is promised, over either transport.
    #[must_use]
    pub fn handshake(&self) -> Option<&Handshake> {
        self.websocket.handshake().or(self.polling.handshake())
    }

    /// Whether a polling session may move to a websocket.
    #[must_use]
    pub fn upgrades(&self) -> bool {
        let polling = self.polling.handshake();
        polling.is_some_and(|offer| offer.upgrades.iter().any(|to| to == "websocket"))
    }

    /// Why there is nothing at all; one reason where both have the same.
    fn absent(&self) -> String {
        let why = |offer: &Offer| match offer {
            Offer::Handshake(_) => String::new(),
            Offer::Broken(why) | Offer::Absent(why) => why.clone(),
        };
        let (polling, websocket) = (why(&self.polling), why(&self.websocket));
        let cause = |why: &str| why.split_once(": ").map(|(_, cause)| cause.to_owned());
        match (cause(&polling), cause(&websocket)) {
            (Some(one), Some(other)) if one == other => one,
            _ => format!("polling: {polling}; websocket: {websocket}"),
        }
    }
}

/// What a server offers, found out by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// Where Socket.IO answers.
    pub socket: Offered,
    /// Where plain Engine.IO answers.
    pub engine: Offered,
    /// Plain Engine.IO sends back what it gets.
    pub echo: bool,
    /// Why the namespace is refused, if it is.
    pub refused: Option<String>,
    /// It emits `auth` as [`super::PROFILE`] says: then everything in it is expected.
    pub profile: bool,
}

impl Offers {
    /// The same in words for people, each with what it is about.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let transports = |offered: &Offered| {
            let found = [offered.polling.fact("polling"), offered.websocket.fact("websocket")];
            let upgrades = offered.upgrades().then(|| "upgrade".to_owned());
            let found: Vec<String> = found.into_iter().flatten().chain(upgrades).collect();
            if found.is_empty() { "none".to_owned() } else { found.join(", ") }
        };
        let mut facts = vec![("Socket.IO", transports(&self.socket))];
        facts.push(("Engine.IO alone", transports(&self.engine)));
        if self.engine.handshake().is_some() {
            facts.push(("Engine.IO echo", yes_or_no(self.echo)));
        }
        let handshake = self.socket.handshake().or(self.engine.handshake());
        if let Some(Handshake { ping_interval, ping_timeout, max_payload, .. }) = handshake {
            let heartbeat = format!("every {ping_interval} ms, lost {ping_timeout} ms later");
            facts.push(("heartbeat", heartbeat));
            facts.push(("payload", format!("at most {max_payload} bytes")));
        }
        if let Some(why) = &self.refused {
            facts.push(("namespace", format!("refused: {why}")));
        }
        facts.push(("profile of the suites", yes_or_no(self.profile)));
        facts
    }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
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

const UNKNOWN: Offered =
    Offered { polling: Offer::Absent(String::new()), websocket: Offer::Absent(String::new()) };
const NOTHING: Offers =
    Offers { socket: UNKNOWN, engine: UNKNOWN, echo: false, refused: None, profile: false };

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
        let mut subject = Self { inner: Arc::new(inner) };
        let offered = async |endpoint| {
            let cx = Cx::new(&subject, endpoint);
            let (polling, websocket) =
                tokio::join!(cx.polling_text(), async { Ok(cx.opened().await?.1) });
            cx.tidy_up().await;
            let secrets = subject.target().secrets();
            let offer = |text| Offer::new(text, &secrets);
            Offered { polling: offer(polling), websocket: offer(websocket) }
        };
        let (socket, engine) = tokio::join!(offered(Endpoint::Socket), offered(Endpoint::Engine));
        if socket.handshake().is_none() && engine.handshake().is_none() {
            return Err(format!("no Engine.IO there: {}", socket.absent()));
        }
        subject = subject.with(Offers { socket, engine, ..NOTHING });
        let offers = subject.offers_inside().await;
        Ok(subject.with(offers))
    }

    fn with(&self, offers: Offers) -> Self {
        let Inner { target, socket, engine, .. } = &*self.inner;
        let (target, socket, engine) = (target.clone(), socket.clone(), engine.clone());
        Self { inner: Arc::new(Inner { target, socket, engine, offers }) }
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

    /// What can be seen only from inside a session.
    async fn offers_inside(&self) -> Offers {
        let (socket, engine) = (Cx::new(self, Endpoint::Socket), Cx::new(self, Endpoint::Engine));
        let mut offers = Offers { echo: engine.is_echoed().await, ..self.offers().clone() };
        if let Ok((mut ws, _)) = socket.open().await {
            match socket.enter(&mut ws).await {
                Ok(()) => offers.profile = socket.is_greeted(&mut ws).await,
                Err(stop) => offers.refused = Some(stop.reason(&self.target().secrets())),
            }
        }
        offers
    }
}

/// How long a greeting may come behind an answer that was asked for after it.
const GREETING_WAIT: Duration = Duration::from_millis(200);

impl Cx {
    /// Does the server say `auth` first, with what it was told? A server that says nothing at all
    /// is asked for something else, so that nobody waits long for nothing.
    async fn is_greeted(&self, ws: &mut Ws) -> bool {
        let auth = self.subject.target().auth.as_deref().unwrap_or("{}");
        let expected = format!("42{}[\"auth\",{auth}]", self.prefix());
        let asked = ws.send("40/nowhere,").await;
        match ws.packet().await {
            Ok(text) if asked.is_ok() && text.starts_with("44/nowhere,") => {
                let late = tokio::time::timeout(GREETING_WAIT, ws.packet()).await;
                late.is_ok_and(|packet| packet.is_ok_and(|text| text == expected))
            }
            first => first.is_ok_and(|text| text == expected),
        }
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
            return unimplemented(what);
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
