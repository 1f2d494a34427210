//! The processor time and the memory of a process of this machine.

use std::time::Instant;

/// Who is looked at, and what was seen last.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    /// When, and the seconds of processor time at that moment.
    last: Option<(Instant, f64)>,
}

impl Process {
    /// A process that is there now.
    pub(super) fn new(pid: u32) -> Result<Self, String> {
        let mut process = Self { pid, last: None };
        process.look()?;
        Ok(process)
    }

    /// Cores since the last look, and bytes of memory.
    pub(super) fn look(&mut self) -> Result<(Option<f64>, u64), String> {
        let (seconds, resident) = usage(self.pid)?;
        let now = Instant::now();
        let before = self.last.replace((now, seconds));
        let cores = before.map(|(then, was)| {
            (seconds - was).max(0.0) / now.duration_since(then).as_secs_f64().max(1e-3)
        });
        Ok((cores, resident))
    }
}

/// Seconds of processor time, and bytes of memory.
#[cfg(target_os = "linux")]
fn usage(pid: u32) -> Result<(f64, u64), String> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        std::fs::read_to_string(&path).map_err(|_| format!("there is no process {pid}"))
    };
    let odd = || format!("the system tells nothing of process {pid}");
    let stat = read("stat")?;
    // The name of the program may hold anything, a parenthesis too.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let mut ticks = behind.split_whitespace().skip(11).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (ticks.next(), ticks.next()) else {
        return Err(odd());
    };
    let pages = read("statm")?.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    let page = rustix::param::page_size() as u64;
    let each = rustix::param::clock_ticks_per_second().max(1) as f64;
    Ok(((user + system) as f64 / each, pages.ok_or_else(odd)? * page))
}

#[cfg(not(target_os = "linux"))]
fn usage(_: u32) -> Result<(f64, u64), String> {
    Err("processes are looked at on Linux only; --scrape works everywhere".to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_and_nobody_is_not() {
        let mut own = Process::new(std::process::id()).unwrap();
        let (cores, resident) = own.look().unwrap();
        assert!(cores.is_some_and(|cores| cores >= 0.0) && resident > 1 << 20);
        assert!(Process::new(u32::MAX).unwrap_err().contains("no process"));
    }
}
