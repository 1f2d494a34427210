//! The opening handshake (RFC 6455 §4): the keys and the headers, no IO.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode, Version};
use sha1::{Digest, Sha1};

/// Appended to the client's key before it is hashed (RFC 6455 §1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is not a WebSocket handshake, or an answer not the one to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not GET over HTTP/1.1.
    #[error("a websocket handshake is a GET over HTTP/1.1")]
    NotGet,
    /// `Upgrade` does not name `websocket`.
    #[error("header Upgrade does not name websocket")]
    NoUpgrade,
    /// `Connection` does not name `Upgrade`.
    #[error("header Connection does not name upgrade")]
    NoConnectionUpgrade,
    /// Not version 13; answer 426 with `Sec-WebSocket-Version: 13`.
    #[error("header Sec-WebSocket-Version is not 13")]
    BadVersion,
    /// Not the base64 of 16 bytes.
    #[error("header Sec-WebSocket-Key is not the base64 of 16 bytes")]
    BadKey,
    /// The server answered with another status than 101.
    #[error("the server answered {0} instead of 101")]
    Status(StatusCode),
    /// The server's hash is not that of our key.
    #[error("header Sec-WebSocket-Accept does not match the key")]
    BadAccept,
    /// The server chose an extension or a subprotocol that we did not offer.
    #[error("the server chose {0}, which was not offered")]
    NotOffered(&'static str),
}

/// A client's key from 16 random bytes.
#[must_use]
pub fn new_key(random: [u8; 16]) -> String {
    BASE64_STANDARD.encode(random)
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize())
}

/// Is this the base64 of 16 bytes?
#[must_use]
pub fn is_client_key(key: &[u8]) -> bool {
    let mut random = [0; 18];
    key.len() == 24 && matches!(BASE64_STANDARD.decode_slice(key, &mut random), Ok(16))
}

/// Checks a client's request (RFC 6455 §4.2.1) and answers the value of `Sec-WebSocket-Accept`.
/// Offered extensions and subprotocols are not looked at: none is chosen.
///
/// # Errors
/// [`HandshakeError`] names the header that is wrong.
pub fn check_request(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<String, HandshakeError> {
    if method != Method::GET || version != Version::HTTP_11 {
        return Err(HandshakeError::NotGet);
    }
    if !names_token(headers, &header::UPGRADE, "websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if !names_token(headers, &header::CONNECTION, "upgrade") {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(HandshakeError::BadVersion);
    }
    match only(headers, &header::SEC_WEBSOCKET_KEY) {
        Some(key) if is_client_key(key) => Ok(accept_key(key)),
        _ => Err(HandshakeError::BadKey),
    }
}

/// Checks a server's answer to a request with `key` (RFC 6455 §4.1).
///
/// # Errors
/// [`HandshakeError`] names the header that is wrong.
pub fn check_answer(
    status: StatusCode,
    headers: &HeaderMap,
    key: &str,
) -> Result<(), HandshakeError> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Status(status));
    }
    if !names_token(headers, &header::UPGRADE, "websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if !names_token(headers, &header::CONNECTION, "upgrade") {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    if only(headers, &header::SEC_WEBSOCKET_ACCEPT) != Some(accept_key(key.as_bytes()).as_bytes()) {
        return Err(HandshakeError::BadAccept);
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(HandshakeError::NotOffered("an extension"));
    }
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Err(HandshakeError::NotOffered("a subprotocol"));
    }
    Ok(())
}

/// The value of a header that must be there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// Does a comma-separated header name `token`, in any case?
fn names_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}
