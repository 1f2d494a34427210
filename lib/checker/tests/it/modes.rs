//! What scenarios and load tests can know: no table, no final read, no numbers, no own copies.

use trialogue_checker::{
    By, Checker, Config, Copied, Invariant, Invariants, Membership, Op, Print, Report, Table,
    Verdict, Wrong,
};

/// A checker that is told of one chat in few words.
struct Room {
    checker: Checker,
    at: u64,
}

impl Room {
    fn new(config: Config) -> Self {
        Self { checker: Checker::new(config), at: 0 }
    }

    fn by(&mut self, client: &str) -> By {
        self.at += 10;
        let (client, chat) = (self.checker.client(client), self.checker.chat("room"));
        By { at: self.at, client, chat }
    }

    /// Message `n` at `seq`; 0: the server numbers nothing.
    fn copy(&mut self, n: u64, seq: u64) -> Copied {
        let author = self.checker.user("ann");
        let copy = Copied::of(Print::from_number(n)).by(author);
        if seq == 0 { Copied { nth: Some(n), ..copy } } else { copy.at(seq) }
    }

    fn join(&mut self, client: &str, last_seq: Option<u64>) {
        let by = self.by(client);
        self.checker.take(Op::Join { by, since: None, last_seq });
    }

    fn invoke(&mut self, n: u64) {
        let by = self.by("ann");
        self.checker.take(Op::Invoke { by, message: Print::from_number(n), cmid: None });
    }

    fn ok(&mut self, n: u64, seq: u64) {
        let (by, copy) = (self.by("ann"), self.copy(n, seq));
        self.checker.take(Op::Ok { by, copy, stored: None });
    }

    fn send(&mut self, n: u64, seq: u64) {
        self.invoke(n);
        self.ok(n, seq);
    }

    fn recv(&mut self, client: &str, n: u64, seq: u64) {
        let (by, copy) = (self.by(client), self.copy(n, seq));
        self.checker.take(Op::Recv { by, copy, stored: None });
    }

    fn down(&mut self, client: &str) {
        let By { at, client, .. } = self.by(client);
        self.checker.take(Op::Down { at, client });
    }

    fn final_read(&mut self, client: &str, messages: &[(u64, u64)]) {
        let by = self.by(client);
        let last_seq = messages.last().map(|(_, seq)| *seq).filter(|seq| *seq > 0);
        self.checker.take(Op::Page { by, is_final: true, more: false, last_seq });
        for (n, seq) in messages {
            let copy = self.copy(*n, *seq);
            self.checker.take(Op::Read { by, copy });
        }
    }

    fn judge(&self) -> Report {
        self.checker.judge()
    }

    #[track_caller]
    fn check(&self, expect: &[Wrong]) {
        let report = self.judge();
        let found: Vec<Wrong> = report.findings.iter().map(|finding| finding.wrong).collect();
        assert_eq!(found, expect, "{report}");
    }
}

fn acks() -> Config {
    Config { table: Table::Acks, ..Config::default() }
}

fn reads() -> Config {
    Config { table: Table::Reads, ..Config::default() }
}

/// Ann sends 1 to 4, all acknowledged; bob gets these.
fn load(got: &[(u64, u64)]) -> Room {
    let mut room = Room::new(acks());
    room.join("ann", Some(0));
    room.join("bob", Some(0));
    for n in 1..=4 {
        room.send(n, n);
        room.recv("ann", n, n);
    }
    got.iter().for_each(|(n, seq)| room.recv("bob", *n, *seq));
    room
}

