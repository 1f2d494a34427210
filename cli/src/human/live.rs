//! A live connection in words: one line per thing that happens.

use std::collections::HashMap;

use trialogue_client::LinkState;
use trialogue_protocol::{
    Chat, ChatId, ChatUpdated, ErrorEvent, JoinedChat, MessagesRead, Presence, PresenceStatus,
    UserId, UserJoined, UserLeft, UserTyping, event,
};
use trialogue_socketio::Args;

use super::{happening::Happening, line, message, today};

/// Names remembered for lines that carry only an id: the members of 128 chats, and more.
const NAMES_MAX: usize = 4_096;

/// What can change about a chat.
#[derive(Clone, Copy)]
struct Flags {
    joined: bool,
    invited: bool,
    closed: bool,
}

/// Turns happenings into lines; remembers who is who and which chat is which.
pub(crate) struct Words {
    names: HashMap<UserId, String>,
    /// Who was last said to be there or not; as bounded as the names.
    present: HashMap<UserId, PresenceStatus>,
    /// What was last said of a chat, as bounded as the names.
    chats: HashMap<ChatId, Flags>,
    /// More than one chat: every line says which.
    tagged: bool,
}

impl Words {
    /// For one chat, or for several.
    pub(crate) fn new(tagged: bool) -> Self {
        Self { names: HashMap::new(), present: HashMap::new(), chats: HashMap::new(), tagged }
    }

    /// Takes names out of what happened.
    pub(crate) fn learn(&mut self, happening: &Happening<'_>) {
        match happening {
            Happening::Message { message, .. } => {
                self.name_is(message.sender_id, &message.sender_name);
            }
            Happening::Event { name: event::JOINED_CHAT, args } => {
                let joined = args.get::<JoinedChat>(0).ok();
                for member in joined.and_then(|joined| joined.members).into_iter().flatten() {
                    self.name_is(member.user_id, &member.name);
                }
            }
            Happening::Event { name: event::USER_JOINED, args } => {
                if let Ok(UserJoined { user_id, name: Some(name), .. }) = args.get(0) {
                    self.name_is(user_id, &name);
                }
            }
            _ => {}
        }
    }

    fn name_is(&mut self, user: UserId, name: &str) {
        if self.names.len() < NAMES_MAX || self.names.contains_key(&user) {
            self.names.insert(user, line(name));
        }
    }

    /// The line; nothing for what is of no use to eyes, unless it was asked for by name.
    pub(crate) fn line(&mut self, happening: &Happening<'_>, asked_for: bool) -> Option<String> {
        let today = today();
        if let Happening::Event { name: event::PRESENCE, args } = happening
            && let Ok(Presence { user_id, status, .. }) = args.get(0)
            && self.tagged
            && !asked_for
        {
            // It is told once for each chat that they share, and is the same news.
            return self.is_news(user_id, status).then(|| self.presence(user_id, status));
        }
        let (chat, text) = match happening {
            Happening::Link(state) => (None, Some(link(state))),
            Happening::Message { message: said, .. } => {
                (Some(said.chat_id), Some(message(said, today)))
            }
            Happening::Event { name, args } => self.event(name, args),
            Happening::Notification { notification, .. } => {
                let at = super::time(notification.created_at, today);
                let (title, text) = (line(&notification.title), line(&notification.message));
                (notification.chat_id, Some(format!("{at} ! {title}: {text}")))
            }
            Happening::JoinFailed { chat, error } => {
                (Some(*chat), Some(format!("* cannot be entered: {}", line(&error.sentence()))))
            }
            Happening::Invited { chat, dispute } => {
                let why = line(&dispute.description);
                let text = format!("* you are invited, `trialogue join` enters it: {why}");
                (Some(*chat), Some(text))
            }
            Happening::Missing { chat, from, to } => {
                (Some(*chat), Some(format!("* messages {from} to {to} are missing")))
            }
            Happening::Reset { chat, .. } => {
                (Some(*chat), Some("* the server begins anew: all messages again".to_owned()))
            }
        };
        let text = text.or_else(|| asked_for.then(|| raw(happening)).flatten())?;
        Some(match chat.filter(|_| self.tagged) {
            Some(chat) => format!("[{}] {text}", short(chat)),
            None => text,
        })
    }

