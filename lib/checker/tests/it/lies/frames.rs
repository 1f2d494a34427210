//! Lies of the wire and of the screen.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use trialogue_checker::Line;
use trialogue_checker::history::OpName;

use super::facts::{Facts, any_place, is_of, places, rest_of};
use crate::world::{World, line, name, text};

/// Later than every bound, and than every fault of the world.
const MUCH_LATER: u64 = 10_000_000;

/// Acknowledged before it was committed: the author looked at once.
pub(super) fn ack_before_commit(world: &mut World, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == OpName::Ok)?;
    world.files[f].lines[n].stored = Some(false);
    Some(())
}

/// Broadcast before it was committed: a receiver looked at once.
pub(super) fn recv_before_commit(world: &mut World, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == OpName::Recv)?;
    world.files[f].lines[n].stored = Some(false);
    Some(())
}

/// A message whose transaction was rolled back was broadcast; its author was told nothing.
pub(super) fn broadcast_without_row(
    world: &mut World,
    facts: &Facts,
    random: &mut StdRng,
) -> Option<()> {
    let (author, chat) = facts.anybody(random)?;
    let seq = Some(facts.last(&chat) + 1);
    for (client, _) in facts.stay.iter().filter(|(_, of)| **of == chat) {
        let lines = world.file(client);
        let (mut at, t) = rest_of(lines);
        let told = |op, t| Line { h: name("ghost"), ..line(op, t, client, &chat) };
        if *client == author {
            lines.insert(at, told(OpName::Invoke, t - 100));
            lines.insert(at + 1, told(OpName::Info, t));
            at += 2;
        }
        lines.insert(at, Line { seq, id: name("ghost-id"), ..told(OpName::Recv, t) });
    }
    Some(())
}

/// From some frame on everything comes much later to somebody who never writes.
pub(super) fn broadcast_late(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    // What was never acknowledged is not late.
    let acked = |line: &Line<'_>| {
        let mut rows = facts.rows.values().flatten().filter(|fact| !fact.oks.is_empty());
        rows.any(|fact| is_of(line, &fact.chat, &fact.h))
    };
    let fits = |file: &str, line: &Line<'_>| {
        file.contains("quiet") && line.op == OpName::Recv && acked(line)
    };
    let (f, n) = any_place(world, random, fits)?;
    for line in &mut world.files[f].lines[n..] {
        line.t = line.t.map(|t| t + MUCH_LATER);
    }
    Some(())
}

/// Somebody else's frame.
pub(super) fn leak(world: &mut World, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == OpName::Recv)?;
    let heard = Line { client: name("eve"), ..world.files[f].lines[n].clone() };
    world.file("eve").push(heard);
    Some(())
}

/// Two neighbours of one stream swap their places.
pub(super) fn reorder(world: &mut World, op: OpName, random: &mut StdRng) -> Option<()> {
    let mut all = places(world, |_, line| line.op == op);
    all.shuffle(random);
    for (f, n) in all {
        let lines = &mut world.files[f].lines;
        let end = |line: &&Line<'_>| [OpName::Down, OpName::Open].contains(&line.op);
        let rest = lines[n + 1..].iter().take_while(|line| !end(line));
        let next = rest.enumerate().find(|(_, line)| line.op == op).map(|(at, _)| n + 1 + at);
        let Some(next) = next else { continue };
        // Names of the sender aside, the two are told with each other's words and own times.
        let (mut one, mut other) = (lines[n].clone(), lines[next].clone());
        // Of one sender they would be a wrong of their own.
        if one.sender == other.sender {
            continue;
        }
        std::mem::swap(&mut one.t, &mut other.t);
        (lines[n], lines[next]) = (other, one);
        return Some(());
    }
    None
}

/// A client has none of these messages, by whatever way it may have them; `also_final`: not even
/// by its final read.
fn forget(lines: &mut Vec<Line<'static>>, chat: &str, hs: &[String], also_final: bool) {
    let is_one = |h: &str| hs.iter().any(|one| one == h);
    lines.retain(|line| {
        let sees = [OpName::Recv, OpName::Show].contains(&line.op);
        !(sees && text(&line.chat) == chat && is_one(text(&line.h)))
    });
    let pages = lines.iter_mut().filter(|line| text(&line.chat) == chat);
    for page in pages.filter(|page| also_final || page.is_final != Some(true)) {
        if let Some(rows) = &mut page.rows {
            rows.retain(|row| !is_one(row.h.as_str()));
        }
    }
}

