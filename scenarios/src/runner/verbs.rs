//! One step: what its verb does, whether that is what was expected, and what later steps need.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use trialogue_protocol::{ChatId, CreateJob, OpenDispute, UserId};

use super::Failure;
use super::expect::read;
use super::stage::{Count, Sent, Stage};
use crate::actor::{Actor, Reply, Wrong};
use crate::check::Handed;
use crate::file::{ActorId, Step, Verb};
use crate::matching::{matches, quote};
use crate::record::{Entry, What};
use crate::yaml::{Key, Node};

/// What the actors of a step came back with.
pub(super) type Replies = Vec<(ActorId, Reply)>;

impl Stage<'_> {
    /// Does one step, verifies it, remembers what it brought and shows it.
    pub(super) async fn step(&self, step: &Step) -> Result<(), Box<Failure>> {
        let within = step.within.unwrap_or(self.scenario.defaults.within);
        let deadline = Instant::now() + within;
        let sent = self.now();
        let replies = match &step.verb {
            Verb::Parallel(branches) => {
                let ways = branches.iter().map(|branch| self.steps(branch));
                join_all(ways).await.into_iter().collect::<Result<Vec<()>, _>>()?;
                return Ok(());
            }
            Verb::Repeat { times, steps } => {
                for _ in 0..*times {
                    self.steps(steps).await?;
                }
                return Ok(());
            }
            Verb::Act { .. } => Vec::new(),
            Verb::Wait(duration) => {
                tokio::time::sleep(*duration).await;
                Vec::new()
            }
            Verb::Server(verb) => {
                self.notes().server_busy = true;
                let done = self.server.torment(*verb).await;
                done.map_err(|wrong| self.fail(step, wrong, &[]))?;
                Vec::new()
            }
            Verb::Delivered { message, to, via } => {
                let done = self.delivered(message, to, *via, deadline).await;
                done.map_err(|wrong| self.fail(step, wrong, to))?
            }
            _ => self.everybody(step, deadline).await?,
        };
        self.remember(step, sent, &replies);
        self.tell_links();
        self.show(step, &replies);
        if let Verb::Server(_) = step.verb {
            self.notes().server_busy = false;
            self.tell_links();
        }
        Ok(())
    }

    fn fail(&self, step: &Step, wrong: Wrong, concerned: &[ActorId]) -> Box<Failure> {
        Box::new(self.failure(step.span, words(step), wrong, concerned))
    }

    /// All actors of a step at the same time; the first that fails decides.
    async fn everybody(&self, step: &Step, deadline: Instant) -> Result<Replies, Box<Failure>> {
        let ways = step.actors.iter().map(|id| async move {
            let fail = |wrong: Wrong| {
                let who = self.actor(*id).name();
                let got = format!("{who}: {}", wrong.got);
                self.fail(step, Wrong { got, ..wrong }, &[*id])
            };
            let reply = match timeout_at(deadline, self.act(step, *id, deadline)).await {
                Ok(reply) => reply.map_err(fail)?,
                Err(_) => {
                    let got = format!("no answer in time; {}", self.actor(*id).link_words());
                    return Err(fail(Wrong::new("an answer", got)));
                }
            };
            self.expected(step, *id, &reply).map_err(fail)?;
            self.save(step, *id, &reply).map_err(fail)?;
            Ok((*id, reply))
        });
        join_all(ways).await.into_iter().collect()
    }

    /// What the verb does, for one actor.
    async fn act(&self, step: &Step, id: ActorId, deadline: Instant) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        match &step.verb {
            Verb::Login => self.login(id).await,
            Verb::Connect => self.connect(actor, deadline).await,
            Verb::Disconnect => actor.disconnect().await,
            Verb::Http { method, path, json } => {
                let path = self.text(path, id)?;
                let json = json.as_ref().map(|json| self.value(json, id)).transpose()?;
                actor.raw(method.as_str(), &path, json.as_ref()).await
            }
            Verb::Do { name, with } => self.named(actor, id, name, with).await,
            Verb::Emit { event, data } => {
                self.emit(step, id, (event, data.as_ref()), deadline).await
            }
            Verb::Receive { event, pattern, count } => {
                let event = self.text(event, id)?;
                let pattern = self.pattern(pattern.as_ref(), id)?;
                if let Some(range) = *count {
                    let (event, pattern) = (event.clone(), pattern.clone());
                    let count = Count { span: step.span, actor: id, event, pattern, range };
                    self.notes().counts.push(count);
                }
                self.receive(actor, &event, &pattern, deadline).await
            }
            Verb::Never { event, pattern, during } => {
                let event = self.text(event, id)?;
                let pattern = self.pattern(pattern.as_ref(), id)?;
                self.never(actor, &event, &pattern, *during).await
            }
            Verb::Join(chat) => {
                let chat = self.chat(chat, id)?;
                let reply = actor.join(chat, deadline).await?;
                if reply.error.is_none() {
                    self.notes().members.entry(chat).or_default().insert(id);
                }
                Ok(reply)
            }
            Verb::Leave(chat) => actor.leave(self.chat(chat, id)?, deadline).await,
            Verb::History(chat) => {
                actor.history(self.chat(chat, id)?).await.map(|reply| self.without_own_words(reply))
            }
            Verb::Send { chat, text } => self.send(step, id, chat, text, deadline).await,
            Verb::State { state, attempts } => self.state(actor, *state, *attempts, deadline).await,
            Verb::Reconnected { failed_attempts, rejoined } => {
                let chats = rejoined.iter().map(|chat| self.chat(chat, id));
                let chats = chats.collect::<Result<Vec<_>, _>>()?;
                self.reconnected(actor, *failed_attempts, &chats, deadline).await
            }
            Verb::Network(network) => {
                let sent = self.now();
                self.lines.change(id, network)?;
                Ok(Reply { sent, at: self.now(), ..Reply::default() })
            }
            Verb::Act { .. }
            | Verb::Delivered { .. }
            | Verb::Server(_)
            | Verb::Wait(_)
            | Verb::Parallel(_)
            | Verb::Repeat { .. } => Ok(Reply::default()),
        }
    }

    async fn login(&self, id: ActorId) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        let reply = actor.login(&self.accounts[id.0]).await?;
        if let Some(user) = actor.user() {
            self.notes().scope.set_of(actor.name(), "userId", json!(user));
        }
        Ok(reply)
    }

    async fn connect(&self, actor: &Actor, deadline: Instant) -> Result<Reply, Wrong> {
        let reply = actor.connect(deadline).await?;
        let (user, said) = (json!(actor.user()), &reply.json["userId"]);
        if user != *said {
            return Err(Wrong::new(format!("`connected` as user {user}"), format!("user {said}")));
        }
        Ok(reply)
    }

    /// A named request of the target.
    async fn named(
        &self,
        actor: &Actor,
        id: ActorId,
        name: &Key,
        with: &[(Key, Node)],
    ) -> Result<Reply, Wrong> {
        let argument = |name: &str| {
            let found = with.iter().find(|(key, _)| key.name == name);
            let missing = || Wrong::new(format!("`with: {{ {name}: … }}`"), "nothing");
            found.ok_or_else(missing).and_then(|(_, node)| self.value(node, id))
        };
        match name.name.as_str() {
            "book" => {
                let provider = self.person(&argument("provider")?)?;
                let provider_id = self.bookable(provider).await?;
                let title = with.iter().any(|(key, _)| key.name == "title");
                let title = title.then(|| argument("title")).transpose()?;
                let job = CreateJob {
                    provider_id,
                    title: title.as_ref().and_then(Value::as_str).map(ToOwned::to_owned),
                    description: None,
                    location: None,
                    scheduled_at: None,
                    budget: None,
                };
                let reply = actor.book(&job).await?;
                self.booked(actor, id, provider, &reply).await?;
                Ok(reply)
            }
            "dispute" => {
                let dispute = OpenDispute {
                    chat_id: Some(read(&argument("chat")?, "chat")?),
                    job_id: None,
                    description: argument("reason")?.as_str().unwrap_or_default().to_owned(),
                };
                self.made_disputable(id, dispute.chat_id).await?;
                actor.dispute(&dispute).await
            }
            "enter_dispute" => actor.enter_dispute(read(&argument("dispute")?, "dispute")?).await,
            other => Err(Wrong::new("one of book, dispute, enter_dispute", format!("`{other}`"))),
        }
    }

    /// A booking is believed when its chat can be read and both are in it.
    async fn booked(
        &self,
        actor: &Actor,
        id: ActorId,
        provider: UserId,
        reply: &Reply,
    ) -> Result<(), Wrong> {
        if reply.error.is_some() {
            return Ok(());
        }
        let chat: ChatId = read(&reply.json["chat"], "chatId")?;
        let seen = actor.read_chat(chat).await?;
        for user in [actor.user(), Some(provider)].into_iter().filter(|_| self.capabilities.members)
        {
            let member = json!({"members": {"contains": [{"userId": user}]}});
            matches(&member, &seen.json)
                .map_err(|wrong| Wrong::new("both in the new chat", wrong.to_string()))?;
        }
        self.know_own_words(actor, chat).await;
        let mut notes = self.notes();
        let members = notes.members.entry(chat).or_default();
        members.insert(id);
        let provider = self.actors.iter().position(|actor| actor.user() == Some(provider));
        members.extend(provider.map(ActorId));
        if let (Ok(job), Some(provider)) = (read(&reply.json["job"], "job"), provider) {
            notes.jobs.insert(chat, (job, ActorId(provider)));
        }
        Ok(())
    }

    async fn send(
        &self,
        step: &Step,
        id: ActorId,
        chat: &Node,
        text: &Node,
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let (chat, text) = (self.chat(chat, id)?, self.text(text, id)?);
        let (own, reply) = self.actor(id).send(chat, &text, deadline).await?;
        let step = step.id.as_ref().map(|id| id.name.clone());
        let mut notes = self.notes();
        if reply.error.is_none() {
            notes.handed.push(Handed { actor: id, chat, id: Some(own.clone()), text });
        }
        if let (Some(step), Some(fields)) = (&step, reply.json.as_object()) {
            for (name, value) in fields {
                notes.scope.set_of(step, name, value.clone());
            }
        }
        notes.sent.push(Sent { step, actor: id, chat, id: own, at: reply.sent });
        Ok(reply)
    }

    /// A message that the server took from a bare event; a repeat is the one that it repeats.
    pub(super) fn handed(&self, actor: ActorId, data: &Value) {
        let Ok(chat) = read(&data["chatId"], "chat") else { return };
        let id = data["clientMessageId"].as_str().and_then(|id| id.parse().ok());
        let text = data["message"].as_str().unwrap_or_default().to_owned();
        let handed = Handed { actor, chat, id, text };
        let known = &mut self.notes().handed;
        if handed.id.is_none() || !known.contains(&handed) {
            known.push(handed);
        }
    }

    async fn receive(
        &self,
        actor: &Actor,
        event: &str,
        pattern: &Value,
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        let look = || actor.inbox().with(|entries| take(entries, event, pattern));
        match self.around.bell.wait(deadline, look).await {
            Some((at, json)) => Ok(Reply { sent, at, json, ..Reply::default() }),
            None => {
                let expected = format!("`{event}` with {}", quote(pattern));
                Err(Wrong::new(expected, nearest_miss(actor, event, pattern)))
            }
        }
    }

    async fn never(
        &self,
        actor: &Actor,
        event: &str,
        pattern: &Value,
        during: Duration,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        let from = actor.inbox().len();
        let look = || {
            actor.inbox().with(|entries| {
                let came = entries.iter().skip(from).find(|entry| is_event(entry, event, pattern));
                came.map(ToString::to_string)
            })
        };
        match self.around.bell.wait(Instant::now() + during, look).await {
            None => Ok(Reply { sent, at: self.now(), ..Reply::default() }),
            Some(came) => Err(Wrong::new(format!("no `{event}` during {during:?}"), came)),
        }
    }
}

