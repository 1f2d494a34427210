//! I10: exactly one notification per message and other member.

use std::collections::BTreeMap;

use super::{Case, Findings};
use crate::judge::truth::Chat;
use crate::key::UserKey;
use crate::op::Membership;
use crate::report::Wrong;

pub(super) fn judge(chat: &Chat<'_>, found: &mut Findings<'_>) {
    let checker = chat.truth.checker;
    let room = &checker.rooms[chat.chat.index()];
    if !checker.config.notes || !chat.is_certain {
        return;
    }
    let mut users: Vec<UserKey> = room.members.iter().map(|(user, _)| *user).collect();
    users.extend(room.notes.keys());
    users.sort_unstable_by_key(|user| checker.users.text(user.0));
    users.dedup();
    for user in users {
        let case = Case { user: Some(user), ..Case::of(chat.chat) };
        for (seq, (owed, got)) in tally(chat, user) {
            let case = Case { seq: Some(seq), ..case };
            let text = || format!("{got} notifications where {owed} are due");
            found.add_many(Wrong::Notification, owed.abs_diff(got), case, text);
        }
    }
}

/// For each seq how many notifications a user is owed, and how many it has.
fn tally(chat: &Chat<'_>, user: UserKey) -> BTreeMap<u64, (u64, u64)> {
    let room = &chat.truth.checker.rooms[chat.chat.index()];
    let spans: Vec<Membership> =
        room.members.iter().filter(|(member, _)| *member == user).map(|(_, span)| *span).collect();
    let was_in = |seq: u64| {
        let holds = |one: &Membership| {
            one.added_seq < seq && one.removed_seq.is_none_or(|last| seq <= last)
        };
        spans.iter().any(holds)
    };
    let mut tally: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for row in chat.rows {
        let author = row.author.or(chat.message(row.message).author);
        if author != Some(user) && was_in(row.seq) {
            tally.entry(row.seq).or_default().0 += 1;
        }
    }
    let once = room.notes.get(&user).into_iter().flat_map(|seqs| seqs.iter());
    let again = room.notes_again.iter().filter(|(of, _)| *of == user).map(|(_, seq)| *seq);
    for seq in once.chain(again) {
        tally.entry(seq).or_default().1 += 1;
    }
    tally
}
