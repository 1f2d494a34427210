//! The stage of one run: who is on it, what is known by now, and the way through the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use trialogue_client::{Capabilities, Outcome};
use trialogue_protocol::{ChatId, ClientMessageId, JobId, MessageId};
use trialogue_report::diagram::{Row, Tone};

use super::accounts::{accounts_of, unresolved};
use super::lines::Lines;
use super::observe::{Came, Observer, StepDone, why_of};
use super::server::Server;
use super::{Failure, Pause, Recovery, Report, RunConfig, RunError, Waiting};
use crate::actor::{Account, Actor, Surroundings, Wrong, outcome_of};
use crate::check;
use crate::file::{ActorId, LaneName, Part, Range, Scenario, Step, Verb, flow};
use crate::record::{Bell, Clock};
use crate::scope::Scope;
use crate::source::Span;

/// How many of the last things that an actor saw a failure shows.
const CONTEXT_ENTRIES: usize = 8;
/// Steps at the end get this long even when the scenario's own time is up.
const ALWAYS_WITHIN: Duration = Duration::from_secs(15);
/// Longer than any scenario may take (24 h).
const FOREVER: Duration = Duration::from_secs(24 * 3_600);

/// A message that an actor handed over.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Id of the step.
    pub(crate) step: Option<String>,
    /// Who.
    pub(crate) actor: ActorId,
    /// Where.
    pub(crate) chat: ChatId,
    /// Its own name for it.
    pub(crate) id: ClientMessageId,
    /// When.
    pub(crate) at: Duration,
}

/// A `count` that is judged at the end, when no late duplicate can hide.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) span: Span,
    pub(crate) actor: ActorId,
    pub(crate) event: String,
    pub(crate) pattern: Value,
    pub(crate) range: Range,
}

/// What is known by now. Behind one lock that is never held over an await.
pub(super) struct Notes<'a> {
    pub(super) scope: Scope,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) lanes: Vec<LaneName>,
    pub(super) sent: Vec<Sent>,
    /// What the final histories must hold, of `send` and of `emit: send_message`.
    pub(super) handed: Vec<check::Handed>,
    pub(super) members: BTreeMap<ChatId, BTreeSet<ActorId>>,
    /// Messages that the server wrote by itself.
    pub(super) own_words: BTreeSet<MessageId>,
    /// Something was to be done that the target cannot: why nothing follows.
    pub(super) stopped: Option<String>,
    /// The job of every chat that was booked, and who is to do it.
    pub(super) jobs: BTreeMap<ChatId, (JobId, ActorId)>,
    pub(super) counts: Vec<Count>,
    /// First and last time of every named moment.
    pub(super) moments: BTreeMap<(String, MomentPart), (Duration, Duration)>,
    /// For each actor, how much of its inbox was looked at for the diagram.
    pub(super) told: Vec<usize>,
    /// A step is doing something to the server.
    pub(super) server_busy: bool,
    pub(super) killed: Option<Duration>,
    pub(super) started: Option<Duration>,
    pub(super) recovery: Option<Recovery>,
    pub(super) unsaved: Vec<String>,
    pub(super) slowest: Option<Duration>,
    /// What came of each step that was begun, in the order of time.
    pub(super) done: Vec<StepDone>,
    current: Span,
    held: usize,
}

/// A moment that a step itself records; deliveries are found in the inboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MomentPart {
    Sent,
    Saved,
    Done,
}

/// Everything that one run needs.
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) around: Surroundings,
    pub(super) server: Server,
    pub(super) lines: Lines,
    pub(super) actors: Vec<Actor>,
    pub(super) accounts: Vec<Account>,
    pub(super) capabilities: Capabilities,
    pause: Option<Pause>,
    notes: Mutex<Notes<'a>>,
}

/// The way through a list of steps; boxed because steps hold lists of steps.
pub(super) type Way<'s> = Pin<Box<dyn Future<Output = Result<(), Box<Failure>>> + 's>>;

