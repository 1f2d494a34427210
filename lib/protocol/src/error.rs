//! The closed list of error codes, shared by REST and socket (CONTRACT §1).

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $word:literal $status:literal $retryable:literal),* $(,)?) => {
        /// What went wrong, as one word on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the contract's table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status that carries it.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Whether the same request may succeed later, unchanged.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }
        }
    };
}

codes! {
    /// Malformed id, missing field, wrong type, NUL byte.
    BadRequest "bad_request" 400 false,
    /// No token, or one that is not ours.
    Unauthenticated "unauthenticated" 401 false,
    /// The token was ours and is over.
    TokenExpired "token_expired" 401 false,
    /// Not yours, or no such chat: one answer for both.
    Denied "denied" 403 false,
    /// An unknown route, or an unknown id of something that is not access-controlled.
    NotFound "not_found" 404 false,
    /// The route exists, the method does not.
    MethodNotAllowed "method_not_allowed" 405 false,
    /// The state of the thing forbids it.
    Conflict "conflict" 409 false,
    /// The same key came before with other content.
    IdempotencyConflict "idempotency_conflict" 409 false,
    /// The chat takes no more messages.
    ChatClosed "chat_closed" 409 false,
    /// Over a limit that the message names.
    TooLarge "too_large" 413 false,
    /// The body is not JSON.
    UnsupportedMediaType "unsupported_media_type" 415 false,
    /// Too many in too short a time; the answer says when to come back.
    RateLimited "rate_limited" 429 true,
    /// A bug: never caused by what a client sends.
    Internal "internal" 500 false,
    /// The server is stopping.
    Draining "draining" 503 true,
    /// Certainly not stored.
    Unavailable "unavailable" 503 true,
    /// Perhaps stored: retry with the same key.
    OutcomeUnknown "outcome_unknown" 503 true,
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Body of a REST answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The HTTP status again, as deployed clients expect it.
    pub status_code: u16,
    /// The word from the closed list.
    pub error: ErrorCode,
    /// A sentence for people; never SQL, a path, a host or a token.
    pub message: String,
    /// Names of the fields at fault.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::ErrorDetails>))]
    pub details: Option<serde_json::Value>,
}

/// The `error` of an acknowledgement `{ok: false, error}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AckError {
    /// The word from the closed list.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
    /// When to come back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_the_same_by_serde_and_by_hand() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
        assert_eq!(ErrorCode::ALL.len(), 16);
    }
}
