//! I5: after everything, what each member has is the table from its start point.

use super::{Case, Findings};
use crate::judge::stored::Forms;
use crate::judge::truth::Chat;
use crate::key::Micros;
use crate::messages::{Message, NEVER};
use crate::op::Membership;
use crate::ranges::Ranges;
use crate::receivers::{From, Receiver};
use crate::report::Wrong;

/// Why a client must have a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    No,
    /// If it has a later one: the connection on which it would have come is over.
    WithLater,
    Yes,
}

pub(super) fn judge(chat: &Chat<'_>, forms: &Forms, found: &mut Findings<'_>) {
    if !chat.is_known {
        return;
    }
    // A changed body is told as that: nobody could have got both.
    let is_form = |number: &u32| forms.forms.contains(number) || forms.changed.contains(number);
    let in_table = |number: &u32| chat.message(*number).has_row && !is_form(number);
    let table: Vec<u32> = chat.messages.iter().copied().filter(in_table).collect();
    let slots = chat.truth.checker.rooms[chat.chat.index()].messages.len() as u64;
    for receiver in chat.truth.receivers(chat.chat) {
        let Some(membership) = chat.truth.membership(receiver) else { continue };
        let mut judge = |got: &Ranges, how: &str, owed: &dyn Fn(u32) -> Owed| {
            // Nearly everybody has everything.
            if got.count() < slots {
                judge_set(chat, receiver, &table, (got, how), owed, found);
            }
        };
        let live = |number: u32| is_owed(chat, receiver, &membership, number);
        let has_lines = !receiver.lines.came.is_empty();
        if receiver.joined && (receiver.records_frames || !has_lines) {
            judge(&receiver.got, "by frames and pages", &live);
        }
        if receiver.joined && has_lines {
            judge(&receiver.lines.came, "on its screen", &live);
        }
        if receiver.read_done && membership.removed_seq.is_none() {
            let all = |number: u32| match chat.truth.seq(number) {
                seq if seq == 0 || seq >= membership.from => Owed::Yes,
                _ => Owed::No,
            };
            judge(&receiver.read, "in its final read", &all);
        }
    }
}

fn judge_set(
    chat: &Chat<'_>,
    receiver: &Receiver,
    table: &[u32],
    (got, how): (&Ranges, &str),
    owed: &dyn Fn(u32) -> Owed,
    found: &mut Findings<'_>,
) {
    let has = |number: &u32| got.contains(u64::from(chat.message(*number).slot));
    let last = table.iter().rposition(has);
    for (n, number) in table.iter().enumerate() {
        if has(number) {
            continue;
        }
        let has_later = last.is_some_and(|last| n < last);
        // Not when the two share one seq, which is a wrong of its own.
        let is_below = |last: usize| chat.truth.seq(*number) < chat.truth.seq(table[last]);
        let wrong = match owed(*number) {
            Owed::Yes if has_later => Wrong::Skipped,
            Owed::Yes => Wrong::NeverRead,
            Owed::WithLater if last.is_some_and(is_below) => Wrong::Skipped,
            Owed::WithLater | Owed::No => continue,
        };
        let case = Case::of(chat.chat).with(receiver.client).message(*number);
        found.add(wrong, case, || format!("never came {how}"));
    }
}

/// Whether a client that joined must have got a message while it was in the room.
fn is_owed(chat: &Chat<'_>, receiver: &Receiver, membership: &Membership, number: u32) -> Owed {
    let config = &chat.truth.checker.config;
    let message: &Message = chat.message(number);
    let seq = chat.truth.seq(number);
    let is_own = !config.own_copies && message.by == Some(receiver.client);
    if is_own || membership.removed_seq.is_some_and(|last| seq > last) {
        return Owed::No;
    }
    let begun_after = |moment: Micros| {
        let begun = message.invoked_at;
        begun != NEVER && begun > moment.saturating_add(config.clock_error_max)
    };
    let of_window = receiver.window.is_some_and(|window| match window.from {
        From::Seq(from) => seq >= from,
        From::Time(from) => begun_after(from),
    });
    // Acknowledged so long before the end that it must have come; what was on its way then is
    // neither owed nor excused.
    let over_before = |end: Micros| message.ok_at.saturating_add(config.late_max) < end;
    let times = &receiver.owed_times;
    let of_times = || times.iter().any(|(from, to)| begun_after(*from) && over_before(*to));
    // A client that resumes says what it holds: so it does, or its cursor passed over something.
    let is_claimed = receiver.claimed.is_some_and(|(from, to)| (from..=to).contains(&seq));
    if of_window || is_claimed || of_times() {
        Owed::Yes
    } else if receiver.owed.contains(seq) {
        Owed::WithLater
    } else {
        Owed::No
    }
}
