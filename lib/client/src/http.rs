//! One HTTP server as a client sees it: bounds, time limits and errors, no word of chat.
//!
//! What may not happen here: following a redirect (it could carry a token to another host),
//! reading an answer of any length, waiting without an end, a token over plain HTTP to another
//! machine unless the user said so.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use trialogue_socketio::client::{Proxy, RootCertificates};
use url::{Host, Url};

pub(crate) use crate::call::Call;
use crate::call::read_headers;
use crate::error::Error;

/// How to speak to one server.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Scheme, host and port; a path is kept as a prefix.
    pub url: Url,
    /// Longest wait for a TCP and TLS connection (10 s).
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer (30 s).
    pub answer_timeout: Duration,
    /// Longest answer in bytes (32 MiB): a full page of the longest messages fits.
    pub body_bytes_max: usize,
    /// Permit `http://` to a host that is not this machine.
    pub allow_plain_http: bool,
    /// Certificate authorities in PEM, trusted instead of the system's, over HTTP and over the
    /// socket; empty: the system's.
    pub root_certificates: Vec<Vec<u8>>,
    /// Sees every exchange (none by default).
    pub witness: Option<Witness>,
}

/// Sees every exchange when it is over: for journals and tests that must know what really went
/// over the wire. Called on the task that sent the request, so it must not block.
#[derive(Clone)]
pub struct Witness(pub Arc<dyn Fn(&Exchange<'_>) + Send + Sync>);

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

/// A request and how it was answered. The bodies may hold passwords and tokens.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// `GET` and the like.
    pub method: &'a str,
    /// Path and query as sent.
    pub path: &'a str,
    /// Body as sent.
    pub request: Option<&'a [u8]>,
    /// Status and whole body of the answer, or why there is none.
    pub answer: Result<(u16, &'a [u8]), &'a Error>,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl HttpConfig {
    /// The defaults for a server.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            body_bytes_max: 32 * 1024 * 1024,
            allow_plain_http: false,
            root_certificates: Vec::new(),
            witness: None,
        }
    }
}

/// Whether a URL names this very machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A server. Cheap to clone; clones share one pool of connections, so many accounts at one server
/// should share one.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    url: Url,
    body_bytes_max: usize,
    witness: Option<Witness>,
    roots: RootCertificates,
    proxy: Option<Proxy>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// From `Retry-After`, in seconds as servers of this flow send it.
    pub(crate) retry_after: Option<Duration>,
}

