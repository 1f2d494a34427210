//! Whatever a server and a face do, the promises hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What a shell and a server would know.
struct World {
    story: Story,
    started: bool,
    attempt: Option<u64>,
    up: Option<u64>,
    online: bool,
    refreshing: bool,
    /// The newest token, and those that the server refused.
    token: u32,
    refused: BTreeSet<u32>,
    open: BTreeSet<ChatId>,
    /// Joins under way, and rooms, of this connection.
    joining: BTreeSet<ChatId>,
    inside: BTreeSet<ChatId>,
}

impl World {
    fn on(&mut self, event: Event) -> Result<(), TestCaseError> {
        for effect in self.story.on(event) {
            match effect {
                Effect::Open { serial } => {
                    prop_assert!(self.attempt.is_none() && self.up.is_none(), "one at a time");
                    prop_assert!(!self.refused.contains(&self.token), "a refused token again");
                    self.attempt = Some(serial);
                }
                Effect::Refresh => {
                    prop_assert!(!self.refreshing, "one refresh at a time");
                    self.refreshing = true;
                }
                Effect::Hangup => (self.attempt, self.up) = (None, None),
                Effect::Online(held) => {
                    prop_assert!(self.up.is_some() && !self.online);
                    prop_assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), self.open.clone());
                    self.online = true;
                }
                Effect::Offline => {
                    prop_assert!(std::mem::take(&mut self.online));
                    self.joining.clear();
                    self.inside.clear();
                }
                Effect::Join(chat) => {
                    prop_assert!(self.up.is_some() && self.open.contains(&chat));
                    prop_assert!(self.joining.insert(chat) && !self.inside.contains(&chat));
                    prop_assert!(self.joining.len() <= LinkConfig::default().joins_in_flight_max);
                }
                Effect::Reauthenticate | Effect::Leave(_) => prop_assert!(self.up.is_some()),
                Effect::Release(_) | Effect::State(_) => {}
            }
        }
        let phase = self.story.link.state().clone();
        let waits = self.story.link.next_wake().is_some();
        let busy = self.attempt.is_some() || self.up.is_some() || self.refreshing || waits;
        let rests = matches!(phase, LinkState::LoginNeeded { .. }) || !self.started;
        prop_assert!(busy || rests, "nothing will ever happen: {:?}", self.story.link);
        Ok(())
    }

    fn failed(&mut self, serial: u64, failure: OpenFailure) -> Result<(), TestCaseError> {
        self.attempt = None;
        if matches!(failure, OpenFailure::Token(_)) {
            self.refused.insert(self.token);
        }
        self.on(Event::OpenFailed { serial, failure })
    }

    fn opened(&mut self, serial: u64) -> Result<(), TestCaseError> {
        (self.attempt, self.up) = (None, Some(serial));
        self.on(Event::Opened { serial })
    }

    fn lost(&mut self, serial: u64, expired: bool) -> Result<(), TestCaseError> {
        self.up = None;
        if expired {
            self.refused.insert(self.token);
        }
        let why = if expired { token_expired() } else { Trouble::new("cable") };
        self.on(Event::Lost { serial, why })
    }

    fn refreshed(&mut self, refused: Option<bool>) -> Result<(), TestCaseError> {
        self.refreshing = false;
        match refused {
            None => {
                self.token += 1;
                self.on(Event::Refreshed(Some(S(600))))
            }
            Some(refused) => self.on(Event::RefreshFailed { refused, why: Trouble::new("no") }),
        }
    }

    fn joined(&mut self, chat: ChatId) -> Result<(), TestCaseError> {
        self.joining.remove(&chat);
        self.inside.insert(chat);
        self.on(Event::Joined(chat))?;
        self.on(Event::CaughtUp(chat))
    }

    fn step(&mut self, step: u8, which: u8) -> Result<(), TestCaseError> {
        let of = chat(u128::from(which % 6));
        let joining = self.joining.iter().next().copied();
        match (step, self.attempt, self.up) {
            (0, Some(serial), _) => self.failed(serial, unreachable()),
            (1, Some(serial), _) => self.failed(serial, OpenFailure::Token(token_expired())),
            (2..=5, Some(serial), _) => self.opened(serial),
            (6, _, Some(serial)) => self.lost(serial, which.is_multiple_of(3)),
            (7, _, Some(_)) => self.on(Event::TokenExpiring),
            (8, ..) if self.refreshing => {
                let answers = [None, None, Some(false), Some(true)];
                self.refreshed(answers[usize::from(which % 4)])
            }
            (9, ..) => {
                self.open.insert(of);
                self.on(Event::Enter(of))
            }
            (10, ..) => {
                self.open.remove(&of);
                self.joining.remove(&of);
                self.inside.remove(&of);
                self.on(Event::Leave(of))
            }
            (11 | 12, _, Some(_)) if joining.is_some() => self.joined(joining.unwrap()),
            (13, _, Some(_)) if joining.is_some() => {
                let chat = joining.unwrap();
                self.joining.remove(&chat);
                let retry_after = (!which.is_multiple_of(4)).then_some(Duration::ZERO);
                if retry_after.is_none() {
                    self.open.remove(&chat);
                }
                self.on(Event::JoinFailed { chat, retry_after })
            }
            (14, ..) if which.is_multiple_of(5) => {
                self.started = false;
                self.on(Event::Stop)
            }
            (15, ..) => {
                self.started = true;
                self.on(Event::Start)
            }
            (16, ..) => self.on(Event::RetryNow),
            (17, ..) => {
                self.token += 1;
                self.on(Event::SignedIn(Some(S(u64::from(which)))))
            }
            _ => {
                self.story.now += MS(u64::from(which) * 700);
                self.on(Event::Tick)
            }
        }
    }

    /// A server that is well, and a person who signs in when asked.
    fn heal(&mut self) -> Result<(), TestCaseError> {
        self.started = true;
        self.on(Event::Start)?;
        for _ in 0..200 {
            if self.story.link.state() == &LinkState::Connected && self.inside == self.open {
                return Ok(());
            }
            if let Some(serial) = self.attempt {
                self.opened(serial)?;
            } else if self.refreshing {
                self.refreshed(None)?;
            } else if let Some(chat) = self.joining.iter().next().copied() {
                self.joined(chat)?;
            } else if matches!(self.story.link.state(), LinkState::LoginNeeded { .. }) {
                self.token += 1;
                self.on(Event::SignedIn(None))?;
            } else if let Some(at) = self.story.link.next_wake() {
                self.story.now = self.story.now.max(at);
                self.on(Event::Tick)?;
            }
        }
        Err(TestCaseError::fail(format!("it does not heal: {:?}", self.story.link)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// One attempt at a time, no refused token again, each open chat joined once per connection,
    /// never stuck, and well again with a server that is.
    #[test]
    fn whatever_happens_it_never_gives_up_and_never_hammers(
        steps in prop::collection::vec((0u8..20, any::<u8>()), 1..200)
    ) {
        let mut world = World {
            story: Story::new(),
            started: false,
            attempt: None,
            up: None,
            online: false,
            refreshing: false,
            token: 0,
            refused: BTreeSet::new(),
            open: BTreeSet::new(),
            joining: BTreeSet::new(),
            inside: BTreeSet::new(),
        };
        for (step, which) in steps {
            world.step(step, which)?;
        }
        world.heal()?;
    }
}
