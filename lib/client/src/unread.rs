//! How many messages of others in one chat were not read, without IO.
//!
//! Exact where every message since the mark is known or the server has counted them; else the
//! number is the most that it can be, never less. What may not happen here: a count of one's own
//! messages, a number that falls because something came.

use std::collections::BTreeSet;

use trialogue_protocol::{Message, Seq, UserId};

/// Numbers of unread messages remembered (10,000); beyond, older ones count as unread unseen.
const REMEMBERED_MAX: usize = 10_000;

/// The count of one chat.
#[derive(Debug, Clone, Default)]
pub struct Unread {
    /// Everything up to here was read.
    mark: Seq,
    /// Numbers of others' messages after the mark, as far as they were seen.
    others: BTreeSet<Seq>,
    /// Every message from here to `known_to` was seen; 0: none was.
    known_from: Seq,
    known_to: Seq,
    /// What the server counted: so many after `mark`, up to that message.
    counted: Option<(u64, Seq)>,
    /// Others' messages of a server that does not count, since they were read last.
    uncounted: u64,
}

impl Unread {
    /// Messages of others that were not read.
    pub fn count(&self) -> u64 {
        let seen = |from: Seq| {
            u64::try_from(self.others.range(from.saturating_add(1)..).count()).unwrap_or_default()
        };
        let all_seen = self.known_from != 0 && self.known_from <= self.mark.saturating_add(1);
        let counted = match self.counted {
            _ if all_seen => seen(self.mark),
            Some((count, to)) => {
                // What came between the server's count and what was shown may all be others'.
                let unseen = self.known_from.saturating_sub(to.max(self.mark)).saturating_sub(1);
                let unseen = u64::try_from(unseen).unwrap_or_default();
                count.saturating_add(unseen).saturating_add(seen(to))
            }
            None if self.known_from == 0 => 0,
            None => {
                let unseen = self.known_from.saturating_sub(self.mark).saturating_sub(1);
                u64::try_from(unseen).unwrap_or_default().saturating_add(seen(self.mark))
            }
        };
        counted.saturating_add(self.uncounted)
    }

    /// A message of somebody else was stored; it was not shown.
    pub fn heard_of_one(&mut self) {
        self.uncounted = self.uncounted.saturating_add(1);
    }

    /// The server's own count, of everything after the mark up to `last_seq`.
    pub fn listed(&mut self, count: i64, last_seq: Seq) {
        self.uncounted = 0;
        self.counted = Some((u64::try_from(count).unwrap_or_default(), last_seq.max(0)));
    }

    /// Everything up to here was read, on whatever device; never moves back.
    pub fn read(&mut self, seq: Seq) {
        self.uncounted = 0;
        if seq <= self.mark {
            return;
        }
        self.mark = seq;
        self.others = self.others.split_off(&seq.saturating_add(1));
        // The server counted from another place.
        self.counted = match self.counted {
            Some((_, to)) if seq >= to => Some((0, seq)),
            _ => None,
        };
    }

    /// Everything that was shown or counted is read.
    pub fn read_all(&mut self) {
        let counted = self.counted.map_or(0, |(_, to)| to);
        self.read(self.known_to.max(counted));
    }

    /// A message that follows on those seen so far was shown.
    pub fn said(&mut self, message: &Message, me: Option<UserId>, is_news: bool) {
        let by_other = me != Some(message.sender_id);
        let Some(seq) = message.seq else {
            self.uncounted = self.uncounted.saturating_add(u64::from(by_other && is_news));
            return;
        };
        if self.known_from == 0 || seq != self.known_to.saturating_add(1) {
            self.known_from = seq;
            self.others.clear();
        }
        self.known_to = seq;
        if by_other && seq > self.mark {
            self.others.insert(seq);
        }
        if self.others.len() > REMEMBERED_MAX
            && let Some(oldest) = self.others.pop_first()
        {
            self.known_from = oldest.saturating_add(1);
            self.counted = None;
        }
    }

    /// Older messages were shown, ascending, right before those seen so far.
    pub fn older(&mut self, messages: &[Message], me: Option<UserId>) {
        let first = messages.first().and_then(|message| message.seq);
        let last = messages.last().and_then(|message| message.seq);
        let (Some(first), Some(last)) = (first, last) else { return };
        if self.known_from == 0 || last.saturating_add(1) != self.known_from {
            return;
        }
        self.known_from = first;
        for message in messages {
            let seq = message.seq.unwrap_or_default();
            let room = self.others.len() < REMEMBERED_MAX;
            if room && seq > self.mark && me != Some(message.sender_id) {
                self.others.insert(seq);
            }
        }
    }

    /// What was seen, counted and read is void: the chat is of another database.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use trialogue_protocol::{ChatId, MessageId, MessageType, Role};

    use super::*;

    const ME: Option<UserId> = Some(UserId(1));

