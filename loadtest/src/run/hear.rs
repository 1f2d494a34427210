//! Listens to the workers.

use tokio::sync::mpsc;

use super::sum::Sum;
use super::{Progress, RunError};
use crate::plan::Plan;
use crate::worker::Told;

/// Adds up what workers tell until all are done.
pub(super) async fn hear(
    workers: u32,
    hears: &mut mpsc::Receiver<Told>,
    sum: &mut Sum,
    observer: &mut (dyn FnMut(&Progress, &mut Sum) + Send),
) -> Result<(), RunError> {
    let mut left = workers;
    let mut draining = false;
    while left > 0 {
        match hears.recv().await {
            Some(Told::Tick(tick)) => {
                let still = tick.speaking;
                sum.tick(&tick);
                if let Some(second) = sum.second() {
                    observer(&Progress::Second(Box::new(second)), sum);
                }
                if !still && !std::mem::replace(&mut draining, true) {
                    observer(&Progress::Draining, sum);
                }
            }
            Some(Told::Done(done)) => {
                left -= 1;
                sum.done(*done);
            }
            Some(Told::Lost { worker, why }) => {
                left -= 1;
                sum.lost(worker, &why);
            }
            Some(Told::Failed { why, full }) => return Err(failed(why, full)),
            Some(Told::Joined(_) | Told::Ready) => {}
            None => return Err(RunError::CannotRun("a worker is gone".to_owned())),
        }
    }
    Ok(())
}

fn failed(why: String, full: bool) -> RunError {
    if full { RunError::NoRoom(why) } else { RunError::CannotRun(why) }
}

/// Waits until everybody is in a room.
pub(super) async fn connect(
    plan: &Plan,
    hears: &mut mpsc::Receiver<Told>,
    observer: &mut (dyn FnMut(&Progress) + Send),
) -> Result<(), RunError> {
    let (mut joined, mut ready) = (0, 0);
    while ready < plan.workers {
        match hears.recv().await {
            Some(Told::Joined(more)) => {
                joined += more;
                observer(&Progress::Sockets(joined, plan.sockets()));
            }
            Some(Told::Ready) => ready += 1,
            Some(Told::Failed { why, full }) => return Err(failed(why, full)),
            Some(Told::Lost { why, .. }) => return Err(RunError::CannotRun(why)),
            Some(Told::Tick(_) | Told::Done(_)) => {}
            None => return Err(RunError::CannotRun("a worker is gone".to_owned())),
        }
    }
    Ok(())
}