/// The last messages of a chat never come to one client.
pub(super) fn lose_tail(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let (client, chat) = facts.anybody(random)?;
    let rows = &facts.rows[&chat];
    let tail = rows.iter().rev().take(random.random_range(1..4));
    let tail: Vec<String> = tail.map(|fact| fact.h.clone()).collect();
    forget(world.file(&client), &chat, &tail, true);
    Some(())
}

/// A client whose cursor passed over rows: it has later ones and not these, until its final read.
pub(super) fn skip_rows(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let (client, chat) = facts.anybody(random)?;
    let lines = world.file(&client);
    // What it began with is not owed to it.
    let first = lines.iter().find(|line| line.op == OpName::Join)?;
    let begin = first.since.or(first.last_seq).unwrap();
    let rows = facts.rows[&chat].iter().filter(|fact| fact.seq > begin);
    let rows: Vec<String> = rows.map(|fact| fact.h.clone()).collect();
    let (_last, rows) = rows.split_last()?;
    let some = 1.max(rows.len().min(random.random_range(1..4)));
    let skipped: Vec<String> = rows.sample(random, some).cloned().collect();
    if skipped.is_empty() {
        return None;
    }
    forget(lines, &chat, &skipped, false);
    Some(())
}

/// A frame, or a line, comes again.
pub(super) fn twice(world: &mut World, op: OpName, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == op)?;
    let again = world.files[f].lines[n].clone();
    world.files[f].lines.insert(n + 1, again);
    Some(())
}

/// A message came and was not shown, though a later one was.
pub(super) fn miss_line(world: &mut World, random: &mut StdRng) -> Option<()> {
    let mut all = places(world, |_, line| line.op == OpName::Show);
    all.shuffle(random);
    let last = |f: usize| {
        let lines: &[Line<'_>] = &world.files[f].lines;
        lines.iter().rposition(|line| line.op == OpName::Show)
    };
    let stays = |f: usize| world.files[f].lines.iter().any(|line| line.is_final == Some(true));
    // A line of what came before it was owed is one too many, not one too few.
    let owed = |f: usize, n: usize| {
        let lines = &world.files[f].lines;
        let join = lines.iter().find(|line| line.op == OpName::Join).unwrap();
        lines[n].seq > join.since.or(join.last_seq)
    };
    let fits = |(f, n): &(usize, usize)| last(*f) != Some(*n) && stays(*f) && owed(*f, *n);
    let (f, n) = all.into_iter().find(fits)?;
    world.files[f].lines.remove(n);
    Some(())
}

/// A log has a chat's canary.
pub(super) fn canary(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let (_, chat) = facts.anybody(random)?;
    world.file("log").push(line(OpName::Canary, 1_000, "server-log", &chat));
    Some(())
}

/// Who was removed hears what was said afterwards.
pub(super) fn after_removal(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let removed = |file: &str, line: &Line<'_>| file.contains("lsm") && line.op == OpName::Evict;
    let (f, n) = any_place(world, random, removed)?;
    let evicted = world.files[f].lines[n].clone();
    let chat = text(&evicted.chat).to_owned();
    let user = world.files[f].name.clone();
    let is_member = |line: &&Line<'_>| line.op == OpName::Member && text(&line.user) == user;
    let last = world.lines().find(is_member)?.removed_seq?;
    let fact = facts.rows[&chat].iter().find(|fact| fact.seq > last)?.clone();
    let is_frame = |line: &&Line<'_>| line.op == OpName::Recv && is_of(line, &chat, &fact.h);
    let frame = world.lines().find(is_frame)?.clone();
    let heard = Line { client: evicted.client, t: evicted.t, stored: None, ..frame };
    world.files[f].lines.push(heard);
    Some(())
}
