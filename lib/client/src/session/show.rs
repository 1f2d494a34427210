//! What a face sees of the chats: messages, people, counts; and what the backup keeps of it.

use futures_util::FutureExt as _;
use trialogue_protocol::{
    Chat, ChatId, Member, Message, NotificationCreated, NotificationId, NotificationList,
    NotificationType, Seq, UserId,
};

use super::Update;
use super::config::{COUNTS_MAX, NOTICES_MAX};
use super::driver::{Driver, Job};
use super::react::{Done, News};
use crate::error::Error;
use crate::people::{self, People};
use crate::rest::NotificationQuery;
use crate::timeline::{ResetReason, Via};
use crate::unread::Unread;

/// How far the user has read, by a list of members.
fn mark_of(members: &[Member], me: Option<UserId>) -> Option<Seq> {
    let mine = members.iter().find(|member| Some(member.user_id) == me);
    mine.map(|member| member.last_read_seq)
}

/// What a listed chat tells of its unread messages.
pub(super) fn listed(unread: &mut Unread, chat: &Chat, me: Option<UserId>) {
    unread.read(mark_of(&chat.members, me).unwrap_or_default());
    unread.listed(chat.unread_count, chat.last_seq);
}

impl Driver {
    /// The timeline says that it is this message's turn.
    pub(super) fn deliver(&mut self, message: Message, via: Via) {
        let (chat, sender, me) = (message.chat_id, message.sender_id, self.me);
        let room = self.rooms.get(&chat);
        if via != Via::Backup
            && let (Some(archive), Some(room)) = (&mut self.archive, room)
        {
            archive.said(&message, room.timeline.epoch());
        }
        // Of a server that does not count, the first history is no news.
        let is_news = via == Via::Live || room.is_some_and(|room| room.timeline.is_current());
        self.jobs.push_back(Job::People(chat, people::Event::Said(sender)));
        self.count(chat, |unread| unread.said(&message, me, is_news && via != Via::Backup));
        self.tell(Update::Message { message, via });
        self.tell_count(chat);
    }

    /// What was shown of a chat is void, and what was known of it where the database is another.
    pub(super) fn reset(&mut self, chat: ChatId, why: ResetReason) {
        self.tell(Update::Reset { chat, why });
        if let Some(archive) = &mut self.archive {
            archive.reset(chat);
        }
        let config = self.config.people;
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&chat) else { return };
        let members = room.members.clone();
        let mark = mark_of(&members, me).unwrap_or_default();
        room.people = People::new(config);
        self.jobs.push_back(Job::People(chat, people::Event::Members(members)));
        self.count(chat, |unread| {
            unread.reset();
            unread.read(mark);
        });
        self.tell_count(chat);
    }

    pub(super) fn obey_people(&mut self, chat: ChatId, effect: people::Effect) {
        self.tell(match effect {
            people::Effect::Changed(person) => Update::Person { chat, person },
            people::Effect::Gone(user) => Update::PersonGone { chat, user },
        });
    }

    /// The members of an open chat, as the server has them now.
    pub(super) fn members(&mut self, chat: ChatId, members: &[Member]) {
        let Some(room) = self.rooms.get_mut(&chat) else { return };
        room.members = members.to_vec();
        self.jobs.push_back(Job::People(chat, people::Event::Members(members.to_vec())));
        let me = self.me;
        if let Some(mark) = mark_of(members, me) {
            self.read_up_to(chat, Some(mark));
        }
    }

    /// The user has read up to there (`None`: everything), on whatever device.
    pub(super) fn read_up_to(&mut self, chat: ChatId, seq: Option<Seq>) {
        self.count(chat, |unread| match seq {
            Some(seq) => unread.read(seq),
            None => unread.read_all(),
        });
        self.tell_count(chat);
    }

    /// What the server listed.
    pub(super) fn listed(&mut self, chats: &[Chat], whole: bool) {
        if let Some(archive) = &mut self.archive {
            archive.list(chats, whole);
        }
        let me = self.me;
        for chat in chats {
            self.count(chat.id, |unread| listed(unread, chat, me));
            self.tell_count(chat.id);
        }
    }

    /// Changes a chat's count. A chat that is neither open nor known makes no room for itself.
    pub(super) fn count(&mut self, chat: ChatId, change: impl FnOnce(&mut Unread)) {
        let known = self.counts.contains_key(&chat) || self.counts.len() < COUNTS_MAX;
        if known {
            change(&mut self.counts.entry(chat).or_default().unread);
        }
    }

    /// Tells the count if it is another one.
    pub(super) fn tell_count(&mut self, chat: ChatId) {
        let Some(counted) = self.counts.get_mut(&chat) else { return };
        let count = counted.unread.count();
        if std::mem::replace(&mut counted.told, count) != count {
            if let Some(archive) = &mut self.archive {
                archive.unread(chat, count);
            }
            self.tell(Update::Unread { chat, count });
        }
    }

    /// Asks for what the server does not push, now and again after a while.
    pub(super) fn poll_notices(&mut self) {
        if self.config.rest.dialect().capabilities().dispute_push || self.live.is_none() {
            self.notices_at = None;
            return;
        }
        self.notices_at = Some(self.now() + self.config.notices_every);
        let (serial, rest) = (None, self.config.rest.clone());
        let poll = async move {
            let polled = rest.notifications(&NotificationQuery::default()).await;
            Done { serial, news: News::Notices(polled) }
        };
        self.requests.push(poll.boxed());
    }

    /// Notifications were polled. What is there at the first look is no news.
    pub(super) fn polled(&mut self, polled: Result<NotificationList, Error>) {
        let list = match polled {
            Ok(list) => list,
            Err(error) => {
                tracing::debug!(%error, "notifications were not polled");
                return;
            }
        };
        let first = !std::mem::replace(&mut self.notices_known, true);
        for notification in list.notifications.into_iter().rev() {
            if first {
                self.notice_is_new(notification.id);
            } else {
                let unread_count = Some(list.unread_count);
                self.notified(NotificationCreated { notification, unread_count });
            }
        }
    }

    fn notice_is_new(&mut self, id: NotificationId) -> bool {
        if self.notices.contains(&id) {
            return false;
        }
        self.notices.push_back(id);
        if self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
        true
    }

    /// A notification came by whatever way; each is told once.
    pub(super) fn notified(&mut self, created: NotificationCreated) {
        let NotificationCreated { notification, unread_count } = created;
        if !self.notice_is_new(notification.id) {
            return;
        }
        let (kind, chat) = (notification.kind, notification.chat_id);
        self.tell(Update::Notification { notification, unread_count });
        // A message in a chat whose room we are not in: nothing else tells of it.
        let elsewhere = chat.filter(|chat| !self.rooms.contains_key(chat));
        if let Some(chat) = elsewhere.filter(|_| kind == NotificationType::Message) {
            self.count(chat, Unread::heard_of_one);
            self.tell_count(chat);
        }
    }
}
