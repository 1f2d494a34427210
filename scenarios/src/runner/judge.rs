//! The end of a run: counts, orders and checks over everything that was recorded.

use std::collections::BTreeMap;

use trialogue_protocol::{ChatId, Message, PageQuery};

use super::observe::{Came, why_of};
use super::stage::{Count, Stage};
use super::{Failure, Verdict};
use crate::actor::Wrong;
use crate::check::{self, Witnessed};
use crate::file::{ActorId, Chain, Delivery, Moment, flow};
use crate::matching::{matches, quote};
use crate::record::What;
use crate::source::Span;

impl Stage<'_> {
    /// What every check came to, and those that did not hold.
    pub(super) async fn check(&self) -> (Vec<Verdict>, Vec<Failure>) {
        self.learn();
        let witnessed = self.witnessed().await;
        let members = self.notes().members.clone();
        let unsaved = self.notes().unsaved.clone();
        let handed = self.notes().handed.clone();
        let asked = self.scenario.check;
        let mut verdicts: Vec<(&str, Result<(), String>)> = Vec::new();
        let mut judge = |wanted: bool, name, verdict: &dyn Fn() -> Result<(), String>| {
            if wanted {
                verdicts.push((name, verdict()));
            }
        };
        judge(asked.delivery != Delivery::Off, "delivery", &|| {
            check::delivery(asked.delivery, &witnessed)?;
            check::stored(asked.delivery, &witnessed, &handed)
        });
        judge(asked.per_sender_order, "per_sender_order", &|| check::order(&witnessed, true));
        judge(asked.room_order, "room_order", &|| check::order(&witnessed, false));
        judge(asked.room_isolation, "room_isolation", &|| check::isolation(&witnessed, &members));
        judge(asked.saved_before_broadcast, "saved_before_broadcast", &|| {
            unsaved.first().map_or(Ok(()), |line| Err(line.clone()))
        });
        judge(asked.history_equals_live, "history_equals_live", &|| {
            check::history_equals_live(&witnessed)
        });
        judge(asked.no_server_errors, "no_server_errors", &|| check::no_server_errors(&witnessed));
        let mut said: Vec<Verdict> = Vec::new();
        let mut failures: Vec<Failure> = Vec::new();
        for (name, verdict) in verdicts {
            let place = self.place_of(name);
            if let Some(why) = self.lacking_check(name) {
                said.push(self.not_offered(name, promise(name), place, why));
                continue;
            }
            // A check that found nothing to judge by has not found anything wrong either.
            let unknown = verdict.as_ref().is_err_and(|got| got.starts_with("unknown:"));
            let failure = verdict.err().map(|got| {
                let wrong = Wrong::new(promise(name), got);
                self.failure(place, format!("check {name}"), wrong, &[])
            });
            said.push(self.verdict(name, promise(name), place, failure.as_ref(), unknown));
            failures.extend(failure);
        }
        for count in self.notes().counts.clone() {
            let failure = self.count(&count);
            let text = format!("{} of `{}`", count.range, count.event);
            said.push(self.verdict("count", &text, count.span, failure.as_ref(), false));
            failures.extend(failure);
        }
        for chain in &self.scenario.order {
            if let Some(why) = self.lacking_order(chain) {
                let words = flow::order(chain, &self.scenario.actors);
                said.push(self.not_offered("order", &words, chain.span, why));
                continue;
            }
            let failure = self.chain(chain);
            let words = flow::order(chain, &self.scenario.actors);
            said.push(self.verdict("order", &words, chain.span, failure.as_ref(), false));
            failures.extend(failure);
        }
        (said, failures)
    }

    fn not_offered(&self, name: &str, promise: &str, span: Span, why: String) -> Verdict {
        let verdict = self.verdict(name, promise, span, None, false);
        Verdict { came: Came::Unimplemented, why, ..verdict }
    }

    fn verdict(
        &self,
        name: &str,
        promise: &str,
        span: Span,
        failure: Option<&Failure>,
        unknown: bool,
    ) -> Verdict {
        Verdict {
            name: name.to_owned(),
            promise: promise.to_owned(),
            place: self.scenario.source.place(span),
            came: match failure {
                None => Came::Held,
                Some(_) if unknown => Came::Unknown,
                Some(_) => Came::Broken,
            },
            why: failure.map(why_of).unwrap_or_default(),
        }
    }

    /// Everybody's recording, with the final history of every chat that they are in.
    async fn witnessed(&self) -> Vec<Witnessed<'_>> {
        let members = self.notes().members.clone();
        let mut all = Vec::new();
        for (n, actor) in self.actors.iter().enumerate() {
            let mut histories: BTreeMap<ChatId, Vec<Message>> = BTreeMap::new();
            let mut unread = None;
            for (chat, _) in members.iter().filter(|(_, all)| all.contains(&ActorId(n))) {
                match actor.page(*chat, &PageQuery::default()).await {
                    Ok(mut history) => {
                        let notes = self.notes();
                        history.retain(|message| !notes.own_words.contains(&message.id));
                        drop(notes);
                        histories.insert(*chat, history);
                    }
                    Err(error) => unread = Some(error.to_string()),
                }
            }
            let entries = actor.inbox().entries();
            let name = actor.name();
            let fresh = self.accounts[n].fresh.as_ref().and_then(|_| actor.user());
            all.push(Witnessed { actor: ActorId(n), name, fresh, entries, histories, unread });
        }
        all
    }

    /// Where a check stands in the file: its own line, or the beginning.
    fn place_of(&self, check: &str) -> Span {
        let text = self.scenario.source.text();
        let from = text.rfind("\ncheck:").unwrap_or(0);
        let found = text[from..].find(&format!("{check}:")).map(|at| from + at);
        found.map_or_else(Span::default, |start| Span { start, end: start + check.len() })
    }

    fn count(&self, count: &Count) -> Option<Failure> {
        let actor = self.actor(count.actor);
        let came = actor.inbox().with(|entries| {
            let fit = entries.iter().filter(|entry| match &entry.what {
                What::Event { name, data } => {
                    *name == count.event && matches(&count.pattern, data).is_ok()
                }
                _ => false,
            });
            fit.count()
        });
        if count.range.holds(u64::try_from(came).unwrap_or(u64::MAX)) {
            return None;
        }
        let what = format!("`{}` with {}", count.event, quote(&count.pattern));
        let wrong = Wrong::new(
            format!("{} of {what} by the end", count.range),
            format!("{came} at {}", actor.name()),
        );
        Some(self.failure(count.span, "count", wrong, &[count.actor]))
    }

    /// The latest of what is on the left comes before the earliest of what is on the right.
    fn chain(&self, chain: &Chain) -> Option<Failure> {
        let wrong = |expected: String, got: String| {
            Some(self.failure(chain.span, "order", Wrong::new(expected, got), &[]))
        };
        let words = |moment: &Moment| flow::moment(moment, &self.scenario.actors);
        for pair in chain.moments.windows(2) {
            let [left, right] = pair else { continue };
            let pair_words = format!("{} < {}", words(left), words(right));
            let time = |moment: &Moment| self.moment(&moment.step, moment.part);
            let (Some((_, before)), Some((after, _))) = (time(left), time(right)) else {
                let missing = if time(left).is_none() { left } else { right };
                return wrong(pair_words, format!("{} never happened", words(missing)));
            };
            if before >= after {
                let got = format!(
                    "{} at {:.3}s, {} at {:.3}s",
                    words(left),
                    before.as_secs_f64(),
                    words(right),
                    after.as_secs_f64()
                );
                return wrong(pair_words, got);
            }
        }
        None
    }
}

/// What a check promises, for people.
fn promise(check: &str) -> &'static str {
    match check {
        "delivery" => "every member was shown every message as often as promised",
        "per_sender_order" => "nobody saw two messages of one sender swapped",
        "room_order" => "everybody saw the messages of a chat in one order",
        "room_isolation" => "nobody heard of a chat that they are not in",
        "saved_before_broadcast" => "whoever saw a message found it in the history",
        "history_equals_live" => "the history is what was seen live",
        _ => "nothing went wrong that was not expected to",
    }
}
