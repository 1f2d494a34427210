//! An HTTP proxy between us and the server, as the environment names it.
//!
//! Everything goes through a tunnel (`CONNECT`, RFC 9110 §9.3.6), also what is not encrypted: a
//! websocket needs one anyway (RFC 6455 §4.1), and a proxy that may read along is no gain.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::error::ConnectError;

/// Where to ask for a tunnel.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// For its user and password; marked as sensitive, so that it does not show.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy for a server, by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in either
    /// case (and by the system's settings on systems that have such); `None`: straight.
    ///
    /// # Errors
    /// [`ConnectError::Config`] for a proxy that is not reached over plain HTTP.
    pub fn of_environment(server: &Url) -> Result<Option<Self>, ConnectError> {
        Self::of(&Matcher::from_system(), server)
    }

    fn of(rules: &Matcher, server: &Url) -> Result<Option<Self>, ConnectError> {
        let secure = matches!(server.scheme(), "https" | "wss");
        let scheme = if secure { "https" } else { "http" };
        let Some(host) = server.host_str() else { return Ok(None) };
        // The rules look at nothing else.
        let Ok(asked) = format!("{scheme}://{host}/").parse() else { return Ok(None) };
        let Some(found) = rules.intercept(&asked) else { return Ok(None) };
        let uri = found.uri();
        if uri.scheme_str() != Some("http") {
            let scheme = uri.scheme_str().unwrap_or_default();
            let what = format!("a proxy over {scheme} is not supported: name one over http");
            return Err(ConnectError::Config(what));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authorization = found.basic_auth().cloned();
        Ok(Some(Self { host, port: uri.port_u16().unwrap_or(80), authorization }))
    }

    /// Its host and port, without user and password.
    pub fn address(&self) -> String {
        authority(&self.host, self.port)
    }

    /// What is sent to it to get a tunnel: method, URI and headers.
    pub(super) fn request(
        &self,
        host: &str,
        port: u16,
    ) -> Result<http::Request<http_body_util::Full<bytes::Bytes>>, ConnectError> {
        let authority = authority(host, port);
        let unusable = |what: String| ConnectError::Config(what);
        let mut headers = HeaderMap::new();
        let value = HeaderValue::try_from(&authority).map_err(|e| unusable(e.to_string()))?;
        headers.insert(header::HOST, value);
        if let Some(authorization) = &self.authorization {
            headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        let mut request = http::Request::builder()
            .method(Method::CONNECT)
            .uri(&authority)
            .body(http_body_util::Full::default())
            .map_err(|e| unusable(e.to_string()))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Why there is no tunnel.
    pub(super) fn refused(&self, status: StatusCode) -> std::io::Error {
        std::io::Error::other(format!("the proxy {} answered {status}", self.address()))
    }
}

/// Host and port as a URI has them.
fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: &str, expect: Option<&str>) {
        let rules = Matcher::builder()
            .http("http://plain.example:3128")
            .https("http://me:secret@secure.example")
            .no("localhost,.inside.example,10.0.0.0/8")
            .build();
        let found = Proxy::of(&rules, &server.parse().unwrap()).unwrap();
        assert_eq!(found.map(|proxy| proxy.address()).as_deref(), expect, "{server}");
    }

    #[test]
    fn a_server_has_the_proxy_of_its_scheme_unless_it_is_excepted() {
        check("http://chat.example:3000", Some("plain.example:3128"));
        check("ws://chat.example", Some("plain.example:3128"));
        check("https://chat.example", Some("secure.example:80"));
        check("wss://chat.example", Some("secure.example:80"));
        check("https://chat.inside.example", None);
        check("http://localhost:3000", None);
        check("http://10.1.2.3", None);
    }

    #[test]
    fn a_password_goes_to_the_proxy_and_shows_nowhere() {
        let rules = Matcher::builder().all("http://me:secret@proxy.example:1").build();
        let server = "https://chat.example".parse().unwrap();
        let proxy = Proxy::of(&rules, &server).unwrap().unwrap();
        let request = proxy.request("::1", 443).unwrap();
        assert_eq!(request.uri(), "[::1]:443");
        assert_eq!(request.headers()[header::PROXY_AUTHORIZATION], "Basic bWU6c2VjcmV0");
        let shown = format!("{proxy:?} {request:?} {}", proxy.address());
        assert!(!shown.contains("secret") && !shown.contains("bWU6"), "{shown}");
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused() {
        for kind in ["socks5://proxy.example:1080", "https://proxy.example"] {
            let rules = Matcher::builder().all(kind).build();
            let refused = Proxy::of(&rules, &"https://chat.example".parse().unwrap());
            assert!(matches!(refused, Err(ConnectError::Config(_))), "{kind}: {refused:?}");
        }
    }
}
