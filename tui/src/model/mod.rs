//! Everything that is known, in parts of at most twelve fields. No IO, no clock, no chance.

pub mod chats;
pub mod compose;
pub mod connection;
pub mod dialog;
pub mod invites;
pub mod log;
mod row;
pub mod settings;
pub mod window;

use std::collections::BTreeMap;

use trialogue_client::Capabilities;
use trialogue_client::time::Jitter;
use trialogue_protocol::{ChatId, ClientMessageId, Role, User, UserId};
use uuid::Uuid;

pub use chats::{Chats, Entry, Listing};
pub use compose::Compose;
pub use connection::Connection;
pub use dialog::Dialogs;
pub use invites::Invites;
pub use log::Log;
pub use settings::Settings;
pub use window::{Notice, Window};

use crate::keys::{Action, Place};

/// Rooms that stay entered at once (16): the open chat and those looked at before it. Of all
/// others the server's notifications tell; more rooms would only cost memory.
pub const ROOMS_MAX: usize = 16;

/// Who the user is, and where.
#[derive(Debug, Clone)]
pub struct Who {
    /// As the server said at login.
    pub user: Option<User>,
    /// The server as people write it.
    pub server: String,
    /// The name of the profile.
    pub profile: String,
    /// What this kind of server can do.
    pub can: Capabilities,
}

impl Who {
    /// The user's id.
    pub fn id(&self) -> Option<UserId> {
        self.user.as_ref().map(|user| user.id)
    }

    /// The user's role.
    pub fn role(&self) -> Option<Role> {
        self.user.as_ref().map(|user| user.role)
    }

    /// Whether it is an LSM.
    pub fn is_lsm(&self) -> bool {
        self.role() == Some(Role::Lsm)
    }

    /// Without the scheme, for the status bar.
    pub fn host(&self) -> &str {
        self.server.split("://").last().unwrap_or(&self.server)
    }
}

/// Names for new messages and requests, decided by a seed.
#[derive(Debug, Clone)]
pub struct Ids {
    chance: Jitter,
}

impl Ids {
    /// The same seed gives the same names.
    pub fn new(seed: u64) -> Self {
        Self { chance: Jitter::new(seed) }
    }

    /// A new one.
    pub fn fresh(&mut self) -> Uuid {
        let (high, low) = (self.chance.bits(), self.chance.bits());
        let bits = u128::from(high) << 64 | u128::from(low);
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// One for a message.
    pub fn message(&mut self) -> ClientMessageId {
        ClientMessageId::from(self.fresh())
    }
}

/// One account's client.
#[derive(Debug, Clone)]
pub struct Model {
    /// Whose it is.
    pub who: Who,
    /// The line to the server.
    pub connection: Connection,
    /// The list of chats.
    pub chats: Chats,
    /// What is known of each chat that was opened.
    pub logs: BTreeMap<ChatId, Log>,
    /// What the user types.
    pub compose: Compose,
    /// Where keys go, while no dialog is open.
    pub place: Place,
    /// Forms and pages over everything else.
    pub dialogs: Dialogs,
    /// The LSM's queue.
    pub invites: Invites,
    /// The terminal.
    pub window: Window,
    /// One short result in the status bar.
    pub notice: Notice,
    /// What the user chose.
    pub settings: Settings,
    /// Names for new things.
    pub ids: Ids,
}

impl Model {
    /// Nothing is known yet.
    pub fn new(who: Who, settings: Settings, seed: u64) -> Self {
        Self {
            who,
            connection: Connection::default(),
            chats: Chats::default(),
            logs: BTreeMap::new(),
            compose: Compose::default(),
            place: Place::Input,
            dialogs: Dialogs::default(),
            invites: Invites::default(),
            window: Window::default(),
            notice: Notice::default(),
            settings,
            ids: Ids::new(seed),
        }
    }

    /// The place whose keys count now.
    pub fn place(&self) -> Place {
        if self.dialogs.open.is_some() { Place::Dialog } else { self.place }
    }

    /// Lines are read out, and there is no screen.
    pub fn is_spoken(&self) -> bool {
        self.window.size == (0, 0)
    }

    /// What to press for an action there, as it is shown; nothing where no key does it.
    pub fn key_for(&self, place: Place, action: Action) -> Option<String> {
        self.settings.keys.key_for(place, action).filter(|_| !self.is_spoken())
    }

    /// ` KEY words`, to go on with after a sentence; nothing where no key does it.
    pub fn how_to(&self, place: Place, action: Action, words: &str) -> String {
        self.key_for(place, action).map(|key| format!(" {key} {words}")).unwrap_or_default()
    }

    /// The open chat and what is known of it.
    pub fn open_log(&self) -> Option<(ChatId, &Log)> {
        let chat = self.chats.open?;
        self.logs.get(&chat).map(|log| (chat, log))
    }

    /// The same, to change it.
    pub fn open_log_mut(&mut self) -> Option<(ChatId, &mut Log)> {
        let chat = self.chats.open?;
        self.logs.get_mut(&chat).map(|log| (chat, log))
    }

    /// What is known of a chat, begun anew if nothing was.
    pub fn log(&mut self, chat: ChatId) -> &mut Log {
        self.logs.entry(chat).or_default()
    }

    /// Messages of this user that are not stored yet, in every chat.
    pub fn waiting(&self) -> usize {
        self.logs.values().map(Log::waiting).sum()
    }

    /// Those that were refused in every chat, each with its chat: `/retry N` counts them so.
    pub fn failed(&self) -> impl Iterator<Item = (ChatId, &log::Pending)> {
        let all = self
            .logs
            .iter()
            .flat_map(|(chat, log)| log.pending.iter().map(|pending| (*chat, pending)));
        all.filter(|(_, pending)| matches!(pending.state, log::State::Failed { .. }))
    }

    /// Messages that were refused and that the outbox keeps, in every chat.
    pub fn refused(&self) -> usize {
        self.logs.values().map(Log::refused).sum()
    }

    /// Messages that are gone when this client ends: those that the outbox never took, and all of
    /// them where it has no place on disk.
    pub fn lost(&self) -> usize {
        let kept = if self.connection.in_memory { self.waiting() + self.refused() } else { 0 };
        kept + self.logs.values().map(Log::not_taken).sum::<usize>()
    }

    /// What a person in a chat is called: the first name where that is enough.
    pub fn name_in(&self, chat: ChatId, user: UserId) -> Option<String> {
        let person = self.logs.get(&chat).and_then(|log| log.people.get(&user));
        let told = person.and_then(|person| person.name.as_deref()).map(crate::text::line);
        let listed = || {
            let member = self.chats.get(chat)?.chat.members.iter().find(|m| m.user_id == user)?;
            Some(crate::text::line(&member.name))
        };
        told.or_else(listed).map(|name| crate::text::first_name(&name).to_owned())
    }
}
