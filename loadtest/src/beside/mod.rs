//! What is looked at beside a run, once a second: the server's process, and what it says of itself.

mod process;
mod scrape;

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::result::{Document, Sample};
use process::Process;
use scrape::Scrape;

/// Between two looks, as long as there are few.
const EVERY: Duration = Duration::from_secs(1);
/// Most samples that are kept: then every other one goes, and half as many come.
const SAMPLES_MAX: usize = 4_000;

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// A process of this machine.
    pub pid: Option<u32>,
    /// Where figures are, as Prometheus reads them.
    pub scrape: Option<Url>,
}

/// Somebody who looks.
#[derive(Debug)]
pub struct Watch {
    stop: CancellationToken,
    looking: JoinHandle<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    samples: Vec<(SystemTime, Sample)>,
    /// Why nothing was seen, the last time.
    fault: Option<String>,
}

impl Beside {
    /// Whether there is nothing to look at.
    pub fn is_nothing(&self) -> bool {
        self.pid.is_none() && self.scrape.is_none()
    }

    /// Begins to look.
    ///
    /// # Errors
    /// The process is not there, or the address cannot be asked: a sentence.
    pub fn watch(self) -> Result<Watch, String> {
        let process = self.pid.map(Process::new).transpose()?;
        let scrape = self.scrape.map(Scrape::new).transpose()?;
        let stop = CancellationToken::new();
        let looking = tokio::spawn(look(process, scrape, stop.clone()));
        Ok(Watch { stop, looking })
    }
}

async fn look(
    mut process: Option<Process>,
    scrape: Option<Scrape>,
    stop: CancellationToken,
) -> Seen {
    let mut seen = Seen::default();
    let (mut ticks, mut every, mut turn) = (tokio::time::interval(EVERY), 1_u64, 0_u64);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        turn += 1;
        if !turn.is_multiple_of(every) {
            continue;
        }
        let now = SystemTime::now();
        let mut sample = Sample::default();
        if let Some(process) = &mut process {
            match process.look() {
                Ok((cpu, resident)) => {
                    (sample.cpu, sample.resident) = (cpu, Some(resident));
                }
                Err(why) => seen.fault = Some(why),
            }
        }
        if let Some(scrape) = &scrape {
            match stop.run_until_cancelled(scrape.ask()).await {
                None => break,
                Some(Ok(metrics)) => sample.metrics = metrics,
                Some(Err(why)) => seen.fault = Some(why),
            }
        }
        if sample != Sample::default() {
            seen.samples.push((now, sample));
        }
        if seen.samples.len() >= SAMPLES_MAX {
            let mut kept = false;
            seen.samples.retain(|_| {
                kept = !kept;
                kept
            });
            every *= 2;
        }
    }
    seen
}

impl Watch {
    /// Ends looking, and puts what was seen into the result of the run. Answers why nothing was
    /// seen, if so.
    pub async fn end(self, document: &mut Document) -> Option<String> {
        self.stop.cancel();
        let seen = self.looking.await.unwrap_or_default();
        let began = DateTime::parse_from_rfc3339(&document.started);
        let began = began.map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
        for (moment, sample) in seen.samples {
            // What was before the first send is no part of the run.
            if let Ok(after) = moment.duration_since(began) {
                let at = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                document.server.push(Sample { at, ..sample });
            }
        }
        seen.fault.filter(|_| document.server.is_empty())
    }
}
