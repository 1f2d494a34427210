//! What an actor does over its socket.

use serde_json::{Value, json};
use tokio::time::Instant;
use trialogue_client::{Begin, Error, Outcome};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageType};
use uuid::Uuid;

use super::seen::{joined_since, outcome_of, sent_json, take_outcome};
use super::{ANSWER_TIMEOUT, Actor, Reply, Wrong};
use crate::record::{Entry, Told, What};

impl Actor {
    /// Says good-bye and stays away.
    pub async fn disconnect(&self) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        self.lock().wants_a_link = false;
        let stopped = self.session()?.stop().await;
        stopped.map_err(|error| Wrong::new("to disconnect", error.to_string()))?;
        // Until it is known, it would seem to be up to whoever connects again.
        let gone = || self.inbox.with(|entries| !self.is_in(entries)).then_some(());
        _ = self.bell.wait(Instant::now() + ANSWER_TIMEOUT, gone).await;
        Ok(Reply { sent, at: self.clock.now(), ..Reply::default() })
    }

    /// Enters a chat and catches up. `json` is `{chatId, lastSeq, members}`.
    pub async fn join(&self, chat: ChatId, deadline: Instant) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let begin = Begin::After { seq: 0, epoch: None };
        // Its author has decided already, also for an LSM that is invited.
        let joined = self.session()?.accept(chat, begin).await;
        joined.map_err(|error| Wrong::new("to join", error.to_string()))?;
        let look = || self.inbox.with(|entries| joined_since(entries, from, chat));
        match self.bell.wait(deadline, look).await {
            Some(Ok((at, json))) => Ok(Reply { sent, at, json, ..Reply::default() }),
            Some(Err(Error::Refused(refusal))) => {
                let error = Some(json!({"code": refusal.code, "message": refusal.message}));
                Ok(Reply { sent, at: self.clock.now(), error, ..Reply::default() })
            }
            Some(Err(error)) => Err(Wrong::new("`joined_chat`", error.to_string())),
            None => Err(Wrong::late(format!("`joined_chat` of {chat}"), self.link_words())),
        }
    }

    /// Leaves a chat, and waits for `left_chat`.
    pub async fn leave(&self, chat: ChatId, deadline: Instant) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let left = self.session()?.leave(chat).await;
        left.map_err(|error| Wrong::new("to leave", error.to_string()))?;
        let is_it = |entry: &Entry| match &entry.what {
            What::Event { name, data } if name == "left_chat" => {
                (data["chatId"] == json!(chat)).then(|| (entry.at, data.clone()))
            }
            _ => None,
        };
        let look = || self.inbox.with(|entries| entries.iter().skip(from).find_map(is_it));
        match self.bell.wait(deadline, look).await {
            Some((at, json)) => Ok(Reply { sent, at, json, ..Reply::default() }),
            None => Err(Wrong::late(format!("`left_chat` of {chat}"), self.link_words())),
        }
    }

    /// Hands a message over and waits until it is stored, or only queued while there is no
    /// connection. `json` is `{clientMessageId, status}` and, once stored, `{id, seq, message}`.
    pub async fn send(
        &self,
        chat: ChatId,
        text: &str,
        deadline: Instant,
    ) -> Result<(ClientMessageId, Reply), Wrong> {
        let session = self.session()?;
        let online = self.is_online();
        if !online && !self.outbox {
            return Err(Wrong::new("a connection (the actor has no `outbox`)", self.link_words()));
        }
        let sent = self.clock.now();
        let id = ClientMessageId::from(Uuid::now_v7());
        let (own, said) = (Some(id.clone()), text.to_owned());
        self.inbox.push(What::Sent { chat, id: own, text: said });
        let queued = session.send_as(id.clone(), chat, text, MessageType::Text).await;
        queued.map_err(|error| Wrong::new("to queue the message", error.to_string()))?;
        let look = || {
            self.inbox.with(|entries| {
                let outcome = outcome_of(entries, &id)?;
                // A connection that is lost while it waits is known to be lost only now.
                let is_over = outcome.1.is_final() || (self.outbox && !self.is_in(entries));
                let (at, outcome) = is_over.then(|| (outcome.0, outcome.1.clone()))?;
                take_outcome(entries, &id);
                Some((at, outcome))
            })
        };
        let mut reply = Reply { sent, ..Reply::default() };
        match self.bell.wait(deadline, look).await {
            Some((
                at,
                Outcome::Refused(refusal) | Outcome::Conflict(refusal) | Outcome::Unknown(refusal),
            )) => {
                reply.at = at;
                reply.error = Some(json!({"code": refusal.code, "message": refusal.message}));
            }
            Some((at, outcome)) => {
                reply.at = at;
                reply.json = sent_json(&id, &outcome);
            }
            None => return Err(Wrong::late("the message stored", self.outcome_words(&id))),
        }
        Ok((id, reply))
    }

    fn outcome_words(&self, id: &ClientMessageId) -> String {
        let last = self.inbox.with(|entries| {
            entries
                .iter()
                .rfind(|entry| matches!(&entry.what, What::Outcome { id: own, .. } if own == id))
                .map(ToString::to_string)
        });
        let last = last.unwrap_or_else(|| "nothing was told of it".to_owned());
        format!("{}; {}", last.trim(), self.link_words())
    }

    /// Emits an event. With `acked` it waits for the acknowledgement, which is `json`.
    pub async fn emit(&self, event: &str, data: &Value, acked: bool) -> Result<Reply, Wrong> {
        self.secrets.learn(data);
        let said = (event == "send_message").then(|| self.says(data)).flatten();
        let sent = self.clock.now();
        let session = self.session()?;
        if !acked {
            let emitted = session.emit(event, &data.to_string()).await;
            emitted.map_err(|error| Wrong::new(format!("`{event}` emitted"), error.to_string()))?;
            return Ok(Reply { sent, at: self.clock.now(), ..Reply::default() });
        }
        let answer = session.request(event, &data.to_string()).await;
        let at = self.clock.now();
        let answer = answer.map(|args| args.get::<Value>(0).unwrap_or_default());
        answer.iter().for_each(|json| self.secrets.learn(json));
        if let Some((chat, id, text)) = said {
            let told = match &answer {
                Ok(json) if json["ok"] == json!(false) => Told::Refused,
                Ok(json) => match serde_json::from_value::<Message>(json["message"].clone()) {
                    Ok(message) => Told::Stored(message),
                    Err(_) => Told::Nothing,
                },
                Err(_) => Told::Nothing,
            };
            self.inbox.push(What::Told { chat, id, text, told });
        }
        match answer {
            Ok(json) => {
                let error = json.get("error").filter(|_| json["ok"] == json!(false)).cloned();
                Ok(Reply { sent, at, json, error, ..Reply::default() })
            }
            Err(error) => {
                Err(Wrong::late(format!("an acknowledgement of `{event}`"), error.to_string()))
            }
        }
    }

    /// A message that leaves as a bare event, for the checks.
    pub(super) fn says(&self, data: &Value) -> Option<(ChatId, Option<ClientMessageId>, String)> {
        let chat: ChatId = serde_json::from_value(data["chatId"].clone()).ok()?;
        let id = data["clientMessageId"].as_str().and_then(|id| id.parse().ok());
        let text = data["message"].as_str().unwrap_or_default().to_owned();
        self.inbox.push(What::Sent { chat, id: id.clone(), text: text.clone() });
        Some((chat, id, text))
    }
}
