//! Settings of the server: one type, read by clap from flags and environment, defaults included.
//!
//! Nothing here reads the environment by itself and no secret can be printed: [`Secret`] has no
//! `Display` and its `Debug` is `***`. Numbers that bound the server live in [`crate::limits`].

mod words;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

pub use words::{Network, Origin, Secret, parse_duration};

use crate::limits::{LimitSetting, Limits};

/// Shortest secret for HS256, in bytes (CONTRACT §1).
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// What `serve` can be told. Every flag has a variable of the environment; a flag wins.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct Config {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "TRIALOGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// PostgreSQL to use; without it a private one is started or adopted
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Connections to PostgreSQL that this server may hold
    #[arg(long, env = "TRIALOGUE_DATABASE_CONNECTIONS", default_value_t = 16, value_name = "N")]
    pub database_connections: u32,

    /// Do without LISTEN and NOTIFY: other servers on the database hear within 2.5 s then
    #[arg(long, env = "TRIALOGUE_NO_NOTIFY", value_parser = FalseyValueParser::new())]
    pub no_notify: bool,

    /// Folder for what this server keeps: its private PostgreSQL, its secret
    #[arg(long, env = "TRIALOGUE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Secret that signs access tokens, at least 32 bytes (prefer the variable or the file)
    #[arg(long, env = "TRIALOGUE_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,

    /// File that holds the secret; without any, a local server makes one and keeps it
    #[arg(long, env = "TRIALOGUE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// Rates and counts: `default` for people, `bench` for load tests (memory bounds stay)
    #[arg(long, env = "TRIALOGUE_LIMITS", default_value = "default", value_name = "PROFILE")]
    pub limits: LimitsProfile,

    /// Let anyone register as LSM and hash passwords cheaply: tests and demos, loopback only
    #[arg(long, env = "TRIALOGUE_OPEN_REGISTRATION", value_parser = FalseyValueParser::new())]
    pub open_registration: bool,

    /// Life of an access token
    #[arg(long, env = "TRIALOGUE_ACCESS_TTL", default_value = "15m", value_name = "TIME",
          value_parser = parse_duration)]
    pub access_ttl: Duration,

    /// Time between two heartbeats of a socket
    #[arg(long, env = "TRIALOGUE_PING_INTERVAL", default_value = "25s", value_name = "TIME",
          value_parser = parse_duration)]
    pub ping_interval: Duration,

    /// Time that a socket has to answer a heartbeat
    #[arg(long, env = "TRIALOGUE_PING_TIMEOUT", default_value = "20s", value_name = "TIME",
          value_parser = parse_duration)]
    pub ping_timeout: Duration,

    /// Origin of a web page that may use this server, besides the same host and loopback
    #[arg(long, env = "TRIALOGUE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,

    /// Proxy whose `X-Forwarded-For` is believed: an address or a network such as 10.0.0.0/8
    #[arg(long, env = "TRIALOGUE_TRUSTED_PROXY", value_name = "NET", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,

    /// Address for `/metrics` and health, for machines of yours alone; without it there is none
    #[arg(long, env = "TRIALOGUE_METRICS_ADDR", value_name = "ADDR")]
    pub metrics_addr: Option<SocketAddr>,

    /// One limit of the table, as in messages=10/s:40; `trialogue config` prints the table
    #[arg(long, env = "TRIALOGUE_LIMIT", value_name = "NAME=VALUE", value_delimiter = ',')]
    pub limit: Vec<LimitSetting>,

    /// How long a notification is kept
    #[arg(long, env = "TRIALOGUE_KEEP_NOTIFICATIONS", default_value = "90d", value_name = "TIME",
          value_parser = parse_duration)]
    pub keep_notifications: Duration,

    /// How long a session is remembered after its 30 days are over
    #[arg(long, env = "TRIALOGUE_KEEP_SESSIONS", default_value = "7d", value_name = "TIME",
          value_parser = parse_duration)]
    pub keep_sessions: Duration,

    /// Do not migrate the database at start: for a role that may not; see `trialogue migrate`
    #[arg(long, env = "TRIALOGUE_NO_MIGRATE", value_parser = FalseyValueParser::new())]
    pub no_migrate: bool,

    /// Start on a database that may forget what it has committed
    #[arg(long, env = "TRIALOGUE_UNSAFE_DURABILITY", value_parser = FalseyValueParser::new())]
    pub unsafe_durability: bool,

    /// Make three demo users, loopback only
    #[arg(long, env = "TRIALOGUE_SEED_DEMO", value_parser = FalseyValueParser::new())]
    pub seed_demo: bool,
}

