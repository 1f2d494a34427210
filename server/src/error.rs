//! The one error of the server: a code from the closed list, a harmless sentence, and what a client
//! needs to do better. One way to an HTTP answer, one to a socket's.
//!
//! Causes (SQL, drivers, hosts) end here: they are logged and never sent.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use trialogue_protocol::{AckError, ErrorBody, ErrorCode};

use crate::policy::Refusal;
use crate::store::StoreError;

/// When to come back after the database was away: it recovers within seconds or takes long.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(1);

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
    message: Cow<'static, str>,
    fields: Vec<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error with a sentence: lower case, no full stop, naming the thing and the limit; never a
    /// secret, a path, a host or what somebody else wrote.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), fields: Vec::new(), retry_after: None }
    }

    /// `bad_request` that names the field at fault.
    pub fn field(
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut error = Self::new(ErrorCode::BadRequest, message);
        error.fields.push(field.into());
        error
    }

    /// `rate_limited`, with the time after which it works again.
    pub fn rate_limited(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorCode::RateLimited, message);
        error.retry_after = Some(retry_after);
        error
    }

    /// `unavailable`: certainly not done, may work later.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(ErrorCode::Unavailable, message);
        error.retry_after = Some(UNAVAILABLE_RETRY);
        error
    }

    /// The word from the closed list.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// When to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The socket's body (CONTRACT §2).
    pub fn ack(&self) -> AckError {
        AckError {
            code: self.code,
            message: self.message.clone().into_owned(),
            retryable: self.code.is_retryable(),
            retry_after_ms: self.retry_after.map(millis),
        }
    }

    /// The HTTP body (CONTRACT §1).
    pub fn body(&self) -> ErrorBody {
        let fields = (!self.fields.is_empty()).then(|| serde_json::json!({"fields": self.fields}));
        ErrorBody {
            status_code: self.code.http_status(),
            error: self.code,
            message: self.message.clone().into_owned(),
            details: fields,
        }
    }
}

/// Rounded up, so that nobody comes back too early.
fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.sentence())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "not stored");
                Self::unavailable("the database is not available, nothing was stored")
            }
            StoreError::OutcomeUnknown(_) => {
                tracing::warn!(%error, "perhaps stored");
                let mut error = Self::new(
                    ErrorCode::OutcomeUnknown,
                    "perhaps stored: try again with the same key",
                );
                error.retry_after = Some(UNAVAILABLE_RETRY);
                error
            }
            StoreError::Broken(_) => {
                tracing::error!(%error, "a statement is wrong");
                Self::new(ErrorCode::Internal, "internal error")
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.body())).into_response();
        // For who counts and logs what was answered.
        response.extensions_mut().insert(self.code);
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up.
            let seconds = wait.as_micros().div_ceil(1_000_000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        if matches!(self.code, ErrorCode::Unauthenticated | ErrorCode::TokenExpired) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_that_http_knows() {
        for code in ErrorCode::ALL {
            let response = Error::new(*code, "x").into_response();
            assert_eq!(response.status().as_u16(), code.http_status());
        }
    }

    #[test]
    fn a_cause_is_never_sent() {
        let cause = sqlx::Error::Protocol("select secret from users at 10.0.0.1".to_owned());
        let error = Error::from(StoreError::Unavailable(crate::store::Cause::Database(cause)));
        let sent = serde_json::to_string(&error.body()).unwrap()
            + &serde_json::to_string(&error.ack()).unwrap();
        assert!(!sent.contains("select") && !sent.contains("10.0"), "{sent}");
    }

    #[test]
    fn nobody_is_asked_back_too_early() {
        let error = Error::rate_limited("too fast", Duration::from_micros(1_000_001));
        assert_eq!(error.ack().retry_after_ms, Some(1_001));
        assert_eq!(error.into_response().headers()[header::RETRY_AFTER], "2");
    }
}
