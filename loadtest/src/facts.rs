//! Names of expressions and what they stand for, in a run that goes on and in one that is over.

use trialogue_checker::Micros;

use crate::recorder::Figures;
use crate::result::{Iterations, Recovery};
use crate::rig::Rig;
use crate::verdict::{Counts, Fault};

/// What was counted and measured.
pub(crate) struct Facts<'a> {
    pub(crate) counts: &'a Counts,
    /// The figures of a metric, by its name.
    pub(crate) figures: &'a dyn Fn(&str) -> Option<Figures>,
    /// Microseconds that messages were sent for.
    pub(crate) took: Micros,
    /// Sockets, and microseconds until all were in their rooms.
    pub(crate) sockets: u64,
    pub(crate) joining: Micros,
    pub(crate) cut: u64,
    pub(crate) recovery: Option<&'a Recovery>,
    /// Where whole stories are told.
    pub(crate) iterations: Option<&'a Iterations>,
    /// Part of a core that the busiest worker had.
    pub(crate) cpu: f64,
    /// How the rig fared, once a run is over.
    pub(crate) rig: Option<&'a Rig>,
}

impl<'a> Facts<'a> {
    /// Counts and figures, and nothing else.
    pub(crate) fn of(counts: &'a Counts, figures: &'a dyn Fn(&str) -> Option<Figures>) -> Self {
        let (recovery, iterations, rig) = (None, None, None);
        let (took, sockets, joining, cut, cpu) = (0, 0, 0, 0, 0.0);
        Self { counts, figures, took, sockets, joining, cut, recovery, iterations, cpu, rig }
    }
}

impl Facts<'_> {
    /// The value of a name: `delivery.p99` in microseconds, `lost`, `reach`. None when nothing was
    /// measured.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        if let Some((metric, figure)) = name.split_once('.') {
            return (self.figures)(metric)?.value(figure);
        }
        if let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) {
            return Some(self.counts.of(fault) as f64);
        }
        let counts = self.counts;
        let a_second = |count: u64| count as f64 * 1e6 / self.took.max(1) as f64;
        Some(match name {
            "reach" => return (counts.owed > 0).then(|| counts.reach()),
            "join_rate" => match self.joining {
                0 => return None,
                micros => self.sockets as f64 * 1e6 / micros as f64,
            },
            "rate" => a_second(counts.sent),
            "delivery_rate" => a_second(counts.delivered_meanwhile),
            "page_rate" => a_second(counts.pages_meanwhile),
            "sent" => counts.sent as f64,
            "acked" => counts.acked as f64,
            "refused" => counts.refused as f64,
            "rate_limited" => counts.limited as f64,
            "refused_share" => {
                let asked = counts.sent + counts.pages_asked;
                return (asked > 0).then(|| counts.refused as f64 / asked as f64);
            }
            "unanswered" => counts.unanswered as f64,
            "delivered" => counts.delivered as f64,
            "pages" => counts.pages as f64,
            "caught_up" => counts.caught_up as f64,
            "cut" => self.cut as f64,
            "never_back" => self.recovery?.never_back as f64,
            "failed_attempts" => self.recovery?.failed_attempts as f64,
            "iterations" => self.iterations?.begun as f64,
            "iteration_rate" => a_second(self.iterations?.begun),
            "passed" => self.iterations?.passed as f64,
            "failed" => self.iterations?.failed as f64,
            "indeterminate" => counts.indeterminate as f64,
            "in_transit" => counts.in_transit as f64,
            "foreign" => counts.foreign as f64,
            "overlap" => counts.overlap as f64,
            "typed_seen" => counts.typed_seen as f64,
            "read_seen" => counts.read_seen as f64,
            "errors" => counts.errors as f64,
            "cpu" => self.cpu,
            "unsendable" => self.rig?.unsendable as f64,
            "stalled" => self.rig?.stalled as f64,
            _ => return None,
        })
    }
}
