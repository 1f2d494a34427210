//! What a run needs of this machine, and what of it is there: each with the exact words that mend
//! it. Looking is apart from judging.

use std::fs;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::rig::HANDLES_BESIDES;

/// Memory of a socket here, measured and rounded up (`cargo bench -p trialogue-loadtest`).
const SOCKET_BYTES: u64 = 4 << 10;
/// Part of the memory that is free which a run may take.
const MEMORY_PART: f64 = 0.8;

/// What one look came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is enough; none where the machine does not tell.
    pub held: Option<bool>,
    /// What is needed, and what is there.
    pub seen: String,
    /// What to do, where it is not enough.
    pub fix: Option<String>,
}

/// What a machine has; nothing of what it does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// The most file handles that this process may have without the administrator.
    pub handles: Option<u64>,
    /// The first and the last port of connections that name none.
    pub ports: Option<(u64, u64)>,
    /// Bytes of memory that nobody uses.
    pub memory: Option<u64>,
    /// Connections that the firewall keeps in mind.
    pub tracked: Option<u64>,
}

impl Machine {
    /// Looks at this one.
    #[must_use]
    pub fn look() -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
        let ports = range.and_then(|text| {
            let mut ends = text.split_whitespace().map(str::parse);
            Some((ends.next()?.ok()?, ends.next()?.ok()?))
        });
        let free = fs::read_to_string("/proc/meminfo").ok();
        let memory = free.and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
        });
        Self {
            handles: Some(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)),
            ports,
            memory,
            tracked: number("/proc/sys/net/netfilter/nf_conntrack_max"),
        }
    }

    /// Whether so many connections from so many addresses of this machine can be; 0: its usual one.
    #[must_use]
    pub fn judge(&self, connections: u64, addresses: u64) -> Vec<Check> {
        let handles = connections.saturating_add(HANDLES_BESIDES);
        let each = addresses.max(1);
        let ports = self.ports.map(|(first, last)| (last + 1).saturating_sub(first));
        let missing = connections.div_ceil(ports.unwrap_or(u64::MAX).max(1));
        let memory = connections.saturating_mul(SOCKET_BYTES);
        let most = self.memory.map(|bytes| (bytes as f64 * MEMORY_PART) as u64);
        vec![
            check("file handles", handles, self.handles, || {
                format!(
                    "ulimit -n {handles}, with `* hard nofile {handles}` in \
                     /etc/security/limits.conf, or LimitNOFILE={handles} of its unit"
                )
            }),
            check("ports", connections, ports.map(|ports| ports.saturating_mul(each)), || {
                format!(
                    "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\", or {missing} addresses \
                     of this machine: --bind IP,IP"
                )
            }),
            check("bytes of memory", memory, most, || {
                "fewer connections, or several machines: --workers".to_owned()
            }),
            check("connections that the firewall tracks", connections, self.tracked, || {
                let tracked = connections.saturating_mul(2);
                format!("sysctl -w net.netfilter.nf_conntrack_max={tracked}")
            }),
        ]
    }
}

fn check(
    name: &'static str,
    needed: u64,
    most: Option<u64>,
    fix: impl FnOnce() -> String,
) -> Check {
    let held = most.map(|most| most >= needed);
    let seen = match most {
        None => format!("{needed} needed; the machine does not tell"),
        Some(u64::MAX) => format!("{needed} needed; no limit"),
        Some(most) => format!("{needed} needed; up to {most}"),
    };
    Check { name, held, seen, fix: (held == Some(false)).then(fix) }
}

/// Refuses a run that this machine cannot do, before anything of it is made.
///
/// # Errors
/// What is not enough, and what to do.
pub fn refuse(connections: u64, addresses: u64) -> Result<(), String> {
    let failed = Machine::look().judge(connections, addresses);
    let failed = failed.into_iter().find(|check| check.held == Some(false));
    let Some(Check { name, seen, fix, .. }) = failed else { return Ok(()) };
    Err(format!("too few {name}: {seen}; {}", fix.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_enough_is_told_with_the_words_that_mend_it() {
        let machine = Machine {
            handles: Some(20_000),
            ports: Some((32_768, 60_999)),
            memory: Some(1 << 30),
            tracked: None,
        };
        let held = |connections, addresses| {
            let checks = machine.judge(connections, addresses);
            checks.iter().map(|check| check.held).collect::<Vec<_>>()
        };
        assert_eq!(held(15_000, 1), [Some(true), Some(true), Some(true), None]);
        assert_eq!(held(30_000, 1), [Some(false), Some(false), Some(true), None]);
        assert_eq!(held(30_000, 2)[1], Some(true));
        assert_eq!(held(400_000, 20)[2], Some(false));
        let checks = machine.judge(30_000, 1);
        assert_eq!(checks[0].seen, "30064 needed; up to 20000");
        assert!(checks[0].fix.as_deref().unwrap().starts_with("ulimit -n 30064"));
        assert!(
            checks[1]
                .fix
                .as_deref()
                .unwrap()
                .ends_with("2 addresses of this machine: --bind IP,IP")
        );
        let tracked = Machine { tracked: Some(1_000), ..machine }.judge(1_001, 1);
        assert_eq!(
            tracked[3].fix.as_deref(),
            Some("sysctl -w net.netfilter.nf_conntrack_max=2002")
        );
    }

    #[test]
    fn this_machine_can_do_little_and_not_everything() {
        assert_eq!(refuse(1, 1), Ok(()));
        assert!(refuse(u64::MAX / 4, 1).unwrap_err().starts_with("too few "));
    }
}
