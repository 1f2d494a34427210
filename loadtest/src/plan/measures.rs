//! What a run of a plan can have measured in the end, by the names of objectives.

use super::{Pace, Plan, Unrest};
use crate::recorder::Metric;

impl Plan {
    /// Whether such a run has values for this name; `acks` when the server acknowledges. What is
    /// counted always has.
    pub(crate) fn measures(&self, name: &str, acks: bool) -> bool {
        let speaks = !matches!(self.pace, Pace::Silent { .. });
        let is_heard = speaks && self.unrest != Unrest::Apart;
        let Some((metric, _)) = name.split_once('.') else {
            return match name {
                "reach" => is_heard,
                "never_back" | "failed_attempts" => self.unrest.is_of_returns(),
                // These are of whole scenarios.
                "iterations" | "iteration_rate" | "passed" | "failed" => false,
                _ => true,
            };
        };
        let metric = Metric::ALL.into_iter().find(|one| one.name() == metric);
        metric.is_some_and(|metric| match metric {
            Metric::Delivery
            | Metric::Uncorrected
            | Metric::First
            | Metric::Last
            | Metric::Spread
            | Metric::OverWebsocket
            | Metric::OverPolling
            | Metric::OverUpgrade => is_heard,
            Metric::Ack => speaks && acks,
            Metric::SendLag | Metric::Slip => speaks,
            Metric::Join | Metric::Loop => true,
            Metric::Seen
            | Metric::Reconnected
            | Metric::Rejoined
            | Metric::CaughtUp
            | Metric::Replay => self.unrest.is_of_returns(),
            Metric::Move => matches!(self.unrest, Unrest::Churn(_)),
            Metric::Page => self.unrest.is_of_pages(),
        })
    }
}
