//! The stage of one run: who is on it, what is known by now, and the way through the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trialogue_client::{Capabilities, Outcome};
use trialogue_protocol::{ChatId, ClientMessageId, JobId, MessageId};

use super::accounts::{accounts_of, unresolved};
use super::crash;
use super::lines::Lines;
use super::observe::{Observer, StepDone};
use super::server::Server;
use super::{Audience, Failure, Pause, Recovery, Report, RunConfig, RunError};
use crate::actor::{Account, Actor, Looked, Surroundings, outcome_of};
use crate::check;
use crate::file::{ActorId, LaneName, Part, Range, Scenario};
use crate::record::{Bell, Clock, Entry, What};
use crate::scope::Scope;
use crate::source::Span;

/// A message that an actor handed over.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Id of the step.
    pub(crate) step: Option<String>,
    /// Who.
    pub(crate) actor: ActorId,
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
    /// Chats that were booked here, whether anybody enters them or not.
    pub(super) chats: BTreeSet<ChatId>,
    /// Messages that the server wrote by itself.
    pub(super) own_words: BTreeSet<MessageId>,
    /// Something was to be done that the target cannot: why nothing follows.
    pub(super) stopped: Option<String>,
    /// A step that waits for an error was left out, as it could not be told from others.
    pub(super) awaits_nameless_error: bool,
    /// The last step that was asked for is over.
    pub(super) ended: bool,
    /// How long anybody has waited for the server's leave to sign in, and until when.
    pub(super) waited: Duration,
    pub(super) waits_until: Option<Instant>,
    /// When the last step began that did anything.
    pub(super) acted: Duration,
    /// Messages that steps know to have come, and to whom.
    pub(super) had: BTreeSet<(ActorId, MessageId)>,
    /// The crash that was asked for is over.
    pub(super) crashed: bool,
    /// The job of every chat that was booked, and who is to do it.
    pub(super) jobs: BTreeMap<ChatId, (JobId, ActorId)>,
    pub(super) counts: Vec<Count>,
    /// Of each barrier: how many come to it in a round, and how many came so far.
    pub(super) barriers: BTreeMap<(usize, String), (usize, usize)>,
    /// `parallel` steps with a branch that failed: nobody waits for it.
    pub(super) abandoned: BTreeSet<usize>,
    /// First and last time of every named moment.
    pub(super) moments: BTreeMap<(String, MomentPart), (Duration, Duration)>,
    /// For each actor, how much of its inbox was looked at for the diagram.
    pub(super) told: Vec<usize>,
    /// A step is doing something to the server.
    pub(super) server_busy: bool,
    pub(super) killed: Option<Duration>,
    pub(super) started: Option<Duration>,
    pub(super) recovery: Option<Recovery>,
    pub(super) slowest: Option<Duration>,
    /// What came of each step that was begun, in the order of time.
    pub(super) done: Vec<StepDone>,
    pub(super) current: Span,
    pub(super) held: usize,
}

impl<'a> Notes<'a> {
    /// Nothing but the values of the file.
    fn begin(scope: Scope, observer: &'a mut dyn Observer, actors: usize) -> Self {
        Self {
            scope,
            observer,
            lanes: Vec::new(),
            sent: Vec::new(),
            chats: BTreeSet::new(),
            jobs: BTreeMap::new(),
            own_words: BTreeSet::new(),
            stopped: None,
            awaits_nameless_error: false,
            ended: false,
            waited: Duration::ZERO,
            waits_until: None,
            acted: Duration::ZERO,
            had: BTreeSet::new(),
            crashed: false,
            counts: Vec::new(),
            barriers: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            moments: BTreeMap::new(),
            told: vec![0; actors],
            server_busy: false,
            killed: None,
            started: None,
            recovery: None,
            slowest: None,
            done: Vec::new(),
            current: Span::default(),
            held: 0,
        }
    }
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
    pub(super) server: &'a Server,
    pub(super) lines: Lines,
    pub(super) actors: Vec<Actor>,
    pub(super) accounts: Vec<Account>,
    /// What the server signs tokens with, where that is known.
    pub(super) token_secret: Option<String>,
    /// The number of the step before which the server crashes.
    pub(super) crash_at: Option<usize>,
    /// Held by steps that ask something of the server, where it may crash: a crash waits for them.
    pub(super) asking: RwLock<()>,
    pub(super) allow_exec: bool,
    pub(super) until: Option<String>,
    pub(super) capabilities: Capabilities,
    pub(super) pause: Option<Pause>,
    pub(super) audience: Option<Arc<dyn Audience>>,
    /// Cancelled by whoever ends the run before its end.
    pub(super) stop: CancellationToken,
    notes: Mutex<Notes<'a>>,
}

