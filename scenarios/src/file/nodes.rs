//! What a scenario is made of, walked: steps in steps, and the parts of them that may hold `${…}`.

use super::{Scenario, Step, Verb};
use crate::yaml::{Key, Node};

impl Step {
    /// All of them.
    pub(crate) fn nodes(&self) -> Vec<&Node> {
        let mut nodes: Vec<&Node> = self.note.iter().collect();
        let expect = &self.expect;
        nodes.extend([&expect.json, &expect.ack, &expect.error].into_iter().flatten());
        match &self.verb {
            Verb::Http { path, query, headers, json, .. } => {
                nodes.push(path);
                nodes.extend(query.iter().chain(headers).map(|(_, node)| node));
                nodes.extend(json);
            }
            Verb::Do { with, .. } => nodes.extend(with.iter().map(|(_, node)| node)),
            Verb::Exec { env, .. } => nodes.extend(env.iter().map(|(_, node)| node)),
            Verb::Emit { event, data, .. } => {
                nodes.push(event);
                nodes.extend(data);
            }
            Verb::Receive { event, pattern, .. } | Verb::Never { event, pattern, .. } => {
                nodes.push(event);
                nodes.extend(pattern);
            }
            Verb::Join(chat) | Verb::Leave(chat) | Verb::History(chat) => nodes.push(chat),
            Verb::Send { chat, text } => nodes.extend([chat, text]),
            Verb::Reconnected { rejoined, .. } => nodes.extend(rejoined),
            _ => {}
        }
        nodes
    }

    /// Values with names of their own: of a query, of headers, of an environment.
    pub(crate) fn named_nodes(&self) -> Vec<(&str, &Node)> {
        let fields: Vec<&(Key, Node)> = match &self.verb {
            Verb::Http { query, headers, .. } => query.iter().chain(headers).collect(),
            Verb::Exec { env, .. } => env.iter().collect(),
            Verb::Do { with, .. } => with.iter().collect(),
            _ => Vec::new(),
        };
        fields.into_iter().map(|(key, node)| (key.name.as_str(), node)).collect()
    }
}

impl Verb {
    /// Whether it is nothing but the steps that it holds.
    pub fn holds_steps(&self) -> bool {
        matches!(self, Self::Parallel { .. } | Self::Repeat { .. } | Self::Use { .. })
    }

    /// The lists of steps that it holds.
    pub fn inner(&self) -> Vec<&[Step]> {
        match self {
            Self::Parallel { branches, .. } => branches.iter().map(Vec::as_slice).collect(),
            Self::Repeat { steps, .. } | Self::Use { steps, .. } => vec![steps],
            _ => Vec::new(),
        }
    }
}

impl Scenario {
    /// Every step, also of the end, with those that steps hold.
    pub fn walk(&self, see: &mut dyn FnMut(&Step)) {
        fn into(steps: &[Step], see: &mut dyn FnMut(&Step)) {
            for step in steps {
                see(step);
                step.verb.inner().into_iter().for_each(|steps| into(steps, see));
            }
        }
        into(&self.steps, see);
        into(&self.always, see);
    }

    /// Whether a step runs a program of the file's own.
    pub fn runs_programs(&self) -> bool {
        let mut does = false;
        self.walk(&mut |step| does |= matches!(step.verb, Verb::Exec { .. }));
        does
    }

    /// Whether a step stops or kills the database, which must then be nobody else's.
    pub fn torments_the_database(&self) -> bool {
        let mut does = false;
        self.walk(&mut |step| does |= matches!(step.verb, Verb::Database(_)));
        does
    }
}