impl<'a> Stage<'a> {
    /// Starts the server and dresses the actors.
    pub(super) async fn set(
        scenario: &'a Scenario,
        config: RunConfig,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, RunError> {
        let seed = config.seed.or(scenario.seed).unwrap_or_else(rand::random);
        let server = Server::start(&config).await?;
        let around = Surroundings {
            url: server.url().clone(),
            dialect: config.dialect,
            clock: Clock::start(),
            bell: Bell::default(),
            seed,
            trace: config.trace.clone(),
            plain_http: config.plain_http,
        };
        let lines = Lines::draw(scenario, &around.url).await?;
        let actors = scenario.actors.iter().zip(0..).enumerate().map(|(n, (spec, index))| {
            let url = lines.url_for(ActorId(n), &around.url);
            let around = Surroundings { url, ..around.clone() };
            Actor::new(spec, &scenario.defaults, &around, index).map_err(RunError::from)
        });
        let actors = actors.collect::<Result<Vec<_>, _>>()?;
        let mut scope = Scope::new(config.env);
        let accounts = accounts_of(scenario, &scope, &config.accounts)?;
        for (actor, account) in actors.iter().zip(&accounts) {
            scope.set_of(actor.name(), "email", json!(account.email));
            scope.set_of(actor.name(), "role", json!(actor.role()));
        }
        for (name, value) in &scenario.vars {
            let value = scope.resolve(value, None).map_err(|wrong| unresolved(scenario, wrong))?;
            scope.set(&name.name, value);
        }
        let notes = Mutex::new(Notes {
            scope,
            observer,
            lanes: Vec::new(),
            sent: Vec::new(),
            handed: Vec::new(),
            members: BTreeMap::new(),
            jobs: BTreeMap::new(),
            own_words: BTreeSet::new(),
            stopped: None,
            counts: Vec::new(),
            moments: BTreeMap::new(),
            told: vec![0; actors.len()],
            server_busy: false,
            killed: None,
            started: None,
            recovery: None,
            unsaved: Vec::new(),
            slowest: None,
            done: Vec::new(),
            current: Span::default(),
            held: 0,
        });
        let capabilities = config.capabilities.unwrap_or(around.dialect.capabilities());
        let pause = config.pause;
        Ok(Self { scenario, around, server, lines, actors, accounts, capabilities, pause, notes })
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes<'a>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.around.clock.now()
    }

    pub(super) fn actor(&self, id: ActorId) -> &Actor {
        &self.actors[id.0]
    }

    /// Everything from the first step to the last check; nothing is left afterwards.
    pub(super) async fn play(self) -> Report {
        let mut failures = Vec::new();
        self.show_opening();
        let limit = self.scenario.timeout;
        // Whoever looks at every step takes the time that it takes.
        let deadline = Instant::now() + if self.pause.is_some() { FOREVER } else { limit };
        failures.extend(self.within(deadline, &self.scenario.steps).await);
        let deadline = Instant::now() + ALWAYS_WITHIN;
        failures.extend(self.within(deadline, &self.scenario.always).await);
        // Checks over a scenario that stopped half-way would accuse what never had a chance.
        for failure in &failures {
            let text = format!("{} did not hold", failure.what);
            let row = Row::Band { at: self.now(), text, tone: Tone::Bad };
            self.notes().observer.row(&row);
        }
        let (verdicts, broken) =
            if failures.is_empty() { self.check().await } else { (vec![], vec![]) };
        let steps = steps_of(&self.scenario.steps) + steps_of(&self.scenario.always);
        let of = steps + verdicts.len();
        let is_held = |verdict: &&super::Verdict| verdict.came == Came::Held;
        let held = self.notes().held + verdicts.iter().filter(is_held).count();
        failures.extend(broken);
        futures_util::future::join_all(self.actors.iter().map(Actor::close)).await;
        self.server.end().await;
        let steps = self.all_done();
        Report { held, of, steps, verdicts, failures, ..self.report() }
    }

    async fn within(&self, deadline: Instant, steps: &[Step]) -> Option<Failure> {
        let way = self.watched(self.steps(steps));
        match timeout_at(deadline, way).await {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(*failure),
            Err(_) => {
                let span = self.notes().current;
                let limit = self.scenario.timeout;
                let wrong =
                    Wrong::new(format!("the scenario to end within {limit:?}"), "this step");
                let failure = self.failure(span, "the scenario's time limit", wrong, &[]);
                self.cut_short(span, &failure);
                Some(failure)
            }
        }
    }

    /// Shows what links do by themselves while something else goes on.
    async fn watched<T>(&self, way: impl Future<Output = T>) -> T {
        let forever = Instant::now() + FOREVER;
        let watch = self.around.bell.wait(forever, || {
            self.tell_links();
            None::<()>
        });
        tokio::select! {
            biased;
            came = way => came,
            _ = watch => std::future::pending().await,
        }
    }

    pub(super) fn steps<'s>(&'s self, steps: &'s [Step]) -> Way<'s> {
        Box::pin(async move {
            for step in steps {
                self.notes().current = step.span;
                self.learn();
                self.wait_for_word(step).await;
                let began = self.now();
                if let Some(why) = self.lacking(step) {
                    self.done(step, began, Came::Unimplemented, why);
                    continue;
                }
                match self.step(step).await {
                    Ok(()) => self.done(step, began, Came::Held, String::new()),
                    Err(failure) => {
                        self.done(step, began, Came::Broken, why_of(&failure));
                        return Err(failure);
                    }
                }
                if !matches!(step.verb, Verb::Act { .. }) {
                    self.notes().held += 1;
                }
            }
            Ok(())
        })
    }

    /// Waits until whoever looks at each step has seen this one.
    async fn wait_for_word(&self, step: &Step) {
        let Some(Pause(ask)) = self.pause.as_ref().filter(|_| !super::observe::holds_steps(step))
        else {
            return;
        };
        let (go, gone) = oneshot::channel();
        let place = self.scenario.source.place(step.span);
        let words = flow::line(step, &self.scenario.actors);
        // Nobody looks any more: the rest goes on by itself.
        if ask.send(Waiting { place, words, go }).await.is_ok() {
            _ = gone.await;
        }
    }

    /// What became of messages that were only queued when their step was over.
    pub(super) fn learn(&self) {
        let mut notes = self.notes();
        for sent in notes.sent.clone() {
            let Some(step) = sent.step else { continue };
            self.actor(sent.actor).inbox().with(|entries| {
                if let Some((at, Outcome::Stored { message, .. })) = outcome_of(entries, &sent.id) {
                    notes.scope.set_of(&step, "id", json!(message.id));
                    notes.scope.set_of(&step, "seq", json!(message.seq));
                    notes.moments.entry((step, MomentPart::Saved)).or_insert((at, at));
                }
            });
        }
    }

    pub(super) fn failure(
        &self,
        span: Span,
        what: impl Into<String>,
        wrong: Wrong,
        concerned: &[ActorId],
    ) -> Failure {
        let mut context = Vec::new();
        for id in concerned {
            let actor = self.actor(*id);
            let entries = actor.inbox().entries();
            let from = entries.len().saturating_sub(CONTEXT_ENTRIES);
            context.push(format!("the last that {} saw ({}):", actor.name(), actor.link_words()));
            context.extend(entries[from..].iter().map(|entry| format!("  {entry}")));
        }
        context.extend(self.server.ended_by_itself());
        Failure {
            place: self.scenario.source.place(span),
            excerpt: self.scenario.source.excerpt(first_line(self.scenario, span)),
            what: what.into(),
            expected: wrong.expected,
            got: wrong.got,
            context,
        }
    }

    fn report(&self) -> Report {
        self.learn();
        let notes = self.notes();
        let stored = notes.sent.iter().filter(|sent| {
            self.actor(sent.actor).inbox().with(|entries| {
                matches!(outcome_of(entries, &sent.id), Some((_, Outcome::Stored { .. })))
            })
        });
        Report {
            sent: notes.sent.len(),
            stored: stored.count(),
            delivered: self.actors.iter().map(check::shown).sum(),
            slowest: notes.slowest,
            recovery: notes.recovery,
            took: self.now(),
            seed: self.around.seed,
            ..Report::default()
        }
    }

    /// When something happened that an `order` names: first and last time.
    pub(super) fn moment(&self, step: &str, part: Part) -> Option<(Duration, Duration)> {
        let of = |part| self.notes().moments.get(&(step.to_owned(), part)).copied();
        match part {
            Part::Done => of(MomentPart::Done),
            Part::Sent => of(MomentPart::Sent),
            Part::Saved => of(MomentPart::Saved),
            Part::At(actor) => {
                let id = self.stored_id(step)?;
                let at = check::shown_at(&self.actor(actor).inbox().entries(), id)?;
                Some((at, at))
            }
        }
    }
}

/// Only the first line of a step is shown with its failure.
fn first_line(scenario: &Scenario, span: Span) -> Span {
    let text = scenario.source.text().get(span.start..span.end).unwrap_or_default();
    let end = text.find('\n').map_or(span.end, |len| span.start + len);
    Span { start: span.start, end }
}

/// Steps that count: a heading is none, and what a step holds counts by itself.
fn steps_of(steps: &[Step]) -> usize {
    steps
        .iter()
        .map(|step| match &step.verb {
            Verb::Act { .. } => 0,
            Verb::Parallel(branches) => 1 + branches.iter().map(|b| steps_of(b)).sum::<usize>(),
            Verb::Repeat { times, steps } => {
                1 + steps_of(steps) * usize::try_from(*times).unwrap_or(usize::MAX)
            }
            _ => 1,
        })
        .sum()
}
