//! The judgement: every invariant over what was kept, chat by chat, in the order of names, so that
//! the report does not depend on which file was read first.

mod isolation;
mod notes;
mod numbers;
mod order;
mod reach;
mod reads;
mod stored;
mod timing;
mod truth;

use crate::checker::Checker;
use crate::config::Invariants;
use crate::key::{ChatKey, ClientKey, Micros, UserKey};
use crate::report::{Example, Finding, Report, Terms, Wrong};

use stored::Forms;
use truth::{Chat, Truth};

pub(crate) fn judge(checker: &Checker) -> Report {
    let truth = Truth::of(checker);
    let mut found = Findings::new(&truth);
    for chat in &truth.chats {
        let chat = Chat::of(&truth, *chat);
        let forms = Forms::of(&chat);
        stored::judge(&chat, &forms, &mut found);
        numbers::judge(&chat, &mut found);
        order::judge_table(&chat, &mut found);
        reach::judge(&chat, &forms, &mut found);
        isolation::judge(&chat, &mut found);
        notes::judge(&chat, &mut found);
    }
    order::judge_streams(&truth, &mut found);
    isolation::judge_canaries(&truth, &mut found);
    timing::judge(&truth, &mut found);
    let mut counts = checker.counts.clone();
    counts.met_faults = timing::met_faults(&truth);
    let terms = Terms {
        faults_ordered: checker.config.faults,
        examples_max: checker.config.examples_max,
        missing: reads::missing(&truth),
    };
    Report::new(found.finish(), counts, checker.visible.clone(), terms)
}

/// What was found so far.
struct Findings<'a> {
    truth: &'a Truth<'a>,
    judged: Invariants,
    examples_max: usize,
    all: Vec<Finding>,
}

/// Where and with whom something is wrong.
#[derive(Debug, Clone, Copy)]
struct Case {
    chat: ChatKey,
    client: Option<ClientKey>,
    user: Option<UserKey>,
    seq: Option<u64>,
    message: Option<u32>,
    at: Option<Micros>,
}

impl Case {
    fn of(chat: ChatKey) -> Self {
        Self { chat, client: None, user: None, seq: None, message: None, at: None }
    }

    fn with(self, client: ClientKey) -> Self {
        Self { client: Some(client), ..self }
    }

    fn message(self, message: u32) -> Self {
        Self { message: Some(message), ..self }
    }
}

impl<'a> Findings<'a> {
    fn new(truth: &'a Truth<'a>) -> Self {
        let config = &truth.checker.config;
        let (judged, examples_max) = (config.judged, config.examples_max);
        Self { truth, judged, examples_max, all: Vec::new() }
    }

    fn add(&mut self, wrong: Wrong, case: Case, text: impl FnOnce() -> String) {
        self.add_many(wrong, 1, case, text);
    }

    /// Cases of which one is told.
    fn add_many(&mut self, wrong: Wrong, count: u64, case: Case, text: impl FnOnce() -> String) {
        let invariant = wrong.invariant();
        if count == 0 || !self.judged.contains(invariant) {
            return;
        }
        let at = self.all.iter().position(|finding| finding.wrong == wrong).unwrap_or_else(|| {
            let name = wrong.name();
            self.all.push(Finding { wrong, invariant, name, count: 0, examples: Vec::new() });
            self.all.len() - 1
        });
        let finding = &mut self.all[at];
        finding.count = finding.count.saturating_add(count);
        if finding.examples.len() < self.examples_max {
            finding.examples.push(example(self.truth, case, text()));
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        self.all.sort_by_key(|finding| finding.wrong);
        self.all
    }
}

fn example(truth: &Truth<'_>, case: Case, text: String) -> Example {
    let checker = truth.checker;
    let message = case.message.map(|number| truth.message(number));
    let client = case.client.map(|client| checker.clients.text(client.0).to_owned());
    let user = case.user.map(|user| checker.users.text(user.0).to_owned());
    let seq = case.seq.or(case.message.map(|number| truth.seq_or_told(number)));
    Example {
        chat: checker.chats.text(case.chat.0).to_owned(),
        who: client.or(user),
        seq: seq.filter(|seq| *seq != 0),
        message: message.map(|message| message.print.to_string()),
        at: case.at,
        text,
    }
}
