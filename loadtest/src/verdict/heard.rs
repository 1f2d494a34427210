//! What one receiver has of one sender: a cursor and the gaps below it, however much came.

/// Half-open runs of numbers that have not come, rising.
type Gap = (u32, u32);

/// Numbers of one sender at one receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The receiver was not there before this number: nothing is owed, whatever comes is fine.
    floor: u32,
    /// Everything below has come, but for the gaps.
    next: u32,
    /// One more than the number that came last; 0 when none did.
    last: u32,
    gaps: Vec<Gap>,
}

/// What a number is to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// New; `fell` when a later one of the same sender has come before it.
    Fresh { fell: bool },
    /// It has come already.
    Again,
    /// It was sent while the receiver was coming.
    Early,
}

impl Heard {
    /// The receiver comes while the sender's next number is this.
    pub(super) fn begin(next: u32) -> Self {
        Self { floor: next, next, last: 0, gaps: Vec::new() }
    }

    pub(super) fn take(&mut self, n: u32) -> Took {
        if n < self.floor {
            return Took::Early;
        }
        if n >= self.next {
            if n > self.next {
                self.gaps.push((self.next, n));
            }
            self.next = n + 1;
        } else if !self.fill(n) {
            return Took::Again;
        }
        let fell = self.last > n;
        self.last = n + 1;
        Took::Fresh { fell }
    }

    /// Takes a number out of the gaps; false when it is in none.
    fn fill(&mut self, n: u32) -> bool {
        let at = self.gaps.partition_point(|gap| gap.1 <= n);
        let Some(gap) = self.gaps.get_mut(at).filter(|gap| gap.0 <= n) else { return false };
        match (gap.0 == n, gap.1 == n + 1) {
            (true, true) => drop(self.gaps.remove(at)),
            (true, false) => gap.0 += 1,
            (false, true) => gap.1 -= 1,
            (false, false) => {
                let after = (n + 1, gap.1);
                gap.1 = n;
                self.gaps.insert(at + 1, after);
            }
        }
        true
    }

    /// Whether the receiver was there when it was sent, and does not have it.
    pub(super) fn misses(&self, n: u32) -> bool {
        if n < self.floor || n >= self.next {
            return n >= self.next.max(self.floor);
        }
        let at = self.gaps.partition_point(|gap| gap.1 <= n);
        self.gaps.get(at).is_some_and(|gap| gap.0 <= n)
    }

    /// Whether it has something later than this.
    pub(super) fn is_beyond(&self, n: u32) -> bool {
        self.next > n + 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_with_gaps_is_a_set_of_numbers(
            floor in 0_u32..5,
            numbers in prop::collection::vec(0_u32..40, 0..80),
        ) {
            let (mut heard, mut set) = (Heard::begin(floor), BTreeSet::new());
            let mut last = None;
            for n in numbers {
                let expect = match n {
                    n if n < floor => Took::Early,
                    n if !set.insert(n) => Took::Again,
                    n => Took::Fresh { fell: last.replace(n) > Some(n) },
                };
                prop_assert_eq!(heard.take(n), expect);
                let apart = heard.gaps.windows(2).all(|pair| pair[0].1 < pair[1].0);
                prop_assert!(apart && heard.gaps.iter().all(|gap| gap.0 < gap.1));
            }
            for n in 0..45 {
                prop_assert_eq!(heard.misses(n), n >= floor && !set.contains(&n), "{}", n);
                if n >= floor {
                    prop_assert_eq!(heard.is_beyond(n), set.iter().any(|m| *m > n));
                }
            }
        }
    }
}
