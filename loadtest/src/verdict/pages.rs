//! Pages of a history that is known to the last message: what stands in them, and what does not.

use std::collections::BTreeMap;

use trialogue_checker::Micros;

use super::{Fault, Judge};
use crate::stamp::{Found, Stamp};

/// What a room's history has, by its place: which message, and how many bytes.
#[derive(Debug, Clone, Default)]
pub struct Book(BTreeMap<u64, (Stamp, u32)>);

/// A page that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// By whom.
    pub member: u32,
    /// Which end of it was named: what comes after this place, or before it.
    pub key: Key,
    /// Messages at most.
    pub limit: u32,
    /// When it was due.
    pub intended: Micros,
    /// Whether its figures count.
    pub recorded: bool,
}

/// An end of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// From the next place on.
    After(u64),
    /// Up to the place before.
    Before(u64),
}

/// A message of a page as it came: what was found of it, and its place.
pub type Line = (Option<Found>, u64);

impl Book {
    /// A message is stored at this place.
    pub fn write(&mut self, seq: u64, stamp: Stamp, size: u32) {
        self.0.insert(seq, (stamp, size));
    }

    /// The first and the last place.
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((*self.0.first_key_value()?.0, *self.0.last_key_value()?.0))
    }

    /// The places of a page, rising, and whether there is more beyond it.
    fn places(&self, asked: &Asked) -> (Vec<u64>, bool) {
        let limit = asked.limit as usize;
        match asked.key {
            Key::After(key) => {
                let mut all = self.0.range(key.saturating_add(1)..).map(|(seq, _)| *seq);
                (all.by_ref().take(limit).collect(), all.next().is_some())
            }
            Key::Before(key) => {
                let mut all = self.0.range(..key).rev().map(|(seq, _)| *seq);
                let mut places: Vec<u64> = all.by_ref().take(limit).collect();
                places.reverse();
                (places, all.next().is_some())
            }
        }
    }

    /// What is wrong with a page, each in a sentence.
    fn faults(&self, asked: &Asked, page: &[Line], has_more: bool) -> Vec<(Fault, String)> {
        let (mut places, beyond) = self.places(asked);
        let mut wrong = Vec::new();
        // A server may end a page early, by its bytes; it has to say so.
        let (whole, ends) = (places.len(), page.iter().map(|(_, seq)| *seq));
        if has_more && !page.is_empty() {
            let (first, last) = (ends.clone().min(), ends.max());
            places.retain(|seq| match asked.key {
                Key::After(_) => Some(*seq) <= last,
                Key::Before(_) => Some(*seq) >= first,
            });
        }
        if has_more != (beyond || places.len() < whole) {
            let says = if has_more { "more" } else { "nothing more" };
            wrong.push((Fault::Mutated, format!("a page says that there is {says}")));
        }
        let mut before = 0;
        let mut came = std::collections::BTreeSet::new();
        for (found, seq) in page {
            match (found, self.0.get(seq)) {
                (None, None) => wrong.push((Fault::Phantom, format!("seq {seq} is nobody's"))),
                (Some(found), Some((stamp, size))) if found.stamp == *stamp => {
                    if found.size != Some(*size) {
                        wrong.push((Fault::Mutated, format!("seq {seq} is not as it was sent")));
                    }
                }
                (Some(Found { stamp, .. }), _) => {
                    let Stamp { worker, sender, n } = stamp;
                    let text = format!("seq {seq} is message {n} of sender {sender} of {worker}");
                    wrong.push((Fault::Misrouted, text));
                }
                (None, Some(_)) => {
                    wrong.push((Fault::Mutated, format!("seq {seq} is another text")));
                }
            }
            if !came.insert(*seq) {
                wrong.push((Fault::Duplicated, format!("seq {seq} once more in a page")));
            } else if *seq <= before {
                wrong.push((Fault::Reordered, format!("seq {seq} after {before} in a page")));
            }
            before = *seq;
        }
        for seq in places.iter().filter(|seq| !came.contains(seq)) {
            wrong.push((Fault::Lost, format!("seq {seq} is missing in a page ({:?})", asked.key)));
        }
        let beside = page.iter().filter(|(_, seq)| !places.contains(seq)).count();
        if beside > 0 {
            let text = format!("{beside} messages that were not asked for ({:?})", asked.key);
            wrong.push((Fault::Phantom, text));
        }
        wrong
    }
}

