//! The table of limits by name: each can be read and set alone, by the operator.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Limits, Period, Rate};
use crate::config::parse_duration;

/// One row of the table.
enum Row<'a> {
    Count(&'a mut usize),
    Times(&'a mut u32),
    Rate(&'a mut Rate),
    Time(&'a mut Duration),
}

impl Limits {
    /// Names as the flag `--limit` takes them, in the order of the table.
    fn rows(&mut self) -> [(&'static str, Row<'_>); 19] {
        [
            ("connections", Row::Count(&mut self.connections_max)),
            ("connections-per-address", Row::Count(&mut self.connections_per_address_max)),
            ("sessions", Row::Count(&mut self.sessions_max)),
            ("unclaimed", Row::Count(&mut self.unclaimed_max)),
            ("unclaimed-per-address", Row::Count(&mut self.unclaimed_per_address_max)),
            ("sockets-per-user", Row::Count(&mut self.sockets_per_user_max)),
            ("rooms-per-socket", Row::Count(&mut self.rooms_per_socket_max)),
            ("queue-frames", Row::Count(&mut self.queue_frames_max)),
            ("queue-bytes", Row::Count(&mut self.queue_bytes_max)),
            ("events", Row::Rate(&mut self.events)),
            ("messages", Row::Rate(&mut self.messages)),
            ("joins", Row::Rate(&mut self.joins)),
            ("typing", Row::Rate(&mut self.typing)),
            ("fetches", Row::Rate(&mut self.fetches)),
            ("requests-per-address", Row::Rate(&mut self.requests_per_address)),
            ("requests-per-user", Row::Rate(&mut self.requests_per_user)),
            ("logins-per-address", Row::Rate(&mut self.logins_per_address)),
            ("login-failures", Row::Times(&mut self.login_failures_free)),
            ("login-delay", Row::Time(&mut self.login_delay_max)),
        ]
    }

    /// Every limit as it is: its name and its value, as `--limit` takes them.
    pub fn table(&self) -> Vec<(&'static str, String)> {
        let mut copy = self.clone();
        copy.rows().map(|(name, row)| (name, row.to_string())).into()
    }
}

impl Row<'_> {
    fn set(self, value: &str) -> Result<(), &'static str> {
        match self {
            Row::Count(count) => {
                *count = value.parse().ok().filter(|n| *n > 0).ok_or("a number from 1")?;
            }
            Row::Times(times) => {
                *times = value.parse().ok().filter(|n| *n > 0).ok_or("a number from 1")?;
            }
            Row::Rate(rate) => *rate = value.parse()?,
            Row::Time(time) => *time = parse_duration(value).map_err(|_| "a time such as 5m")?,
        }
        Ok(())
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Count(count) => count.fmt(f),
            Row::Times(times) => times.fmt(f),
            Row::Rate(rate) => rate.fmt(f),
            Row::Time(time) => write!(f, "{}s", time.as_secs()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.per {
            Period::Second => 's',
            Period::Minute => 'm',
        };
        write!(f, "{}/{period}:{}", self.count, self.burst)
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    /// `20/s:40` or `20/m:20`; without a burst it is the count.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (rate, burst) = text.split_once(':').map_or((text, None), |(r, b)| (r, Some(b)));
            let (count, period) = rate.split_once('/')?;
            let per = match period {
                "s" => Period::Second,
                "m" => Period::Minute,
                _ => return None,
            };
            let count = count.parse().ok().filter(|n| *n > 0)?;
            let burst = burst.map_or(Some(count), |burst| burst.parse().ok())?;
            (burst > 0).then_some(Self { count, per, burst })
        };
        parse().ok_or("a rate such as 20/s:40 (burst of 40) or 20/m")
    }
}

/// A limit to set: `messages=10/s:40`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSetting {
    name: String,
    value: String,
}

impl LimitSetting {
    /// Sets it; it was checked when it was read.
    pub(crate) fn apply(&self, limits: &mut Limits) {
        for (name, row) in limits.rows() {
            if name == self.name {
                // Cannot fail: `from_str` has tried it.
                let _ = row.set(&self.value);
            }
        }
    }
}

impl FromStr for LimitSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a limit is set as NAME=VALUE")?;
        let mut limits = Limits::standard();
        let mut rows = limits.rows().into_iter();
        let Some((_, row)) = rows.find(|(known, _)| *known == name) else {
            let names: Vec<_> = Limits::standard().table().into_iter().map(|row| row.0).collect();
            return Err(format!("no limit is called {name}; there are {}", names.join(", ")));
        };
        row.set(value).map_err(|what| format!("{name} is {what}"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_said_and_set_by_its_name() {
        for (name, value) in Limits::bench().table() {
            let setting: LimitSetting = format!("{name}={value}").parse().unwrap();
            let mut limits = Limits::standard();
            setting.apply(&mut limits);
            let table = limits.table();
            assert!(table.contains(&(name, value)), "{name} {table:?}");
        }
    }

    #[test]
    fn a_wrong_limit_is_told_what_would_be_right() {
        let check = |text: &str, expect: &str| {
            let error = text.parse::<LimitSetting>().unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check("messages", "NAME=VALUE");
        check("masseges=5/s", "there are connections, ");
        check("messages=5", "a rate such as 20/s:40");
        check("messages=0/s", "a rate such as");
        check("sessions=0", "a number from 1");
        check("login-delay=soon", "a time such as 5m");
    }
}
