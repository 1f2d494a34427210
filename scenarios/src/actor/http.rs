//! What an actor does over HTTP.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trialogue_client::Error;
use trialogue_protocol::{
    ChatId, CreateJob, DisputeId, JobId, Login, Message, OpenDispute, PageQuery, Register,
    ResolveDispute, Role, UserId,
};

use super::{Account, Actor, Reply, Wrong};
use crate::record::{HttpExchange, What};

impl Actor {
    /// Registers first where the account is a fresh one. `json` is `{user}`.
    pub async fn login(&self, account: &Account) -> Result<Reply, Wrong> {
        self.over_http(async || {
            self.register(account).await.map_err(|error| match error {
                Error::Refused(mut refusal) if self.role == Role::Lsm => {
                    refusal.message += "; an LSM registers only where registration is open: \
                                        give the actor a `user` and a `password`";
                    Error::Refused(refusal)
                }
                other => other,
            })?;
            let (email, password) = (account.email.clone(), account.password.clone());
            let session = self.rest.login(&Login { email, password }).await?;
            self.lock().user = Some(session.user.clone());
            self.signed_in().await;
            Ok(json!({ "user": session.user }))
        })
        .await
    }

    /// Makes the account where it is a fresh one, once for all its devices.
    pub async fn register(&self, account: &Account) -> Result<(), Error> {
        let Some(region) = &account.fresh else { return Ok(()) };
        let registration = self.registration(account, region);
        let register = async || self.rest.register(&registration).await.map(drop);
        account.registered.get_or_try_init(register).await.map(|_| ())
    }

    /// What a booking calls this provider. Asked once: it stays.
    pub async fn bookable(&self) -> Result<UserId, Error> {
        let known = self.lock().bookable;
        if let Some(known) = known {
            return Ok(known);
        }
        let id = self.rest.bookable().await?;
        self.lock().bookable = Some(id);
        Ok(id)
    }

    /// Lets a provider be booked, as the LSM of its region.
    pub async fn accept_provider(&self, bookable: UserId) -> Result<(), Error> {
        self.rest.accept_provider(bookable).await
    }

    /// Says what has to be said before a job can be completed.
    pub async fn begin_job(&self, job: JobId) -> Result<(), Error> {
        self.rest.begin_job(job).await
    }

    fn registration(&self, account: &Account, region: &str) -> Register {
        let mut first_name = self.name.clone();
        if let Some(initial) = first_name.get_mut(..1) {
            initial.make_ascii_uppercase();
        }
        let works_somewhere = self.role != Role::Customer;
        Register {
            email: account.email.clone(),
            password: account.password.clone(),
            first_name,
            last_name: "Example".to_owned(),
            role: self.role,
            region: works_somewhere.then(|| region.to_owned()),
            business_name: (self.role == Role::Provider).then(|| "Example Ltd".to_owned()),
        }
    }

