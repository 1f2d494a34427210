//! One way of one connection: bytes are read, wait for their time, and are written.

use std::collections::VecDeque;
use std::future;
use std::io;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Shared, Sky, Then, Way, Weather};

/// Bytes that are carried at once: a frame or two, so that weather changes are felt soon.
const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// Bytes that wait for their time; more wait in the sender's system, as before a slow line.
const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Of what may pass in a second, the part that passes at once: a tenth.
const SECOND_PARTS: u32 = 10;
/// The same chance for every connection: two runs with one story have one weather.
const JITTER_SEED: u64 = 0x5eed;

/// Carries until the sender closes its half, and closes the same half of the receiver.
///
/// # Errors
///
/// Either end broke.
pub(super) async fn pump(
    from: &TcpStream,
    to: &TcpStream,
    way: Way,
    shared: &Shared,
) -> io::Result<()> {
    let mut pump = Pump {
        to,
        way,
        shared,
        sky: shared.sky.subscribe(),
        line: Line::new(),
        buffer: vec![0; CHUNK_BYTES_MAX],
    };
    let mut is_open = true;
    while is_open || !pump.line.waiting.is_empty() {
        let weather = pump.sky.borrow_and_update().weather(way);
        if weather.dark {
            pump.changed().await;
            continue;
        }
        if pump.line.due().is_some_and(|due| due <= Instant::now()) {
            pump.write_next().await?;
            continue;
        }
        let due = pump.line.due();
        let may_read = is_open && pump.line.bytes < WAITING_BYTES_MAX;
        tokio::select! {
            () = pump.changed() => {}
            () = until(due) => {}
            ready = from.readable(), if may_read => {
                ready?;
                is_open = pump.read(from, weather)?;
            }
        }
    }
    close_half(to)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}

/// What one way of a connection needs.
struct Pump<'a> {
    to: &'a TcpStream,
    way: Way,
    shared: &'a Shared,
    sky: watch::Receiver<Sky>,
    line: Line,
    buffer: Vec<u8>,
}

impl Pump<'_> {
    /// Waits for other weather. The sender lives as long as the pump borrows it.
    async fn changed(&mut self) {
        if self.sky.changed().await.is_err() {
            future::pending().await
        }
    }

    /// Takes what there is; false when the sender has closed its half.
    fn read(&mut self, from: &TcpStream, weather: Weather) -> io::Result<bool> {
        let most = weather.slice.unwrap_or(CHUNK_BYTES_MAX);
        let of_rate = weather.bytes_per_second.map_or(u32::MAX, |rate| rate / SECOND_PARTS);
        let most = most.min(usize::try_from(of_rate).unwrap_or(usize::MAX));
        let most = most.clamp(1, CHUNK_BYTES_MAX);
        match from.try_read(&mut self.buffer[..most]) {
            Ok(0) => return Ok(false),
            Ok(read) => self.line.push(&self.buffer[..read], weather),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Writes what is due, as far as the scripts let it.
    async fn write_next(&mut self) -> io::Result<()> {
        let Some(bytes) = self.line.pop() else { return Ok(()) };
        let (passed, then) = self.shared.ledger().pass(self.way, bytes.len());
        write_all(self.to, &bytes[..passed]).await?;
        self.line.put_back(&bytes[passed..]);
        if let Some(then) = then {
            self.shared.happen(then);
            if matches!(then, Then::Cut(_)) {
                // The connection sees the cut and ends; not one byte more leaves.
                future::pending().await
            }
        }
        Ok(())
    }
}

/// Bytes on their way, each with the moment at which it arrives.
struct Line {
    waiting: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the last of them arrives: nothing overtakes.
    last: Instant,
    random: StdRng,
}

impl Line {
    fn new() -> Self {
        let random = StdRng::seed_from_u64(JITTER_SEED);
        Self { waiting: VecDeque::new(), bytes: 0, last: Instant::now(), random }
    }

    fn push(&mut self, bytes: &[u8], weather: Weather) {
        let jitter = self.random.random_range(0.0..=1.0);
        let late = weather.latency + weather.jitter.mul_f64(jitter);
        let mut due = self.last.max(Instant::now() + late);
        if let Some(rate) = weather.bytes_per_second {
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            due += Duration::from_secs(1) * count / rate.max(1);
        }
        self.last = due;
        self.bytes += bytes.len();
        self.waiting.push_back((due, bytes.to_vec()));
    }

    fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let (_, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// What a script held back goes next.
    fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.waiting.push_front((Instant::now(), bytes.to_vec()));
        }
    }
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The receiver hears that no more will come, and may still speak.
fn close_half(to: &TcpStream) -> io::Result<()> {
    match rustix::net::shutdown(to, rustix::net::Shutdown::Write) {
        // It is gone already, which is what it should hear.
        Err(error) if error == rustix::io::Errno::NOTCONN => Ok(()),
        other => Ok(other?),
    }
}