impl Default for Config {
    /// What a bare `serve` runs with when the environment says nothing.
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000),
            database_url: None,
            database_connections: 16,
            no_notify: false,
            data_dir: None,
            jwt_secret: None,
            jwt_secret_file: None,
            limits: LimitsProfile::Default,
            open_registration: false,
            access_ttl: Duration::from_mins(15),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            allow_origin: Vec::new(),
            trusted_proxy: Vec::new(),
            metrics_addr: None,
            limit: Vec::new(),
            keep_notifications: Duration::from_hours(24 * 90),
            keep_sessions: Duration::from_hours(24 * 7),
            no_migrate: false,
            unsafe_durability: false,
            seed_demo: false,
        }
    }
}

/// Why a configuration cannot be run. The sentence names the flag, never a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A switch for tests and demos on an address that others can reach.
    #[error("--{0} is for tests and demos: it needs a loopback address in --listen")]
    LoopbackOnly(&'static str),
    /// The secret is too short to sign with.
    #[error("the JWT secret has {0} bytes, at least {JWT_SECRET_BYTES_MIN} are needed")]
    SecretTooShort(usize),
    /// No secret, on an address that others can reach.
    #[error(
        "no JWT secret: set TRIALOGUE_JWT_SECRET or --jwt-secret-file (a server on loopback makes \
         its own)"
    )]
    NoSecret,
    /// The file of the secret cannot be read, written or trusted.
    #[error("JWT secret file {path}: {reason}")]
    SecretFile {
        /// Which file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A time that cannot work.
    #[error("--{0} must be more than zero")]
    Zero(&'static str),
}

impl Config {
    /// The table of limits: the profile's, with what was set by name.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::of(self.limits);
        for setting in &self.limit {
            setting.apply(&mut limits);
        }
        limits
    }

    /// Checks what clap cannot see: combinations, and bounds that depend on the address.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`] that applies.
    pub fn check(&self, listening: SocketAddr) -> Result<(), ConfigError> {
        for (on, flag) in
            [(self.open_registration, "open-registration"), (self.seed_demo, "seed-demo")]
        {
            if on && !listening.ip().is_loopback() {
                return Err(ConfigError::LoopbackOnly(flag));
            }
        }
        for (time, flag) in [
            (self.access_ttl, "access-ttl"),
            (self.ping_interval, "ping-interval"),
            (self.ping_timeout, "ping-timeout"),
            (self.keep_notifications, "keep-notifications"),
        ] {
            if time.is_zero() {
                return Err(ConfigError::Zero(flag));
            }
        }
        Ok(())
    }
}

/// Which table of rates and counts applies (CONTRACT §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LimitsProfile {
    /// For people.
    Default,
    /// Rates and counts lifted; memory bounds as in `default`, queues of 8,192 frames.
    Bench,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Serve {
        #[command(flatten)]
        config: Config,
    }

    fn serve(flags: &[&str]) -> Config {
        Serve::try_parse_from(std::iter::once(&"serve").chain(flags)).unwrap().config
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let secret = "0123456789abcdef0123456789abcdef";
        let config = serve(&["--jwt-secret", secret, "--database-url", "postgres://u:pw@h/d"]);
        let printed = format!("{config:?}");
        assert!(!printed.contains(secret) && !printed.contains("pw"), "{printed}");
    }

    #[test]
    fn switches_for_demos_need_loopback() {
        let config = serve(&["--open-registration"]);
        let at = [[127, 0, 0, 1], [0, 0, 0, 0]].map(|address| config.check((address, 1).into()));
        assert_eq!(at, [Ok(()), Err(ConfigError::LoopbackOnly("open-registration"))]);
    }

    #[test]
    fn the_defaults_of_the_type_are_those_of_the_flags() {
        assert_eq!(format!("{:?}", Config::default()), format!("{:?}", serve(&[])));
    }
}
