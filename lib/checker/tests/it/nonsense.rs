//! Whatever a history tells, it is judged: nothing in it makes the checker fail.

use proptest::prelude::*;
use trialogue_checker::{
    By, Checker, Config, Copied, Membership, Op, Print, Report, Table, Verdict,
};

/// Few of everything, so that they meet, and the largest numbers.
type Words = (u8, u64, usize, usize, Option<u64>, Option<u64>, bool, bool);

fn words() -> impl Strategy<Value = Words> {
    let number = || prop_oneof![6 => 0_u64..8, 1 => Just(u64::MAX)];
    let some = || prop::option::of(number());
    (0_u8..18, number(), 0_usize..3, 0_usize..2, some(), some(), any::<bool>(), any::<bool>())
}

fn op(checker: &mut Checker, words: Words) -> Op {
    let (kind, number, who, which, seq, other, yes, no) = words;
    let at = number;
    let client = checker.client(["a", "b", "c"][who]);
    let user = checker.user(["a", "b", "c"][who]);
    let chat = checker.chat(["x", "y"][which]);
    let by = By { at, client, chat };
    let message = Print::from_number(other.unwrap_or(1));
    let copy = Copied {
        message,
        seq,
        id: yes.then(|| Print::from_number(number)),
        cmid: no.then(|| Print::from_number(number)),
        author: yes.then_some(user),
        nth: other,
    };
    let stored = yes.then_some(no);
    match kind {
        0 => Op::Open { at, client, user },
        1 => Op::Down { at, client },
        2 => Op::Join { by, since: seq, last_seq: other },
        3 => Op::Leave(by),
        4 => Op::Evict(by),
        5 => Op::Invoke { by, message, cmid: copy.cmid },
        6 => Op::Ok { by, copy, stored },
        7 => Op::Fail { by, message },
        8 => Op::Info { by, message },
        9 => Op::Recv { by, copy, stored },
        10 => Op::Show { by, copy },
        11 => Op::Page { by, is_final: yes, more: no, last_seq: seq },
        12 => Op::Read { by, copy },
        13 => Op::Canary(by),
        14 => Op::Row { chat, copy },
        15 => Op::Chat { chat, last_seq: number },
        16 => {
            let (added_seq, removed_seq) = (number, other);
            let removed = no.then_some(number);
            let from = seq.unwrap_or(1);
            let membership = Membership { from, added_seq, removed_seq, added: 0, removed };
            Op::Member { chat, user, membership }
        }
        _ => Op::Note { chat, user, seq: number },
    }
}

fn judge(table: Table, all: &[Words]) -> Report {
    let mut checker = Checker::new(Config { table, notes: true, ..Config::default() });
    for (n, words) in all.iter().enumerate() {
        let op = op(&mut checker, *words);
        checker.take(op);
        if n % 7 == 0 {
            let fault = Print::of("fault");
            checker.take(Op::Fault { at: n as u64, fault, over: n % 2 == 0 });
        }
    }
    checker.judge()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nonsense_is_judged(
        all in prop::collection::vec(words(), 0..80),
        table in prop::sample::select(vec![Table::Dump, Table::Reads, Table::Acks]),
    ) {
        let report = judge(table, &all);
        let found = !report.findings.is_empty();
        prop_assert_eq!(report.verdict == Verdict::Invalid, found);
        prop_assert!(report.findings.iter().all(|one| one.count >= one.examples.len() as u64));
        prop_assert!(!report.to_string().is_empty());
    }
}
