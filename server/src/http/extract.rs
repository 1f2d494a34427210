//! What a handler takes from a request: the caller, a JSON body, a query, ids of the path. Whatever
//! is wrong with one of them is answered here, in our words.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trialogue_protocol::ErrorCode;

use super::Behind;
use crate::accept::Peer;
use crate::error::Error;
use crate::flow::browse::ListQuery;
use crate::flow::log_in::{self, Caller};
use crate::limits::BODY_BYTES_MAX;
use crate::parse;
use crate::state::AppState;

/// The one media type of bodies, both ways.
pub(super) const JSON: &str = "application/json";
/// Time for a body to arrive: 64 KiB over a poor line take less.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

impl FromRequestParts<AppState> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        let token = bearer(&parts.headers)
            .ok_or_else(|| Error::new(ErrorCode::Unauthenticated, "no access token"))?;
        let caller = log_in::authenticate(&state.store, &state.auth, token).await?;
        if let Some(behind) = parts.extensions.get::<Behind>() {
            // Asked for once per request.
            let _ = behind.0.set(caller.person.id);
        }
        state.throttle.user(caller.person.id, Instant::now())?;
        Ok(caller)
    }
}

/// Where a request comes from, behind trusted proxies; nowhere for one that did not come through
/// our accept loop.
pub(super) struct Address(pub(super) Option<IpAddr>);

impl FromRequestParts<AppState> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Peer>().map(|peer| peer.0)))
    }
}

/// The token of `Authorization: Bearer`, from nowhere else: a query would end up in logs.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A JSON body, and as an answer the same.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// 201 with a JSON body.
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, axum::Json(self.0)).into_response()
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            let message = "the body is not application/json";
            return Err(Error::new(ErrorCode::UnsupportedMediaType, message));
        }
        if is_packed(request.headers()) {
            let message = "the body is packed: send it as it is";
            return Err(Error::new(ErrorCode::UnsupportedMediaType, message));
        }
        // What is announced as too long is not waited for.
        if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(too_long());
        }
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
            Ok(Err(_)) => {
                return Err(Error::new(ErrorCode::BadRequest, "the body did not arrive whole"));
            }
            Err(_) => {
                return Err(Error::new(ErrorCode::BadRequest, "the body did not arrive in time"));
            }
        };
        parse::object(&bytes, "body").map(Self)
    }
}

fn too_long() -> Error {
    Error::new(ErrorCode::TooLarge, format!("the body is over {BODY_BYTES_MAX} bytes"))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let parameters = parameters.trim().to_ascii_lowercase();
        essence.trim().eq_ignore_ascii_case(JSON)
            && (parameters.is_empty()
                || matches!(&*parameters, "charset=utf-8" | "charset=\"utf-8\""))
    })
}

/// Nothing is ever unpacked: a small body must not become a large one here.
fn is_packed(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| coding != "identity")
}

/// A query string.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(QueryRejection::FailedToDeserializeQueryString(rejection)) => {
                // "Failed to deserialize query string: <field>: <what serde says of the value>"
                let text = rejection.body_text();
                let field = text.split(": ").nth(1).unwrap_or("query").to_owned();
                let message = format!("{field} has the wrong form");
                Err(Error::field(field, message))
            }
            Err(_) => Err(Error::field("query", "the query has the wrong form")),
        }
    }
}

/// Ids of the path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(id)) => Ok(Self(id)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => {
                Err(Error::field("id", "the id in the path has the wrong form"))
            }
            Err(_) => Err(Error::new(ErrorCode::Internal, "internal error")),
        }
    }
}

/// `limit` and `cursor`, which every list takes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paging {
    limit: Option<i64>,
    cursor: Option<String>,
}

impl From<Paging> for ListQuery {
    fn from(paging: Paging) -> Self {
        Self { limit: paging.limit, cursor: paging.cursor }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_json_is_json() {
        let check = |value: &'static str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers), expect, "{value}");
        };
        check("application/json", true);
        check("Application/JSON; charset=UTF-8", true);
        check("application/json; charset=latin1", false);
        check("application/jsonx", false);
        check("text/plain", false);
        check("multipart/form-data; boundary=x", false);
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_token_comes_in_one_header_only() {
        let check = |value: &'static str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), expect, "{value}");
        };
        check("Bearer abc", Some("abc"));
        check("bearer  abc ", Some("abc"));
        check("Basic abc", None);
        check("Bearer", None);
        check("abc", None);
    }
}
