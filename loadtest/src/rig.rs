//! Whether the rig itself was the limit: then what it says of latency and rates is void, and what
//! it says of loss, duplicates, order and isolation stands (LOAD.md §5.8).

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;
use trialogue_socketio::client::ConnectError;

/// Part of a core that a worker may have on average: beyond, it waits for itself.
pub const CPU_MAX: f64 = 0.8;
/// Of 100 sends one may be this late in being attempted, in microseconds.
pub const SLIP_P99_MAX: Micros = 5_000;
/// Part of the planned messages that must have gone out.
pub const SENT_MIN: f64 = 0.99;
/// File handles besides sockets.
pub(crate) const HANDLES_BESIDES: u64 = 64;

/// How the rig fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rig {
    /// Part of a core that the busiest worker had while it was measured, on average.
    pub cpu: f64,
    /// The same in its busiest second.
    pub cpu_max: f64,
    /// Of 100 sends one was attempted so much too late or later; microseconds.
    pub slip_p99: Micros,
    /// Of 100 times a worker's loop woke so much too late or later; microseconds.
    #[serde(default)]
    pub loop_p99: Micros,
    /// Planned messages that could not go out because their connection was gone.
    pub unsendable: u64,
    /// Messages that the system did not take at once, because the server read too slowly.
    pub stalled: u64,
    /// Those of them that never left this machine.
    #[serde(default)]
    pub stuck: u64,
    /// Rooms of a closed loop in which nobody was left to speak before its end.
    #[serde(default)]
    pub silenced: u64,
    /// Why nothing follows about latency and rates: sentences; none when all is well.
    pub reasons: Vec<String>,
}

impl Rig {
    /// Whether the rig was the limit.
    pub fn is_saturated(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// How it fared, for people.
    pub(crate) fn told(&self) -> String {
        let (percent, millis) = (|part| part * 100.0, |micros: Micros| micros as f64 / 1e3);
        format!(
            "{:.0} % of a core (at most {:.0} %), sends {:.2} ms late, its loop {:.2} ms (p99), {} \
             stalled, {} never left",
            percent(self.cpu),
            percent(self.cpu_max),
            millis(self.slip_p99),
            millis(self.loop_p99),
            self.stalled,
            self.stuck
        )
    }

    /// Looks for reasons. In a closed loop the rig may be as busy as it likes: nothing is due.
    pub(crate) fn judge(&mut self, is_open: bool, sent: u64, due: u64) {
        // A closed loop may have all of its core, and must not be kept from it.
        if self.loop_p99 > SLIP_P99_MAX && (is_open || self.cpu <= CPU_MAX) {
            let millis = self.loop_p99 as f64 / 1e3;
            self.reasons.push(format!(
                "a worker woke {millis:.1} ms late (p99; up to 5 ms): something kept it from its core"
            ));
        }
        if !is_open {
            return;
        }
        if self.cpu > CPU_MAX {
            let percent = self.cpu * 100.0;
            let why = format!("a worker had {percent:.0} % of its core (up to 80 %)");
            self.reasons.push(why);
        }
        if self.slip_p99 > SLIP_P99_MAX {
            let millis = self.slip_p99 as f64 / 1e3;
            self.reasons
                .push(format!("sends were attempted {millis:.1} ms late (p99; up to 5 ms)"));
        }
        let done = (sent + self.unsendable) as f64;
        if done < due as f64 * SENT_MIN && self.stalled == 0 {
            let why = format!("{sent} of {due} planned messages went out");
            self.reasons.push(why);
        }
    }
}

/// Makes room for so many sockets.
///
/// # Errors
/// There is none: a sentence with what to do.
pub fn make_room(sockets: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = sockets.saturating_add(HANDLES_BESIDES);
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let wanted = Rlimit { current: Some(needed), maximum: now.maximum };
    let raised = now.maximum.is_none_or(|most| most >= needed)
        && setrlimit(Resource::Nofile, wanted).is_ok();
    if raised {
        return Ok(());
    }
    let most = now.maximum.unwrap_or_default();
    Err(format!(
        "{sockets} sockets need {needed} file handles and the system permits {most}: \
         ulimit -n {needed}, or LimitNOFILE={needed} of its unit"
    ))
}

/// Whether a connection cannot be for want of room on this machine: handles, ports, buffers.
pub(crate) fn is_full(error: &ConnectError) -> bool {
    use rustix::io::Errno;
    let ConnectError::Unreachable { source, .. } = error else { return false };
    let errors = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::ADDRNOTAVAIL, Errno::NOMEM];
    errors.iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_late_rig_says_why() {
        let reasons = |rig: Rig, is_open, sent| {
            let mut rig = rig;
            rig.judge(is_open, sent, 1_000);
            rig.reasons
        };
        let fine = Rig { cpu: 0.5, slip_p99: 900, ..Rig::default() };
        assert!(reasons(fine.clone(), true, 995).is_empty());
        assert!(reasons(fine.clone(), true, 900)[0].contains("900 of 1000"));
        assert!(reasons(Rig { cpu: 0.9, ..fine.clone() }, true, 1_000)[0].contains("90 %"));
        assert!(
            reasons(Rig { slip_p99: 7_000, ..fine.clone() }, true, 1_000)[0].contains("7.0 ms")
        );
        assert!(reasons(Rig { cpu: 1.0, ..fine.clone() }, false, 1).is_empty());
        let starved = Rig { loop_p99: 40_000, cpu: 0.1, ..fine.clone() };
        assert!(reasons(starved.clone(), false, 1)[0].contains("40.0 ms late"));
        assert!(reasons(Rig { cpu: 1.0, ..starved }, false, 1).is_empty());
        // The server's fault.
        assert!(reasons(Rig { stalled: 1, ..fine }, true, 900).is_empty());
    }

    #[test]
    fn what_the_system_does_not_permit_is_said_with_what_to_do() {
        assert_eq!(make_room(1), Ok(()));
        assert!(make_room(u64::MAX / 2).unwrap_err().contains("ulimit -n"));
    }
}
