//! The attacked process, and how much memory it has at its worst.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Failure;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// File descriptors of ours that are no attacker.
const SPARE_FILES: u64 = 200;

pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    process: u32,
    /// Ended with us, when we started it.
    started: Option<Child>,
}

impl Target {
    pub(crate) const fn running(address: SocketAddr, process: u32) -> Self {
        Self { address, process, started: None }
    }

    /// The same for a task of its own; it does not end with it.
    pub(crate) const fn seen(&self) -> Self {
        Self::running(self.address, self.process)
    }

    pub(crate) fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("serve").stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let address = address.trim().parse()?;
        Ok(Self { address, process: child.id(), started: Some(child) })
    }

    /// A connection from an address of our choice on the loopback network.
    pub(crate) async fn connect(&self, from: Ipv4Addr) -> Result<TcpStream, Failure> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        Ok(socket.connect(self.address).await?)
    }

    fn resident(&self) -> Result<usize, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<usize>()? * 1024)
    }

    /// Watches its memory until it is asked.
    pub(crate) fn watch(&self) -> Result<Watch, Failure> {
        let before = self.resident()?;
        let most = Arc::new(AtomicUsize::new(before));
        let target = self.seen();
        let looking = tokio::spawn({
            let most = Arc::clone(&most);
            async move {
                while let Ok(now) = target.resident() {
                    most.fetch_max(now, Ordering::Relaxed);
                    sleep(LOOK).await;
                }
            }
        });
        Ok(Watch { before, most, looking })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(child) = &mut self.started {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The memory of a process since a moment.
pub(crate) struct Watch {
    before: usize,
    most: Arc<AtomicUsize>,
    looking: JoinHandle<()>,
}

impl Watch {
    /// By how many MiB it has risen at the most.
    pub(crate) fn risen(&self) -> String {
        let risen = self.most.load(Ordering::Relaxed) - self.before;
        format!("{:.1} MiB", risen as f64 / f64::from(1 << 20))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// As many connections as wanted, or as this process may open.
pub(crate) fn affordable(wanted: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(files.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX);
    if most < wanted {
        println!("only {most} connections instead of {wanted}: `ulimit -n` is {files}");
    }
    wanted.min(most)
}
