//! Whom a run is against, and the words of its wire.

use std::net::IpAddr;
use std::time::Duration;

use trialogue_client::{Capabilities, Dialect, Http};
use trialogue_protocol::{NAMESPACE, event};
use trialogue_socketio::client::ClientConfig;
use url::Url;

use crate::users::Tokens;

/// How long a connection may take.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// A server.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its REST routes; sockets trust the same authorities and take the same proxy.
    pub http: Http,
    /// How it speaks.
    pub dialect: Dialect,
    /// What it can do: its dialect's, or what a profile says.
    pub capabilities: Capabilities,
    /// Source addresses of its sockets, taken in turn; none: the system chooses.
    pub bind: Vec<IpAddr>,
    /// Tokens that are newer than those of rooms.
    pub tokens: Tokens,
}

impl Target {
    /// A server that can do what its dialect can.
    pub fn new(http: Http, dialect: Dialect) -> Self {
        let (capabilities, tokens) = (dialect.capabilities(), Tokens::default());
        Self { http, dialect, capabilities, bind: Vec::new(), tokens }
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        self.http.server()
    }

    /// How its sockets are opened.
    pub(crate) fn socket_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.url().clone());
        config.root_certificates = self.http.roots();
        config.proxy = self.http.proxy().cloned();
        config.local_addresses.clone_from(&self.bind);
        config.connect_timeout = CONNECT_WITHIN;
        config
    }
}

/// Begins of the packets that are looked for, and whole ones that are sent. Both dialects have the
/// same: they differ in what comes at all.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) new_message: Vec<u8>,
    pub(crate) ack: Vec<u8>,
    pub(crate) error: Vec<u8>,
    pub(crate) connected: Vec<u8>,
    pub(crate) joined: Vec<u8>,
    pub(crate) left: Vec<u8>,
    pub(crate) typing: Vec<u8>,
    pub(crate) read: Vec<u8>,
    pub(crate) refused: Vec<u8>,
    pub(crate) gone: Vec<u8>,
    pub(crate) expiring: Vec<u8>,
}

impl Words {
    pub(crate) fn new() -> Self {
        let event = |name: &str| format!("42{NAMESPACE},[\"{name}\"").into_bytes();
        Self {
            new_message: event(event::NEW_MESSAGE),
            ack: format!("43{NAMESPACE},").into_bytes(),
            error: event(event::ERROR),
            connected: event(event::CONNECTED),
            joined: event(event::JOINED_CHAT),
            left: event(event::LEFT_CHAT),
            typing: event(event::USER_TYPING),
            read: event(event::MESSAGES_READ),
            refused: format!("44{NAMESPACE},").into_bytes(),
            gone: format!("41{NAMESPACE},").into_bytes(),
            expiring: event(event::TOKEN_EXPIRING),
        }
    }

    /// CONNECT with the token, which is of letters that JSON need not escape.
    pub(crate) fn connect(token: &str) -> String {
        format!("40{NAMESPACE},{{\"token\":\"{token}\"}}")
    }

    /// A fresh token for a session whose token is about to end.
    pub(crate) fn refresh(token: &str) -> String {
        format!("42{NAMESPACE},[\"{}\",{{\"token\":\"{token}\"}}]", event::REFRESH_AUTH)
    }

    pub(crate) fn join(chat: &str) -> String {
        format!("42{NAMESPACE},[\"{}\",{{\"chatId\":\"{chat}\"}}]", event::JOIN_CHAT)
    }

    /// JOIN with the question for what came after a place; the answer comes under this number.
    pub(crate) fn rejoin(chat: &str, since: u64, ack: u32) -> String {
        let name = event::JOIN_CHAT;
        format!("42{NAMESPACE},{ack}[\"{name}\",{{\"chatId\":\"{chat}\",\"sinceSeq\":{since}}}]")
    }

    pub(crate) fn leave(chat: &str) -> String {
        format!("42{NAMESPACE},[\"{}\",{{\"chatId\":\"{chat}\"}}]", event::LEAVE_CHAT)
    }

    /// A page of history; `key` is `afterSeq` or `beforeSeq`.
    pub(crate) fn fetch(chat: &str, (key, seq): (&str, u64), limit: u32, ack: u32) -> String {
        let name = event::FETCH_MESSAGES;
        format!(
            "42{NAMESPACE},{ack}[\"{name}\",{{\"chatId\":\"{chat}\",\"{key}\":{seq},\"limit\":{limit}}}]"
        )
    }

    pub(crate) fn typing(chat: &str) -> String {
        let name = event::TYPING;
        format!("42{NAMESPACE},[\"{name}\",{{\"chatId\":\"{chat}\",\"isTyping\":true}}]")
    }

    pub(crate) fn read(chat: &str, seq: u64) -> String {
        let name = event::MARK_READ;
        format!("42{NAMESPACE},[\"{name}\",{{\"chatId\":\"{chat}\",\"seq\":{seq}}}]")
    }

    /// Writes a send, up to its text; the text and [`SEND_END`](Self::SEND_END) follow.
    pub(crate) fn send(chat: &str, ack: Option<u32>, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let name = event::SEND_MESSAGE;
        // A vector takes everything.
        let _never = match ack {
            Some(ack) => {
                write!(out, "42{NAMESPACE},{ack}[\"{name}\",{{\"chatId\":\"{chat}\",\"message\":\"")
            }
            None => write!(out, "42{NAMESPACE},[\"{name}\",{{\"chatId\":\"{chat}\",\"message\":\""),
        };
    }

    pub(crate) const SEND_END: &[u8] = b"\"}]";
}
