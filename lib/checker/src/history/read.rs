//! Reads the files of a history together, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{FILES_MAX, LINE_BYTES_MAX, Line, LineError, Plan};
use crate::checker::Checker;
use crate::key::Micros;
use crate::op::Op;

/// Why a history cannot be read, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {cause}", file.display(), at(*line))]
pub struct HistoryError {
    /// In which file.
    pub file: PathBuf,
    /// In which line, from 1; 0 when it is not about a line.
    pub line: u64,
    /// Why.
    #[source]
    pub cause: HistoryCause,
}

fn at(line: u64) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryCause {
    /// The system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A line is none of a history.
    #[error("{0}")]
    Line(#[from] LineError),
    /// A line is too long.
    #[error("a line has at most {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Too many files.
    #[error("a history has at most {FILES_MAX} files")]
    TooMany,
    /// Two files have plans that differ.
    #[error("another file has another plan")]
    OtherPlan,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Lines.
    pub lines: u64,
    /// Last lines without an end that make no sense: their writer was killed while it wrote. What
    /// they would have told did not happen yet, or its end is unknown.
    pub torn: u64,
}

/// The open files of a history.
///
/// All files are read at once, the earliest line first: then an acknowledgement comes before most
/// of those who see its message, and little must be kept. A line whose `t` is earlier than the one
/// before it in its file is read after that one all the same, and costs only memory.
#[derive(Debug)]
pub struct History {
    files: Vec<Source>,
    plan: Option<Plan>,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    reader: BufReader<File>,
    /// The line that was read last, without its end.
    line: Vec<u8>,
    /// Its number.
    number: u64,
    has_end: bool,
    /// The time of what was read last.
    time: Micros,
    /// What the line tells.
    ops: Vec<Op>,
}

impl History {
    /// Opens files and reads their plans.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, HistoryError> {
        let mut history = Self { files: Vec::new(), plan: None };
        for path in paths {
            let path = path.as_ref().to_owned();
            if history.files.len() == FILES_MAX {
                return Err(HistoryError { file: path, line: 0, cause: HistoryCause::TooMany });
            }
            let mut source = Source::open(path)?;
            if source.next_line()? && Plan::is_one(&source.line) {
                let plan = serde_json::from_slice(&source.line);
                let plan: Plan = plan.map_err(|error| source.error(LineError::from(error)))?;
                if history.plan.as_ref().is_some_and(|other| *other != plan) {
                    return Err(source.error(HistoryCause::OtherPlan));
                }
                history.plan = Some(plan);
                source.next_line()?;
            }
            history.files.push(source);
        }
        Ok(history)
    }

    /// The plan, if a file begins with one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Hands everything to a checker.
    pub fn read(mut self, checker: &mut Checker) -> Result<ReadCounts, HistoryError> {
        let mut counts = ReadCounts::default();
        let mut heads: BinaryHeap<Reverse<(Micros, usize)>> = BinaryHeap::new();
        for (index, source) in self.files.iter_mut().enumerate() {
            if source.parse(checker, &mut counts)? {
                heads.push(Reverse((source.time, index)));
            }
        }
        while let Some(Reverse((_, index))) = heads.pop() {
            let source = &mut self.files[index];
            for op in source.ops.drain(..) {
                checker.take(op);
            }
            source.next_line()?;
            if source.parse(checker, &mut counts)? {
                heads.push(Reverse((source.time, index)));
            }
        }
        Ok(counts)
    }
}

impl Source {
    fn open(path: PathBuf) -> Result<Self, HistoryError> {
        let file = File::open(&path);
        let error =
            |cause: io::Error| HistoryError { file: path.clone(), line: 0, cause: cause.into() };
        let reader = BufReader::with_capacity(64 * 1024, file.map_err(error)?);
        let (line, ops) = (Vec::new(), Vec::new());
        Ok(Self { path, reader, line, number: 0, has_end: true, time: 0, ops })
    }

    fn error(&self, cause: impl Into<HistoryCause>) -> HistoryError {
        HistoryError { file: self.path.clone(), line: self.number, cause: cause.into() }
    }

    /// Reads the next line; false at the end of the file.
    fn next_line(&mut self) -> Result<bool, HistoryError> {
        self.line.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
        self.number += 1;
        read.map_err(|error| self.error(error))?;
        self.has_end = self.line.last() == Some(&b'\n');
        if self.has_end {
            self.line.pop();
        } else if self.line.len() > LINE_BYTES_MAX {
            return Err(self.error(HistoryCause::TooLong));
        }
        Ok(self.has_end || !self.line.is_empty())
    }

    /// Makes operations of the line that was read; false at the end of the file.
    fn parse(
        &mut self,
        checker: &mut Checker,
        counts: &mut ReadCounts,
    ) -> Result<bool, HistoryError> {
        self.ops.clear();
        if !self.has_end && self.line.is_empty() {
            return Ok(false);
        }
        let line: Result<Line<'_>, _> = serde_json::from_slice(&self.line);
        let line = match line {
            Ok(line) => line,
            Err(_) if !self.has_end => {
                counts.torn += 1;
                return Ok(false);
            }
            Err(_) if Plan::is_one(&self.line) => {
                return Err(self.error(LineError::PlanNotFirst));
            }
            Err(error) => return Err(self.error(LineError::from(error))),
        };
        self.time = self.time.max(line.t.unwrap_or(0));
        let ops = &mut self.ops;
        let told = line.ops(checker, |_, op| ops.push(op));
        told.map_err(|error| self.error(error))?;
        counts.lines += 1;
        Ok(true)
    }
}

impl Checker {
    /// Takes in a line, as a recorder makes it.
    pub fn take_line(&mut self, line: &Line<'_>) -> Result<(), LineError> {
        line.ops(self, Self::take)
    }
}
