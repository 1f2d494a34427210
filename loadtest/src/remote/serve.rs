//! The side that is led: one run at a time, for whoever proves to know the token.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use trialogue_client::Http;
use url::Url;

use super::{
    Ask, BEAT, FULL, GREETING_BYTES_MAX, Job, Key, MESSAGE_BYTES_MAX, READ_MAX, SILENT_MAX, Tell,
    VERSION, nonce, read_all, read_soon, write,
};
use crate::run::{RunConfig, TOLD_MAX, Wires, can_hold, start};
use crate::stamp::Stamps;
use crate::target::Target;
use crate::worker::Told;

/// Connections that have proved nothing yet; more are closed at once.
const STRANGERS_MAX: usize = 8;
/// A failed accept passes with the load.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a target's routes are reached: its address, and whether tokens may travel without TLS.
pub type Reach = dyn Fn(&Url, bool) -> Result<Http, String> + Send + Sync;

/// Works for one lead after another until `stop`; a run that is on then is judged first. What
/// goes wrong with a lead is logged, and the next may come.
pub async fn serve(listener: TcpListener, key: Key, reach: Arc<Reach>, stop: CancellationToken) {
    let (strangers, seat) = (Arc::new(Semaphore::new(STRANGERS_MAX)), Arc::new(Semaphore::new(1)));
    let mut leads = JoinSet::new();
    loop {
        while leads.try_join_next().is_some() {}
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = strangers.clone().try_acquire_owned() else { continue };
        let (key, reach, stop) = (key.clone(), reach.clone(), stop.clone());
        let seat = seat.clone();
        leads.spawn(async move {
            let mut stream = stream;
            if let Err(error) = greet(&mut stream, &key).await {
                tracing::warn!(%peer, %error, "a lead was refused");
                return;
            }
            drop(place);
            let Ok(_seat) = seat.try_acquire() else {
                let why = "it works for another lead".to_owned();
                let _gone = write(&mut stream, &Tell::Refused { why }).await;
                return;
            };
            tracing::info!(%peer, "a run begins");
            match work(stream, &*reach, &stop).await {
                Ok(()) => tracing::info!(%peer, "the run is over"),
                Err(error) => tracing::warn!(%peer, %error, "the run has failed"),
            }
        });
    }
    while leads.join_next().await.is_some() {}
}

async fn greet(stream: &mut TcpStream, key: &Key) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Ask::Hello { version, nonce: theirs } = read_soon(stream, GREETING_BYTES_MAX).await? else {
        return Err(io::Error::other("it did not say hello"));
    };
    if version != VERSION {
        let why = format!("it speaks version {VERSION} of workers, and the lead {version}");
        write(stream, &Tell::Refused { why: why.clone() }).await?;
        return Err(io::Error::other(why));
    }
    let ours = nonce();
    let proof = key.prove("worker", [&theirs, &ours])?;
    write(stream, &Tell::Challenge { nonce: ours.clone(), proof }).await?;
    let enter = read_soon(stream, GREETING_BYTES_MAX).await?;
    match enter {
        Ask::Enter { proof } if key.is_proof(&proof, "lead", [&theirs, &ours]) => Ok(()),
        _ => {
            let why = "it has another token".to_owned();
            let _gone = write(stream, &Tell::Refused { why }).await;
            Err(io::Error::other("it does not know the token"))
        }
    }
}

async fn work(mut stream: TcpStream, reach: &Reach, stop: &CancellationToken) -> io::Result<()> {
    write(&mut stream, &Tell::Beat).await?;
    let Ask::Job(job) = read_soon(&mut stream, MESSAGE_BYTES_MAX).await? else {
        return Err(io::Error::other("it gave no job"));
    };
    match run(&mut stream, *job, reach, stop).await {
        Err(error) => {
            // Whoever is gone needs no reason.
            let (why, full) = (error.to_string(), error.kind() == FULL);
            let _gone = write(&mut stream, &Tell::Failed { why, full }).await;
            Err(error)
        }
        done => done,
    }
}

