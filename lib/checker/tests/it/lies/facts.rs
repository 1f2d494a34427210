//! What a liar must know of a history: its rows, what was told of them, and who is in which chat.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use trialogue_checker::Line;
use trialogue_checker::history::OpName;

use crate::world::{World, text};

/// A row and what became of its message.
#[derive(Debug, Clone, Default)]
pub(super) struct Fact {
    pub(super) chat: String,
    pub(super) seq: u64,
    pub(super) h: String,
    pub(super) sender: String,
    /// Times of its tries, and of its acknowledgements.
    pub(super) invoked: Vec<u64>,
    pub(super) oks: Vec<u64>,
}

/// All of that.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// By seq.
    pub(super) rows: BTreeMap<String, Vec<Fact>>,
    /// Seqs at which somebody came or went, by chat.
    pub(super) edges: BTreeMap<String, BTreeSet<u64>>,
    /// By client, who joined and stays to the end: the chat.
    pub(super) stay: BTreeMap<String, String>,
}

impl Facts {
    pub(super) fn of(world: &World) -> Self {
        let mut facts = Self::default();
        for row in world.lines().filter(|line| line.op == OpName::Row) {
            let chat = text(&row.chat).to_owned();
            let (h, sender) = (text(&row.h).to_owned(), text(&row.sender).to_owned());
            let fact = Fact { chat, seq: row.seq.unwrap(), h, sender, ..Fact::default() };
            facts.rows.entry(fact.chat.clone()).or_default().push(fact);
        }
        for line in world.lines() {
            let (chat, at) = (text(&line.chat).to_owned(), line.t.unwrap_or(0));
            match line.op {
                OpName::Invoke | OpName::Ok => {
                    let rows = facts.rows.get_mut(&chat).unwrap();
                    let fact = rows.iter_mut().find(|fact| fact.h == text(&line.h));
                    let Some(fact) = fact else { continue };
                    let times =
                        if line.op == OpName::Ok { &mut fact.oks } else { &mut fact.invoked };
                    times.push(at);
                }
                OpName::Member => {
                    let edges = facts.edges.entry(chat).or_default();
                    edges.extend(line.added_seq.filter(|seq| *seq > 0));
                    edges.extend(line.removed_seq);
                }
                OpName::Page if line.is_final == Some(true) => {
                    facts.stay.insert(text(&line.client).to_owned(), chat);
                }
                _ => {}
            }
        }
        facts
    }

    /// Every row that was acknowledged and tried once, in random order.
    pub(super) fn acked(&self, random: &mut StdRng) -> Vec<Fact> {
        let all = self.rows.values().flatten();
        let sure = all.filter(|fact| !fact.oks.is_empty() && fact.invoked.len() == 1);
        let mut acked: Vec<Fact> = sure.cloned().collect();
        acked.shuffle(random);
        acked
    }

    /// Whether somebody came or went right after this seq.
    pub(super) fn is_edge(&self, chat: &str, seq: u64) -> bool {
        self.edges.get(chat).is_some_and(|edges| edges.contains(&seq))
    }

    pub(super) fn last(&self, chat: &str) -> u64 {
        self.rows[chat].len() as u64
    }

    /// Any client that stays, and its chat.
    pub(super) fn anybody(&self, random: &mut StdRng) -> Option<(String, String)> {
        let all: Vec<(&String, &String)> = self.stay.iter().collect();
        all.choose(random).map(|(client, chat)| ((*client).clone(), (*chat).clone()))
    }
}

/// Where the lines are that fit: file and line.
pub(super) fn places(
    world: &World,
    fits: impl Fn(&str, &Line<'static>) -> bool,
) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    for (f, file) in world.files.iter().enumerate() {
        for (n, line) in file.lines.iter().enumerate() {
            if fits(&file.name, line) {
                places.push((f, n));
            }
        }
    }
    places
}

/// One of them.
pub(super) fn any_place(
    world: &World,
    random: &mut StdRng,
    fits: impl Fn(&str, &Line<'static>) -> bool,
) -> Option<(usize, usize)> {
    places(world, fits).choose(random).copied()
}

pub(super) fn is_of(line: &Line<'_>, chat: &str, h: &str) -> bool {
    text(&line.chat) == chat && text(&line.h) == h
}

/// Before its first final read, when everything has come to rest.
pub(super) fn rest_of(lines: &[Line<'static>]) -> (usize, u64) {
    let at = lines.iter().position(|line| line.is_final == Some(true)).unwrap();
    (at, lines[at].t.unwrap() - 500)
}
