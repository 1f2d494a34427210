//! What is measured: one room in a closed loop, and sockets that only wait.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::Failure;
use crate::driver::{Client, Speaker};

/// Messages that are on their way at once.
const IN_FLIGHT: usize = 8;
/// How long the room speaks, and what runs before it.
const RUN: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(1);
/// Sockets before memory is looked at: what the first ones cost is not a socket's.
const FIRST: usize = 100;

/// One run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    /// Microseconds of the server's processor for each delivery, and of those in the kernel.
    pub(crate) micros: f64,
    pub(crate) kernel_micros: f64,
    pub(crate) idle_bytes: usize,
    /// Deliveries that did not come, or not in their order.
    wrong: usize,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:.0} deliveries/s, {:.2} us of the server's processor each ({:.2} in the kernel), {} \
             lost or out of order; {} bytes per idle socket",
            self.per_second, self.micros, self.kernel_micros, self.wrong, self.idle_bytes
        )
    }
}

/// Seconds of processor time of a process, in all and in the kernel.
fn used(process: u32) -> Result<(f64, f64), Failure> {
    /// Clock ticks per second, the same on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").ok_or("no stat")?.1.split(' ').collect();
    let (user, kernel) = (fields[11].parse::<f64>()?, fields[12].parse::<f64>()?);
    Ok(((user + kernel) / TICKS, kernel / TICKS))
}

/// Resident memory of a process in bytes.
fn resident(process: u32) -> Result<usize, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<usize>()? * 1024)
}

/// One sender, so that the order is known; all members count what comes.
pub(crate) async fn room(address: &str, process: u32, members: usize) -> Result<Measured, Failure> {
    let local = LocalSet::new();
    let (delivered, wrong) = (Rc::new(Cell::new(0_usize)), Rc::new(Cell::new(0_usize)));
    let mut speaker: Option<Rc<Speaker>> = None;
    for _ in 0..members {
        let mut client = Client::connect(address).await?;
        client.join("room").await?;
        let (listener, own) = client.into_parts();
        let own = Rc::new(own);
        speaker.get_or_insert_with(|| Rc::clone(&own));
        let (delivered, wrong) = (Rc::clone(&delivered), Rc::clone(&wrong));
        local.spawn_local(async move {
            let mut expected = 0;
            let ended = listener.listen(&own, |number, _| {
                delivered.set(delivered.get() + 1);
                wrong.set(wrong.get() + usize::from(number != expected));
                expected = number + 1;
            });
            let ended = ended.await;
            panic!("a client ended: {ended:?}");
        });
    }
    let speaker = speaker.ok_or("nobody is in the room")?;
    let mut sent = 0;
    let run = local.run_until(async {
        let begun = Instant::now();
        let mut since = None;
        loop {
            while sent < delivered.get() / members + IN_FLIGHT {
                speaker.say("room", sent)?;
                sent += 1;
            }
            match &since {
                None if begun.elapsed() > WARM_UP => {
                    since = Some((Instant::now(), used(process)?, delivered.get()));
                }
                Some((from, before, first)) if from.elapsed() > RUN => {
                    let (now, after) = (from.elapsed(), used(process)?);
                    let count = (delivered.get() - first) as f64;
                    return Ok::<_, Failure>(Measured {
                        per_second: count / now.as_secs_f64(),
                        micros: (after.0 - before.0) * 1e6 / count,
                        kernel_micros: (after.1 - before.1) * 1e6 / count,
                        ..Measured::default()
                    });
                }
                _ => {}
            }
            tokio::task::yield_now().await;
        }
    });
    let mut measured = run.await?;
    local.run_until(sleep(Duration::from_secs(1))).await;
    measured.wrong = wrong.get() + (sent * members).abs_diff(delivered.get());
    Ok(measured)
}

/// Connected sockets that nothing is sent to.
pub(crate) async fn idle(address: &str, process: u32, sockets: usize) -> Result<usize, Failure> {
    let mut clients = Vec::new();
    for _ in 0..FIRST {
        clients.push(Client::connect(address).await?);
    }
    sleep(Duration::from_millis(500)).await;
    let before = resident(process)?;
    for _ in 0..sockets {
        let mut client = Client::connect(address).await?;
        client.rest();
        clients.push(client);
    }
    sleep(Duration::from_secs(1)).await;
    Ok(resident(process)?.saturating_sub(before) / sockets)
}
