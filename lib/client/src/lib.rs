//! A voice without a face: REST, link, outbox and timeline of one account at one server.
//!
//! The hard logic is pure (link, outbox, timeline) and the IO around it obeys. Nothing here
//! prints or parses arguments.

pub mod sanitize;