/// The way through a list of steps; boxed because steps hold lists of steps.
/// Several failures where several branches failed, none where a branch gave up because of others.
pub(super) type Way<'s> = Pin<Box<dyn Future<Output = Result<(), Vec<Failure>>> + 's>>;

impl<'a> Stage<'a> {
    /// Starts the server and dresses the actors.
    pub(super) async fn set(
        scenario: &'a Scenario,
        config: RunConfig,
        server: &'a Server,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, RunError> {
        let secrets = config.secrets.clone();
        secrets.learn_file(scenario);
        let around = Surroundings {
            url: server.url().clone(),
            dialect: config.dialect,
            clock: Clock::start(),
            bell: Bell::default(),
            looked: scenario.check.saved_before_broadcast.then(Looked::default),
            trace: config.trace.as_ref().map(|trace| trace.hiding(&secrets)),
            secrets,
            plain_http: config.plain_http,
            seen: None,
            seed: config.seed.or(scenario.seed).unwrap_or_else(rand::random),
        };
        let lines = Lines::draw(scenario, &around.url, config.audience.is_some()).await?;
        let actors = scenario.actors.iter().zip(0..).enumerate().map(|(n, (spec, index))| {
            let url = lines.url_for(ActorId(n), &around.url);
            let seen = lines.seen(ActorId(n), &config);
            let around = Surroundings { url, seen, ..around.clone() };
            Actor::new(spec, &scenario.defaults, &around, index).map_err(RunError::from)
        });
        let actors = actors.collect::<Result<Vec<_>, _>>()?;
        let scope = Scope::new(config.env, around.secrets.clone());
        let mut scope = scope.marked(&scenario.secrets);
        let accounts = accounts_of(scenario, &scope, &config.accounts)?;
        for (actor, account) in actors.iter().zip(&accounts) {
            around.secrets.add(&account.password);
            scope.set_of(actor.name(), "email", json!(account.email));
            scope.set_of(actor.name(), "role", json!(actor.role()));
        }
        set_vars(scenario, &mut scope)?;
        let notes = Mutex::new(Notes::begin(scope, observer, actors.len()));
        let capabilities = config.capabilities.unwrap_or(around.dialect.capabilities());
        let crash_at = crash::step_of(scenario, config.crash_at)?;
        let RunConfig { token_secret, pause, allow_exec, until, audience, stop, .. } = config;
        Ok(Self {
            scenario,
            around,
            server,
            lines,
            actors,
            accounts,
            token_secret,
            crash_at,
            asking: RwLock::new(()),
            allow_exec,
            until,
            capabilities,
            pause,
            audience,
            stop,
            notes,
        })
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

    /// The figures of the run.
    pub(super) fn report(&self) -> Report {
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
            Part::Wire => {
                let sent = self.sent(step).ok()?;
                let at =
                    self.actor(sent.actor).inbox().with(|entries| left_at(entries, &sent.id))?;
                Some((at, at))
            }
            Part::At(actor) => {
                let id = self.stored_id(step)?;
                let at = check::shown_at(&self.actor(actor).inbox().entries(), id)?;
                Some((at, at))
            }
        }
    }
}

/// When a message was handed to the connection first.
fn left_at(entries: &[Entry], id: &ClientMessageId) -> Option<Duration> {
    let left = entries.iter().find(|entry| {
        let What::Outcome { id: own, outcome: Outcome::Sending { .. } } = &entry.what else {
            return false;
        };
        own == id
    });
    left.map(|entry| entry.at)
}

/// Names the values of the file.
fn set_vars(scenario: &Scenario, scope: &mut Scope) -> Result<(), RunError> {
    for (name, value) in &scenario.vars {
        let value = scope.resolve(value, None).map_err(|wrong| unresolved(scenario, wrong))?;
        scope.set(&name.name, value);
    }
    Ok(())
}
