//! The people of `interop_stm`, and waiting for what their sessions tell.

pub(crate) mod quirks;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use trialogue_client::rest::ProviderQuery;
use trialogue_client::time::Backoff;
use trialogue_client::{
    Begin, Credentials, Dialect, Http, HttpConfig, Outcome, Rest, Session, SessionConfig,
    SessionHandle, Update, backup,
};
use trialogue_protocol::{
    ChatId, ClientMessageId, JobId, Login, MessageId, Register, Role, UserId,
};

/// Longest wait for anything: a message that vanishes is missed for twelve seconds.
const SOON: Duration = Duration::from_secs(40);

/// A customer, a provider and an LSM, with a job between them.
pub(crate) struct Stage {
    pub(crate) customer: Rest,
    pub(crate) provider: Rest,
    pub(crate) lsm: Rest,
    /// The provider's profile: what a booking takes.
    pub(crate) profile: UserId,
    pub(crate) job: JobId,
    pub(crate) chat: ChatId,
}

pub(crate) fn rest(url: &str) -> Rest {
    let http = Http::new(HttpConfig::new(url.parse().unwrap())).unwrap();
    Rest::new(http, Dialect::Stm, Credentials::default())
}

async fn register(rest: &Rest, name: &str, role: Role) {
    let body = person(name, role, "NY");
    rest.register(&body).await.unwrap();
    let login = Login { email: body.email, password: body.password };
    rest.login(&login).await.unwrap();
}

/// What somebody says who registers.
pub(crate) fn person(name: &str, role: Role, region: &str) -> Register {
    Register {
        email: format!("{name}@example.test"),
        password: "demo-password".to_owned(),
        first_name: name.to_owned(),
        last_name: "Example".to_owned(),
        role,
        region: Some(region.to_owned()),
        business_name: None,
    }
}

impl Stage {
    /// Registers everybody one by one, opens the provider's shop, and books.
    pub(crate) async fn set(url: &str) -> Self {
        let (customer, provider, lsm) = (rest(url), rest(url), rest(url));
        customer.health().await.unwrap();
        register(&lsm, "lena", Role::Lsm).await;
        // A shop needs a trade and ZIP codes, which our own registration does not know.
        let shop = json!({"email": "ravi@example.test", "password": "demo-password",
            "firstName": "Ravi", "lastName": "Example", "phoneNumber": "555-555-0101",
            "role": "PROVIDER", "state": "NY", "zipCodes": ["10001"],
            "serviceType": "Plumbing", "businessName": "Pipes"});
        let made = provider.raw("POST", "/auth/register", Some(&shop)).await.unwrap();
        assert_eq!(made.0, 201, "{}", made.1);
        let (email, password) = ("ravi@example.test".to_owned(), "demo-password".to_owned());
        provider.login(&Login { email, password }).await.unwrap();
        let (_, own) = provider.raw("GET", "/auth/profile", None).await.unwrap();
        let profile = UserId(own["roleData"]["id"].as_i64().unwrap());
        let active = json!({"status": "active"});
        let path = format!("/lsm/providers/{profile}/set-status");
        assert_eq!(lsm.raw("POST", &path, Some(&active)).await.unwrap().0, 200);
        register(&customer, "amna", Role::Customer).await;
        let offered = customer.providers(&ProviderQuery::default()).await.unwrap().providers;
        assert_eq!(offered.len(), 1);
        let made = customer.create_job(&super::sink(offered[0].id), None).await.unwrap();
        let (job, chat) = (made.job_id, made.chat_id);
        Self { customer, provider, lsm, profile, job, chat }
    }

    pub(crate) async fn amna(&self) -> Voice {
        Voice::ready(&self.customer).await
    }

    pub(crate) async fn ravi(&self) -> Voice {
        Voice::ready(&self.provider).await
    }

    pub(crate) async fn quirks(&self, quirks: &Value) {
        self.customer.raw("POST", "/stand-in/quirks", Some(quirks)).await.unwrap();
    }

    /// Does what no client can.
    pub(crate) async fn stand_in(&self, what: &str, body: &Value) {
        let path = format!("/stand-in/{what}");
        let (status, answer) = self.customer.raw("POST", &path, Some(body)).await.unwrap();
        assert_eq!(status, 201, "{answer}");
    }

