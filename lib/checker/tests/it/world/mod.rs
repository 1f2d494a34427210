//! A server, its database and its clients as a model, in virtual time: one seed decides what is
//! said, refused, lost, killed and caught up with. What it writes down keeps every promise.

mod people;
mod play;
mod server;

use std::fmt::Write as _;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use trialogue_checker::history::{Name, OpName, Plan};
use trialogue_checker::{Checker, Config, Line, Report};

pub(crate) use play::play;

/// How large a play is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) chats: usize,
    pub(crate) sends: usize,
    pub(crate) kills: u32,
    /// A third member comes late and is removed again.
    pub(crate) disputes: bool,
}

/// Sizes that are large enough for every lie, and small enough for hundreds of them.
pub(crate) fn sizes() -> impl Strategy<Value = Size> {
    (1_usize..4, 40_usize..120, 0_u32..4, any::<bool>())
        .prop_map(|(chats, sends, kills, disputes)| Size { chats, sends, kills, disputes })
}

/// What one process wrote down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line<'static>>,
}

/// A history: a file for each client, one for the faults, one for the tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) files: Vec<File>,
}

/// Of the file that has the dump.
pub(crate) const TABLES: &str = "tables";
/// Of the file that has the faults.
pub(crate) const DRIVER: &str = "driver";

impl World {
    pub(crate) fn file(&mut self, name: &str) -> &mut Vec<Line<'static>> {
        let at = self.files.iter().position(|file| file.name == name).unwrap_or_else(|| {
            self.files.push(File { name: name.to_owned(), lines: Vec::new() });
            self.files.len() - 1
        });
        &mut self.files[at].lines
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line<'static>> {
        self.files.iter().flat_map(|file| &file.lines)
    }

    pub(crate) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line<'static>> {
        self.files.iter_mut().flat_map(|file| &mut file.lines)
    }

    /// Judges the files one after the other.
    pub(crate) fn judge(&self) -> Report {
        self.judge_with(self.plan.config())
    }

    pub(crate) fn judge_with(&self, config: Config) -> Report {
        let mut checker = Checker::new(config);
        for line in self.lines() {
            checker.take_line(line).unwrap();
        }
        checker.judge()
    }

    /// Judges a random interleaving of the files, in which each keeps its order and the rows of
    /// the tables have none.
    pub(crate) fn judge_shuffled(&self, seed: u64) -> Report {
        let mut random = StdRng::seed_from_u64(seed);
        let mut files: Vec<_> = self.files.clone();
        for file in files.iter_mut().filter(|file| file.name == TABLES) {
            file.lines.shuffle(&mut random);
        }
        let counts = files.iter().enumerate();
        let mut turns: Vec<usize> =
            counts.flat_map(|(index, file)| vec![index; file.lines.len()]).collect();
        turns.shuffle(&mut random);
        let mut rest: Vec<_> = files.iter().map(|file| file.lines.iter()).collect();
        let mut checker = Checker::new(self.plan.config());
        for turn in turns {
            checker.take_line(rest[turn].next().unwrap()).unwrap();
        }
        checker.judge()
    }

    /// The first file begins with the plan.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (n, file) in self.files.iter().enumerate() {
            let mut text = String::new();
            if n == 0 {
                writeln!(text, "{}", serde_json::to_string(&self.plan).unwrap()).unwrap();
            }
            for line in &file.lines {
                writeln!(text, "{}", serde_json::to_string(line).unwrap()).unwrap();
            }
            texts.push((file.name.clone(), text));
        }
        texts
    }
}

/// A line of `op`.
pub(crate) fn line(op: OpName, t: u64, client: &str, chat: &str) -> Line<'static> {
    Line { op, t: Some(t), client: name(client), chat: name(chat), ..Line::default() }
}

pub(crate) fn name(text: &str) -> Option<Name<'static>> {
    Some(Name::from(text.to_owned()))
}

pub(crate) fn text<'a>(name: &'a Option<Name<'_>>) -> &'a str {
    name.as_ref().map_or("", Name::as_str)
}
