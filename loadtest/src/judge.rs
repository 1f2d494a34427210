//! What follows from a result: a verdict, and sentences that say why.

use trialogue_checker::Micros;

use crate::plan::{Pace, Unrest};
use crate::result::{Cases, Document, Verdict};
use crate::slo::{Judged, REFUSALS};
use crate::verdict::Fault;

/// Part of the messages that may never come while objectives on latency are decided.
const MISSING_MAX: f64 = 0.01;

/// How long after the last send deliveries may come, or half of the run: what takes longer is not
/// borne, however much of it comes.
const BEHIND_MAX: Micros = trialogue_checker::LATE_MAX_DEFAULT;

impl Document {
    /// Sends that were not answered although their connection stayed.
    fn silent(&self) -> u64 {
        self.counts.unanswered.saturating_sub(self.counts.abandoned)
    }

    /// Whether what never came is so much that latencies say too little: it would be the slowest.
    pub(crate) fn is_censored(&self) -> bool {
        let missing = self.silent() + self.counts.of(Fault::Lost);
        missing as f64 > self.counts.sent as f64 * MISSING_MAX
    }

    /// Whether too much was still to come when everything had been sent.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind > BEHIND_MAX.max(self.took / 2)
    }

    /// A closed loop that did less than it was to do.
    fn judge_loop(&self, failed: &mut Vec<String>) {
        if self.rig.silenced > 0 {
            let rooms = self.rig.silenced;
            failed.push(format!("in {rooms} rooms nobody was left to speak before the end"));
        }
        if self.counts.overdue > 0 {
            let many = self.counts.overdue;
            failed.push(format!(
                "{many} messages had not come everywhere in 2.5 s, and the loop went on without them"
            ));
        }
    }

    /// What only some workloads promise.
    fn judge_workload(&self, failed: &mut Vec<String>, open: &mut Vec<String>) {
        if let Some(of) = &self.scenario {
            if of.failed > 0 {
                failed.push(format!("{} of {} iterations failed", of.failed, of.begun));
            }
            if of.unknown > 0 {
                open.push(format!("{} iterations are unknown", of.unknown));
            }
            if of.passed + of.failed == 0 {
                open.push("no iteration came to its end".to_owned());
            }
            return;
        }
        let counts = &self.counts;
        let silence = match self.plan.unrest {
            _ if matches!(self.plan.pace, Pace::Silent { .. }) => None,
            Unrest::Apart => (counts.acked == 0).then_some("nothing was acknowledged"),
            Unrest::History { .. } => (counts.pages == 0).then_some("no page came"),
            _ => (counts.reached == 0).then_some("nothing was delivered"),
        };
        open.extend(silence.map(str::to_owned));
        let permits =
            |slo: &Judged| slo.values.iter().any(|(name, _)| REFUSALS.contains(&name.as_str()));
        if counts.refused > 0 && !self.slos.iter().any(permits) {
            failed.push(format!(
                "{} were refused, {} of them for their rate (an objective on refused_share, \
                 refused or rate_limited says how many may be)",
                counts.refused, counts.limited
            ));
        }
        if counts.still_coming > 0 {
            let many = counts.still_coming;
            failed.push(format!("{many} deliveries were still coming when the waiting was over"));
        }
        if self.is_behind() && self.plan.pace.is_open() && !self.plan.unrest.is_of_returns() {
            let seconds = self.behind as f64 / 1e6;
            let text = format!("the server was {seconds:.1} s behind at the end of the sends");
            if open.is_empty() { failed.push(text) } else { open.push(text) }
        }
        self.judge_loop(failed);
        let silent = self.silent();
        if silent > 0 && counts.acked + counts.refused == 0 && counts.delivered > 0 {
            let why =
                "the server acknowledges nothing: capabilities: { acks: false } in its profile";
            open.push(why.to_owned());
        } else if silent > 0 {
            failed.push(format!("{silent} sends were not answered"));
        }
        let asked = counts.pages_asked.saturating_sub(counts.pages);
        if asked > counts.refused && self.plan.unrest.is_of_pages() {
            failed.push(format!("{} pages never came", asked - counts.refused));
        }
        let Some(recovery) = &self.recovery else { return };
        if recovery.lost == 0 {
            open.push("no connection was lost".to_owned());
        }
        if recovery.never_back > 0 {
            let why = recovery.reasons.last().map_or("", |(why, _)| why.as_str());
            let text = format!("{} sockets never came back ({why})", recovery.never_back);
            // A rig that is too slow may be why.
            if open.is_empty() { failed.push(text) } else { open.push(text) }
        }
    }

    /// Decides the verdict, and says why.
    pub(crate) fn judge(&mut self) {
        let mut failed = Vec::new();
        failed.extend(self.aborted.as_ref().map(|why| format!("aborted: {why}")));
        let wrong = self.faults.iter().filter(|cases| self.is_wrong(cases.fault));
        failed.extend(wrong.map(|Cases { fault, count }| format!("{count} {}", fault.name())));
        let mut open = self.rig.reasons.clone();
        let cut = self.cut.count;
        if cut > 0 {
            let reason = self.cut.reasons.first().map_or("", |(why, _)| why.as_str());
            let or = if self.plan.pace.is_silent() { " or not let in" } else { "" };
            let why = format!("{cut} connections were cut{or} ({reason})");
            // A rig that is too slow to read is cut, and rightly so.
            if open.is_empty() { failed.push(why) } else { open.push(why) }
        }
        for slo in &self.slos {
            match slo.held {
                Some(true) => {}
                Some(false) => failed.push(format!("missed: {slo}")),
                None => open.push(format!("not decided: {slo}")),
            }
        }
        self.judge_workload(&mut failed, &mut open);
        self.verdict = match (failed.is_empty(), open.is_empty()) {
            (false, _) => Verdict::Failed,
            (true, false) => Verdict::Inconclusive,
            (true, true) => Verdict::Passed,
        };
        failed.extend(open);
        self.why = failed;
    }
}
