//! The end of a run: counts, orders and checks over everything that was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use trialogue_protocol::{ChatId, Message, PageQuery, UserId};

use super::events::is_fetched;
use super::observe::{Came, why_of};
use super::stage::{Count, Stage};
use super::{Failure, FailureKind, Verdict};
use crate::actor::{Actor, Wrong};
use crate::check::{self, Expected, Judged, Member, Recording, Witnessed, Word};
use crate::file::{ActorId, Chain, Delivery, Moment, flow};
use crate::matching::{fits, quote};
use crate::record::What;
use crate::source::Span;

/// How long what is on its way at the end may take to arrive.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);
/// Silence that ends a run: longer than a server of our own takes to tell everybody of an event.
const QUIET: Duration = Duration::from_millis(300);

impl Stage<'_> {
    /// What every check came to, and those that did not hold. After a failed step what is wrong is
    /// told all the same, and nothing is held against those for whom there was no time left.
    pub(super) async fn check(&self, complete: bool) -> (Vec<Verdict>, Vec<Failure>) {
        self.quiet().await;
        self.learn();
        if let Some(lost) = self.lost() {
            return lost;
        }
        let mut said: Vec<Verdict> = Vec::new();
        let mut failures: Vec<Failure> = Vec::new();
        let mut judge =
            |name: &str, promise: &str, span, lacking: Option<String>, failure: Option<Failure>| {
                if let Some(why) = lacking {
                    let verdict = self.verdict(name, promise, span, None);
                    return said.push(Verdict { came: Came::Unimplemented, why, ..verdict });
                }
                let verdict = self.verdict(name, promise, span, failure.as_ref());
                if !complete && verdict.came == Came::Unknown {
                    // The failed step is told already, and what everybody saw with it: what it left
                    // open is no second failure.
                    let ended = self.notes().ended;
                    let before = if ended { "the run ended" } else { "a step failed" };
                    let open = failure.map(|failure| failure.got).unwrap_or_default();
                    let why = format!("{before} before: {open}");
                    return said.push(Verdict { came: Came::NotReached, why, ..verdict });
                }
                said.push(verdict);
                failures.extend(failure);
            };
        let words = self.asked();
        if !words.is_empty() {
            let recording = self.recording().await;
            let judged = Judged::of(&recording);
            let mut told: Vec<(String, &str)> = Vec::new();
            for word in words {
                let (came, got) = judged.verdict(word);
                let got = match told.iter().find(|(text, _)| *text == got && !got.is_empty()) {
                    Some((_, first)) => format!("the same as `{first}`"),
                    None => {
                        told.push((got.clone(), word.name()));
                        got
                    }
                };
                let kind = match came {
                    Came::Broken => FailureKind::Broken,
                    _ => FailureKind::Unknown,
                };
                let place = self.place_of(word.name());
                let failure = (came != Came::Held).then(|| {
                    let wrong = Wrong::new(word.promise(), got).of(kind);
                    self.failure(place, format!("check {}", word.name()), wrong, &[])
                });
                let lacking = self.lacking_check(word.name(), came == Came::Broken);
                judge(word.name(), word.promise(), place, lacking, failure);
            }
        }
        let counts = self.notes().counts.clone();
        for count in counts {
            let text = format!("{} of `{}`", count.range, count.event);
            judge("count", &text, count.span, None, self.count(&count, complete));
        }
        for chain in &self.scenario.order {
            let words = flow::order(chain, &self.scenario.actors);
            let lacking = self.lacking_order(chain);
            judge("order", &words, chain.span, lacking, self.chain(chain, complete));
        }
        (said, failures)
    }

    /// What somebody saw more of than can be kept is a hole that proves nothing: neither that a
    /// message was lost, nor that none was.
    fn lost(&self) -> Option<(Vec<Verdict>, Vec<Failure>)> {
        let (who, wrong) = self.too_much()?;
        let promise = "nobody saw more than can be kept";
        let failure = self.failure(Span::default(), promise, wrong, &[who]);
        let unknown =
            |name: &str, promise: &str, span| self.verdict(name, promise, span, Some(&failure));
        let mut said = vec![unknown("kept", promise, Span::default())];
        let words = self.asked().into_iter();
        said.extend(words.map(|of| unknown(of.name(), of.promise(), self.place_of(of.name()))));
        let counts = self.notes().counts.clone();
        said.extend(counts.iter().map(|count| {
            unknown("count", &format!("{} of `{}`", count.range, count.event), count.span)
        }));
        said.extend(
            self.scenario.order.iter().map(|chain| {
                unknown("order", &flow::order(chain, &self.scenario.actors), chain.span)
            }),
        );
        Some((said, vec![failure]))
    }

    /// Waits until nobody was told anything for a moment, where anything is judged: a duplicate or
    /// a leak of the last message comes after it.
    async fn quiet(&self) {
        let counts = self.notes().counts.len();
        if self.asked().is_empty() && counts == 0 && self.scenario.order.is_empty() {
            return;
        }
        let by = Instant::now() + SETTLE_WITHIN;
        let told = || self.actors.iter().map(|actor| actor.inbox().len()).sum::<usize>();
        let mut before = told();
        loop {
            let next = (Instant::now() + QUIET).min(by);
            let more = || Some(told()).filter(|now| *now > before);
            match self.around.bell.wait(next, more).await {
                Some(now) if Instant::now() < by => before = now,
                _ => return,
            }
        }
    }

    fn verdict(&self, name: &str, promise: &str, span: Span, failure: Option<&Failure>) -> Verdict {
        Verdict {
            name: name.to_owned(),
            promise: promise.to_owned(),
            place: self.scenario.source.place(span),
            came: failure.map_or(Came::Held, |failure| failure.kind.into()),
            why: failure.map(why_of).unwrap_or_default(),
        }
    }

    /// The words of the file that are to be judged.
    fn asked(&self) -> Vec<Word> {
        let asked = &self.scenario.check;
        let all = [
            (asked.delivery != Delivery::Off, Word::Delivery(asked.delivery)),
            (asked.per_sender_order, Word::PerSenderOrder),
            (asked.room_order, Word::RoomOrder),
            (asked.room_isolation, Word::RoomIsolation),
            (asked.saved_before_broadcast, Word::SavedBeforeBroadcast),
            (asked.history_equals_live, Word::HistoryEqualsLive),
            (asked.no_server_errors, Word::NoServerErrors),
            (asked.no_unexpected_events.is_some(), Word::NoUnexpectedEvents),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word).collect()
    }

    /// Everybody's recording, with the final history of every chat that they are in.
    async fn recording(&self) -> Recording<'_> {
        if let Some(looked) = &self.around.looked {
            let over = || looked.is_over().then_some(());
            let _over = self.around.bell.wait(Instant::now() + SETTLE_WITHIN, over).await;
        }
        let members = self.members().await;
        let mut people = Vec::new();
        for (n, actor) in self.actors.iter().enumerate() {
            let mut histories: BTreeMap<ChatId, Vec<Message>> = BTreeMap::new();
            let mut unread = None;
            let stays = |all: &[Member]| {
                all.iter().any(|one| Some(one.user) == actor.user() && one.removed.is_none())
            };
            for (chat, _) in members.iter().filter(|(_, all)| stays(all)) {
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
            let fresh = self.accounts[n].fresh.is_some();
            let (name, user) = (actor.name(), actor.user());
            let actor = ActorId(n);
            let entries = Vec::new();
            people.push(Witnessed { actor, name, user, fresh, entries, histories, unread });
        }
        self.settle(&people).await;
        for person in &mut people {
            person.entries = self.actor(person.actor).inbox().entries();
            // What the server says for itself was sent by nobody, however it was shown.
            let notes = self.notes();
            person.entries.retain(|entry| match &entry.what {
                What::Message { message, .. } => !notes.own_words.contains(&message.id),
                _ => true,
            });
        }
        let counts = self.notes().counts.clone();
        let waited = counts.into_iter().map(|count| (count.actor, count.event, count.pattern));
        let except = self.scenario.check.no_unexpected_events.clone().unwrap_or_default();
        Recording { people, members, expected: Expected { except, waited: waited.collect() } }
    }

    /// Waits until whoever is in a room was shown what its history holds, or the time is up: a
    /// message that is on its way is not lost.
    async fn settle(&self, people: &[Witnessed<'_>]) {
        let all_shown = || {
            let shown = people.iter().all(|person| {
                let actor = self.actor(person.actor);
                let waits = actor.is_online();
                !waits
                    || actor.inbox().with(|entries| {
                        let shown: BTreeSet<_> =
                            check::messages(entries).map(|(_, m)| m.id).collect();
                        let is_in = |chat: ChatId| {
                            entries.iter().any(|entry| {
                        matches!(&entry.what, What::Joined { chat: here, .. } if *here == chat)
                    })
                        };
                        person.histories.iter().all(|(chat, history)| {
                            !is_in(*chat)
                                || history.iter().all(|message| shown.contains(&message.id))
                        })
                    })
            });
            shown.then_some(())
        };
        let _shown = self.around.bell.wait(Instant::now() + SETTLE_WITHIN, all_shown).await;
    }

    /// Who truly belongs to each chat of this run, of those who take part: one that it has booked or
    /// named, or that anybody was let into. By the
    /// server's own list; whoever was announced to be gone and is not on it was put out.
    async fn members(&self) -> BTreeMap<ChatId, Vec<Member>> {
        let (mut chats, named) = {
            let notes = self.notes();
            (notes.chats.clone(), notes.scope.texts())
        };
        for actor in &self.actors {
            actor.inbox().with(|entries| {
                chats.extend(check::spoken_of(entries, &named));
                chats.extend(entries.iter().filter_map(|entry| match &entry.what {
                    What::Joined { chat, .. } => Some(*chat),
                    _ => None,
                }));
            });
        }
        let mut members = BTreeMap::new();
        for chat in chats {
            let mut listed: Option<BTreeSet<UserId>> = None;
            // A server that does not list all members says nothing of who is missing on its list.
            let lists = self.capabilities.members;
            let asked = self.actors.iter().filter(|actor| lists && actor.user().is_some());
            let mut asked: Vec<&Actor> = asked.collect();
            // Everybody else is most likely refused, a request each.
            asked.sort_by_key(|actor| !was_let_in(actor, chat));
            for actor in asked {
                listed = actor.members_of(chat).await;
                if listed.is_some() {
                    break;
                }
            }
            members.insert(chat, self.members_of(chat, listed.as_ref()));
        }
        members
    }

    fn members_of(&self, chat: ChatId, listed: Option<&BTreeSet<UserId>>) -> Vec<Member> {
        let users: BTreeSet<UserId> = self.actors.iter().filter_map(Actor::user).collect();
        let mut members = Vec::new();
        for user in users {
            let was_in = self.actors.iter().filter(|actor| actor.user() == Some(user));
            let was_in = was_in.into_iter().any(|actor| was_let_in(actor, chat));
            match listed {
                Some(listed) if listed.contains(&user) => {
                    members.push(Member { user, removed: None });
                }
                Some(_) => {
                    let removed = self.gone_at(chat, user).filter(|_| was_in);
                    members.extend(removed.map(|at| Member { user, removed: Some(at) }));
                }
                // Nobody can be asked: whoever was let in is believed.
                None if was_in => members.push(Member { user, removed: None }),
                None => {}
            }
        }
        members
    }

    /// When anybody was told last that somebody is out of a chat.
    fn gone_at(&self, chat: ChatId, user: UserId) -> Option<Duration> {
        let of = |actor: &Actor| {
            actor.inbox().with(|entries| {
                let last = entries.iter().rev().find(|entry| match &entry.what {
                    What::Event { name, data } => {
                        name == "user_left"
                            && data["chatId"] == json!(chat)
                            && data["userId"] == json!(user)
                    }
                    _ => false,
                });
                last.map(|entry| entry.at)
            })
        };
        self.actors.iter().filter_map(of).min()
    }

    /// Where a check stands in the file: its own line, or the beginning.
    fn place_of(&self, check: &str) -> Span {
        let text = self.scenario.source.text();
        let from = text.rfind("\ncheck:").unwrap_or(0);
        let found = text[from..].find(&format!("{check}:")).map(|at| from + at);
        found.map_or_else(Span::default, |start| Span { start, end: start + check.len() })
    }

    fn count(&self, count: &Count, complete: bool) -> Option<Failure> {
        let actor = self.actor(count.actor);
        let came = actor.inbox().with(|entries| {
            let or_fetched = self.crash_at.is_some() && count.event == "new_message";
            let fit = entries.iter().filter(|entry| match &entry.what {
                What::Event { name, data } => {
                    *name == count.event && fits(&count.pattern, data).is_ok()
                }
                _ => or_fetched && is_fetched(entries, entry, &count.pattern),
            });
            fit.count()
        });
        let number = u64::try_from(came).unwrap_or(u64::MAX);
        if count.range.holds(number) {
            return None;
        }
        let what = format!("`{}` with {}", count.event, quote(&count.pattern));
        let wrong = Wrong::new(
            format!("{} of {what} by the end", count.range),
            format!("{came} at {}", actor.name()),
        );
        // What is missing may have been on its way when a step failed.
        let open = number < count.range.min;
        let wrong = if open && !complete { wrong.of(FailureKind::Unknown) } else { wrong };
        Some(self.failure(count.span, "count", wrong, &[count.actor]))
    }

    /// Whether the step of this id was tried, and failed.
    fn did_not_hold(&self, step: &str) -> bool {
        let notes = self.notes();
        let mut failed = notes.done.iter().filter(|done| done.came == Came::Broken);
        failed.any(|done| done.id.as_deref() == Some(step))
    }

    /// The latest of what is on the left comes before the earliest of what is on the right.
    fn chain(&self, chain: &Chain, complete: bool) -> Option<Failure> {
        let failure = |wrong| self.failure(chain.span, "order", wrong, &[]);
        let mut open = None;
        for pair in chain.moments.windows(2) {
            let [left, right] = pair else { continue };
            let time = |moment: &Moment| self.moment(&moment.step, moment.part);
            let words = |moment: &Moment| flow::moment(moment, &self.scenario.actors);
            let expected = format!("{} < {}", words(left), words(right));
            let (Some((_, before)), Some((after, _))) = (time(left), time(right)) else {
                let missing = if time(left).is_none() { left } else { right };
                let came = match self.did_not_hold(&missing.step) {
                    true => "did not hold",
                    false => "never happened",
                };
                let wrong = Wrong::new(expected, format!("{} {came}", words(missing)));
                if complete {
                    return Some(failure(wrong));
                }
                // A failed step is why; two that did happen may still be swapped.
                open = open.or(Some(wrong.of(FailureKind::Unknown)));
                continue;
            };
            if before >= after {
                let (before, after) = (before.as_secs_f64(), after.as_secs_f64());
                let (left, right) = (words(left), words(right));
                let got = format!("{left} at {before:.3}s, {right} at {after:.3}s");
                return Some(failure(Wrong::new(expected, got)));
            }
        }
        open.map(failure)
    }
}

/// Whether the actor ever entered the chat.
fn was_let_in(actor: &Actor, chat: ChatId) -> bool {
    actor.inbox().with(|entries| {
        entries
            .iter()
            .any(|entry| matches!(&entry.what, What::Joined { chat: here, .. } if *here == chat))
    })
}
