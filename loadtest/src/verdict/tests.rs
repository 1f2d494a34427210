//! Stories of deliveries, and the same histories told to the checker.

use proptest::prelude::*;
use trialogue_checker::{By, Checker, Config, Copied, Op, Print, Table, Wrong};

use super::*;
use crate::stamp::{Found, Stamp};

const RULES: Rules = Rules { acks: true, own_echo: true, only_ours: true, late_max: 2_500_000 };
const SIZE: u32 = 100;

fn judge(rules: Rules) -> Judge {
    let mut judge = Judge::new(rules, 0);
    judge.add_room(3, 2);
    judge.add_room(2, 1);
    (0..5).for_each(|member| judge.join(member));
    judge
}

fn stamp(sender: u32, n: u32) -> Option<Found> {
    Some(Found { stamp: Stamp { worker: 0, sender, n }, size: Some(SIZE) })
}

fn come(
    judge: &mut Judge,
    members: std::ops::Range<u32>,
    found: Option<Found>,
    seq: u64,
    at: Micros,
) {
    for member in members {
        judge.delivered(member, found, seq, at);
    }
}

fn faults(judge: &Judge) -> Vec<(&'static str, u64)> {
    let told = Fault::ALL.map(|fault| (fault.name(), judge.counts().of(fault)));
    told.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Sender 0 sends two, everybody of its room gets them, both are acknowledged.
fn clean(rules: Rules) -> Judge {
    let mut judge = judge(rules);
    for n in 0..2 {
        assert_eq!(judge.sent(0, SIZE, true, (10, 20)), n);
        for member in 0..3 {
            judge.delivered(member, stamp(0, n), u64::from(n) + 1, 30);
        }
        judge.acked(0, n, 40);
    }
    judge
}

#[test]
fn what_is_complete_is_forgotten() {
    let mut judge = clean(RULES);
    assert_eq!((judge.under_way(), judge.is_settled()), (0, true));
    judge.finish(50);
    let counts = judge.counts();
    assert_eq!((counts.sent, counts.acked, counts.delivered), (2, 2, 6));
    assert_eq!((counts.owed, counts.reached, faults(&judge)), (6, 6, vec![]));
}

#[test]
fn a_delivery_is_measured_and_the_last_one_settles_it() {
    let mut judge = judge(RULES);
    judge.sent(0, SIZE, true, (10, 20));
    assert_eq!(judge.acked(0, 0, 25), Some(10));
    let sights: Vec<_> =
        (0..3).map(|m| judge.delivered(m, stamp(0, 0), 1, 30 + Micros::from(m)).unwrap()).collect();
    assert_eq!((sights[0].intended, sights[0].written, sights[1].settled), (10, 20, None));
    assert_eq!(sights[2].settled, Some((30, 32)));
}

#[test]
fn every_wrong_has_its_name() {
    let check = |name: &str, times: u64, tell: &dyn Fn(&mut Judge)| {
        let mut judge = clean(RULES);
        tell(&mut judge);
        judge.finish(9_000_000);
        assert_eq!(faults(&judge), [(name, times)]);
        assert_eq!(judge.examples()[0].fault.name(), name);
    };
    check("lost", 1, &|judge| {
        judge.sent(0, SIZE, true, (0, 0));
        judge.acked(0, 2, 1);
        judge.delivered(0, stamp(0, 2), 3, 2);
        judge.delivered(1, stamp(0, 2), 3, 2);
    });
    check("duplicated", 1, &|judge| {
        judge.delivered(2, stamp(0, 1), 2, 99);
    });
    check("misrouted", 1, &|judge| {
        judge.delivered(4, stamp(0, 1), 2, 99);
    });
    check("misrouted", 1, &|judge| {
        let stamp = Stamp { worker: 3, sender: 0, n: 0 };
        judge.delivered(4, Some(Found { stamp, size: Some(SIZE) }), 2, 99);
    });
    check("phantom", 3, &|judge| {
        judge.delivered(0, stamp(0, 2), 3, 99);
        judge.delivered(0, None, 4, 99);
        judge.delivered(0, stamp(77, 0), 3, 99);
    });
    check("late", 1, &|judge| {
        judge.sent(0, SIZE, true, (0, 0));
        judge.acked(0, 2, 100);
        for m in 0..3 {
            judge.delivered(m, stamp(0, 2), 3, 100 + u64::from(m) * 1_300_000);
        }
    });
    check("reordered", 3, &|judge| {
        for _ in 0..2 {
            judge.sent(0, SIZE, true, (0, 0));
        }
        for (n, seq) in [(3, 3), (2, 4)] {
            judge.acked(0, n, 1);
            come(judge, 0..3, stamp(0, n), seq, 2);
        }
    });
    check("mutated", 1, &|judge| {
        judge.sent(0, SIZE + 1, true, (0, 0));
        judge.acked(0, 2, 1);
        let whole = Some(Found { size: Some(SIZE + 1), ..stamp(0, 2).unwrap() });
        come(judge, 0..2, whole, 3, 2);
        judge.delivered(2, stamp(0, 2), 3, 2);
    });
}

#[test]
fn what_was_refused_is_no_loss_and_is_a_phantom_when_it_is_seen() {
    let mut judge = clean(RULES);
    judge.sent(0, SIZE, true, (0, 0));
    judge.refused(0, 2, true, 5);
    judge.sent(0, SIZE, true, (0, 0));
    assert_eq!(faults(&judge), []);
    judge.delivered(1, stamp(0, 2), 3, 6);
    judge.finish(9);
    assert_eq!(faults(&judge), [("phantom", 1)]);
    let counts = judge.counts();
    assert_eq!((counts.refused, counts.limited, counts.unanswered), (1, 1, 1));
}

#[test]
fn who_comes_or_goes_meanwhile_is_neither_owed_nor_accused() {
    let mut judge = judge(RULES);
    judge.sent(0, SIZE, true, (0, 0));
    judge.down(2);
    judge.join(2);
    // Sent before it came again: fine either way.
    judge.delivered(2, stamp(0, 0), 1, 1);
    come(&mut judge, 0..2, stamp(0, 0), 1, 1);
    judge.acked(0, 0, 2);
    assert_eq!(judge.under_way(), 0);
    judge.sent(0, SIZE, true, (3, 3));
    come(&mut judge, 0..2, stamp(0, 1), 2, 4);
    judge.acked(0, 1, 5);
    assert!(!judge.is_settled());
    judge.finish(9);
    assert_eq!(judge.counts().indeterminate, 1);
    assert_eq!(faults(&judge), [("lost", 1)]);
}

#[test]
fn without_acknowledgements_what_was_written_is_owed_and_refusals_are_counted_off() {
    let mut judge = judge(Rules { acks: false, own_echo: false, ..RULES });
    for n in 0..3 {
        judge.sent(0, SIZE, true, (0, 0));
        if n == 0 {
            come(&mut judge, 1..3, stamp(0, n), 0, 1);
        }
    }
    assert_eq!(judge.under_way(), 2);
    judge.refused_somehow(0, true);
    judge.refused_somehow(2, true);
    judge.finish(9);
    // One of the two that nobody saw was refused; a listener's refusal explains nothing.
    assert_eq!(faults(&judge), [("lost", 2)]);
    assert_eq!((judge.counts().limited, judge.counts().owed), (1, 4));
}

/// A frame: for the checker, and for the judge.
type Told = (Op, u32, Option<Found>, u64);

#[test]
fn in_rooms_of_others_their_messages_are_no_phantoms() {
    let mut judge = judge(Rules { only_ours: false, ..RULES });
    judge.delivered(0, None, 1, 1);
    judge.delivered(0, stamp(0, 7), 2, 1);
    assert_eq!((judge.counts().foreign, faults(&judge)), (1, vec![("phantom", 1)]));
}

/// What a broken server does with one delivery.
#[derive(Debug, Clone, Copy)]
enum Do {
    Deliver,
    Drop,
    Double,
    Hold,
    Leak,
}

fn doing() -> impl Strategy<Value = Do> {
    prop_oneof![
        20 => Just(Do::Deliver),
        1 => Just(Do::Drop),
        1 => Just(Do::Double),
        1 => Just(Do::Hold),
        1 => Just(Do::Leak),
    ]
}

proptest! {
    /// Rooms 0 (members 0 to 2) and 1 (members 3 and 4), senders 0 and 2; every message is
    /// acknowledged.
    #[test]
    fn the_checker_says_the_same(
        sends in prop::collection::vec((any::<bool>(), [doing(), doing(), doing()]), 1..40),
        numbers in any::<bool>(),
    ) {
        let mut judge = judge(RULES);
        let mut checker = Checker::new(Config { table: Table::Acks, ..Config::default() });
        let chats = ["a", "b"].map(|name| checker.chat(name));
        let clients: Vec<_> = (0..5).map(|n| checker.client(&format!("{n}"))).collect();
        let users: Vec<_> = (0..5).map(|n| checker.user(&format!("{n}"))).collect();
        let room_of = |member: u32| usize::from(member > 2);
        let by = |member: u32, room: usize, at| By {
            at, client: clients[member as usize], chat: chats[room],
        };
        for member in 0..5 {
            let by = by(member, room_of(member), 0);
            checker.take(Op::Join { by, since: None, last_seq: numbers.then_some(0) });
        }
        let (mut seqs, mut at) = ([0_u64; 2], 10);
        let mut held: Vec<Vec<Told>> = vec![Vec::new(); 5];
        for (second, doings) in sends {
            at += 10;
            let (sender, room, author, all) =
                if second { (2, 1, 3, 3..5_u32) } else { (0, 0, 0, 0..3) };
            let n = judge.sent(sender, SIZE, true, (at, at));
            let print = Print::from_number(u64::from(sender) << 32 | u64::from(n) | 1 << 60);
            checker.take(Op::Invoke { by: by(author, room, at), message: print, cmid: None });
            seqs[room] += 1;
            let seq = if numbers { seqs[room] } else { 0 };
            let copy = Copied::of(print).by(users[author as usize]);
            let copy = if numbers { copy.at(seq) } else { Copied { nth: Some(n.into()), ..copy } };
            checker.take(Op::Ok { by: by(author, room, at + 1), copy, stored: None });
            judge.acked(sender, n, at + 1);
            // A stranger to whom it comes twice is a duplicate there and two strangers here.
            let mut leaked = false;
            for (member, doing) in all.zip(doings) {
                let tell = |member: u32| {
                    (Op::Recv { by: by(member, room, at + 2), copy, stored: None }, member,
                        stamp(sender, n), seq)
                };
                let mut now = match doing {
                    Do::Drop => vec![],
                    Do::Hold => {
                        held[member as usize].push(tell(member));
                        continue;
                    }
                    Do::Deliver => vec![tell(member)],
                    Do::Leak if std::mem::replace(&mut leaked, true) => vec![tell(member)],
                    Do::Double => vec![tell(member), tell(member)],
                    Do::Leak => vec![tell(member), tell(if room == 0 { 4 } else { 1 })],
                };
                now.append(&mut held[member as usize]);
                for (op, member, found, seq) in now {
                    checker.take(op);
                    judge.delivered(member, found, seq, at + 2);
                }
            }
        }
        judge.finish(at);
        let report = checker.judge();
        let ours = |fault| judge.counts().of(fault);
        let theirs = |wrong: &[Wrong]| wrong.iter().map(|one| report.count(*one)).sum::<u64>();
        prop_assert_eq!(ours(Fault::Lost), theirs(&[Wrong::NeverRead, Wrong::Skipped]));
        prop_assert_eq!(ours(Fault::Duplicated), theirs(&[Wrong::Duplicate]));
        prop_assert_eq!(ours(Fault::Misrouted), theirs(&[Wrong::Leak]));
        prop_assert_eq!(
            ours(Fault::Reordered), theirs(&[Wrong::Misordered, Wrong::SenderMisordered])
        );
        prop_assert_eq!(ours(Fault::Phantom) + ours(Fault::Late) + ours(Fault::Mutated), 0);
    }
}

#[test]
fn what_is_still_coming_is_neither_lost_nor_found() {
    let mut judge = clean(RULES);
    judge.sent(0, SIZE, true, (0, 0));
    judge.acked(0, 2, 1);
    judge.delivered(1, stamp(0, 2), 3, 2);
    judge.finish_early(9);
    let counts = judge.counts();
    assert_eq!((counts.still_coming, counts.indeterminate), (2, 2));
    assert_eq!((faults(&judge), counts.reach()), (vec![], 1.0));
}

#[test]
fn what_never_comes_keeps_nothing_that_follows_it() {
    let mut judge = judge(RULES);
    judge.sent(0, SIZE, true, (10, 20));
    for n in 1..5_000 {
        judge.sent(0, SIZE, true, (10, 20));
        come(&mut judge, 0..3, stamp(0, n), u64::from(n) + 1, 30);
        judge.acked(0, n, 40);
    }
    assert!(judge.under_way() <= 1_024, "{}", judge.under_way());
    // What is answered late is answered all the same.
    assert!(judge.is_under_way(0, 0) && !judge.is_under_way(0, 4_999));
    assert_eq!(judge.acked(0, 0, 50), Some(10));
    judge.delivered(0, stamp(0, 0), 0, 60);
    judge.finish(9_000_000);
    let counts = judge.counts();
    assert_eq!((judge.under_way(), counts.acked, counts.delivered), (0, 5_000, 14_998));
    assert_eq!((counts.owed, counts.reached), (15_000, 14_998));
    assert_eq!(counts.of(Fault::Lost), 2);
}
