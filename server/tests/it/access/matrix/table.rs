//! Reads `matrix.txt`.

use std::collections::{BTreeMap, BTreeSet};

/// The table as it stands in the repository.
const TEXT: &str = include_str!("matrix.txt");

/// One row: an operation on a thing.
pub(super) struct Row {
    /// `GET /chat/{id}`, `EMIT typing`, `CONNECT /chat`.
    pub(super) operation: String,
    /// Whose chat, job, dispute or notification it is about.
    pub(super) thing: String,
    /// What is expected, by the name of the column.
    pub(super) cells: Vec<(String, String)>,
}

/// The whole of it.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Error codes by their short words.
    words: BTreeMap<String, String>,
}

impl Table {
    /// Reads the table; a row with a cell too few or too many is no row.
    pub(super) fn read() -> Self {
        let mut rows = Vec::new();
        let (mut words, mut columns) = (BTreeMap::new(), Vec::<String>::new());
        for line in TEXT.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut parts = line.split_whitespace().filter(|part| *part != "|").map(str::to_owned);
            match line.as_bytes()[0] {
                b'#' => {}
                b'=' => {
                    let mut pair = parts.skip(1);
                    words.insert(pair.next().unwrap(), pair.next().unwrap());
                }
                b'@' => columns = parts.skip(1).collect(),
                _ => {
                    let operation =
                        [parts.next(), parts.next()].map(Option::unwrap_or_default).join(" ");
                    let thing = parts.next().unwrap_or_default();
                    let cells: Vec<_> = parts.collect();
                    assert_eq!(cells.len(), columns.len(), "cells of: {line}");
                    let cells = columns.iter().cloned().zip(cells).collect();
                    rows.push(Row { operation, thing, cells });
                }
            }
        }
        Self { rows, words }
    }

    /// The short word of an error code.
    pub(super) fn word_of(&self, code: &str) -> String {
        let known = self.words.iter().find(|(_, known)| *known == code);
        known.map_or_else(|| code.to_owned(), |(word, _)| word.clone())
    }

    /// Whether a cell says that the request is refused.
    pub(super) fn is_refusal(&self, cell: &str) -> bool {
        self.words.contains_key(cell)
    }

    /// The things that an operation has rows for; a row that stands there twice is an error.
    pub(super) fn things_of(&self, operation: &str) -> BTreeSet<&str> {
        let mut things = BTreeSet::new();
        for row in self.rows.iter().filter(|row| row.operation == operation) {
            assert!(things.insert(row.thing.as_str()), "twice: {operation} {}", row.thing);
        }
        things
    }

    /// All operations that have a row.
    pub(super) fn operations(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.operation.as_str()).collect()
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).sum()
    }
}
