//! A set of numbers, kept as its runs: a receiver that missed nothing is one run, however much it
//! received, and every gap costs sixteen bytes.

/// Runs `(first, last)`, rising, never touching one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds a number; false when it was there.
    pub(crate) fn insert(&mut self, n: u64) -> bool {
        // Nearly everything comes in order.
        match self.0.last_mut() {
            Some(last) if n <= last.1 => return self.insert_inside(n),
            Some(last) if n == last.1 + 1 => last.1 = n,
            Some(_) | None => self.0.push((n, n)),
        }
        true
    }

    fn insert_inside(&mut self, n: u64) -> bool {
        let at = self.0.partition_point(|run| run.1 < n);
        if self.0[at].0 <= n {
            return false;
        }
        let joins_next = self.0[at].0 == n + 1;
        let joins_before = at > 0 && self.0[at - 1].1 + 1 == n;
        match (joins_before, joins_next) {
            (true, true) => {
                self.0[at - 1].1 = self.0[at].1;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].1 = n,
            (false, true) => self.0[at].0 = n,
            (false, false) => self.0.insert(at, (n, n)),
        }
        true
    }

    /// Adds `first..=last`; nothing when that is empty.
    pub(crate) fn insert_run(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let begin = self.0.partition_point(|run| run.1.saturating_add(1) < first);
        let end = self.0.partition_point(|run| run.0 <= last.saturating_add(1));
        let mut all = (first, last);
        if let Some(touched) = self.0.get(begin..end).filter(|touched| !touched.is_empty()) {
            all = (first.min(touched[0].0), last.max(touched[touched.len() - 1].1));
        }
        self.0.splice(begin..end, [all]);
    }

    pub(crate) fn contains(&self, n: u64) -> bool {
        let at = self.0.partition_point(|run| run.1 < n);
        self.0.get(at).is_some_and(|run| run.0 <= n)
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, run| sum.saturating_add(run.1 - run.0).saturating_add(1))
    }

    #[cfg(test)]
    pub(crate) fn runs(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every number of it, rising.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|run| run.0..=run.1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_receiver_that_missed_nothing_is_one_run() {
        let mut ranges = Ranges::default();
        for n in [2, 1, 3, 5, 4, 0] {
            assert!(ranges.insert(n));
        }
        assert_eq!(ranges.0, [(0, 5)]);
        assert!(!ranges.insert(3));
    }

    proptest! {
        #[test]
        fn runs_are_a_set(
            numbers in prop::collection::vec((0_u64..60, 0_u64..4, any::<bool>()), 0..80),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (n, length, as_run) in numbers {
                if as_run {
                    // Of length 0: an empty run.
                    ranges.insert_run(n + 1, n + length);
                    set.extend(n + 1..=n + length);
                } else {
                    prop_assert_eq!(ranges.insert(n), set.insert(n));
                }
                prop_assert!(ranges.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            }
            prop_assert_eq!(ranges.count(), set.len() as u64);
            prop_assert_eq!(ranges.is_empty(), set.is_empty());
            prop_assert!(ranges.iter().eq(set.iter().copied()));
            prop_assert!((0..70).all(|n| ranges.contains(n) == set.contains(&n)));
        }
    }
}
