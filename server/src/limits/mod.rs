//! Every number that bounds the server, in one table (RELIABILITY §2.13, CONTRACT §3.9).
//!
//! A profile may lift rates and counts; it may never lift a bound on memory.

mod table;

use std::time::{Duration, Instant};

pub use table::LimitSetting;

use crate::config::LimitsProfile;

/// The table. Each field says its unit, and its reason where that is not plain.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// TCP connections that speak HTTP at once; one that has become a websocket counts as a session
    /// instead. More wait in the kernel's queue.
    pub connections_max: usize,
    /// The same of one address that is not a trusted proxy. One more takes the place of the
    /// oldest that has not sent a whole request head, and is closed on arrival if there is none.
    pub connections_per_address_max: usize,
    /// Engine.IO sessions at once: a session outlives its polling connections.
    pub sessions_max: usize,
    /// Sessions that have not joined a namespace yet, together.
    pub unclaimed_max: usize,
    /// Sessions that have not joined a namespace yet, from one address.
    pub unclaimed_per_address_max: usize,
    /// Live sockets of one user; the next one is refused.
    pub sockets_per_user_max: usize,
    /// Rooms that one socket may be in: bounds what `positions` and a disconnect cost.
    pub rooms_per_socket_max: usize,
    /// Frames that wait for one socket before it is cut as slow.
    pub queue_frames_max: usize,
    /// Bytes that wait for one socket before it is cut as slow.
    pub queue_bytes_max: usize,
    /// Events of any kind, per socket.
    pub events: Rate,
    /// `send_message`, per user.
    pub messages: Rate,
    /// `join_chat` and `leave_chat`, per socket.
    pub joins: Rate,
    /// `typing`, per socket.
    pub typing: Rate,
    /// `fetch_messages`, per socket: a page costs more than an event.
    pub fetches: Rate,
    /// REST requests, per address; health is not counted.
    pub requests_per_address: Rate,
    /// REST requests, per user over all devices.
    pub requests_per_user: Rate,
    /// Logins and registrations, per address: each costs a password hash.
    pub logins_per_address: Rate,
    /// Wrong passwords of one account in a row before the next try has to wait.
    pub login_failures_free: u32,
    /// Longest such wait; they begin with 1 s and double.
    pub login_delay_max: Duration,
}

/// Bytes of a WebSocket message, a frame, a polling body, a REST body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a request's head: a browser with a long token fits, a flood does not.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
pub const HEADERS_MAX: usize = 64;
/// Time for a request's head; half a head costs an attacker one connection for so long.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time from the handshake to CONNECT.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the upgrade from polling to WebSocket.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// A socket that takes no byte for so long is cut.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Events of one socket that wait for their turn; then its connection is not read.
pub const INBOUND_EVENTS_MAX: usize = 64;
/// Time for a graceful stop, all of it.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

impl Limits {
    /// The table of a profile.
    pub fn of(profile: LimitsProfile) -> Self {
        match profile {
            LimitsProfile::Default => Self::standard(),
            LimitsProfile::Bench => Self::bench(),
        }
    }

    /// For people.
    pub fn standard() -> Self {
        Self {
            connections_max: 16_384,
            connections_per_address_max: 4_096,
            sessions_max: 16_384,
            unclaimed_max: 2_000,
            unclaimed_per_address_max: 50,
            sockets_per_user_max: 20,
            rooms_per_socket_max: 128,
            queue_frames_max: 256,
            queue_bytes_max: 1024 * 1024,
            events: Rate::new(20, 40),
            messages: Rate::new(5, 20),
            joins: Rate::new(10, 30),
            typing: Rate::new(2, 6),
            fetches: Rate::new(10, 30),
            requests_per_address: Rate::new(100, 400),
            requests_per_user: Rate::new(20, 100),
            logins_per_address: Rate::per_minute(20, 20),
            login_failures_free: 5,
            login_delay_max: Duration::from_mins(5),
        }
    }

    /// For load tests from one machine: rates and counts out of the way, memory as before.
    pub fn bench() -> Self {
        let free = Rate::new(1_000_000, 1_000_000);
        Self {
            connections_max: 65_536,
            connections_per_address_max: 65_536,
            sessions_max: 65_536,
            unclaimed_max: 65_536,
            unclaimed_per_address_max: 65_536,
            sockets_per_user_max: 65_536,
            queue_frames_max: 8_192,
            events: free,
            messages: free,
            joins: free,
            typing: free,
            fetches: free,
            requests_per_address: free,
            requests_per_user: free,
            logins_per_address: free,
            login_failures_free: u32::MAX,
            ..Self::standard()
        }
    }
}

/// So many per second or minute, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Refill per period, at least 1.
    pub count: u32,
    /// The period.
    pub per: Period,
    /// Size of the bucket.
    pub burst: u32,
}

