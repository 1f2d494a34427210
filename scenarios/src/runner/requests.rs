//! Named requests of the target, each with one shape of answer whatever the server says.

use serde_json::{Value, json};
use trialogue_protocol::{ChatId, CreateJob, OpenDispute, UserId};

use super::expect::read;
use super::stage::Stage;
use crate::actor::{Actor, Reply, Wrong};
use crate::file::ActorId;
use crate::matching::matches;
use crate::yaml::{Key, Node};

impl Stage<'_> {
    /// A named request of the target.
    pub(super) async fn named(
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
                self.booked(actor, provider, &reply).await?;
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
            "resolve_dispute" => {
                let resolution = argument("resolution")?.as_str().unwrap_or_default().to_owned();
                actor.resolve_dispute(read(&argument("dispute")?, "dispute")?, resolution).await
            }
            "complete_job" => actor.complete_job(read(&argument("job")?, "job")?).await,
            "cancel_job" => actor.cancel_job(read(&argument("job")?, "job")?).await,
            other => Err(Wrong::new("a request of the target", format!("`{other}`"))),
        }
    }

    /// A booking is believed when its chat can be read and both are in it.
    async fn booked(&self, actor: &Actor, provider: UserId, reply: &Reply) -> Result<(), Wrong> {
        if reply.error.is_some() {
            return Ok(());
        }
        let chat: ChatId = read(&reply.json["chat"], "chatId")?;
        let seen = actor.read_chat(chat).await?;
        let listed = [actor.user(), Some(provider)].into_iter();
        for user in listed.filter(|_| self.capabilities.members) {
            let member = json!({"members": {"contains": [{"userId": user}]}});
            matches(&member, &seen.json)
                .map_err(|wrong| Wrong::new("both in the new chat", wrong.to_string()))?;
        }
        self.know_own_words(actor, chat).await;
        let worker = self.actors.iter().position(|actor| actor.user() == Some(provider));
        let mut notes = self.notes();
        notes.chats.insert(chat);
        if let (Ok(job), Some(worker)) = (read(&reply.json["job"], "job"), worker) {
            notes.jobs.insert(chat, (job, ActorId(worker)));
        }
        Ok(())
    }
}
