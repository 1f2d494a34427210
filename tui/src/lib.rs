//! The terminal chat client.
