//! Steps that hold steps: at the same time, with barriers between them, and again and again.

use std::collections::BTreeSet;

use super::Verb;
use super::fields::{Fields, count_of, list_of, text_of};
use super::steps::{Meeting, Reader};
use crate::yaml::{Key, Node};

/// Most repetitions of a `repeat`.
const REPEAT_MAX: u64 = 10_000;
impl Reader<'_> {
    pub(super) fn barrier(&mut self, node: &Node) -> Option<Verb> {
        let name = text_of(node, "barrier", self.diag)?;
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
        let times = count_of(node, "repeat", self.diag)?;
        if times > REPEAT_MAX {
            self.error(node.span, format!("`repeat` is at most {REPEAT_MAX}"));
        }
        let Some(steps) = fields.node("steps") else {
            self.error(key.span, "`repeat` needs `steps`");
            return None;
        };
        Some(Verb::Repeat { times, steps: self.steps(&steps, "steps") })
    }
}
