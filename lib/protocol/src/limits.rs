//! Bounds that both ends of the wire must agree on. Bounds of one end alone live in that end.

/// Version that the server names in `connected`.
pub const PROTOCOL_VERSION: u32 = 1;
/// The namespace that clients connect to.
pub const NAMESPACE: &str = "/chat";
/// The default namespace, which is the same service (CONTRACT §2).
pub const NAMESPACE_ALIAS: &str = "/";

/// Longest message in characters (Unicode scalar values).
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// Longest message in bytes of UTF-8.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Longest `clientMessageId` in characters.
pub const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 64;
/// Shortest password in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password in characters: hashing cost must not depend on a stranger's wish.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Most messages in one keyed page of history.
pub const HISTORY_PAGE_MAX: i64 = 1_000;
/// Most messages in the acknowledgement of a `join_chat` that resumes.
pub const RESUME_PAGE_MAX: i64 = 500;
/// Most bytes of message text in such an acknowledgement.
pub const RESUME_PAGE_BYTES_MAX: usize = 256 * 1024;
/// Length of a list when the caller names none.
pub const LIST_LIMIT_DEFAULT: i64 = 100;
/// Longest list that a caller may ask for.
pub const LIST_LIMIT_MAX: i64 = 1_000;

/// Longest e-mail address in characters (RFC 5321).
pub const EMAIL_CHARS_MAX: usize = 254;
/// Longest name, region or business in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Longest title or location in characters.
pub const LINE_CHARS_MAX: usize = 200;
/// Longest description or resolution in characters.
pub const PROSE_CHARS_MAX: usize = 4_000;
/// Longest search text in characters.
pub const SEARCH_CHARS_MAX: usize = 100;
/// Longest `Idempotency-Key` in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Largest budget: more than any job costs, and far from where a float loses cents.
pub const BUDGET_MAX: f64 = 1e12;
