//! Whose final reads are missing: without them nothing is proved.

use std::collections::BTreeSet;

use crate::config::Table;
use crate::judge::truth::Truth;
use crate::key::UserKey;
use crate::report::Missing;

pub(super) fn missing(truth: &Truth<'_>) -> Missing {
    let checker = truth.checker;
    let (table, examples_max) = (checker.config.table, checker.config.examples_max);
    let mut missing = Missing::default();
    if table == Table::Acks {
        return missing;
    }
    for chat in &truth.chats {
        let room = &checker.rooms[chat.index()];
        if !room.is_used {
            continue;
        }
        let name = checker.chats.text(chat.0);
        if table == Table::Dump && room.counter.is_none() {
            missing.tables += 1;
            if missing.tables_examples.len() < examples_max {
                missing.tables_examples.push(name.to_owned());
            }
        }
        let mut owing: BTreeSet<&str> = members(truth, *chat);
        for receiver in truth.receivers(*chat).filter(|receiver| receiver.read_done) {
            if let Some(user) = truth.user(receiver) {
                owing.remove(checker.users.text(user.0));
            }
        }
        missing.reads += owing.len() as u64;
        for user in owing {
            if missing.reads_examples.len() < examples_max {
                missing.reads_examples.push((name.to_owned(), user.to_owned()));
            }
        }
    }
    missing
}

/// Who is in the chat at the end; where the members are not known, whoever joined it.
fn members<'a>(truth: &Truth<'a>, chat: crate::key::ChatKey) -> BTreeSet<&'a str> {
    let checker = truth.checker;
    let room = &checker.rooms[chat.index()];
    let name = |user: UserKey| checker.users.text(user.0);
    if room.members.is_empty() {
        let joined = truth.receivers(chat).filter(|receiver| receiver.joined);
        return joined.filter_map(|receiver| truth.user(receiver)).map(name).collect();
    }
    let stays = |user: &UserKey| {
        truth.membership_of(chat, *user).is_some_and(|one| one.removed_seq.is_none())
    };
    room.members.iter().map(|(user, _)| *user).filter(stays).map(name).collect()
}
