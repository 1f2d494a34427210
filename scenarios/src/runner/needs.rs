//! What a scenario needs of its target, and what the target says that it cannot do: such a step or
//! check is *unimplemented*, which is neither good nor bad, and is counted (SCENARIOS §7.8).

use trialogue_protocol::{ChatId, MessageId, PageQuery, Role, UserId};

use super::accounts;
use super::stage::Stage;
use super::{RunConfig, RunError, Target, crash, lines};
use crate::actor::{Account, Actor, Reply, Surroundings, Wrong};
use crate::file::{self, ActorId, Chain, Method, Part, Scenario, Step, TokenVerb, Verb, flow};
use crate::source::Span;
use crate::yaml::{Key, Node, Value};

/// Why nothing of the scenario makes sense at this target: what comes after a step that is left
/// out would fail for that alone.
#[must_use]
pub fn lacking_at_all(scenario: &Scenario, config: &RunConfig) -> Option<String> {
    let capabilities = config.capabilities.unwrap_or(config.dialect.capabilities());
    let mut lacking = Vec::new();
    let mut lacks = |what: &str| {
        if !lacking.iter().any(|known| known == what) {
            lacking.push(what.to_owned());
        }
    };
    scenario.walk(&mut |step| match &step.verb {
        Verb::Server(verb)
            if matches!(config.target, Target::Url(_)) && config.hooks.of(*verb).is_none() =>
        {
            let none = "`server` steps need a server that the runner may start and stop";
            lacks(&match config.hooks.is_empty() {
                true => none.to_owned(),
                false => {
                    let line = flow::line(step, &scenario.actors);
                    format!("the profile has no hook for a step of the file ({line})")
                }
            });
        }
        Verb::Database(_) if config.database.is_none() => {
            lacks("`database` steps need a database that the runner may stop and start");
        }
        Verb::Network(_) if !is_carried(&config.target) => {
            lacks("`network` steps need a target such as http://127.0.0.1:3000");
        }
        Verb::Token(TokenVerb::Expire) if config.token_secret.is_none() => {
            lacks("`token: expire` needs a server whose token secret the runner knows");
        }
        _ => {}
    });
    if config.crash_at.is_some_and(|boundary| crash::is_down(scenario, boundary)) {
        lacks("the file itself has the server down before this step: nothing can crash");
    }
    let outbox = scenario.actors.iter().find(|actor| actor.outbox);
    lacking.extend(outbox.filter(|_| !capabilities.client_message_ids).map(|actor| {
        let name = &actor.name.name;
        format!("the outbox of {name} needs sends that may be repeated (client_message_ids)")
    }));
    lacking.extend(accounts::shared(scenario, &config.accounts));
    (!lacking.is_empty()).then(|| lacking.join("; "))
}

/// Whether a proxy can stand before the target.
fn is_carried(target: &Target) -> bool {
    match target {
        Target::Child(_) => true,
        #[cfg(unix)]
        Target::Shell { url, .. } => lines::is_carried(url),
        Target::Url(url) => lines::is_carried(url),
    }
}

/// The text of a field, where it is one.
fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

