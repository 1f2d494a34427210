//! In which order messages of one chat are put out: pure, no clock, no socket, no database.
//!
//! Commits of one chat have an order (`seq`), but the tasks that learn of them wake in any order,
//! and some news never come: the process that committed died, another node stored the row, the
//! answer of the database was lost. [`Order`] turns such news into an unbroken sequence and says
//! which rows must be read because nobody brought them (RELIABILITY §2.4).

use std::collections::BTreeMap;

use trialogue_protocol::Seq;

/// Messages of one chat that wait for an earlier one. Beyond this they are forgotten and read back
/// from the database in their turn: a bound on memory, not on the chat.
pub(crate) const EARLY_MAX: usize = 256;

/// How far a chat has been put out on this node, and what came too early.
#[derive(Debug)]
pub(crate) struct Order<T> {
    /// Everything up to here was put out. `None` until somebody has read the chat's position.
    published: Option<Seq>,
    /// The highest `seq` that is known to be committed.
    known: Seq,
    early: BTreeMap<Seq, T>,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { published: None, known: 0, early: BTreeMap::new() }
    }
}

impl<T> Order<T> {
    /// How far the chat has been put out, once that is known.
    pub(crate) fn published(&self) -> Option<Seq> {
        self.published
    }

    /// Sets the point from which messages are live: whoever joins gets what lies before it as
    /// history. Nothing happens when the point was set before.
    pub(crate) fn start_at(&mut self, seq: Seq) {
        if self.published.is_none() {
            self.published = Some(seq);
            self.known = self.known.max(seq);
            self.early = self.early.split_off(&(seq + 1));
        }
    }

    /// A committed message has come. It is put out by [`Order::next`], now or later; one that was
    /// put out before is dropped.
    pub(crate) fn arrive(&mut self, seq: Seq, message: T) {
        self.known = self.known.max(seq);
        if self.published.is_some_and(|published| seq <= published) {
            return;
        }
        self.early.insert(seq, message);
        if self.early.len() > EARLY_MAX {
            // The latest is the one whose turn is farthest away.
            self.early.pop_last();
        }
    }

    /// Somebody has seen in the database that the chat is at least so far.
    pub(crate) fn learn(&mut self, last_seq: Seq) {
        self.known = self.known.max(last_seq);
    }

    /// The message whose turn it is, if it is here. Counts as put out from now on.
    pub(crate) fn next(&mut self) -> Option<T> {
        let turn = self.published? + 1;
        if *self.early.first_key_value()?.0 != turn {
            return None;
        }
        let (_, message) = self.early.pop_first()?;
        self.published = Some(turn);
        Some(message)
    }

    /// The rows that nobody brought: after the first number, up to and with the second. What came
    /// early in between is read once more: where two nodes store in turn every second row is
    /// missing, and one read must fill all of these holes.
    pub(crate) fn gap(&self) -> Option<(Seq, Seq)> {
        let published = self.published?;
        let mut through = self.known;
        // The run at the end is here.
        for &seq in self.early.keys().rev() {
            if seq != through {
                break;
            }
            through = seq - 1;
        }
        (through > published).then_some((published, through))
    }

    /// Whether [`Order::gap`] has something: asked after everything that happens in a room.
    pub(crate) fn has_gap(&self) -> bool {
        let early = Seq::try_from(self.early.len()).unwrap_or(Seq::MAX);
        self.published.is_some_and(|published| self.known - published > early)
    }

    /// The highest `seq` that is known to be committed.
    pub(crate) fn known(&self) -> Seq {
        self.known
    }

    /// The database has less than was put out: it is another one, or an older one was restored.
    /// Counting starts again from what it has.
    pub(crate) fn start_again_at(&mut self, last_seq: Seq) {
        *self = Self { published: Some(last_seq), known: last_seq, early: BTreeMap::new() };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// News: `5` a message has come, `=5` joined at 5, `?5` the database has 5.
    fn check(news: &str, expect_out: &[Seq], expect_gap: Option<(Seq, Seq)>) {
        let mut order = Order::default();
        let mut out = Vec::new();
        for word in news.split_whitespace() {
            let number = |text: &str| text.parse::<Seq>().unwrap();
            match word.split_at(1) {
                ("=", seq) => order.start_at(number(seq)),
                ("?", seq) => order.learn(number(seq)),
                _ => order.arrive(number(word), number(word)),
            }
            out.extend(std::iter::from_fn(|| order.next()));
        }
        assert_eq!(out, expect_out, "{news}");
        assert_eq!(order.gap(), expect_gap, "{news}");
        assert_eq!(order.has_gap(), expect_gap.is_some(), "{news}");
    }

    #[test]
    fn messages_are_put_out_in_their_order() {
        check("=0 1 2 3", &[1, 2, 3], None);
        check("=0 2 3 1", &[1, 2, 3], None);
        check("=4 5 5 3 6", &[5, 6], None);
    }

    #[test]
    fn a_missing_message_is_asked_for_and_nothing_overtakes_it() {
        check("=0 1 3 5", &[1], Some((1, 4)));
        check("=0 1 3 5 2", &[1, 2, 3], Some((3, 4)));
        check("=0 2 4 5 6", &[], Some((0, 3)));
        check("=2 ?6", &[], Some((2, 6)));
        check("=2 ?6 4", &[], Some((2, 6)));
        check("=2 ?6 3 4 5 6", &[3, 4, 5, 6], None);
        check("=7 ?6", &[], None);
    }

    #[test]
    fn what_comes_before_the_position_is_known_waits_for_it() {
        check("3 4 5", &[], None);
        check("5 3 4 =3", &[4, 5], None);
        check("5 =3", &[], Some((3, 4)));
        check("=3 =9 4", &[4], None);
    }

    #[test]
    fn what_waits_is_bounded_and_comes_back_as_a_gap() {
        let mut order = Order::default();
        order.start_at(0);
        let far = Seq::try_from(EARLY_MAX).unwrap() + 50;
        (2..=far).for_each(|seq| order.arrive(seq, seq));
        assert_eq!(order.early.len(), EARLY_MAX);
        order.arrive(1, 1);
        let out: Vec<_> = std::iter::from_fn(|| order.next()).collect();
        assert_eq!(out.len(), EARLY_MAX);
        assert_eq!(order.gap(), Some((out.len() as Seq, far)));
    }

    #[test]
    fn a_restored_database_starts_the_count_again() {
        let mut order = Order::default();
        order.start_at(9);
        order.start_again_at(4);
        order.arrive(5, 5);
        assert_eq!(order.next(), Some(5));
    }

    proptest! {
        #[test]
        fn any_news_in_any_order_become_one_unbroken_sequence(
            start in 0..20_i64,
            news in proptest::collection::vec(1..60_i64, 0..120),
        ) {
            let mut order = Order::default();
            let mut out = Vec::new();
            for (at, &seq) in news.iter().enumerate() {
                if at == news.len() / 3 {
                    order.start_at(start);
                }
                order.arrive(seq, seq);
                out.extend(std::iter::from_fn(|| order.next()));
                prop_assert_eq!(order.has_gap(), order.gap().is_some());
            }
            order.start_at(start);
            // Whatever is said to be missing is read; then everything is out.
            while let Some((after, through)) = order.gap() {
                (after + 1..=through).for_each(|seq| order.arrive(seq, seq));
                out.extend(std::iter::from_fn(|| order.next()));
            }
            out.extend(std::iter::from_fn(|| order.next()));
            let last = news.iter().copied().max().unwrap_or(0).max(start);
            prop_assert_eq!(out, (start + 1..=last).collect::<Vec<_>>());
        }
    }
}