impl Judge {
    /// A page was asked for.
    pub fn asks(&mut self) {
        self.counts.pages_asked += 1;
    }

    /// It came; in rooms of others what is unknown is theirs.
    pub fn page(&mut self, book: &Book, asked: &Asked, page: &[Line], has_more: bool, at: Micros) {
        self.counts.pages += 1;
        self.counts.page_messages += page.len() as u64;
        for (fault, text) in book.faults(asked, page, has_more) {
            self.wrong(fault, asked.member, at, || text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(n: u32) -> Stamp {
        Stamp { worker: 0, sender: 1, n }
    }

    /// Ten messages at the places 1 to 10.
    fn told(key: Key, places: &[u64], has_more: bool) -> Vec<Fault> {
        let mut book = Book::default();
        (1..=10).for_each(|seq| book.write(seq, stamp(seq as u32), 60));
        assert_eq!(book.ends(), Some((1, 10)));
        let asked = Asked { member: 0, key, limit: 4, intended: 0, recorded: true };
        let line = |seq: &u64| (Some(Found { stamp: stamp(*seq as u32), size: Some(60) }), *seq);
        let page: Vec<Line> = places.iter().map(line).collect();
        book.faults(&asked, &page, has_more).into_iter().map(|one| one.0).collect()
    }

    #[test]
    fn a_page_has_what_was_asked_for_and_nothing_else() {
        let right: [Fault; 0] = [];
        assert_eq!(told(Key::After(2), &[3, 4, 5, 6], true), right);
        assert_eq!(told(Key::After(8), &[9, 10], false), right);
        assert_eq!(told(Key::Before(4), &[1, 2, 3], false), right);
        assert_eq!(told(Key::Before(8), &[4, 5, 6, 7], true), right);
        // Ended early, which it says.
        assert_eq!(told(Key::Before(8), &[6, 7], true), right);
        assert_eq!(told(Key::After(2), &[3, 4], true), right);
        assert_eq!(told(Key::After(2), &[3, 4], false), [Fault::Mutated, Fault::Lost, Fault::Lost]);
        assert_eq!(told(Key::After(2), &[3, 5, 6], true), [Fault::Lost]);
        assert_eq!(told(Key::After(2), &[3, 4, 5, 6, 7], true), [Fault::Phantom]);
        assert_eq!(told(Key::After(2), &[3, 4, 6, 5], true), [Fault::Reordered]);
        assert_eq!(told(Key::After(2), &[3, 4, 4, 5, 6], true), [Fault::Duplicated]);
        assert_eq!(told(Key::After(8), &[9, 10], true), [Fault::Mutated]);
        assert_eq!(told(Key::After(8), &[], true), [Fault::Mutated, Fault::Lost, Fault::Lost]);
    }

    #[test]
    fn what_stands_there_is_what_was_sent() {
        let mut book = Book::default();
        book.write(1, stamp(1), 60);
        let asked = Asked { member: 0, key: Key::After(0), limit: 4, intended: 0, recorded: true };
        let told = |found: Option<Found>, seq: u64| {
            let wrong = book.faults(&asked, &[(found, seq)], false);
            wrong.into_iter().map(|one| one.0).collect::<Vec<_>>()
        };
        let found = |n, size| Some(Found { stamp: stamp(n), size });
        assert_eq!(told(found(1, Some(60)), 1), []);
        assert_eq!(told(found(1, Some(61)), 1), [Fault::Mutated]);
        assert_eq!(told(found(1, None), 1), [Fault::Mutated]);
        assert_eq!(told(found(2, Some(60)), 1), [Fault::Misrouted]);
        assert_eq!(told(None, 1), [Fault::Mutated]);
    }
}
