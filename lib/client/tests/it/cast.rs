//! The client under test: a session, and waiting for what it tells.

use std::time::Duration;

use tokio::sync::mpsc;
use trialogue_client::time::Backoff;
use trialogue_client::{
    Begin, Credentials, Dialect, Http, HttpConfig, LinkState, Outcome, Rest, Session,
    SessionConfig, SessionHandle, Update, Via,
};
use trialogue_protocol::{ClientMessageId, TokenPair};

use crate::stage::{Stage, chat};

/// Longest wait for anything in these tests.
const SOON: Duration = Duration::from_secs(10);

pub(crate) fn rest(stage: &Stage, token: &str) -> Rest {
    let http = Http::new(HttpConfig::new(stage.url().parse().unwrap())).unwrap();
    let tokens = TokenPair { access_token: token.to_owned(), refresh_token: "refresh".to_owned() };
    Rest::new(http, Dialect::Trialogue, Credentials::in_memory(Some(tokens)))
}

/// A session's settings with short delays.
pub(crate) fn quick(rest: Rest) -> SessionConfig {
    let mut config = SessionConfig::new(rest);
    let ms = Duration::from_millis;
    config.link.backoff = Backoff::new(ms(20), ms(100));
    config.outbox.backoff = Backoff::new(ms(20), ms(100));
    config.outbox.ack_timeout = ms(200);
    config.timeline.gap_patience = ms(20);
    config.seed = 7;
    config
}

pub(crate) struct Client {
    pub(crate) handle: SessionHandle,
    updates: mpsc::Receiver<Update>,
    /// Everything told so far.
    pub(crate) told: Vec<Update>,
}

impl Client {
    pub(crate) fn start(config: SessionConfig) -> Self {
        let (handle, updates) = Session::start(config).unwrap();
        Self { handle, updates, told: Vec::new() }
    }

    /// A session that is connected and has caught up with the chat.
    pub(crate) async fn in_chat(stage: &Stage) -> Self {
        let mut client = Self::start(quick(rest(stage, "good")));
        client.enter(Begin::After { seq: 0, epoch: None }).await;
        client
    }

    pub(crate) async fn enter(&mut self, begin: Begin) {
        self.handle.join(chat(), begin).await.unwrap();
        self.until(|u| matches!(u, Update::CaughtUp { .. })).await;
        self.until_link(|s| *s == LinkState::Connected).await;
    }

    /// The next update.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        let told = tokio::time::timeout(SOON, self.updates.recv());
        let update =
            told.await.unwrap_or_else(|_| panic!("nothing came; so far: {:#?}", self.told));
        self.told.extend(update.clone());
        update
    }

    /// Reads on until an update is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Update) -> bool) -> Update {
        loop {
            let update = self.next().await.unwrap_or_else(|| panic!("ended: {:#?}", self.told));
            if wanted(&update) {
                return update;
            }
        }
    }

    /// Reads on until the link is as wanted, which it may be already.
    pub(crate) async fn until_link(&mut self, wanted: impl Fn(&LinkState) -> bool) -> LinkState {
        let latest = self.told.iter().rev().find_map(|u| match u {
            Update::Link(state) => Some(state.clone()),
            _ => None,
        });
        if let Some(state) = latest.filter(|s| wanted(s)) {
            return state;
        }
        match self.until(|u| matches!(u, Update::Link(state) if wanted(state))).await {
            Update::Link(state) => state,
            other => panic!("{other:?}"),
        }
    }

    /// Reads on until that message has its end.
    pub(crate) async fn end_of(&mut self, id: &ClientMessageId) -> Outcome {
        let is_end = |u: &Update| match u {
            Update::Outcome { client_message_id, outcome, .. } => {
                client_message_id == id && outcome.is_final()
            }
            _ => false,
        };
        match self.until(is_end).await {
            Update::Outcome { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Reads on until so many messages were shown in all.
    pub(crate) async fn shown(&mut self, count: usize) -> Vec<(String, Via)> {
        let shown = |told: &[Update]| -> Vec<_> {
            let message = |u: &Update| match u {
                Update::Message { message, via } => Some((message.message.clone(), *via)),
                _ => None,
            };
            told.iter().filter_map(message).collect()
        };
        while shown(&self.told).len() < count {
            self.next().await;
        }
        shown(&self.told)
    }

    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        self.shown(count).await.into_iter().map(|(text, _)| text).collect()
    }
}