impl Stage<'_> {
    /// Why the target cannot do what the step is about. After something that was to be done and was
    /// not, nothing that follows makes sense; a look that was left out changes nothing.
    pub(super) fn lacking(&self, step: &Step) -> Option<String> {
        let stopped = self.notes().stopped.clone();
        if stopped.is_some() && !step.verb.holds_steps() {
            return stopped;
        }
        let why = self.lacks(step)?;
        if matches!(&step.verb, Verb::Receive { event, .. } if text(event) == Some("error")) {
            self.notes().awaits_nameless_error = true;
        }
        let acts = match step.verb {
            Verb::Do { .. } | Verb::Emit { .. } => step.expect.error.is_none(),
            // What is to be refused changes nothing.
            Verb::Http { method, .. } => {
                let done = step.expect.status.is_none_or(|(_, status)| status < 400);
                method != Method::Get && done
            }
            _ => false,
        };
        if acts {
            let line = self.scenario.source.line_column(step.span.start).0;
            self.notes().stopped = Some(format!("it follows line {line}: {why}"));
        }
        Some(why)
    }

    fn lacks(&self, step: &Step) -> Option<String> {
        let can = self.capabilities;
        let says = |can: bool, what: &str, name: &str| (!can).then(|| format!("{what} ({name})"));
        match &step.verb {
            Verb::Receive { event, pattern, .. } => match text(event)? {
                "error" if pattern.is_some() => says(
                    can.error_codes,
                    "its errors do not say what they are about",
                    "error_codes",
                ),
                "presence" => says(can.presence, "it does not tell who is online", "presence"),
                "positions" => says(can.seq, "it does not number messages", "seq"),
                "chat_updated" => {
                    says(can.members, "it does not tell changes of a chat", "members")
                }
                "notification:created" if speaks_of_a_dispute(pattern.as_ref()) => {
                    says(can.dispute_push, "it pushes no notice of disputes", "dispute_push")
                }
                _ => None,
            },
            Verb::Never { event, pattern, .. }
                if text(event) == Some("notification:created")
                    && !speaks_of_a_dispute(pattern.as_ref()) =>
            {
                says(
                    can.quiet_rooms,
                    "it pushes notices to whoever is in the chat too",
                    "quiet_rooms",
                )
            }
            Verb::Http { method, path, .. } => {
                let (method, path) = (method.as_str(), text(path)?);
                let lacks = self.around.dialect.lacks_route(method, path);
                let route = path.split('?').next().unwrap_or(path);
                lacks.then(|| format!("no {method} {route} there"))
            }
            Verb::Emit { event, .. } if text(event) == Some("fetch_messages") => {
                says(can.pages, "it has no pages of history", "pages")
            }
            Verb::Emit { event, .. } if step.expect.error.is_some() && is_quiet(event) => {
                says(can.error_codes, "it says nothing of a refused event", "error_codes")
            }
            Verb::Emit { .. } if step.expect.ack.is_some() || step.expect.json.is_some() => {
                says(can.acks, "it acknowledges nothing", "acks")
            }
            Verb::Do { name, .. } if name.name == "dispute" => {
                let by = |role| step.actors.iter().any(|id| self.actor(*id).role() == role);
                if by(Role::Provider) {
                    return says(
                        can.dispute_by_provider,
                        "no dispute by a provider",
                        "dispute_by_provider",
                    );
                }
                None
            }
            Verb::Delivered { message, to, .. } if !can.own_echo => {
                let author = self.sent(&message.name).ok()?.actor;
                let alone = to.iter().all(|reader| *reader == author);
                says(!alone, "a sender gets no own message", "own_echo")
            }
            _ => None,
        }
    }

    /// Why the target cannot be judged by the check. What was wrong before a step that was left
    /// out is wrong; but an event may lack the `receive` that was left out with it.
    pub(super) fn lacking_check(&self, check: &str, broken: bool) -> Option<String> {
        let stopped = self.notes().stopped.clone();
        if stopped.is_some() && (!broken || check == "no_unexpected_events") {
            return stopped;
        }
        let can = self.capabilities;
        match check {
            "room_order" | "history_equals_live" if !can.seq => {
                Some("it does not number messages (seq)".to_owned())
            }
            "no_server_errors" if self.notes().awaits_nameless_error => {
                Some("an expected error does not say what it is about (error_codes)".to_owned())
            }
            "per_sender_order" if !can.order => {
                Some("it may swap two messages of one sender (order)".to_owned())
            }
            _ => None,
        }
    }

    /// Why a chain cannot be judged.
    pub(super) fn lacking_order(&self, chain: &Chain) -> Option<String> {
        for moment in &chain.moments {
            if moment.part == Part::Saved && !self.capabilities.acks {
                return Some("it does not say when a message is stored (acks)".to_owned());
            }
            // What was not tried has no time.
            let notes = self.notes();
            let left_out = notes.done.iter().find(|done| {
                done.id.as_deref() == Some(&moment.step) && done.came == super::Came::Unimplemented
            });
            if let Some(left_out) = left_out {
                return Some(format!("{} was not tried: {}", moment.step, left_out.why));
            }
            if let Part::At(actor) = moment.part
                && !self.capabilities.own_echo
                && notes
                    .sent
                    .iter()
                    .any(|s| s.step.as_deref() == Some(&moment.step) && s.actor == actor)
            {
                return Some("a sender gets no own message (own_echo)".to_owned());
            }
        }
        None
    }

    /// Makes the fresh accounts before anything else where the target takes them one by one, and
    /// a provider only where its region has an LSM (DEPLOYED §2).
    pub(super) async fn provision(&self) -> Result<(), RunError> {
        if self.capabilities.lsm_joins_by_socket {
            return Ok(());
        }
        let fresh = |n: &usize| self.accounts[*n].fresh.is_some();
        let all: Vec<usize> = (0..self.actors.len()).filter(fresh).collect();
        let (lsms, others): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|n| self.actors[**n].role() == Role::Lsm);
        let Some(region) = all.first().and_then(|n| self.accounts[*n].fresh.clone()) else {
            return Ok(());
        };
        let (warden, account) = self.warden(&region)?;
        let keeper = match lsms.first() {
            Some(lsm) => &self.actors[*lsm],
            None => {
                registered(&warden, &account).await?;
                &warden
            }
        };
        for n in lsms.into_iter().chain(others) {
            let actor = &self.actors[n];
            registered(actor, &self.accounts[n]).await?;
            if actor.role() == Role::Provider {
                let accepted = async { keeper.accept_provider(actor.bookable().await?).await };
                accepted.await.map_err(|error| unregistered(actor, &error))?;
            }
        }
        Ok(())
    }

    /// An LSM for a region that has none on the stage.
    fn warden(&self, region: &str) -> Result<(Actor, Account), RunError> {
        let spec = file::Actor {
            name: Key { span: Span::default(), name: "lsm".to_owned() },
            role: Role::Lsm,
            user: None,
            password: None,
            reconnect: file::Reconnect::default(),
            outbox: false,
            device_of: None,
        };
        let around = Surroundings { trace: None, ..self.around.clone() };
        let warden = Actor::new(&spec, &self.scenario.defaults, &around, 0)?;
        let account = Account {
            email: format!("lsm-of-{region}@example.test"),
            password: uuid::Uuid::new_v4().to_string(),
            fresh: Some(region.to_owned()),
            ..Account::default()
        };
        Ok((warden, account))
    }

    /// What a booking calls a user: somebody on the stage is asked where that is not the same.
    pub(super) async fn bookable(&self, user: UserId) -> Result<UserId, Wrong> {
        let provider = self.actors.iter().find(|actor| actor.user() == Some(user));
        match provider.filter(|_| !self.capabilities.members) {
            Some(provider) => provider
                .bookable()
                .await
                .map_err(|error| Wrong::new("the provider's own id", error.to_string())),
            None => Ok(user),
        }
    }

    /// Messages that a server writes by itself into a chat, such as what was booked: nobody sent
    /// them, and no step waits for them.
    pub(super) async fn know_own_words(&self, actor: &Actor, chat: ChatId) {
        if self.capabilities.seq {
            return;
        }
        // Who cannot read the chat has said so already, or will.
        let found = actor.page(chat, &PageQuery::default()).await.unwrap_or_default();
        let mut notes = self.notes();
        let sent: Vec<MessageId> = notes
            .sent
            .iter()
            .filter_map(|sent| sent.step.as_deref())
            .filter_map(|step| notes.scope.id_of(step))
            .collect();
        let own = found.iter().map(|message| message.id).filter(|id| !sent.contains(id));
        notes.own_words.extend(own);
    }

    /// A history without them.
    pub(super) fn without_own_words(&self, mut reply: Reply) -> Reply {
        let notes = self.notes();
        if let Some(messages) = reply.json["messages"].as_array_mut() {
            messages.retain(|message| {
                let id = message["id"].as_str().and_then(|id| id.parse().ok());
                id.is_none_or(|id| !notes.own_words.contains(&MessageId(id)))
            });
        }
        drop(notes);
        reply
    }

    /// A dispute is only taken of a job that is done: ends it, where the runner knows who does it.
    pub(super) async fn made_disputable(
        &self,
        customer: ActorId,
        chat: Option<ChatId>,
    ) -> Result<(), Wrong> {
        if self.capabilities.dispute_any_time {
            return Ok(());
        }
        let Some(chat) = chat else { return Ok(()) };
        let job = self.notes().jobs.get(&chat).copied();
        let Some((job, provider)) = job else { return Ok(()) };
        let begin = async {
            self.actor(provider).begin_job(job).await?;
            self.actor(customer).begin_job(job).await
        };
        begin.await.map_err(|error| Wrong::new("the job to begin", error.to_string()))?;
        self.know_own_words(self.actor(customer), chat).await;
        let reply = self.actor(provider).complete_job(job).await?;
        match reply.error {
            Some(error) => Err(Wrong::new("the job to be completed first", error.to_string())),
            None => Ok(()),
        }
    }
}

async fn registered(actor: &Actor, account: &Account) -> Result<(), RunError> {
    let made = actor.register(account).await;
    made.map_err(|error| unregistered(actor, &error))
}

fn unregistered(actor: &Actor, error: &trialogue_client::Error) -> RunError {
    RunError::Registration { name: actor.name().to_owned(), why: error.to_string() }
}

/// Events of which a server without codes refuses none aloud (DEPLOYED §3.1).
fn is_quiet(event: &Node) -> bool {
    matches!(text(event), Some("typing" | "mark_read" | "leave_chat"))
}

/// Whether a pattern asks for a notification of a dispute.
fn speaks_of_a_dispute(pattern: Option<&Node>) -> bool {
    let pattern = pattern.map(flow::json).unwrap_or_default();
    pattern["notification"]["type"].as_str().is_some_and(|kind| kind.starts_with("dispute"))
}
