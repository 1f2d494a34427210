//! The words of steps that stand for one of a few things.

use std::time::Duration;

/// How a message may come to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// As `new_message` on a connection that was there.
    Live,
    /// In the answer to a re-join, or fetched.
    CatchUp,
    /// Either.
    Either,
}

/// What a link may be seen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWord {
    /// Ready, and every chat joined and caught up.
    Connected,
    /// Lost; retries go on.
    Reconnecting,
    /// Not connected, and nobody wants it to be.
    Disconnected,
    /// Not connected until somebody logs in again.
    LoginNeeded,
}

impl StateWord {
    /// As the file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Disconnected => "disconnected",
            Self::LoginNeeded => "login-needed",
        }
    }
}

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerVerb {
    /// Started again at its address.
    Start,
    /// Asked to stop, and waited for.
    Stop,
    /// Killed without a warning.
    Kill,
    /// Stopped and started.
    Restart,
    /// Frozen.
    Pause,
    /// Thawed.
    Resume,
}

/// What is done to the database of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseVerb {
    /// Asked to stop, and waited for.
    Stop,
    /// Ended as if it had crashed.
    Kill,
    /// Started again.
    Start,
}

/// What is done to an actor's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenVerb {
    /// Its time is over; it can be renewed.
    Expire,
    /// Its session is ended from elsewhere; it cannot be renewed.
    Revoke,
}

/// What is done to the line between an actor and the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Network {
    /// How connections end now.
    pub cut: Option<NetworkCut>,
    /// Everything is this much later, each way.
    pub latency: Duration,
    /// Everything is up to this much later besides, each time otherwise.
    pub jitter: Duration,
    /// At most so many bytes at once.
    pub slice: Option<u64>,
    /// At most so many bytes a second, each way.
    pub bandwidth: Option<u64>,
    /// New connections are cut off.
    pub refuse: Option<Refuse>,
    /// After so long the line is clear again; for ever when absent.
    pub lasting: Option<Duration>,
}

/// Which new connections are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuse {
    /// All.
    All,
    /// The next so many.
    Next(u32),
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkCut {
    /// Nothing passes and nothing is closed: only a heartbeat can notice.
    Blackhole,
    /// With a good-bye of TCP.
    Fin,
    /// Without one.
    Rst,
    /// The server is told, the actor keeps an open line on which nothing comes.
    HalfOpen,
    /// The actor is told, the server keeps an open line on which nothing comes.
    HalfOpenServer,
}

/// Method of a raw request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl Method {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}
