//! Access tokens that the server did not make, signed with the secret of the tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::fixture::SECRET;

/// The header of our own tokens.
pub(super) const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// Signs whatever it is given, so that only what is wrong in it is wrong.
pub(super) fn signed(header: &str, payload: &str) -> String {
    signed_with(SECRET.as_bytes(), Algorithm::HS256, header, payload)
}

/// The same with another key or another hash.
pub(super) fn signed_with(
    secret: &[u8],
    algorithm: Algorithm,
    header: &str,
    payload: &str,
) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(secret);
    let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{mac}")
}

/// What a token says.
pub(super) fn payload_of(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The token as it was an hour ago, when it lived a quarter of that.
pub(super) fn expired_token(token: &str) -> String {
    let mut payload = payload_of(token);
    let then = payload["iat"].as_i64().unwrap() - 3_600;
    for (claim, at) in [("iat", then), ("nbf", then), ("exp", then + 900)] {
        payload[claim] = json!(at);
    }
    signed(HEADER, &payload.to_string())
}