    /// The chat of an event of ours, and its words.
    fn event(&mut self, name: &str, args: &Args) -> (Option<ChatId>, Option<String>) {
        let said = |chat, text| (Some(chat), Some(text));
        match name {
            event::USER_JOINED => match args.get::<UserJoined>(0) {
                Ok(UserJoined { user_id, chat_id, role, .. }) => {
                    let role = role.map(|role| format!(" ({})", role.short())).unwrap_or_default();
                    said(chat_id, format!("* {}{role} joined", self.name(user_id)))
                }
                Err(_) => (None, None),
            },
            event::USER_LEFT => match args.get::<UserLeft>(0) {
                Ok(left) => said(left.chat_id, format!("* {} left", self.name(left.user_id))),
                Err(_) => (None, None),
            },
            event::USER_TYPING => match args.get::<UserTyping>(0) {
                Ok(UserTyping { user_id, chat_id, is_typing: true }) => {
                    said(chat_id, format!("* {} is typing", self.name(user_id)))
                }
                Ok(_) | Err(_) => (None, None),
            },
            event::MESSAGES_READ => match args.get::<MessagesRead>(0) {
                Ok(MessagesRead { user_id, chat_id, seq }) => {
                    let upto = seq.map(|seq| format!(" up to message {seq}")).unwrap_or_default();
                    said(chat_id, format!("* {} has read{upto}", self.name(user_id)))
                }
                Err(_) => (None, None),
            },
            event::PRESENCE => match args.get::<Presence>(0) {
                Ok(Presence { user_id, chat_id, status, .. }) => {
                    said(chat_id, self.presence(user_id, status))
                }
                Err(_) => (None, None),
            },
            event::CHAT_UPDATED => match args.get::<ChatUpdated>(0) {
                Ok(ChatUpdated { chat }) => (Some(chat.id), self.changed(&chat)),
                Err(_) => (None, None),
            },
            _ => (None, announcement(name, args)),
        }
    }

    /// What is new about a chat. Of one that was not seen before nothing is known, so that its state
    /// is told.
    fn changed(&mut self, chat: &Chat) -> Option<String> {
        let now = Flags { joined: chat.lsm_joined, invited: chat.lsm_invited, closed: chat.closed };
        let before = self.chats.get(&chat.id).copied();
        if self.chats.len() < NAMES_MAX || before.is_some() {
            self.chats.insert(chat.id, now);
        }
        let is_same = |flag: fn(&Flags) -> bool| before.is_some_and(|it| flag(&it) == flag(&now));
        let manager = match (now.joined, now.invited) {
            _ if is_same(|it| it.joined) && is_same(|it| it.invited) => None,
            (true, _) => Some("the local service manager is in the chat"),
            (false, true) => Some("the local service manager is invited"),
            // A chat that is closed at first sight: that is the news.
            (false, false) if before.is_none() && now.closed => None,
            (false, false) => Some("the local service manager is no longer in the chat"),
        };
        let closed = match now.closed {
            _ if is_same(|it| it.closed) => None,
            true => Some("the chat is closed"),
            false => before.map(|_| "the chat is open again"),
        };
        let news: Vec<_> = manager.into_iter().chain(closed).collect();
        (!news.is_empty()).then(|| format!("* {}", news.join(", ")))
    }

    fn presence(&self, user: UserId, status: PresenceStatus) -> String {
        let word = match status {
            PresenceStatus::Online => "online",
            PresenceStatus::Offline => "offline",
        };
        format!("* {} is {word}", self.name(user))
    }

    fn is_news(&mut self, user: UserId, status: PresenceStatus) -> bool {
        if self.present.len() >= NAMES_MAX && !self.present.contains_key(&user) {
            return true;
        }
        self.present.insert(user, status) != Some(status)
    }

    fn name(&self, user: UserId) -> String {
        self.names.get(&user).cloned().unwrap_or_else(|| format!("user {user}"))
    }
}

/// Events that name nobody and no chat.
fn announcement(name: &str, args: &Args) -> Option<String> {
    match name {
        event::ERROR => {
            let error = args.get::<ErrorEvent>(0).ok()?;
            Some(format!("* {} ({})", line(&error.message), error.code))
        }
        event::SERVER_DRAINING => Some("* the server is about to stop".to_owned()),
        _ => None,
    }
}

