//! Settings of the server: one type, read by clap from flags and environment, defaults included.
//!
//! Nothing here reads the environment by itself and no secret can be printed: [`Secret`] has no
//! `Display` and its `Debug` is `***`. Numbers that bound the server live in [`crate::limits`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use url::Url;

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
        ] {
            if time.is_zero() {
                return Err(ConfigError::Zero(flag));
            }
        }
        Ok(())
    }
}

/// A text that must not be seen: URLs with passwords, signing secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the one place that needs it, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
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

/// A web origin as browsers send it: scheme, host, port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(url::Origin);

impl Origin {
    /// The origin that a request's `Origin` header names; `None` for `null` and for anything that
    /// is not an `http(s)` origin (CSWSH rests on sloppy readings of this header).
    pub fn of_header(value: &str) -> Option<Self> {
        value.parse().ok()
    }

    /// Whether a page of this machine sent it.
    pub fn is_loopback(&self) -> bool {
        match &self.0 {
            url::Origin::Tuple(_, url::Host::Domain(name), _) => name == "localhost",
            url::Origin::Tuple(_, url::Host::Ipv4(ip), _) => ip.is_loopback(),
            url::Origin::Tuple(_, url::Host::Ipv6(ip), _) => ip.is_loopback(),
            url::Origin::Opaque(_) => false,
        }
    }

    /// Whether `host`, the value of a request's `Host` header, names the host of this origin.
    pub fn is_same_host(&self, host: &str) -> bool {
        let url::Origin::Tuple(scheme, _, _) = &self.0 else { return false };
        Self::from_str(&format!("{scheme}://{host}")).is_ok_and(|asked| asked == *self)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "an origin is a scheme, a host and a port, as in https://chat.example.org";
        let url = Url::parse(text).map_err(|_| wrong)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !anonymous {
            return Err(wrong);
        }
        Ok(Self(url.origin()))
    }
}

/// A network of addresses: `10.0.0.0/8`, `::1`, `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |ours: u128, theirs: u128, bits: u32| {
            self.prefix == 0 || (ours ^ theirs) >> (bits - self.prefix) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(ours.to_bits(), theirs.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a network is an address, or an address and a prefix as in 10.0.0.0/8";
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong)?.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong)?;
        if prefix > bits { Err(wrong) } else { Ok(Self { address, prefix }) }
    }
}

/// Reads `500ms`, `25s`, `15m`, `2h` or a bare number of seconds.
///
/// # Errors
///
/// A sentence for the command line, when it is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let wrong = "a time is a whole number with ms, s, m or h, as in 15m";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs).ok_or(wrong);
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        _ => Err(wrong),
    }
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
    fn a_time_has_a_unit() {
        let check = |text, expect| assert_eq!(parse_duration(text).ok(), expect, "{text}");
        check("250ms", Some(Duration::from_millis(250)));
        check("25", Some(Duration::from_secs(25)));
        check("15m", Some(Duration::from_secs(900)));
        check("2h", Some(Duration::from_secs(7_200)));
        check("soon", None);
        check("1d", None);
        check("99999999999999999999h", None);
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let allowed: Origin = "https://chat.example.org".parse().unwrap();
        let check = |text, same| {
            assert_eq!(Origin::of_header(text).is_some_and(|o| o == allowed), same, "{text}");
        };
        check("https://chat.example.org", true);
        check("https://CHAT.example.org:443", true);
        check("http://chat.example.org", false);
        check("https://chat.example.org:8443", false);
        check("https://chat.example.org.evil.com", false);
        check("https://evil-chat.example.org", false);
        check("https://chat.example.org@evil.com", false);
        check("null", false);
        check("", false);
    }

    #[test]
    fn a_page_of_the_same_host_or_of_this_machine_is_known() {
        let page: Origin = "http://shop.example:8080".parse().unwrap();
        assert!(page.is_same_host("shop.example:8080"));
        assert!(!page.is_same_host("shop.example"));
        assert!(!page.is_loopback());
        for local in ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:3000"] {
            assert!(local.parse::<Origin>().unwrap().is_loopback(), "{local}");
        }
        assert!(!"http://localhost.evil.com".parse::<Origin>().unwrap().is_loopback());
    }

    #[test]
    fn a_network_holds_its_addresses() {
        let check = |net: &str, ip: &str, expect| {
            let net: Network = net.parse().unwrap();
            assert_eq!(net.contains(ip.parse().unwrap()), expect, "{net:?} {ip}");
        };
        check("10.0.0.0/8", "10.9.8.7", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("192.0.2.7", "192.0.2.8", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("2001:db8::/32", "2001:db8::1", true);
        assert!("10.0.0.0/33".parse::<Network>().is_err());
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
        assert_eq!(config.check(([127, 0, 0, 1], 1).into()), Ok(()));
        let public = config.check(([0, 0, 0, 0], 1).into());
        assert_eq!(public, Err(ConfigError::LoopbackOnly("open-registration")));
    }

    #[test]
    fn the_defaults_of_the_type_are_those_of_the_flags() {
        assert_eq!(format!("{:?}", Config::default()), format!("{:?}", serve(&[])));
    }
}
