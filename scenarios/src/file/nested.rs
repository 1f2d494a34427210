//! Steps that hold steps: at the same time, with barriers between them, and again and again.

use std::collections::BTreeSet;

use super::Verb;
use super::fields::{Fields, count_of, list_of, word};
use super::steps::{Meeting, Reader};
use crate::yaml::{Key, Node, Value};

/// Most repetitions of a `repeat`.
const REPEAT_MAX: u64 = 10_000;
impl Reader<'_> {
    pub(super) fn barrier(&mut self, node: &Node) -> Option<Verb> {
        let name = word(node, "barrier", self.diag)?;
        let Some(meeting) = self.meetings.last_mut() else {
            let why = "`barrier` stands in a branch of `parallel`: who else would come?";
            self.error(node.span, why);
            return None;
        };
        let first = (BTreeSet::new(), node.span);
        let (branches, _) = meeting.barriers.entry(name.clone()).or_insert(first);
        branches.insert(meeting.branch);
        Some(Verb::Barrier { name, parallel: meeting.number })
    }

    pub(super) fn parallel(&mut self, node: &Node) -> Verb {
        let number = self.parallels;
        self.parallels += 1;
        self.meetings.push(Meeting { number, ..Meeting::default() });
        if matches!(&node.value, Value::List(branches) if branches.is_empty()) {
            self.error(node.span, "`parallel` is empty: nothing would be done");
        }
        let mut branches = Vec::new();
        for (n, node) in list_of(node, "parallel", self.diag).to_vec().iter().enumerate() {
            if let Some(meeting) = self.meetings.last_mut() {
                meeting.branch = n;
            }
            branches.push(self.steps(node, "a branch"));
        }
        let mut barriers = Vec::new();
        let meeting = self.meetings.pop().unwrap_or_default();
        for (name, (these, span)) in meeting.barriers {
            if these.len() < 2 {
                self.error(span, format!("no other branch comes to the barrier `{name}`"));
            }
            barriers.push((name, these.len()));
        }
        Verb::Parallel { number, branches, barriers }
    }

    pub(super) fn repeat(&mut self, key: &Key, node: &Node, fields: &mut Fields) -> Option<Verb> {
        let times = count_of(node, "repeat", self.diag);
        if times.is_some_and(|times| !(1..=REPEAT_MAX).contains(&times)) {
            self.error(node.span, format!("`repeat` is 1 to {REPEAT_MAX}"));
        }
        let Some(steps) = fields.node("steps") else {
            self.error(key.span, "`repeat` needs `steps`");
            return None;
        };
        let steps = self.steps(&steps, "steps");
        Some(Verb::Repeat { times: times?, steps })
    }
}
