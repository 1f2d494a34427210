//! One step: what its verb does, whether that is what was expected, and what later steps need.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::Failure;
use super::failing::asked;
use super::stage::{Count, Sent, Stage};
use crate::actor::{Actor, Reply, Wrong};
use crate::file::{ActorId, ServerVerb, Step, Verb, Via};
use crate::yaml::{Key, Node};

/// Log-ins of one step at the same time: each is two passwords that a server checks slowly.
const LOGINS_AT_ONCE: usize = 4;

/// Most actors whose own reasons a failure tells.
const WRONG_TOLD_MAX: usize = 3;

/// What the actors of a step came back with.
pub(super) type Replies = Vec<(ActorId, Reply)>;

impl Stage<'_> {
    /// Does one step, verifies it, remembers what it brought and shows it. Answers why a part of
    /// what it expects could not be compared.
    pub(super) async fn step(&self, step: &Step) -> Result<Option<&'static str>, Vec<Failure>> {
        let within = step.within.unwrap_or(self.scenario.defaults.within);
        let deadline = Instant::now() + within;
        let sent = self.now();
        let fail = |wrong, concerned: &[ActorId]| vec![self.fail(step, wrong, concerned)];
        let replies = match &step.verb {
            Verb::Act { .. } => Vec::new(),
            Verb::Wait(duration) => {
                tokio::time::sleep(*duration).await;
                Vec::new()
            }
            Verb::Barrier { name, parallel } => {
                let done = self.barrier(name, *parallel, deadline).await;
                match done.map_err(|wrong| fail(wrong, &[]))? {
                    Some(_) => Vec::new(),
                    // Told by the branch that failed.
                    None => return Err(Vec::new()),
                }
            }
            Verb::Server(verb) => {
                self.notes().server_busy = true;
                if matches!(verb, ServerVerb::Kill | ServerVerb::Stop | ServerVerb::Restart) {
                    self.actors.iter().for_each(|actor| self.begin_loss(actor));
                }
                let done = self.server.torment(*verb).await;
                done.map_err(|wrong| fail(wrong, &[]))?;
                Vec::new()
            }
            Verb::Database(verb) => {
                self.server.torment_database(*verb).await.map_err(|wrong| fail(wrong, &[]))?;
                Vec::new()
            }
            Verb::Delivered { message, to, via } => {
                let done = self.delivered(message, to, self.via(*via), deadline).await;
                done.map_err(|(wrong, lacking)| fail(wrong, &lacking))?
            }
            _ => self.everybody(step, deadline).await.map_err(|failure| vec![*failure])?,
        };
        self.remember(step, sent, &replies);
        self.tell_links();
        self.show(step, sent, &replies);
        if let Verb::Server(_) = step.verb {
            self.notes().server_busy = false;
            self.tell_links();
        }
        Ok(replies.iter().find_map(|(_, reply)| reply.uncompared))
    }

    /// A crash between a message and its delivery is what the sweep is for.
    pub(super) fn via(&self, asked: Via) -> Via {
        if self.crash_at.is_some() { Via::Either } else { asked }
    }

    /// All actors of a step at the same time; all at whom it does not hold are told.
    async fn everybody(&self, step: &Step, deadline: Instant) -> Result<Replies, Box<Failure>> {
        let waited = self.notes().waited;
        let ways = step.actors.iter().map(|id| async move {
            let fail = |wrong: Wrong| (*id, wrong);
            let act = async {
                match step.verb {
                    // Told to come back later, it does: its tries have bounds of their own.
                    Verb::Login => Ok(self.login(step, *id, deadline, waited).await),
                    _ => timeout_at(deadline, self.act(step, *id, deadline)).await,
                }
            };
            let mut reply = match act.await {
                Ok(reply) => reply.map_err(fail)?,
                Err(_) => {
                    let link = self.actor(*id).link_words();
                    let got = format!("no answer in time to {}; {link}", asked(step));
                    return Err(fail(Wrong::late("an answer", got)));
                }
            };
            reply.uncompared = self.expected(step, *id, &reply).map_err(fail)?;
            self.save(step, *id, &reply).map_err(fail)?;
            Ok((*id, reply))
        });
        // Passwords are checked a few at a time, as the server would have it.
        let at_once = match step.verb {
            Verb::Login => LOGINS_AT_ONCE,
            _ => step.actors.len().max(1),
        };
        let ways = stream::iter(ways).buffered(at_once);
        let ended: Vec<Result<(ActorId, Reply), (ActorId, Wrong)>> = ways.collect().await;
        let (held, wrong): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
        let held: Replies = held.into_iter().filter_map(Result::ok).collect();
        let wrong: Vec<(ActorId, Wrong)> = wrong.into_iter().filter_map(Result::err).collect();
        let Some((_, first)) = wrong.first() else { return Ok(held) };
        let got = wrong
            .iter()
            .take(WRONG_TOLD_MAX)
            .map(|(id, wrong)| format!("{}: {}", self.actor(*id).name(), wrong.got));
        let mut got = got.collect::<Vec<_>>().join("; ");
        if wrong.len() > WRONG_TOLD_MAX {
            got += &format!("; and {} more", wrong.len() - WRONG_TOLD_MAX);
        }
        let who: Vec<ActorId> = wrong.iter().map(|(id, _)| *id).collect();
        if let Verb::Receive { event, .. } = &step.verb {
            self.show_received(event, &held);
        }
        Err(Box::new(self.fail(step, Wrong { got, ..first.clone() }, &who)))
    }

    /// What the verb does, for one actor.
    async fn act(&self, step: &Step, id: ActorId, deadline: Instant) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        match &step.verb {
            Verb::Connect => self.connect(actor, deadline).await,
            Verb::Disconnect => actor.disconnect().await,
            Verb::Http { method, path, query, headers, json } => {
                let path = self.path(path, query, id)?;
                let headers = self.texts(headers, id)?;
                let json = json.as_ref().map(|json| self.value(json, id)).transpose()?;
                actor.raw(method.as_str(), &path, &headers, json.as_ref()).await
            }
            Verb::Do { name, with } => self.named(actor, id, name, with).await,
            Verb::Emit { event, data, acked } => {
                self.emit(step, id, (event, data.as_ref(), *acked), deadline).await
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
                self.never(id, &event, &pattern, *during).await
            }
            Verb::Join(chat) => {
                let chat = self.chat(chat, id)?;
                let reply = actor.join(chat, deadline).await?;
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
            Verb::Exec { command, env } => self.exec(id, command, env, deadline).await,
            Verb::Token(verb) => actor.token(*verb, self.token_secret.as_deref()).await,
            Verb::Network(network) => {
                let sent = self.now();
                if network.cut.is_some() {
                    self.begin_loss(actor);
                }
                self.lines.change(id, network)?;
                Ok(Reply { sent, at: self.now(), ..Reply::default() })
            }
            // Done for nobody in particular.
            _ => Ok(Reply::default()),
        }
    }

    fn path(&self, path: &Node, query: &[(Key, Node)], id: ActorId) -> Result<String, Wrong> {
        let mut path = self.text(path, id)?;
        if !query.is_empty() {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            for (key, node) in query {
                pairs.append_pair(&key.name, &self.text(node, id)?);
            }
            path.push(if path.contains('?') { '&' } else { '?' });
            path += &pairs.finish();
        }
        Ok(path)
    }

    async fn connect(&self, actor: &Actor, deadline: Instant) -> Result<Reply, Wrong> {
        let reply = actor.connect(deadline).await?;
        let (user, said) = (json!(actor.user()), &reply.json["userId"]);
        if user != *said {
            return Err(Wrong::new(format!("`connected` as user {user}"), format!("user {said}")));
        }
        Ok(reply)
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
        if let (Some(step), Some(fields)) = (&step, reply.json.as_object()) {
            for (name, value) in fields {
                notes.scope.set_of(step, name, value.clone());
            }
        }
        notes.sent.push(Sent { step, actor: id, id: own, at: reply.sent });
        Ok(reply)
    }
}