async fn run(
    stream: &mut TcpStream,
    mut job: Job,
    reach: &Reach,
    stop: &CancellationToken,
) -> io::Result<()> {
    let fault = |why: String| io::Error::other(why);
    job.plan.check().map_err(|error| fault(error.to_string()))?;
    if job.workers.is_empty() || job.workers.end > job.plan.workers {
        return Err(fault("a job for workers that the plan does not have".to_owned()));
    }
    let sizes = job.plan.room_sizes();
    let rooms = job.workers.clone().flat_map(|worker| job.plan.rooms_of(worker));
    let sockets: u64 = rooms.map(|room| u64::from(sizes[room as usize])).sum();
    // Its part of all connections.
    let connections = job.plan.connections() * sockets / job.plan.sockets().max(1);
    can_hold(connections, 1).map_err(|error| fault(error.to_string()))?;
    let http = reach(&job.url, job.plain_http).map_err(fault)?;
    let target = Target { capabilities: job.capabilities(), ..Target::new(http, job.dialect) };
    let mut config = RunConfig::new(target, "worker");
    (config.only_ours, config.drain) = (job.only_ours, job.drain);
    let stamps = Stamps::of(job.run.clone());
    let (begin, _) = watch::channel(None);
    let (told, hears) = mpsc::channel(TOLD_MAX);
    // Ends the threads whatever becomes of this future.
    let end = CancellationToken::new();
    let _ended = end.clone().drop_guard();
    let halt = stop.child_token();
    let (storm, _) = watch::channel(None);
    let wires = Wires { stamps: &stamps, begin: &begin, storm: &storm, halt: &halt, end: &end };
    let (workers, rooms) = (job.workers.clone(), job.rooms());
    let threads = start(&job.plan, &config, workers.clone(), rooms, &wires, &told);
    let threads = threads.map_err(|error| fault(error.to_string()))?;
    drop(told);
    talk(stream, workers.len(), hears, &begin, &halt).await?;
    for thread in threads {
        // It has said that it is done: this is short.
        let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
    }
    Ok(())
}

/// Passes on what threads tell and what the lead asks, until all threads are done.
async fn talk(
    stream: &mut TcpStream,
    mut left: usize,
    mut hears: mpsc::Receiver<Told>,
    begin: &watch::Sender<Option<Instant>>,
    halt: &CancellationToken,
) -> io::Result<()> {
    let (read, mut to) = stream.split();
    let (ask, mut asks) = mpsc::channel(READ_MAX);
    let reading = read_all(read, ask);
    tokio::pin!(reading);
    let mut is_reading = true;
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    while left > 0 {
        let told = tokio::select! {
            told = hears.recv() => told.ok_or_else(|| io::Error::other("a thread is gone"))?,
            () = &mut reading, if is_reading => {
                is_reading = false;
                continue;
            }
            asked = asks.recv() => {
                heard = Instant::now();
                match asked.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))? {
                    Ask::Begin { micros } => {
                        begin.send_replace(Some(Instant::now() + Duration::from_micros(micros)));
                    }
                    Ask::Stop => halt.cancel(),
                    Ask::Beat => {}
                    Ask::Hello { .. } | Ask::Enter { .. } | Ask::Job(_) => {
                        return Err(io::Error::other("the lead says what no lead says"));
                    }
                }
                continue;
            }
            _ = beat.tick() => {
                if heard.elapsed() > SILENT_MAX {
                    return Err(io::Error::other("the lead has not said a word for 10 s"));
                }
                write(&mut to, &Tell::Beat).await?;
                continue;
            }
        };
        let tell = match told {
            Told::Joined(more) => Tell::Joined { more },
            Told::Ready => Tell::Ready,
            Told::Failed { why, full: true } => return Err(io::Error::new(FULL, why)),
            Told::Failed { why, .. } => return Err(io::Error::other(why)),
            Told::Tick(tick) => Tell::Tick(tick),
            Told::Done(done) => {
                left -= 1;
                Tell::Done(done)
            }
            // Only a lead loses workers.
            Told::Lost { .. } => continue,
        };
        write(&mut to, &tell).await?;
    }
    Ok(())
}
