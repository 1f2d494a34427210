//! Lies that change the numbers of a chat, everywhere at once: what a wrong counter leaves.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use trialogue_checker::Line;
use trialogue_checker::history::OpName;

use super::facts::{Fact, Facts, is_of};
use crate::world::{DRIVER, TABLES, World, name, text};

/// Changes every seq that a line tells of its chat.
fn renumber(line: &mut Line<'static>, change: impl Fn(u64) -> u64) {
    let change = |seq: &mut Option<u64>| *seq = seq.map(&change);
    change(&mut line.seq);
    change(&mut line.since);
    change(&mut line.last_seq);
    change(&mut line.added_seq);
    change(&mut line.removed_seq);
    for entry in line.rows.iter_mut().flatten() {
        change(&mut entry.seq);
    }
}

fn shift(world: &mut World, chat: &str, after: u64, by: i64) {
    for line in world.lines_mut().filter(|line| text(&line.chat) == chat) {
        renumber(line, |seq| if seq > after { seq.saturating_add_signed(by) } else { seq });
    }
}

/// A seq in the middle of a chat, where nobody comes or goes.
fn middle(facts: &Facts, random: &mut StdRng) -> Option<(String, u64)> {
    let rows = facts.rows.values().flatten();
    let inner =
        |fact: &&Fact| fact.seq < facts.last(&fact.chat) && !facts.is_edge(&fact.chat, fact.seq);
    let mut inner: Vec<&Fact> = rows.filter(inner).collect();
    inner.shuffle(random);
    inner.first().map(|fact| (fact.chat.clone(), fact.seq))
}

/// The counter did not count: two messages have one seq.
pub(super) fn reuse_seq(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let (chat, seq) = middle(facts, random)?;
    shift(world, &chat, seq, -1);
    Some(())
}

/// The counter counted twice: nobody has a seq.
pub(super) fn skip_seq(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let (chat, seq) = middle(facts, random)?;
    shift(world, &chat, seq, 1);
    Some(())
}

/// What was acknowledged first is stored behind what was begun afterwards.
pub(super) fn swap_two(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    for one in facts.acked(random) {
        let rows = &facts.rows[&one.chat];
        let Some(other) = rows.iter().find(|fact| fact.seq == one.seq + 1) else { continue };
        let is_after = other.invoked[0] > *one.oks.iter().max().unwrap();
        // Two of one sender would be a wrong of their own.
        let is_other = other.sender != one.sender;
        if is_after && is_other && !facts.is_edge(&one.chat, one.seq) {
            let mut changed = world.clone();
            if exchange(&mut changed, &one, other).is_some() {
                *world = changed;
                return Some(());
            }
        }
    }
    None
}

/// Exchanges the places of two neighbours in every file; `None` where a client's story parts them.
fn exchange(world: &mut World, one: &Fact, other: &Fact) -> Option<()> {
    let chat = &one.chat;
    for file in &mut world.files {
        let of_chat = |line: &Line<'_>| text(&line.chat) == chat;
        let parts = |line: &&Line<'_>| [line.since, line.last_seq].contains(&Some(one.seq));
        if file
            .lines
            .iter()
            .filter(|line| of_chat(line) && !is_table(line))
            .any(|line| parts(&line))
        {
            return None;
        }
        let sees = |line: &Line<'_>| [OpName::Recv, OpName::Show].contains(&line.op);
        let find = |lines: &[Line<'static>], fact: &Fact, op| {
            lines.iter().position(|line| line.op == op && is_of(line, chat, &fact.h))
        };
        for op in [OpName::Recv, OpName::Show] {
            match (find(&file.lines, one, op), find(&file.lines, other, op)) {
                (None, None) => {}
                (Some(first), Some(second)) if first < second => {
                    let between = &file.lines[first + 1..second];
                    let ends = |line: &Line<'_>| [OpName::Down, OpName::Open].contains(&line.op);
                    let same = |line: &Line<'_>| sees(line) && line.op == op && of_chat(line);
                    if between.iter().any(|line| ends(line) || same(line)) {
                        return None;
                    }
                    let mut moved = file.lines.remove(first);
                    moved.t = file.lines[second - 1].t;
                    file.lines.insert(second, moved);
                }
                _ => return None,
            }
        }
        for line in file.lines.iter_mut().filter(|line| of_chat(line)) {
            swap_in(line, one, other)?;
        }
    }
    Some(())
}

