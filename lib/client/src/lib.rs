//! A voice without a face: REST, link, outbox and timeline of one account at one server.
//!
//! The hard logic is pure ([`link`], [`outbox`], [`timeline`]: events in, effects out, time and
//! chance as arguments) and the IO around it obeys. Nothing here prints or parses arguments.

pub mod backup;
mod call;
pub mod credentials;
pub mod dialect;
pub mod error;
pub mod http;
pub mod journal;
mod lines;
pub mod link;
pub mod outbox;
pub mod people;
pub mod profile;
pub mod rest;
pub mod sanitize;
pub mod session;
mod socket;
pub mod time;
pub mod timeline;
pub mod unread;

pub use credentials::{Credentials, TokenKeeper, Whose};
pub use dialect::{Capabilities, Dialect};
pub use error::{Error, Refusal};
pub use http::{Exchange, Http, HttpConfig, Witness, is_loopback};
pub use link::{LinkState, Trouble};
pub use outbox::Outcome;
pub use rest::Rest;
pub use session::{Session, SessionConfig, SessionHandle, Update};
pub use timeline::{Begin, Via};
