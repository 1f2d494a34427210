//! What can be wrong with a line.

use std::time::Duration;

/// How a line is, one way, until further notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// Nothing passes and nothing is closed: only a heartbeat can notice. What was on its way
    /// passes when it is light again.
    pub dark: bool,
    /// Everything is this much later.
    pub latency: Duration,
    /// Everything is up to this much later besides, each time otherwise. Nothing overtakes.
    pub jitter: Duration,
    /// At most so many bytes at once (`None`: as many as there are).
    pub slice: Option<usize>,
    /// At most so many bytes a second on each connection.
    pub bytes_per_second: Option<u32>,
    /// New callers are cut off at once, whichever way has this weather.
    pub refuse: bool,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// With a good-bye of TCP (FIN) to both ends.
    Fin,
    /// Without one (RST), as after a crash of the machine between.
    Rst,
    /// One end, the one in this direction, is told with a FIN; the other keeps an open connection
    /// on which nothing ever comes, as after a crash of the machine at its far end.
    HalfOpen(Way),
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From clients to the server.
    ToServer,
    /// From the server to clients.
    ToClient,
}
