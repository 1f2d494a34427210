//! What a session needs to know, with a default and a reason for every bound.

use std::time::Duration;

use trialogue_socketio::client::{Tap, Transports};

use crate::backup;
use crate::journal;
use crate::link::LinkConfig;
use crate::outbox::OutboxConfig;
use crate::people::PeopleConfig;
use crate::rest::Rest;
use crate::timeline::TimelineConfig;

/// Everything about one session. Construct it with [`SessionConfig::new`] and change fields.
#[derive(Debug)]
pub struct SessionConfig {
    /// The server, its dialect and the account's tokens.
    pub rest: Rest,
    /// How the socket travels (a websocket from the start).
    pub transports: Transports,
    /// Where the server answers Engine.IO (`/socket.io/`).
    pub socket_path: String,
    /// Delays of the connection.
    pub link: LinkConfig,
    /// Bounds and delays of the outbox.
    pub outbox: OutboxConfig,
    /// Bounds and delays of every chat's timeline.
    pub timeline: TimelineConfig,
    /// Bounds and delays of who is in a chat. Whether presence is told is the dialect's word.
    pub people: PeopleConfig,
    /// What was seen last, and where it is kept: chats that begin with their newest messages show
    /// those at once. `None`: nothing is kept, which suits tests and load.
    pub backup: Option<backup::Opened>,
    /// Least time between two writes of the backup (2 s); the last one is at the good-bye.
    pub backup_pause: Duration,
    /// How often notifications are polled where the server does not push all of them (60 s).
    pub notices_every: Duration,
    /// How long history is looked at for a message on a server that acknowledges nothing (12 s);
    /// what it does not show by then is sent again.
    pub look_for: Duration,
    /// How long history is looked at before a message that may have left leaves again (3 s): the
    /// server may still be storing it when its connection is lost.
    pub settle: Duration,
    /// Where the outbox outlives the process; `None`: it does not, which suits tests and load.
    pub journal: Option<journal::Opened>,
    /// From the first TCP packet to `connected` (10 s), as the server gives a socket.
    pub connect_timeout: Duration,
    /// How long joins, pages and raw requests may take (10 s).
    pub request_timeout: Duration,
    /// Longest message of the server in bytes (8 MiB: a page of the longest messages, escaped).
    pub message_bytes_max: usize,
    /// Is told of every packet of every connection, whose token and session ids are in them
    /// (nobody).
    pub tap: Option<Tap>,
    /// Decides every delay.
    pub seed: u64,
    /// Connect at once; else after [`super::SessionHandle::start`].
    pub autostart: bool,
}

impl SessionConfig {
    /// The defaults for an account, with a seed of chance.
    pub fn new(rest: Rest) -> Self {
        let mut outbox = OutboxConfig::default();
        let mut people = PeopleConfig::default();
        let capabilities = rest.dialect().capabilities();
        outbox.marks = !capabilities.client_message_ids;
        if !capabilities.acks {
            outbox.ack_timeout = UNACKED_TIMEOUT;
        }
        if !capabilities.typing_stops {
            people.typing_expires = TYPING_EXPIRES;
        }
        Self {
            rest,
            transports: Transports::default(),
            socket_path: "/socket.io/".to_owned(),
            link: LinkConfig::default(),
            outbox,
            timeline: TimelineConfig::default(),
            people,
            backup: None,
            backup_pause: Duration::from_secs(2),
            notices_every: Duration::from_secs(60),
            look_for: Duration::from_secs(12),
            settle: Duration::from_secs(3),
            journal: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            message_bytes_max: 8 * 1024 * 1024,
            tap: None,
            seed: rand::random(),
            autostart: true,
        }
    }
}

/// How long a message may take where history has to be looked at, one message after the other
/// (2 min).
const UNACKED_TIMEOUT: Duration = Duration::from_secs(120);

/// When typing is hidden where nobody says that it stopped (3 s): the advice of such a server's
/// guide (DEPLOYED §11.12).
const TYPING_EXPIRES: Duration = Duration::from_secs(3);

/// Commands that wait for the session's task (256). When full, the caller waits, at most
/// [`COMMAND_WAIT_MAX`].
pub(super) const COMMANDS_MAX: usize = 256;
/// Longest wait for a place among the commands (10 s): then the face is told instead of hanging.
pub(super) const COMMAND_WAIT_MAX: Duration = Duration::from_secs(10);
/// Updates that wait for the face (1,024). When full, the socket is not read any further until
/// the face has taken some: the server then cuts a face that never reads, and nothing is lost,
/// because the next connection catches up.
pub(super) const UPDATES_MAX: usize = 1_024;
/// Updates kept in the session when the face's channel is full; beyond, commands wait too. One
/// step makes at most a page of messages, so this is soft by one page.
pub(super) const OVERFLOW_MAX: usize = 4_096;
/// Requests that wait for an answer (512); beyond, a raw request is refused.
pub(super) const REQUESTS_MAX: usize = 512;
/// Chats that may be open at once (128): the server allows a socket no more rooms.
pub(super) const CHATS_MAX: usize = 128;
/// Chats whose unread messages are counted (1,000): those that are open or were listed.
pub(super) const COUNTS_MAX: usize = 1_000;
/// Notifications remembered, so that each is told once (1,024).
pub(super) const NOTICES_MAX: usize = 1_024;
/// Longest good-bye (2 s): what is queued is sent and the journal finishes.
pub(super) const GOODBYE_MAX: Duration = Duration::from_secs(2);
