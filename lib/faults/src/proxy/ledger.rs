//! Counts what was carried, and knows what is to happen at which byte.

use super::weather::{Cut, Way, Weather};

/// Scripts of one proxy that wait for their byte.
pub const SCRIPTS_MAX: usize = 64;

/// What happens at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Every connection ends.
    Cut(Cut),
    /// The weather changes, this way.
    Set(Way, Weather),
}

#[derive(Debug, Clone, Copy)]
struct Script {
    way: Way,
    bytes: u64,
    then: Then,
}

/// What became of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Waits,
    IsPast,
    NoRoom,
}

/// Bytes each way, and the scripts that wait.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    to_server: u64,
    to_client: u64,
    scripts: Vec<Script>,
}

impl Ledger {
    pub(super) fn carried(&self, way: Way) -> u64 {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }

    /// Keeps a script until its byte has gone; gives it back when that byte is past, and nothing
    /// when it has no room for it.
    pub(super) fn at(&mut self, way: Way, bytes: u64, then: Then) -> Kept {
        if bytes <= self.carried(way) {
            return Kept::IsPast;
        }
        if self.scripts.len() == SCRIPTS_MAX {
            return Kept::NoRoom;
        }
        self.scripts.push(Script { way, bytes, then });
        Kept::Waits
    }

    /// So many bytes are about to go this way: how many may, and what happens after them.
    pub(super) fn pass(&mut self, way: Way, bytes: usize) -> (usize, Option<Then>) {
        let before = self.carried(way);
        let scripts = self.scripts.iter().enumerate().filter(|(_, script)| script.way == way);
        let next = scripts.min_by_key(|(_, script)| script.bytes).map(|(at, _)| at);
        let room = |at: usize| self.scripts[at].bytes.saturating_sub(before);
        let due = next.filter(|at| room(*at) <= bytes as u64);
        let passed = due.map_or(bytes, |at| usize::try_from(room(at)).unwrap_or(bytes));
        match way {
            Way::ToServer => self.to_server += passed as u64,
            Way::ToClient => self.to_client += passed as u64,
        }
        (passed, due.map(|at| self.scripts.remove(at).then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Then = Then::Cut(Cut::Rst);

    #[test]
    fn it_happens_when_exactly_so_many_bytes_have_passed() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.at(Way::ToServer, 10, CUT), Kept::Waits);
        assert_eq!(ledger.pass(Way::ToClient, 100), (100, None));
        assert_eq!(ledger.pass(Way::ToServer, 4), (4, None));
        assert_eq!(ledger.pass(Way::ToServer, 9), (6, Some(CUT)));
        assert_eq!(ledger.pass(Way::ToServer, 3), (3, None), "once");
        assert_eq!((ledger.carried(Way::ToServer), ledger.carried(Way::ToClient)), (13, 100));
    }

    #[test]
    fn scripts_come_by_their_bytes_and_are_bounded() {
        let mut ledger = Ledger::default();
        let dark = Then::Set(Way::ToClient, Weather { dark: true, ..Weather::default() });
        assert_eq!(ledger.at(Way::ToServer, 8, CUT), Kept::Waits);
        assert_eq!(ledger.at(Way::ToServer, 5, dark), Kept::Waits);
        assert_eq!(ledger.pass(Way::ToServer, 100), (5, Some(dark)));
        assert_eq!(ledger.pass(Way::ToServer, 95), (3, Some(CUT)));
        assert_eq!(ledger.at(Way::ToServer, 8, CUT), Kept::IsPast);
        for _ in 0..SCRIPTS_MAX {
            assert_eq!(ledger.at(Way::ToServer, 1_000, CUT), Kept::Waits);
        }
        assert_eq!(ledger.at(Way::ToServer, 1_000, CUT), Kept::NoRoom);
    }
}