    /// A raw request.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        json: Option<&Value>,
    ) -> Result<Reply, Wrong> {
        headers.iter().for_each(|(name, value)| self.secrets.learn_header(name, value));
        let mut reply = self
            .over_http(async || {
                self.rest.raw_with(method, path, headers, json).await.map(|(_, json)| json)
            })
            .await?;
        if reply.status.is_some_and(|status| status >= 400) {
            let (code, message) = (&reply.json["error"], &reply.json["message"]);
            reply.error = Some(json!({"code": code, "message": message}));
        }
        Ok(reply)
    }

    /// The whole history of a chat.
    pub async fn history(&self, chat: ChatId) -> Result<Reply, Wrong> {
        let everything = PageQuery::default();
        self.over_http(async || self.rest.messages(chat, &everything).await.map(|page| json!(page)))
            .await
    }

    /// Messages of a chat.
    pub async fn page(&self, chat: ChatId, page: &PageQuery) -> Result<Vec<Message>, Error> {
        self.rest.messages(chat, page).await.map(|page| page.messages)
    }

    /// Books a job. `json` is the answer with `job` and `chat` as ids.
    pub async fn book(&self, job: &CreateJob) -> Result<Reply, Wrong> {
        let mut reply = self
            .over_http(async || self.rest.create_job(job, None).await.map(|made| json!(made)))
            .await?;
        let (job, chat) = (reply.json["jobId"].take(), reply.json["chatId"].take());
        if reply.error.is_none() {
            reply.json = json!({ "job": job, "chat": chat });
        }
        Ok(reply)
    }

    /// Reads a chat: whether it is really there.
    pub async fn read_chat(&self, chat: ChatId) -> Result<Reply, Wrong> {
        self.over_http(async || self.rest.chat(chat).await.map(|chat| json!(chat))).await
    }

    /// Who is in a chat, as the server lists them; nothing when it cannot be asked.
    pub async fn members_of(&self, chat: ChatId) -> Option<BTreeSet<UserId>> {
        let chat = json!(self.rest.chat(chat).await.ok()?);
        let members = chat["members"].as_array()?;
        members.iter().map(|one| serde_json::from_value(one["userId"].clone()).ok()).collect()
    }

    /// Asks the LSM in. `json` is `{dispute, lsmInvited, lsm}`.
    pub async fn dispute(&self, dispute: &OpenDispute) -> Result<Reply, Wrong> {
        self.over_http(async || {
            let opened = self.rest.open_dispute(dispute).await?;
            Ok(json!({
                "dispute": opened.dispute_id,
                "lsmInvited": opened.lsm_invited,
                "lsm": opened.lsm,
            }))
        })
        .await
    }

    /// Settles a dispute. `json` is `{dispute, status}`.
    pub async fn resolve_dispute(
        &self,
        dispute: DisputeId,
        resolution: String,
    ) -> Result<Reply, Wrong> {
        self.over_http(async || {
            let body = ResolveDispute { resolution };
            let dispute = self.rest.resolve_dispute(dispute, &body).await?;
            Ok(json!({ "dispute": dispute.id, "status": dispute.status }))
        })
        .await
    }

    /// Says that the job is done. `json` is empty.
    pub async fn complete_job(&self, job: JobId) -> Result<Reply, Wrong> {
        self.over_http(async || self.rest.complete_job(job).await.map(|()| json!({}))).await
    }

    /// Calls the job off. `json` is empty.
    pub async fn cancel_job(&self, job: JobId) -> Result<Reply, Wrong> {
        self.over_http(async || self.rest.cancel_job(job).await.map(|()| json!({}))).await
    }

    /// Accepts the invitation. `json` is `{chat}`.
    pub async fn enter_dispute(&self, dispute: DisputeId) -> Result<Reply, Wrong> {
        self.over_http(async || {
            self.rest.join_dispute(dispute).await.map(|chat| json!({ "chat": chat }))
        })
        .await
    }

    /// Does something over HTTP; the status is that of its last exchange.
    async fn over_http(
        &self,
        ask: impl AsyncFnOnce() -> Result<Value, Error>,
    ) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let answer = ask().await;
        let at = self.clock.now();
        let exchanges: Vec<HttpExchange> = self.inbox.with(|entries| {
            let http = entries.iter_mut().skip(from).filter_map(|entry| match &entry.what {
                What::Http(exchange) => {
                    // The step judges it.
                    entry.taken = true;
                    Some(exchange.clone())
                }
                _ => None,
            });
            http.collect()
        });
        let status = exchanges.last().and_then(|exchange| exchange.status);
        let mut reply = Reply { sent, at, status, exchanges, ..Reply::default() };
        match answer {
            Ok(json) => reply.json = json,
            Err(Error::Refused(refusal)) => {
                reply.json =
                    reply.exchanges.last().map(|last| last.json.clone()).unwrap_or_default();
                let mut error = json!({"code": refusal.code, "message": refusal.message});
                if let Some(after) = refusal.retry_after {
                    error["retryAfterMs"] =
                        json!(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                }
                reply.error = Some(error);
            }
            Err(error) => return Err(Wrong::new("an answer over HTTP", error.to_string())),
        }
        Ok(reply)
    }
}