/// An event that has no words of its own.
fn raw(happening: &Happening<'_>) -> Option<String> {
    match happening {
        Happening::Event { name, args } => {
            Some(format!("* {} {}", line(name), line(args.raw(0).unwrap_or_default())))
        }
        _ => None,
    }
}

/// The end of a chat's id, as `chats` shows it.
fn short(chat: ChatId) -> String {
    let id = chat.to_string();
    id[id.len() - super::SHORT_ID_CHARS_MIN..].to_owned()
}

/// The state of the line.
pub(crate) fn link(state: &LinkState) -> String {
    match state {
        LinkState::Offline => "offline".to_owned(),
        LinkState::Connecting { .. } => "connecting".to_owned(),
        LinkState::Reconnecting { attempt, next_in, why } => {
            let next = match next_in.as_secs_f64() {
                0.0 => "now".to_owned(),
                seconds => format!("next in {seconds:.1} s"),
            };
            format!("reconnecting, retry {attempt}, {next}: {}", line(&why.sentence))
        }
        LinkState::Syncing { done, of } => format!("connected, rejoining {done} of {of} chats"),
        LinkState::Connected => "connected".to_owned(),
        LinkState::LoginNeeded { why } => format!("signed out: {}", line(&why.sentence)),
        LinkState::Closed => "closed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a chat's next state.
    fn said(words: &mut Words, joined: bool, invited: bool, closed: bool) -> Option<String> {
        let json = serde_json::json!([{ "chat": {
            "id": uuid::Uuid::nil(),
            "job": { "id": 1, "title": null, "status": "open" },
            "members": [], "lastMessage": null, "unreadCount": 0, "lastSeq": 0,
            "lsmInvited": invited, "lsmJoined": joined, "lsmJoinedAt": null, "closed": closed,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }}]);
        let args = Args::from_json(json.to_string()).unwrap();
        args.get::<ChatUpdated>(0).unwrap();
        words.line(&Happening::Event { name: event::CHAT_UPDATED, args: &args }, false)
    }

    #[test]
    fn of_a_chat_only_what_has_changed_is_told() {
        let told = |text: &str| Some(format!("* {text}"));
        let gone = "the local service manager is no longer in the chat";
        let mut words = Words::new(false);
        let invited = said(&mut words, false, true, false);
        assert_eq!(invited, told("the local service manager is invited"));
        let joined = said(&mut words, true, true, false);
        assert_eq!(joined, told("the local service manager is in the chat"));
        assert_eq!(said(&mut words, true, true, false), None);
        assert_eq!(said(&mut words, false, false, false), told(gone));
        assert_eq!(said(&mut words, false, false, true), told("the chat is closed"));
        // Before anything was said of it, nobody was there to go.
        let closed = said(&mut Words::new(false), false, false, true);
        assert_eq!(closed, told("the chat is closed"));
        assert_eq!(said(&mut Words::new(false), false, false, false), told(gone));
    }

    #[test]
    fn who_comes_and_goes_is_told_once_however_many_chats_it_is_told_for() {
        let presence = |chat: u128, status: &str| {
            let chat = uuid::Uuid::from_u128(chat);
            let json = format!(r#"[{{"userId":7,"chatId":"{chat}","status":"{status}"}}]"#);
            Args::from_json(json).unwrap()
        };
        let mut words = Words::new(true);
        let mut said = |args: &Args, asked_for| {
            let happening = Happening::Event { name: event::PRESENCE, args };
            words.line(&happening, asked_for)
        };
        let online = "* user 7 is online".to_owned();
        assert_eq!(said(&presence(1, "online"), false), Some(online));
        assert_eq!(said(&presence(2, "online"), false), None);
        assert_eq!(said(&presence(2, "offline"), false), Some("* user 7 is offline".to_owned()));
        assert_eq!(said(&presence(1, "offline"), false), None);
        // Whoever asks for them gets them all, with their chats.
        let offline = "[000001] * user 7 is offline".to_owned();
        assert_eq!(said(&presence(1, "offline"), true), Some(offline));
    }
}