fn is_event(entry: &Entry, event: &str, pattern: &Value) -> bool {
    match &entry.what {
        What::Event { name, data } => name == event && matches(pattern, data).is_ok(),
        _ => false,
    }
}

/// The first event that fits and that nobody has had yet.
fn take(entries: &mut [Entry], event: &str, pattern: &Value) -> Option<(Duration, Value)> {
    let entry = entries.iter_mut().find(|entry| !entry.taken && is_event(entry, event, pattern))?;
    entry.taken = true;
    match &entry.what {
        What::Event { data, .. } => Some((entry.at, data.clone())),
        _ => None,
    }
}

fn nearest_miss(actor: &Actor, event: &str, pattern: &Value) -> String {
    // Before the inbox is looked at: it is locked meanwhile.
    let link = actor.link_words();
    actor.inbox().with(|entries| {
        let misses = entries.iter().filter_map(|entry| match &entry.what {
            What::Event { name, data } if name == event => {
                matches(pattern, data).err().map(|wrong| (wrong.matched, wrong, entry.at))
            }
            _ => None,
        });
        match misses.max_by_key(|(matched, ..)| *matched) {
            Some((_, wrong, at)) => {
                format!("nothing that fits; the nearest came at {:.3}s: {wrong}", at.as_secs_f64())
            }
            None => format!("no `{event}` at all; {link}"),
        }
    })
}

/// A step in a few words.
fn words(step: &Step) -> String {
    let verb = match &step.verb {
        Verb::Act { .. } => "act",
        Verb::Login => "login",
        Verb::Connect => "connect",
        Verb::Disconnect => "disconnect",
        Verb::Http { method, .. } => method.as_str(),
        Verb::Do { name, .. } => &name.name,
        Verb::Emit { .. } => "emit",
        Verb::Receive { .. } => "receive",
        Verb::Never { .. } => "never",
        Verb::Join(_) => "join",
        Verb::Leave(_) => "leave",
        Verb::Send { .. } => "send",
        Verb::History(_) => "history",
        Verb::Delivered { .. } => "delivered",
        Verb::State { .. } => "state",
        Verb::Reconnected { .. } => "reconnected",
        Verb::Server(_) => "server",
        Verb::Network(_) => "network",
        Verb::Wait(_) => "wait",
        Verb::Parallel(_) => "parallel",
        Verb::Repeat { .. } => "repeat",
    };
    step.id.as_ref().map_or_else(|| verb.to_owned(), |id| format!("{verb} ({})", id.name))
}
