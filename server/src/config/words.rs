//! What settings are made of: secrets, origins, networks, times.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

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

/// Reads `500ms`, `25s`, `15m`, `2h`, `90d` or a bare number of seconds.
///
/// # Errors
///
/// A sentence for the command line, when it is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let wrong = "a time is a whole number with ms, s, m, h or d, as in 15m";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs).ok_or(wrong);
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let check = |text, expect| assert_eq!(parse_duration(text).ok(), expect, "{text}");
        check("250ms", Some(Duration::from_millis(250)));
        check("25", Some(Duration::from_secs(25)));
        check("15m", Some(Duration::from_secs(900)));
        check("2h", Some(Duration::from_secs(7_200)));
        check("soon", None);
        check("90d", Some(Duration::from_hours(24 * 90)));
        check("1w", None);
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
}