    pub(crate) async fn camel(&self, text: &str) {
        self.stand_in("camel", &json!({"chatId": self.chat, "text": text})).await;
    }

    /// Those of these texts that the server has, in its order.
    pub(crate) async fn stored(&self, texts: &[&str]) -> Vec<String> {
        let path = format!("/stand-in/rows/{}", self.chat);
        let (_, rows) = self.customer.raw("GET", &path, None).await.unwrap();
        let text = |row: &Value| row["message"].as_str().unwrap().to_owned();
        let all = rows.as_array().unwrap().iter().map(text);
        all.filter(|text| texts.contains(&text.as_str())).collect()
    }
}

/// One session.
pub(crate) struct Voice {
    pub(crate) handle: SessionHandle,
    pub(crate) rest: Rest,
    updates: mpsc::Receiver<Update>,
    /// Everything told so far.
    pub(crate) told: Vec<Update>,
}

impl Voice {
    pub(crate) fn of(rest: &Rest) -> Self {
        Self::with_backup(rest, None, true)
    }

    pub(crate) fn with_backup(
        rest: &Rest,
        backup: Option<backup::Opened>,
        autostart: bool,
    ) -> Self {
        Self::start(SessionConfig { backup, autostart, ..SessionConfig::new(rest.clone()) })
    }

    /// With short delays.
    pub(crate) fn start(mut config: SessionConfig) -> Self {
        let rest = config.rest.clone();
        let ms = Duration::from_millis;
        config.link.backoff = Backoff::new(ms(50), ms(500));
        config.outbox.backoff = Backoff::new(ms(50), ms(500));
        config.notices_every = ms(500);
        // Longer than this stand-in ever takes to store a message.
        config.settle = ms(1_000);
        let (handle, updates) = Session::start(config).unwrap();
        Self { handle, rest, updates, told: Vec::new() }
    }

    async fn ready(rest: &Rest) -> Self {
        let mut voice = Self::of(rest);
        voice.until(|u| matches!(u, Update::Ready(_))).await;
        voice
    }

    /// Opens the chat from now on and waits until it is.
    pub(crate) async fn join(&mut self, chat: ChatId) {
        self.handle.join(chat, Begin::Now).await.unwrap();
        self.until(|u| matches!(u, Update::CaughtUp { .. })).await;
    }

    /// Reads on until an update is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Update) -> bool) -> Update {
        loop {
            let told = tokio::time::timeout(SOON, self.updates.recv()).await;
            let update = told.unwrap_or_else(|_| panic!("nothing came: {:#?}", self.told));
            let update = update.unwrap_or_else(|| panic!("it ended: {:#?}", self.told));
            self.told.push(update.clone());
            if wanted(&update) {
                return update;
            }
        }
    }

    pub(crate) async fn until_text(&mut self, text: &str) {
        let is_it =
            |u: &Update| matches!(u, Update::Message { message, .. } if message.message == text);
        if !self.told.iter().any(is_it) {
            self.until(is_it).await;
        }
    }

    /// How that message ended.
    pub(crate) async fn end_of(&mut self, id: &ClientMessageId) -> Outcome {
        let end = |u: &Update| match u {
            Update::Outcome { client_message_id, outcome, .. } if client_message_id == id => {
                outcome.is_final().then(|| outcome.clone())
            }
            _ => None,
        };
        if let Some(outcome) = self.told.iter().find_map(end) {
            return outcome;
        }
        let update = self.until(|u| end(u).is_some()).await;
        end(&update).unwrap()
    }

    /// Ids of the messages that were shown, in order.
    pub(crate) fn shown(&self, chat: ChatId) -> Vec<MessageId> {
        let id = |u: &Update| match u {
            Update::Message { message, .. } if message.chat_id == chat => Some(message.id),
            _ => None,
        };
        self.told.iter().filter_map(id).collect()
    }

    /// The first so many texts, as soon as they were shown.
    pub(crate) async fn texts_of(&mut self, chat: ChatId, count: usize) -> Vec<String> {
        while self.shown(chat).len() < count {
            self.until(|u| matches!(u, Update::Message { .. })).await;
        }
        let text = |u: &Update| match u {
            Update::Message { message, .. } => Some(message.message.clone()),
            _ => None,
        };
        self.told.iter().filter_map(text).take(count).collect()
    }
}
