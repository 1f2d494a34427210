//! Requests: what they ask for, and the answers that are no packets.

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::body::ResponseBody;
use super::id::SessionId;
use super::registry::Full;

/// Why a request is refused; the numbers and sentences of the reference implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    UnknownTransport,
    UnknownSession,
    HandshakeMethod,
    BadRequest,
    Forbidden,
    ProtocolVersion,
    WebsocketVersion,
    BodyTooLarge,
    BodyTooSlow,
    HeadersTooLarge,
    Full(Full),
}

impl Rejection {
    fn parts(self) -> (StatusCode, u8, &'static str) {
        match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::HandshakeMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::Forbidden => (StatusCode::FORBIDDEN, 4, "Forbidden"),
            Self::ProtocolVersion => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
            Self::WebsocketVersion => {
                (StatusCode::UPGRADE_REQUIRED, 3, "Unsupported websocket version")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, 3, "Request timeout"),
            Self::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, 3, "Headers too large")
            }
            Self::Full(Full::Closing) => {
                (StatusCode::SERVICE_UNAVAILABLE, 3, "The server is stopping")
            }
            Self::Full(Full::Limit("unclaimed_per_address_max")) => {
                (StatusCode::TOO_MANY_REQUESTS, 3, "Too many open handshakes from this address")
            }
            Self::Full(Full::Limit(_)) => (StatusCode::SERVICE_UNAVAILABLE, 3, "Too many sessions"),
        }
    }

    pub(super) fn answer(self) -> Response<ResponseBody> {
        let (status, code, message) = self.parts();
        let body = format!("{{\"code\":{code},\"message\":\"{message}\"}}");
        let mut response = respond(status, "application/json", ResponseBody::new(body));
        let headers = response.headers_mut();
        match self {
            Self::Full(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::WebsocketVersion => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        response
    }
}

pub(super) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Packets are read once, and an id of a session must lie in no cache.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportName {
    Polling,
    Websocket,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) transport: TransportName,
    pub(super) session: Option<SessionId>,
}

/// Reads the query; a key that counts may stand in it once.
pub(super) fn parse<B>(request: &Request<B>) -> Result<Query, Rejection> {
    let (mut protocol, mut transport, mut session) = (None, None, None);
    for pair in request.uri().query().unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match key {
            "EIO" => &mut protocol,
            "transport" => &mut transport,
            "sid" => &mut session,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Rejection::BadRequest);
        }
    }
    let transport = match transport {
        Some("polling") => TransportName::Polling,
        Some("websocket") => TransportName::Websocket,
        _ => return Err(Rejection::UnknownTransport),
    };
    // A client names the version with every request; without a session it must.
    if protocol.map_or(session.is_none(), |protocol| protocol != crate::engine::PROTOCOL) {
        return Err(Rejection::ProtocolVersion);
    }
    let session = match session {
        Some(text) => Some(SessionId::parse(text).ok_or(Rejection::UnknownSession)?),
        None if request.method() != Method::GET => return Err(Rejection::HandshakeMethod),
        None => None,
    };
    Ok(Query { transport, session })
}

/// The answer to a preflight request of a browser.
pub(super) fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::new(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET,POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization,content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Tells a browser that its origin may read the answer.
pub(super) fn allow_origin(origin: Option<HeaderValue>, response: &mut Response<ResponseBody>) {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: &str, query: &str) -> Result<Query, Rejection> {
        let uri = format!("http://x/socket.io/?{query}");
        parse(&Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    #[test]
    fn a_query_says_what_is_asked_for() {
        let sid = SessionId::random();
        let query = format!("t=1&sid={}&transport=polling&EIO=4", sid.reveal());
        let expect = Query { transport: TransportName::Polling, session: Some(sid) };
        assert!(parsed("POST", &query) == Ok(expect));
    }

    #[test]
    fn wrong_queries_are_refused_with_their_code() {
        use Rejection::{
            BadRequest, HandshakeMethod, ProtocolVersion, UnknownSession, UnknownTransport,
        };
        for (method, query, expect) in [
            ("GET", "", UnknownTransport),
            ("GET", "EIO=4", UnknownTransport),
            ("GET", "EIO=4&transport=abc", UnknownTransport),
            ("GET", "EIO=4&transport=constructor", UnknownTransport),
            ("GET", "EIO=4&transport=__proto__", UnknownTransport),
            ("GET", "transport=polling", ProtocolVersion),
            ("GET", "EIO=3&transport=polling", ProtocolVersion),
            ("GET", "EIO=abc&transport=polling", ProtocolVersion),
            ("GET", "EIO=04&transport=polling", ProtocolVersion),
            ("GET", "EIO=3&transport=polling&sid=abc", ProtocolVersion),
            ("GET", "EIO=4&EIO=4&transport=polling", BadRequest),
            ("GET", "EIO=4&transport=polling&transport=websocket", BadRequest),
            ("POST", "EIO=4&transport=polling", HandshakeMethod),
            ("PUT", "EIO=4&transport=polling", HandshakeMethod),
            ("GET", "EIO=4&transport=polling&sid=abc", UnknownSession),
            ("GET", "EIO=4&transport=polling&sid=", UnknownSession),
        ] {
            assert_eq!(parsed(method, query).err(), Some(expect), "{method} {query}");
        }
    }
}
