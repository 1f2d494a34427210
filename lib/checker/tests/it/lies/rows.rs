//! Lies of the tables.

use rand::RngExt;
use rand::rngs::StdRng;
use trialogue_checker::Line;
use trialogue_checker::history::{Entry, OpName};

use super::facts::{Fact, Facts, any_place, is_of, rest_of};
use crate::world::{TABLES, World, line, name, text};

/// An acknowledged row is not there: not in the table, not in the final reads.
pub(super) fn drop_acked(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    world.file(TABLES).retain(|line| {
        let of_chat = line.op == OpName::Note && text(&line.chat) == fact.chat;
        let is_note = of_chat && line.seq == Some(fact.seq);
        !(is_note || is_of(line, &fact.chat, &fact.h))
    });
    for entries in final_pages(world, &fact.chat) {
        entries.retain(|entry| entry.h.as_str() != fact.h);
    }
    Some(())
}

fn final_pages<'w>(
    world: &'w mut World,
    chat: &str,
) -> impl Iterator<Item = &'w mut Vec<Entry<'static>>> {
    let chat = chat.to_owned();
    world
        .lines_mut()
        .filter(move |line| line.is_final == Some(true) && text(&line.chat) == chat)
        .filter_map(|line| line.rows.as_mut())
}

/// A row is stored again at the end, as another message, and everybody hears of it.
fn append(world: &mut World, facts: &Facts, row: &Line<'static>) {
    let chat = text(&row.chat).to_owned();
    let seq = facts.last(&chat) + 1;
    let stored = Line { seq: Some(seq), id: name("another-id"), ..row.clone() };
    let members: Vec<String> = world
        .lines()
        .filter(|line| line.op == OpName::Member && text(&line.chat) == chat)
        .filter(|line| line.removed_seq.is_none())
        .map(|line| text(&line.user).to_owned())
        .collect();
    let tables = world.file(TABLES);
    for user in members.iter().filter(|user| *user != text(&row.sender)) {
        let (chat, user) = (name(&chat), name(user));
        tables.push(Line { op: OpName::Note, chat, user, seq: Some(seq), ..Line::default() });
    }
    tables.push(stored.clone());
    let counter =
        tables.iter_mut().find(|line| line.op == OpName::Chat && text(&line.chat) == chat);
    counter.unwrap().last_seq = Some(seq);
    for (client, _) in facts.stay.iter().filter(|(_, of)| **of == chat) {
        let lines = world.file(client);
        let (at, t) = rest_of(lines);
        let told = line(OpName::Recv, t, client, &chat);
        let Line { seq, id, h, sender, .. } = stored.clone();
        lines.insert(at, Line { seq, id, h, sender, ..told });
        let last = lines.iter_mut().rfind(|line| line.is_final == Some(true)).unwrap();
        let (seq, id, sender) = (stored.seq, stored.id.clone(), stored.sender.clone());
        let h = stored.h.clone().unwrap();
        let entry = Entry { seq, id, h, cmid: None, sender, nth: None };
        last.rows.as_mut().unwrap().push(entry);
        for page in lines.iter_mut().filter(|line| line.is_final == Some(true)) {
            page.last_seq = stored.seq;
        }
    }
}

fn row_of(world: &World, fact: &Fact) -> Line<'static> {
    let mut rows = world.lines().filter(|line| line.op == OpName::Row);
    rows.find(|line| is_of(line, &fact.chat, &fact.h)).unwrap().clone()
}

/// A message has two rows.
pub(super) fn duplicate(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    let row = row_of(world, &fact);
    append(world, facts, &row);
    Some(())
}

/// Two messages of one author have one key: the second was another text under the same key, and
/// was stored all the same.
pub(super) fn one_key(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let acked = facts.acked(random);
    let one = acked.first()?;
    let same = |other: &&Fact| other.sender == one.sender && other.chat == one.chat;
    let other = acked.iter().skip(1).find(same)?;
    let key = row_of(world, one).cmid;
    let of_other = world.lines_mut().filter(|line| is_of(line, &other.chat, &other.h));
    for line in of_other.filter(|line| line.cmid.is_some()) {
        line.cmid.clone_from(&key);
    }
    Some(())
}

/// The only try of a stored message was refused.
pub(super) fn fail_stored(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    let oks = world.lines_mut().filter(|line| line.op == OpName::Ok);
    for ok in oks.filter(|line| is_of(line, &fact.chat, &fact.h)) {
        let failed = line(OpName::Fail, ok.t.unwrap(), text(&ok.client), &fact.chat);
        *ok = Line { h: ok.h.clone(), cmid: ok.cmid.clone(), ..failed };
    }
    Some(())
}

/// The table and the final reads hold another body than was sent, acknowledged and heard.
pub(super) fn change_body(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    let h = "a body that nobody sent";
    for line in world.file(TABLES).iter_mut().filter(|line| is_of(line, &fact.chat, &fact.h)) {
        line.h = name(h);
    }
    for entries in final_pages(world, &fact.chat) {
        for entry in entries.iter_mut().filter(|entry| entry.h.as_str() == fact.h) {
            entry.h = h.to_owned().into();
        }
    }
    Some(())
}

/// The acknowledgement names another place than the table.
pub(super) fn two_places(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    let mut oks = world.lines_mut().filter(|line| line.op == OpName::Ok);
    let ok = oks.find(|line| is_of(line, &fact.chat, &fact.h))?;
    ok.seq = Some(fact.seq + 1_000);
    Some(())
}

/// The counter of a chat is ahead of its rows.
pub(super) fn counter_ahead(world: &mut World, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == OpName::Chat)?;
    let counter = &mut world.files[f].lines[n].last_seq;
    *counter = counter.map(|seq| seq + random.random_range(1..3));
    Some(())
}

/// A message is there of which its author knows nothing.
pub(super) fn nobody_sent(world: &mut World, facts: &Facts, random: &mut StdRng) -> Option<()> {
    let fact = facts.acked(random).first()?.clone();
    for file in &mut world.files {
        file.lines.retain(|line| {
            let tried = [OpName::Invoke, OpName::Ok, OpName::Fail, OpName::Info].contains(&line.op);
            !(tried && is_of(line, &fact.chat, &fact.h))
        });
    }
    Some(())
}

/// A notification is there twice, or not at all.
pub(super) fn note(world: &mut World, twice: bool, random: &mut StdRng) -> Option<()> {
    let (f, n) = any_place(world, random, |_, line| line.op == OpName::Note)?;
    let lines = &mut world.files[f].lines;
    if twice {
        lines.insert(n, lines[n].clone());
    } else {
        lines.remove(n);
    }
    Some(())
}