#[test]
fn a_load_test_that_knows_acknowledgements_alone_finds_everything_it_counts() {
    let room = load(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(room.judge().verdict, Verdict::Valid);
    load(&[(1, 1), (3, 3), (4, 4)]).check(&[Wrong::Skipped]);
    load(&[(1, 1), (2, 2)]).check(&[Wrong::NeverRead]);
    assert_eq!(load(&[]).judge().count(Wrong::NeverRead), 4, "silence is no proof");
    load(&[(1, 1), (2, 2), (2, 2), (3, 3), (4, 4)]).check(&[Wrong::Duplicate]);
    load(&[(1, 1), (3, 3), (2, 2), (4, 4)]).check(&[Wrong::SenderMisordered]);
    load(&[(1, 1), (2, 2), (3, 3), (4, 4), (9, 9)]).check(&[Wrong::Phantom]);
    load(&[(1, 1), (2, 2), (3, 3), (4, 5)]).check(&[Wrong::Mutated]);

    let mut misrouted = load(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    misrouted.recv("eve", 1, 1);
    misrouted.check(&[Wrong::Leak]);

    let mut late = load(&[(1, 1), (2, 2), (3, 3)]);
    late.at += 3_000_000;
    late.recv("bob", 4, 4);
    late.check(&[Wrong::Stale]);
}

#[test]
fn what_was_not_acknowledged_may_be_seen_or_not() {
    for seen in [false, true] {
        let mut room = load(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        room.invoke(5);
        if seen {
            room.recv("bob", 5, 5);
        }
        room.check(&[]);
    }
    let mut failed = load(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    failed.invoke(5);
    let by = failed.by("ann");
    failed.checker.take(Op::Fail { by, message: Print::from_number(5) });
    failed.check(&[]);
    failed.recv("bob", 5, 5);
    failed.check(&[Wrong::AbortedRead]);
}

#[test]
fn who_is_between_two_connections_is_owed_nothing_without_a_resume() {
    let mut room = load(&[(1, 1), (2, 2)]);
    // 3 and 4 were on their way when the line broke.
    room.down("bob");
    room.check(&[]);
    room.send(5, 5);
    room.join("bob", Some(5));
    room.send(6, 6);
    room.check(&[Wrong::NeverRead]);
    room.recv("bob", 6, 6);
    room.recv("ann", 5, 5);
    room.recv("ann", 6, 6);
    room.check(&[]);
}

#[test]
fn a_server_that_numbers_nothing_is_judged_by_time_and_by_the_senders_own_numbers() {
    let world = |got: &[u64]| {
        let mut room = Room::new(acks());
        room.join("ann", None);
        room.send(1, 0);
        room.join("bob", None);
        (2..=4).for_each(|n| room.send(n, 0));
        (1..=4).for_each(|n| room.recv("ann", n, 0));
        got.iter().for_each(|n| room.recv("bob", *n, 0));
        room
    };
    // 1 was sent before bob came.
    world(&[2, 3, 4]).check(&[]);
    world(&[2, 4]).check(&[Wrong::Skipped]);
    world(&[2, 3]).check(&[Wrong::NeverRead]);
    world(&[2, 4, 3]).check(&[Wrong::SenderMisordered]);
    // 4 was on its way when the line broke; 2 must have come, had the line held long enough.
    let mut room = world(&[3]);
    room.at += 3_000_000;
    room.down("bob");
    assert_eq!(room.judge().count(Wrong::Skipped), 1);
    assert_eq!(room.judge().count(Wrong::NeverRead), 1);
    let mut room = world(&[3]);
    room.down("bob");
    room.check(&[]);
}

#[test]
fn a_server_that_gives_the_sender_no_copy_owes_it_none() {
    let mut room = Room::new(Config { own_copies: false, ..acks() });
    room.join("ann", Some(0));
    room.join("bob", Some(0));
    room.send(1, 1);
    room.check(&[Wrong::NeverRead]);
    room.recv("bob", 1, 1);
    room.check(&[]);
}

#[test]
fn a_scenario_judges_by_the_final_reads_of_all() {
    let world = |reads_of_bob: &[(u64, u64)]| {
        let mut room = Room::new(reads());
        room.join("ann", Some(0));
        room.join("bob", Some(0));
        for n in 1..=3 {
            room.send(n, n);
            room.recv("ann", n, n);
            room.recv("bob", n, n);
        }
        room.final_read("ann", &[(1, 1), (2, 2), (3, 3)]);
        if !reads_of_bob.is_empty() {
            room.final_read("bob", reads_of_bob);
        }
        room
    };
    let room = world(&[(1, 1), (2, 2), (3, 3)]);
    assert_eq!(room.judge().verdict, Verdict::Valid);
    assert_eq!(world(&[]).judge().verdict, Verdict::Unknown);
    world(&[(1, 1), (3, 3)]).check(&[Wrong::Skipped]);
    // Nobody reads what was acknowledged; somebody saw what nobody reads.
    let mut lost = world(&[(1, 1), (2, 2), (3, 3)]);
    lost.send(4, 4);
    lost.check(&[Wrong::Lost]);
    let mut ghost = world(&[(1, 1), (2, 2), (3, 3)]);
    ghost.invoke(4);
    ghost.recv("bob", 4, 4);
    ghost.check(&[Wrong::BroadcastBeforePersist]);
    // A page that says that there is more than it can be.
    let mut counter = world(&[(1, 1), (2, 2), (3, 3)]);
    let by = counter.by("bob");
    counter.checker.take(Op::Page { by, is_final: true, more: false, last_seq: Some(5) });
    counter.check(&[Wrong::Counter]);
}

#[test]
fn a_member_from_the_middle_must_read_from_its_start_point() {
    let world = |from: u64| {
        let mut room = Room::new(reads());
        let (chat, ann, eve) =
            (room.checker.chat("room"), room.checker.user("ann"), room.checker.user("eve"));
        let of = |user, from| {
            let membership = Membership { from, ..Membership::default() };
            Op::Member { chat, user, membership }
        };
        [of(ann, 1), of(eve, from)].into_iter().for_each(|op| room.checker.take(op));
        (1..=3).for_each(|n| room.send(n, n));
        room.final_read("ann", &[(1, 1), (2, 2), (3, 3)]);
        room.final_read("eve", &[(3, 3)]);
        room
    };
    world(3).check(&[]);
    world(2).check(&[Wrong::Skipped]);
}

#[test]
fn shards_of_a_run_are_judged_apart_and_told_together() {
    let all = [(1, 1), (2, 2), (3, 3), (4, 4)];
    let (good, bad) = (load(&all).judge(), load(&all[..2]).judge());
    let merged = good.clone().merge(bad);
    assert_eq!((merged.verdict, merged.count(Wrong::NeverRead)), (Verdict::Invalid, 2));
    assert_eq!(merged.counts.sends, 8);
    assert_eq!(merged.visible.summary().samples, 8 + 6);
    let empty = Room::new(acks()).judge();
    assert_eq!(empty.verdict, Verdict::Unknown);
    // One shard in which nothing happened does not make the others doubtful.
    assert_eq!(empty.merge(good).verdict, Verdict::Valid);
}

#[test]
fn a_word_of_a_scenario_asks_for_a_part_of_the_verdict() {
    let report = load(&[(1, 1), (3, 3), (2, 2), (4, 4)]).judge();
    let order = Invariants::only(&[Invariant::I4]);
    let delivery = Invariants::only(&[Invariant::I1, Invariant::I2, Invariant::I5, Invariant::I6]);
    assert_eq!(report.verdict_of(order), Verdict::Invalid);
    assert_eq!(report.verdict_of(delivery), Verdict::Valid);
}

#[test]
fn examples_are_few_and_counts_are_exact() {
    let report = load(&[(4, 4), (3, 3), (2, 2), (1, 1)]).judge();
    assert_eq!(report.count(Wrong::SenderMisordered), 3);
    let config = Config { examples_max: 2, ..acks() };
    let mut room = Room::new(config);
    room.join("bob", Some(0));
    (1..=9).for_each(|n| room.send(n, n));
    let report = room.judge();
    let finding = &report.findings[0];
    assert_eq!((finding.count, finding.examples.len()), (9, 2));
    assert_eq!(
        finding.examples[0].to_string(),
        "chat room, seq 1, h 0000000000000001, bob: never came by frames and pages"
    );
}