impl Http {
    /// Prepares; connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Invalid`]: not an `http(s)` URL with a host, plain HTTP to another machine without
    /// permission, or a certificate that is not PEM.
    pub fn new(config: HttpConfig) -> Result<Self, Error> {
        let url = config.url;
        let loopback = is_loopback(&url);
        match (url.scheme(), url.has_host()) {
            ("https", true) => {}
            ("http", true) if loopback || config.allow_plain_http => {}
            ("http", true) => {
                return Err(Error::Invalid(
                    "plain http to another machine would show the token to the network: \
                     use https, or allow it"
                        .to_owned(),
                ));
            }
            _ => return Err(Error::Invalid("the server is not an http(s) URL".to_owned())),
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .timeout(config.answer_timeout)
            // Under the 5 s after which stock node servers close an idle connection.
            .pool_idle_timeout(Duration::from_secs(4))
            .user_agent(concat!("trialogue/", env!("CARGO_PKG_VERSION")));
        // A proxy for the world has no business with this machine.
        let proxy = if loopback {
            builder = builder.no_proxy();
            None
        } else {
            let proxy = Proxy::of_environment(&url);
            proxy.map_err(|error| Error::Invalid(error.to_string()))?
        };
        let mut roots = RootCertificates::default();
        if config.root_certificates.is_empty() && url.scheme() == "http" {
            // No TLS, no authorities: to read those of the system takes longer than most requests.
            builder = builder.tls_certs_only([]);
        } else if !config.root_certificates.is_empty() {
            let ders = authorities(&config.root_certificates)?;
            let own = ders.iter().map(|der| reqwest::Certificate::from_der(der));
            builder = builder.tls_certs_only(own.collect::<Result<Vec<_>, _>>().map_err(bad_pem)?);
            roots = RootCertificates::only(ders).map_err(bad_pem)?;
        }
        let client = builder.build().map_err(|e| Error::Invalid(innermost(&e)))?;
        let (body_bytes_max, witness) = (config.body_bytes_max, config.witness);
        Ok(Self { client, url, body_bytes_max, witness, roots, proxy })
    }

    /// Scheme, host and port of the server.
    pub fn server(&self) -> &Url {
        &self.url
    }

    /// Whom a socket to the same server trusts.
    pub fn roots(&self) -> RootCertificates {
        self.roots.clone()
    }

    /// The proxy through which requests go and a socket to the same server must go.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// What the server's clock says, to a whole second (RFC 9110 §6.6.1); nothing from one that does
    /// not say it.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::TimedOut`]: no answer.
    pub async fn date(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let answer = self.client.head(self.url.clone()).send().await.map_err(|e| failed(&e))?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Ok(date.map(|date| date.with_timezone(&Utc)))
    }

    /// Sends and reads the whole answer, whatever its status.
    pub(crate) async fn send(&self, call: Call, token: Option<&str>) -> Result<Answer, Error> {
        let Some(Witness(witness)) = &self.witness else {
            return self.exchange(call, token).await;
        };
        let (method, body) = (call.method.clone(), call.body.clone());
        let mut path = call.path.clone();
        for (n, (name, value)) in call.query.iter().enumerate() {
            path.push_str(if n == 0 { "?" } else { "&" });
            path.extend([name, "=", value.as_str()]);
        }
        let begin = Instant::now();
        let answer = self.exchange(call, token).await;
        witness(&Exchange {
            method: method.as_str(),
            path: &path,
            request: body.as_deref(),
            answer: match &answer {
                Ok(answer) => Ok((answer.status.as_u16(), &answer.body)),
                Err(error) => Err(error),
            },
            took: begin.elapsed(),
        });
        answer
    }

    async fn exchange(&self, call: Call, token: Option<&str>) -> Result<Answer, Error> {
        let mut url = self.url.clone();
        let prefix = self.url.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{}", call.path));
        let mut request = self.client.request(call.method, url).query(&call.query);
        if let Some(body) = call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !call.headers.is_empty() {
            request = request.headers(read_headers(&call.headers)?);
        }
        let mut response = request.send().await.map_err(|e| failed(&e))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Error::Garbled("a redirect, which is not followed".to_owned()));
        }
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| failed(&e))? {
            if body.len() + chunk.len() > self.body_bytes_max {
                let most = self.body_bytes_max;
                return Err(Error::Garbled(format!("an answer of over {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body, retry_after })
    }
}

fn authorities(pems: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = pems.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem));
    let ders = all.collect::<Result<Vec<_>, _>>().map_err(bad_pem)?;
    if ders.is_empty() { Err(bad_pem("it holds none")) } else { Ok(ders) }
}

fn bad_pem(why: impl std::fmt::Display) -> Error {
    Error::Invalid(format!("a certificate authority cannot be used: {why}"))
}

fn failed(error: &reqwest::Error) -> Error {
    let why = innermost(error);
    if error.is_timeout() {
        Error::TimedOut("the server gave no answer in time".to_owned())
    } else if error.is_connect() {
        Error::Unreachable(why)
    } else if error.is_builder() {
        Error::Invalid(why)
    } else {
        Error::Unanswered(why)
    }
}

/// The cause at the bottom: the layers above it say the same in more words and with the URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allow: bool, expect: bool) {
        let mut config = HttpConfig::new(url.parse().unwrap());
        config.allow_plain_http = allow;
        assert_eq!(Http::new(config).is_ok(), expect, "{url}");
    }

    #[test]
    fn a_token_is_not_shown_to_the_network_without_permission() {
        check("http://127.0.0.1:3000", false, true);
        check("http://[::1]:3000", false, true);
        check("http://localhost:3000", false, true);
        check("http://chat.example", false, false);
        check("http://chat.example", true, true);
        check("https://chat.example", false, true);
        check("ftp://chat.example", true, false);
        check("http://127.0.0.1.evil.example", false, false);
        check("http://localhost.evil.example", false, false);
    }

    /// A server that answers one request with a 409, whatever it is.
    async fn refusing() -> Url {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"a b\"}") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            let body = r#"{"no":true}"#;
            let length = body.len();
            let answer = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_witness_sees_what_really_went_over_the_wire() {
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut config = HttpConfig::new(refusing().await);
        let notes = Arc::clone(&seen);
        config.witness = Some(Witness(Arc::new(move |exchange| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let answer = exchange.answer.map(|(status, body)| (status, text(body))).unwrap();
            let request = exchange.request.map(text);
            notes
                .lock()
                .unwrap()
                .push(format!("{} {} {request:?} {answer:?}", exchange.method, exchange.path));
        })));
        let http = Http::new(config).unwrap();
        let rest = crate::Rest::new(http, crate::Dialect::Trialogue, crate::Credentials::default());
        let body = serde_json::json!({"x": "a b"});
        let answer = rest.raw("PUT", "/a?b=c%20d", Some(&body)).await;
        assert_eq!(answer, Ok((409, serde_json::json!({"no": true}))));
        let expect = r#"PUT /a?b=c d Some("{\"x\":\"a b\"}") (409, "{\"no\":true}")"#;
        assert_eq!(*seen.lock().unwrap(), [expect]);
        let wrong = rest.raw("P T", "/", None).await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
    }
}
