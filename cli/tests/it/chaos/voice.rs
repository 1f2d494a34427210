//! Somebody who speaks in a chat as an outbox does: one message in flight, under one key until it
//! is acknowledged, however often that takes (RELIABILITY §2.8).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use trialogue_checker::Line;
use trialogue_checker::history::OpName;
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{AckError, ClientSender};
use uuid::Uuid;

use super::history::{Pen, copy, digest};
use super::run::{Run, body_of};
use super::witness::Witness;

/// As an outbox waits (RELIABILITY §2.8).
const ACK_WITHIN: Duration = Duration::from_secs(10);
/// Longest pause between two messages.
const THINK_MS_MAX: u64 = 15;

/// See the module.
pub(super) struct Voice {
    pub(super) run: Arc<Run>,
    pub(super) pen: Arc<Pen>,
    pub(super) chat: String,
    pub(super) link: watch::Receiver<Option<ClientSender>>,
    /// Looks into the database at each acknowledgement (I8).
    pub(super) witness: Witness,
}

impl Voice {
    /// Speaks until nobody shall speak any more, and then until the last word is stored.
    pub(super) async fn speak(mut self) {
        while !self.run.silence.is_cancelled() {
            _ = self.say().await;
            let pause = Duration::from_millis(rand::random_range(0..THINK_MS_MAX));
            self.run.silence.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Says one thing, once; answers its place when it is stored.
    pub(super) async fn say(&mut self) -> Option<u64> {
        let (key, body) = (Uuid::new_v4().to_string(), body_of(&self.chat));
        let h = digest(&body);
        let line = |op| Line {
            op,
            chat: Some(self.chat.as_str().into()),
            cmid: Some(key.as_str().into()),
            h: Some(h.as_str().into()),
            ..Line::default()
        };
        let send = json!({ "chatId": self.chat, "message": body, "clientMessageId": key });
        let send = Outgoing::new("send_message", &send).unwrap();
        loop {
            let sender = match self.link.wait_for(Option::is_some).await {
                Ok(link) => link.clone().unwrap(),
                // The device is gone: the run is over, and this message was never on its way.
                Err(_) => return None,
            };
            self.pen.client(line(OpName::Invoke));
            self.run.sends();
            let answer = sender.emit_with_ack(&send, ACK_WITHIN).await;
            let t = Some(self.pen.now());
            self.run.has_sent();
            match answer.map(|ack| ack.get::<Value>(0).unwrap()) {
                Ok(ack) if ack["ok"] == true => {
                    let stored = self.witness.sees(&ack["message"]).await;
                    self.pen.client(Line { t, stored, ..copy(OpName::Ok, &ack["message"]) });
                    self.run.acknowledged(&self.chat, ack["status"] == "duplicate");
                    return ack["message"]["seq"].as_u64();
                }
                // Only these say that nothing was stored (CONTRACT §1).
                Ok(ack) if self.run.refused("send_message", &ack) => {
                    self.pen.client(Line { t, ..line(OpName::Fail) });
                }
                Err(AckError::NotSent(_)) => self.pen.client(Line { t, ..line(OpName::Fail) }),
                Ok(_) | Err(AckError::Timeout(_) | AckError::Closed(_)) => {
                    self.pen.client(Line { t, ..line(OpName::Info) });
                }
            }
            sleep(self.run.pause()).await;
        }
    }
}
