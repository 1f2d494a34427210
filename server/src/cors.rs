//! Web pages of other origins: the one rule of [`OriginRule`], said to browsers (CONTRACT §1).
//!
//! A page that is not on the list is refused, not only kept from reading the answer. No cookie is
//! ever used, so no credentials are allowed.

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use trialogue_protocol::ErrorCode;

use crate::accept::OriginRule;
use crate::error::Error;

/// What our routes take.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// What our clients send.
const HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key");
/// What a page may read of our answers.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after, x-request-id");
/// How long a browser remembers a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The answer to a request that needs none of ours: a page that is not on the list, a preflight.
pub(crate) fn answer_at_once(
    rule: &OriginRule,
    method: &Method,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    if !rule.allows(headers) {
        return Some(Error::new(ErrorCode::Denied, "this origin is not allowed").into_response());
    }
    let is_preflight = method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    is_preflight.then(|| {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        answer.headers_mut().extend([
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ]);
        answer
    })
}

/// Lets the page of an allowed origin read the answer.
pub(crate) fn allow(origin: Option<HeaderValue>, answer: &mut Response<Body>) {
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
