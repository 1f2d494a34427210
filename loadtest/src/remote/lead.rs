//! The side that leads: one future for each worker, which ends when the worker has, or is gone.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    Ask, BEAT, FULL, GREETING_BYTES_MAX, GREETING_WITHIN, Job, Key, READ_MAX, SILENT_MAX, Tell,
    VERSION, nonce, read_all, read_soon, write,
};
use crate::worker::Told;

/// A worker on another machine, or in another process.
#[derive(Debug, Clone)]
pub struct Far {
    /// Host and port.
    pub address: String,
    /// What it has been given, too.
    pub key: Key,
}

/// A worker cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("worker {address}: {why}")]
pub struct FarError {
    address: String,
    why: String,
}

/// A worker that lets us lead it.
#[derive(Debug)]
pub(crate) struct Link {
    address: String,
    stream: TcpStream,
}

impl Far {
    /// Connects, and lets both sides prove that they know the token.
    pub(crate) async fn reach(&self) -> Result<Link, FarError> {
        let fault = |why: String| FarError { address: self.address.clone(), why };
        let connect = tokio::time::timeout(GREETING_WITHIN, TcpStream::connect(&self.address));
        let connected = connect.await.map_err(|_| fault("it does not answer".to_owned()))?;
        let mut stream = connected.map_err(|error| fault(format!("not there: {error}")))?;
        let greeted = self.greet(&mut stream).await;
        greeted.map_err(|error| fault(error.to_string()))?;
        Ok(Link { address: self.address.clone(), stream })
    }

    async fn greet(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let ours = nonce();
        write(stream, &Ask::Hello { version: VERSION, nonce: ours.clone() }).await?;
        match read_soon(stream, GREETING_BYTES_MAX).await? {
            Tell::Challenge { nonce, proof } => {
                // Tokens of users are not for whoever happens to listen there.
                if !self.key.is_proof(&proof, "worker", [&ours, &nonce]) {
                    return Err(io::Error::other("it has another token"));
                }
                let proof = self.key.prove("lead", [&ours, &nonce])?;
                write(stream, &Ask::Enter { proof }).await?;
            }
            Tell::Refused { why } => return Err(io::Error::other(why)),
            _ => return Err(io::Error::other("it is no worker")),
        }
        match read_soon(stream, GREETING_BYTES_MAX).await? {
            Tell::Beat => Ok(()),
            Tell::Refused { why } => Err(io::Error::other(why)),
            _ => Err(io::Error::other("it is no worker")),
        }
    }
}

/// What goes through to a worker.
pub(crate) struct Reins {
    pub(crate) begin: watch::Receiver<Option<Instant>>,
    pub(crate) stop: CancellationToken,
    pub(crate) end: CancellationToken,
}

/// Gives a worker its job and tells what it tells, as its threads would if they were here. A worker
/// that is gone is told of, for each thread that had not ended.
pub(crate) async fn lead(link: Link, job: Job, mut reins: Reins, told: mpsc::Sender<Told>) {
    let Link { address, stream } = link;
    let mut left: BTreeSet<u32> = job.workers.clone().collect();
    let end = reins.end.clone();
    let drive = drive(stream, job, &mut left, &mut reins, &told);
    let Some(Err(error)) = end.run_until_cancelled(drive).await else { return };
    let why = format!("worker {address}: {error}");
    if reins.begin.borrow().is_none() {
        let _gone = told.send(Told::Failed { why, full: error.kind() == FULL }).await;
        return;
    }
    for worker in left {
        let _gone = told.send(Told::Lost { worker, why: why.clone() }).await;
    }
}

async fn drive(
    stream: TcpStream,
    job: Job,
    left: &mut BTreeSet<u32>,
    reins: &mut Reins,
    told: &mpsc::Sender<Told>,
) -> io::Result<()> {
    let (read, mut to) = stream.into_split();
    write(&mut to, &Ask::Job(Box::new(job))).await?;
    let (tell, mut tells) = mpsc::channel(READ_MAX);
    let mut reading = tokio::task::JoinSet::new();
    reading.spawn(read_all(read, tell));
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut has_begun, mut has_stopped) = (Instant::now(), false, false);
    let gone = |_| io::Error::other("the run is over");
    while !left.is_empty() {
        let said = tokio::select! {
            said = tells.recv() => said.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?,
            _ = beat.tick() => {
                if heard.elapsed() > SILENT_MAX {
                    return Err(io::Error::other("it has not said a word for 10 s"));
                }
                write(&mut to, &Ask::Beat).await?;
                continue;
            }
            changed = reins.begin.changed(), if !has_begun => {
                let begin = *reins.begin.borrow();
                // Nobody begins any more when there is nobody to say so.
                has_begun = begin.is_some() || changed.is_err();
                if let Some(begin) = begin {
                    let left = begin.saturating_duration_since(Instant::now());
                    write(&mut to, &Ask::Begin { micros: micros(left) }).await?;
                }
                continue;
            }
            () = reins.stop.cancelled(), if !has_stopped => {
                has_stopped = true;
                write(&mut to, &Ask::Stop).await?;
                continue;
            }
        };
        heard = Instant::now();
        let said = match said {
            Tell::Joined { more } => Told::Joined(more),
            Tell::Ready => Told::Ready,
            Tell::Failed { why, full: true } => return Err(io::Error::new(FULL, why)),
            Tell::Failed { why, .. } => return Err(io::Error::other(why)),
            Tell::Tick(tick) if left.contains(&tick.worker) => Told::Tick(tick),
            Tell::Done(done) if left.remove(&done.worker) => Told::Done(done),
            Tell::Beat => continue,
            Tell::Tick(_) | Tell::Done(_) | Tell::Challenge { .. } | Tell::Refused { .. } => {
                return Err(io::Error::other("it says what no worker says"));
            }
        };
        told.send(said).await.map_err(gone)?;
    }
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
