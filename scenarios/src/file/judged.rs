//! What is judged at the end of a run.

use super::ActorId;
use crate::source::Span;

/// Moments that must have come one after the other: `a < b@provider < c.sent`.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Where it stands in the file.
    pub span: Span,
    /// The moments.
    pub moments: Vec<Moment>,
}

/// A moment that steps have recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Id of the step.
    pub step: String,
    /// Which moment of it.
    pub part: Part,
}

/// Which moment of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Its end.
    Done,
    /// When its actor issued it.
    Sent,
    /// When its message left the client first: at once, or when the connection was back.
    Wire,
    /// When the acknowledgement came.
    Saved,
    /// When it was delivered at an actor.
    At(ActorId),
}

/// How often a message may come to one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Once.
    ExactlyOnce,
    /// Once or more.
    AtLeastOnce,
    /// Once or never.
    AtMostOnce,
    /// Not looked at.
    #[default]
    Off,
}

/// What must hold over everything that was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// How often each message came to each member.
    pub delivery: Delivery,
    /// Nobody sees two messages of one sender swapped.
    pub per_sender_order: bool,
    /// Everybody sees the messages of a chat in the same order.
    pub room_order: bool,
    /// Nobody hears of a chat that he is not in.
    pub room_isolation: bool,
    /// Whoever sees a message finds it in the history.
    pub saved_before_broadcast: bool,
    /// The history is what was seen live.
    pub history_equals_live: bool,
    /// Nothing was refused that was not expected to be.
    pub no_server_errors: bool,
    /// Nobody heard of anything that no step waits for, besides these events.
    pub no_unexpected_events: Option<Vec<String>>,
}

impl Checks {
    /// The checks that are asked for, each as the file writes it.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let delivery = match self.delivery {
            Delivery::ExactlyOnce => Some("delivery: exactly-once"),
            Delivery::AtLeastOnce => Some("delivery: at-least-once"),
            Delivery::AtMostOnce => Some("delivery: at-most-once"),
            Delivery::Off => None,
        };
        let flags = [
            (self.per_sender_order, "per_sender_order: true"),
            (self.room_order, "room_order: true"),
            (self.room_isolation, "room_isolation: true"),
            (self.saved_before_broadcast, "saved_before_broadcast: true"),
            (self.history_equals_live, "history_equals_live: true"),
            (self.no_server_errors, "no_server_errors: true"),
            (self.no_unexpected_events.is_some(), "no_unexpected_events: true"),
        ];
        let asked = flags.into_iter().filter(|(asked, _)| *asked).map(|(_, word)| word);
        delivery.into_iter().chain(asked).collect()
    }
}
