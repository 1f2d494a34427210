//! How sockets travel: over a websocket, over polling, or begun over polling and moved, as stock
//! clients do it.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::parse_part;

/// How one socket travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A websocket from the start.
    Websocket,
    /// HTTP requests only.
    Polling,
    /// HTTP requests first, then a websocket, where the server offers one.
    Upgrade,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Websocket, Self::Polling, Self::Upgrade];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrade => "upgrade",
        }
    }
}

/// Parts of the sockets, 0 to 1; the others travel over a websocket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// Those that poll.
    pub polling: f64,
    /// Those that begin with it and move.
    pub upgrade: f64,
}

impl Ways {
    /// Whether sockets travel in several ways.
    pub fn is_mixed(&self) -> bool {
        let whole = |part: f64| part <= 0.0 || part >= 1.0;
        !(whole(self.polling) && whole(self.upgrade))
    }

    /// How many of so many sockets go which way, as in [`Way::ALL`].
    pub fn of(&self, sockets: usize) -> [usize; 3] {
        let part = |part: f64| (sockets as f64 * part).round() as usize;
        let polling = part(self.polling).min(sockets);
        let upgrade = part(self.upgrade).min(sockets - polling);
        [sockets - polling - upgrade, polling, upgrade]
    }

    /// Which way each of so many sockets goes: anybody may be anything, the same for one seed.
    pub fn deal(&self, sockets: usize, seed: u64) -> Vec<Way> {
        let mut ways = Vec::with_capacity(sockets);
        for (way, count) in Way::ALL.into_iter().zip(self.of(sockets)) {
            ways.extend(std::iter::repeat_n(way, count));
        }
        ways.shuffle(&mut StdRng::seed_from_u64(seed.rotate_left(11)));
        ways
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: f64| part * 100.0;
        let rest = percent((1.0 - self.polling - self.upgrade).max(0.0));
        let (polling, upgrade) = (percent(self.polling), percent(self.upgrade));
        write!(f, "websocket {rest:.0} %, polling {polling:.0} %, upgrade {upgrade:.0} %")
    }
}

impl FromStr for Ways {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = || {
            "it is websocket, polling, upgrade, or a mix as in polling:20%,upgrade:30% (the rest \
             over a websocket)"
                .to_owned()
        };
        let mut ways = Self::default();
        let mut named = Vec::new();
        for word in text.split(',') {
            let (name, part) = word.trim().split_once(':').unwrap_or((word.trim(), "100%"));
            let part = parse_part(part)?;
            match name {
                _ if named.contains(&name) => return Err(what()),
                "websocket" => {}
                "polling" => ways.polling = part,
                "upgrade" => ways.upgrade = part,
                _ => return Err(what()),
            }
            named.push(name);
        }
        let sum = ways.polling + ways.upgrade;
        if sum > 1.0 + 1e-9 {
            return Err(format!("{:.0} % are more than all sockets", sum * 100.0));
        }
        Ok(ways)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_dealt_out_as_was_said() {
        let check = |text: &str, expect: [usize; 3]| {
            let ways: Ways = text.parse().unwrap();
            assert_eq!(ways.of(100), expect, "{text}");
            let dealt = ways.deal(100, 7);
            let count = |way| dealt.iter().filter(|one| **one == way).count();
            assert_eq!(Way::ALL.map(count), expect, "{text}");
            assert_eq!(dealt, ways.deal(100, 7));
            assert_eq!(ways.is_mixed(), !expect.contains(&100), "{text}");
        };
        check("websocket", [100, 0, 0]);
        check("polling", [0, 100, 0]);
        check("upgrade", [0, 0, 100]);
        check("polling:20%", [80, 20, 0]);
        check("polling:0.2, upgrade:30%", [50, 20, 30]);
        for wrong in ["smoke", "polling:110%", "polling,upgrade", "polling:1%,polling:1%", ""] {
            assert!(wrong.parse::<Ways>().is_err(), "{wrong}");
        }
        let mixed: Ways = "polling:20%".parse().unwrap();
        assert_ne!(mixed.deal(100, 7), mixed.deal(100, 8), "another seed, other sockets");
    }
}