    fn message(seq: Option<Seq>, sender: i64) -> Message {
        Message {
            id: MessageId(uuid::Uuid::nil()),
            chat_id: ChatId(uuid::Uuid::nil()),
            seq,
            sender_type: Role::Customer,
            sender_id: UserId(sender),
            sender_name: String::new(),
            message: "x".to_owned(),
            message_type: MessageType::Text,
            client_message_id: None,
            created_at: chrono::DateTime::UNIX_EPOCH.into(),
        }
    }

    #[test]
    fn the_servers_count_holds_until_everything_since_the_mark_was_seen() {
        let mut unread = Unread::default();
        unread.read(10);
        unread.listed(3, 20);
        assert_eq!(unread.count(), 3);
        for seq in 19..=22 {
            unread.said(&message(Some(seq), 2), ME, true);
        }
        assert_eq!(unread.count(), 5, "two came after it had counted");
        let older: Vec<_> = (11..=18).map(|seq| message(Some(seq), 1)).collect();
        unread.older(&older, ME);
        assert_eq!(unread.count(), 4, "all of them are seen now, and these were mine");
        unread.read(21);
        assert_eq!(unread.count(), 1);
        unread.read_all();
        assert_eq!(unread.count(), 0);
    }

    #[test]
    fn what_came_between_a_count_and_the_first_page_is_unread_too() {
        let mut unread = Unread::default();
        unread.listed(2, 2);
        (0..28).for_each(|_| unread.heard_of_one());
        assert_eq!(unread.count(), 30);
        // The room is entered: its newest page begins far behind what was counted.
        unread.read(0);
        (31..=80).for_each(|seq| unread.said(&message(Some(seq), 2), ME, true));
        assert_eq!(unread.count(), 80);
        let older: Vec<_> = (1..=30).map(|seq| message(Some(seq), 1 + seq % 2)).collect();
        unread.older(&older, ME);
        assert_eq!(unread.count(), 65, "half of those were mine");
    }

    #[test]
    fn a_server_that_does_not_count_is_counted_from_the_last_look_on() {
        let mut unread = Unread::default();
        unread.said(&message(None, 2), ME, false);
        assert_eq!(unread.count(), 0, "history is no news");
        unread.said(&message(None, 2), ME, true);
        unread.said(&message(None, 1), ME, true);
        assert_eq!(unread.count(), 1);
        unread.read_all();
        assert_eq!(unread.count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_024))]

        /// Against a chat that is simply counted: exact once everything since the mark is known
        /// or was counted by the server, and never less than the truth.
        #[test]
        fn the_count_is_the_truth_or_above(
            senders in prop::collection::vec(1i64..3, 0..40),
            first_mark in 0i64..40,
            first_shown in 0usize..40,
            listed in any::<bool>(),
            steps in prop::collection::vec((0u8..4, 0i64..60), 0..40),
        ) {
            let mut rows = senders;
            let mut mark = first_mark.min(i64::try_from(rows.len()).unwrap());
            let truth = |rows: &[i64], mark: Seq| {
                let after = rows.iter().skip(usize::try_from(mark).unwrap());
                u64::try_from(after.filter(|sender| **sender != 1).count()).unwrap()
            };
            let mut unread = Unread::default();
            unread.read(mark);
            if listed {
                let count = i64::try_from(truth(&rows, mark)).unwrap();
                unread.listed(count, i64::try_from(rows.len()).unwrap());
            }
            let mut shown_from = first_shown.min(rows.len());
            let say = |unread: &mut Unread, rows: &[i64], at: usize| {
                let seq = i64::try_from(at).unwrap() + 1;
                unread.said(&message(Some(seq), rows[at]), ME, true);
            };
            for at in shown_from..rows.len() {
                say(&mut unread, &rows, at);
            }
            for (step, n) in steps {
                match step {
                    0 | 1 => {
                        rows.push(n % 2 + 1);
                        say(&mut unread, &rows, rows.len() - 1);
                    }
                    2 => {
                        let seq = n.min(i64::try_from(rows.len()).unwrap());
                        mark = mark.max(seq);
                        unread.read(seq);
                    }
                    _ if shown_from < rows.len() => {
                        let from = shown_from.saturating_sub(usize::try_from(n).unwrap());
                        let older: Vec<_> = (from..shown_from)
                            .map(|at| message(Some(i64::try_from(at).unwrap() + 1), rows[at]))
                            .collect();
                        unread.older(&older, ME);
                        shown_from = from;
                    }
                    _ => {}
                }
                let anything = shown_from < rows.len();
                let all_known = anything && i64::try_from(shown_from).unwrap() <= mark;
                let exact = truth(&rows, mark);
                if all_known {
                    prop_assert_eq!(unread.count(), exact);
                } else if anything {
                    prop_assert!(unread.count() >= exact, "{} < {}", unread.count(), exact);
                }
            }
        }
    }
}
