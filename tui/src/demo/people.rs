//! Who is in the demo, as a server would tell of them.

use chrono::{DateTime, Utc};
use trialogue_client::people::{Person, Presence};
use trialogue_client::session::Update;
use trialogue_protocol::{ChatId, Connected, Member, PROTOCOL_VERSION, Role, Seq, User, UserId};

use crate::msg::Msg;

/// Who is in it: id, first name, last name, role.
pub(super) type Cast = (i64, &'static str, &'static str, Role);
pub(super) const AMNA: Cast = (1, "Amna", "Khan", Role::Customer);
pub(super) const RAVI: Cast = (2, "Ravi", "Kumar", Role::Provider);
pub(super) const LENA: Cast = (3, "Lena", "Weber", Role::Lsm);

pub(super) fn user(who: Cast) -> User {
    User {
        id: UserId(who.0),
        email: None,
        first_name: who.1.to_owned(),
        last_name: who.2.to_owned(),
        role: who.3,
        region: None,
        business_name: None,
    }
}

pub(super) fn member(who: Cast, at: DateTime<Utc>) -> Member {
    Member {
        user_id: UserId(who.0),
        role: who.3,
        name: format!("{} {}", who.1, who.2),
        status: None,
        last_seen: None,
        last_read_seq: 0,
        joined_at: at.into(),
    }
}

pub(super) fn person(chat: ChatId, who: Cast, typing: bool, read_seq: Seq) -> Msg {
    let person = Person {
        user_id: UserId(who.0),
        role: Some(who.3),
        name: Some(format!("{} {}", who.1, who.2)),
        presence: Presence::Online,
        typing,
        read_seq,
    };
    Msg::Update(Update::Person { chat, person })
}

pub(super) fn greeting() -> Msg {
    Msg::Update(Update::Ready(Connected {
        message: String::new(),
        user_id: UserId(AMNA.0),
        role: Some(AMNA.3),
        protocol: Some(PROTOCOL_VERSION),
        server_time: None,
        epoch: None,
    }))
}