/// What a rate is counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// 1 s.
    Second,
    /// 60 s.
    Minute,
}

impl Rate {
    /// A rate per second; zero would never recover and is read as one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self::over(per_second, Period::Second, burst)
    }

    /// A rate per minute.
    pub const fn per_minute(per_minute: u32, burst: u32) -> Self {
        Self::over(per_minute, Period::Minute, burst)
    }

    const fn over(count: u32, per: Period, burst: u32) -> Self {
        Self { count: if count == 0 { 1 } else { count }, per, burst }
    }

    /// The sentence for who has met it: `over 5 messages per user a second`.
    pub fn exceeded(self, what: &str) -> String {
        let period = match self.per {
            Period::Second => "second",
            Period::Minute => "minute",
        };
        format!("over {} {what} a {period}", self.count)
    }

    fn per_second(self) -> f32 {
        match self.per {
            Period::Second => self.count as f32,
            Period::Minute => self.count as f32 / 60.0,
        }
    }
}

/// A token bucket without a clock of its own: pure, 16 bytes, no timer.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f32,
    refilled_at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst as f32, refilled_at: now }
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// The time after which there is one again: `retryAfterMs` of `rate_limited`.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.refilled_at).as_secs_f32();
        self.tokens = (self.tokens + passed * rate.per_second()).min(rate.burst as f32);
        self.refilled_at = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f32((1.0 - self.tokens) / rate.per_second()));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Whether it would be full by now: then it says nothing any more.
    pub fn is_full(&self, rate: Rate, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled_at).as_secs_f32();
        self.tokens + passed * rate.per_second() >= rate.burst as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_one_learns_when_to_come_back() {
        let (rate, start) = (Rate::new(5, 20), Instant::now());
        let mut bucket = Bucket::full(rate, start);
        for _ in 0..20 {
            assert_eq!(bucket.take(rate, start), Ok(()));
        }
        let wait = bucket.take(rate, start).unwrap_err();
        assert!((190..=210).contains(&wait.as_millis()), "{wait:?}");
        assert!(bucket.take(rate, start + wait / 2).is_err());
        assert_eq!(bucket.take(rate, start + wait + Duration::from_millis(1)), Ok(()));
    }

    #[test]
    fn a_long_pause_gives_no_more_than_a_burst() {
        let (rate, start) = (Rate::new(5, 2), Instant::now());
        let mut bucket = Bucket::full(rate, start);
        let later = start + Duration::from_hours(1);
        let taken = (0..10).filter(|_| bucket.take(rate, later).is_ok()).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn a_rate_per_minute_comes_back_slowly() {
        let (rate, start) = (Rate::per_minute(20, 20), Instant::now());
        let mut bucket = Bucket::full(rate, start);
        assert_eq!((0..100).filter(|_| bucket.take(rate, start).is_ok()).count(), 20);
        let wait = bucket.take(rate, start).unwrap_err();
        assert!((2_900..=3_100).contains(&wait.as_millis()), "{wait:?}");
    }

    /// CONTRACT §3.9 and RELIABILITY §2.13: a number that changes is a change of what was promised.
    #[test]
    fn the_table_for_people_is_what_was_promised() {
        let table = Limits::standard().table();
        let table = table.iter().map(|(name, value)| (*name, value.as_str()));
        let expect = [
            ("connections", "16384"),
            ("connections-per-address", "4096"),
            ("sessions", "16384"),
            ("unclaimed", "2000"),
            ("unclaimed-per-address", "50"),
            ("sockets-per-user", "20"),
            ("rooms-per-socket", "128"),
            ("queue-frames", "256"),
            ("queue-bytes", "1048576"),
            ("events", "20/s:40"),
            ("messages", "5/s:20"),
            ("joins", "10/s:30"),
            ("typing", "2/s:6"),
            ("fetches", "10/s:30"),
            ("requests-per-address", "100/s:400"),
            ("requests-per-user", "20/s:100"),
            ("logins-per-address", "20/m:20"),
            ("login-failures", "5"),
            ("login-delay", "300s"),
        ];
        assert_eq!(table.collect::<Vec<_>>(), expect);
        assert_eq!((BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX), (65_536, 16_384, 64));
        let times = [HEAD_TIMEOUT, CONNECT_TIMEOUT, UPGRADE_TIMEOUT, STALL_TIMEOUT, DRAIN_TIMEOUT];
        assert_eq!(times, [Duration::from_secs(10); 5]);
    }

    #[test]
    fn the_bench_profile_lifts_no_bound_on_memory() {
        let (people, bench) = (Limits::standard(), Limits::bench());
        assert_eq!(people.queue_bytes_max, bench.queue_bytes_max);
        assert_eq!(people.rooms_per_socket_max, bench.rooms_per_socket_max);
    }
}