fn is_table(line: &Line<'_>) -> bool {
    [OpName::Row, OpName::Note, OpName::Chat, OpName::Member].contains(&line.op)
}

/// The two messages exchange their seqs; in a page their places too. Notifications are told by
/// seq: of each seq all but its author are told, so they are exchanged as well.
fn swap_in(line: &mut Line<'static>, one: &Fact, other: &Fact) -> Option<()> {
    let swapped = |seq: u64| match seq {
        seq if seq == one.seq => other.seq,
        seq if seq == other.seq => one.seq,
        seq => seq,
    };
    line.seq = line.seq.map(swapped);
    let Some(rows) = &mut line.rows else { return Some(()) };
    let at = |seq: u64| rows.iter().position(|row| row.seq == Some(seq));
    match (at(one.seq), at(other.seq)) {
        (None, None) => Some(()),
        (Some(first), Some(second)) => {
            rows[first].seq = Some(other.seq);
            rows[second].seq = Some(one.seq);
            rows.swap(first, second);
            Some(())
        }
        _ => None,
    }
}

/// `synchronous_commit=off` and a killed database: the last acknowledged rows of a chat are gone,
/// and their seqs are given again.
pub(super) fn lose_commits(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    for last in facts.acked(random) {
        let (chat, rows) = (&last.chat, &facts.rows[&last.chat]);
        let lost = random.random_range(1..4).min(last.seq);
        let kept = last.seq - lost;
        let killed = first_told(world, chat, last.seq + 1);
        let gone = &rows[kept as usize..last.seq as usize];
        let all_acked = gone
            .iter()
            .all(|fact| fact.invoked.len() == 1 && fact.oks.iter().any(|ok| *ok < killed));
        let is_edge = (kept..=last.seq).any(|seq| facts.is_edge(chat, seq));
        if last.seq < facts.last(chat) && all_acked && !is_edge {
            kill_database(world, chat, (kept, last.seq), killed, gone);
            return Some(());
        }
    }
    None
}

/// When somebody is told of this seq, or of a later one, first.
fn first_told(world: &World, chat: &str, seq: u64) -> u64 {
    let tells = |line: &&Line<'static>| {
        let in_page = line.rows.iter().flatten().any(|row| row.seq >= Some(seq));
        text(&line.chat) == chat && !is_table(line) && (in_page || line.seq >= Some(seq))
    };
    world.lines().filter(tells).filter_map(|line| line.t).min().unwrap_or(0)
}

fn kill_database(
    world: &mut World,
    chat: &str,
    (kept, last): (u64, u64),
    killed: u64,
    gone: &[Fact],
) {
    let is_gone = |h: &str| gone.iter().any(|fact| fact.h == h);
    for file in &mut world.files {
        file.lines.retain(|line| {
            let is_after = line.t.is_none_or(|t| t >= killed);
            let of_gone = if line.op == OpName::Note {
                line.seq.is_some_and(|seq| (kept + 1..=last).contains(&seq))
            } else {
                is_gone(text(&line.h))
            };
            text(&line.chat) != chat || !(is_after && of_gone)
        });
        for line in file.lines.iter_mut().filter(|line| text(&line.chat) == chat) {
            if line.t.is_some_and(|t| t < killed) {
                continue;
            }
            if let Some(rows) = &mut line.rows {
                rows.retain(|row| !is_gone(row.h.as_str()));
            }
            renumber(line, |seq| match seq {
                seq if seq > last => seq - (last - kept),
                seq if seq > kept => kept,
                seq => seq,
            });
        }
    }
    let tables = world.file(TABLES);
    debug_assert!(tables.iter().all(|line| line.t.is_none()));
    let fault = |over| Line {
        op: OpName::Fault,
        t: Some(killed + u64::from(over)),
        name: name("kill-of-the-database"),
        over: Some(over),
        ..Line::default()
    };
    world.file(DRIVER).extend([fault(false), fault(true)]);
    world.plan.faults += 1;
}
