//! Who takes part: everybody who logs in, who comes with a token, or who is spoken of.

use std::collections::{BTreeMap, BTreeSet};

use trialogue_client::Credentials;
use trialogue_protocol::{Role, TokenPair};

use super::{At, Names};

/// Most people of a scenario.
const PEOPLE_MAX: usize = 200;
/// Most tokens that somebody is known by.
const TOKENS_MAX: usize = 10_000;

/// An actor.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: Role,
    user: Option<i64>,
    /// The same account, on its first device.
    pub(super) device_of: Option<usize>,
    /// Where it logs in first.
    pub(super) login: Option<At>,
    /// The socket that it speaks by.
    pub(super) live: Option<u64>,
    /// Its last line broke; the next one is no step.
    pub(super) is_lost: bool,
    /// Its line broke since it last did such a thing itself: others may be told of it.
    pub(super) came_back: bool,
    /// Chats whose room it is in.
    pub(super) rooms: BTreeSet<String>,
    /// The step by which it disconnected last.
    pub(super) parted: Option<usize>,
    /// Events that it got while what may have caused them was not over.
    pub(super) early: Vec<usize>,
}

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct People {
    all: Vec<Person>,
    tokens: BTreeMap<String, usize>,
}

impl People {
    pub(super) fn of(&self, who: usize) -> &Person {
        &self.all[who]
    }

    pub(super) fn of_mut(&mut self, who: usize) -> &mut Person {
        &mut self.all[who]
    }

    pub(super) fn all(&self) -> &[Person] {
        &self.all
    }

    /// The first device of a user.
    pub(super) fn of_user(&self, user: i64) -> Option<usize> {
        self.all.iter().position(|person| person.user == Some(user) && person.device_of.is_none())
    }

    /// Whether somebody is a device of a user.
    pub(super) fn is(&self, who: usize, user: i64) -> bool {
        self.all[who].user == Some(user)
    }

    /// Whether something that is told of a user is told because its line broke.
    pub(super) fn broke(&self, user: i64) -> bool {
        self.all
            .iter()
            .any(|person| person.user == Some(user) && (person.is_lost || person.came_back))
    }

    /// Whether a user has a connection on some device.
    pub(super) fn is_there(&self, user: i64) -> bool {
        self.all.iter().any(|person| person.user == Some(user) && person.live.is_some())
    }

    /// The same, or a new one.
    pub(super) fn meet(&mut self, user: i64, role: Role, names: &mut Names) -> Option<usize> {
        self.of_user(user).or_else(|| self.add(Some(user), role, None, names))
    }

    fn add(
        &mut self,
        user: Option<i64>,
        role: Role,
        device_of: Option<usize>,
        names: &mut Names,
    ) -> Option<usize> {
        if self.all.len() >= PEOPLE_MAX {
            return None;
        }
        self.all.push(Person {
            name: names.take(role.short()),
            role,
            user,
            device_of,
            login: None,
            live: None,
            is_lost: false,
            came_back: false,
            rooms: BTreeSet::new(),
            parted: None,
            early: Vec::new(),
        });
        Some(self.all.len() - 1)
    }

    /// Knows somebody by a token from now on.
    pub(super) fn know(&mut self, token: &str, who: usize) {
        if self.tokens.len() < TOKENS_MAX {
            self.tokens.insert(token.to_owned(), who);
        }
    }

    /// Whose token it is: who was given it, or whom it names itself.
    pub(super) fn whose(&mut self, token: &str, names: &mut Names) -> Option<usize> {
        if let Some(who) = self.tokens.get(token) {
            return Some(*who);
        }
        let pair = TokenPair { access_token: token.to_owned(), refresh_token: String::new() };
        let whose = Credentials::in_memory(Some(pair)).whose()?;
        let who = self.meet(whose.user.0, whose.role, names)?;
        self.know(token, who);
        Some(who)
    }

    /// The device of a user that may connect now: none that is connected already.
    pub(super) fn free_device(&mut self, who: usize, names: &mut Names) -> Option<usize> {
        let (user, role) = (self.of(who).user, self.of(who).role);
        let mut devices = self
            .all
            .iter()
            .enumerate()
            .filter(|(at, person)| *at == who || person.device_of == Some(who));
        let free = devices.find(|(_, person)| person.live.is_none()).map(|(at, _)| at);
        free.or_else(|| self.add(user, role, Some(who), names))
    }
}
