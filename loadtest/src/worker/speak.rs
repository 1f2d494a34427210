//! Sends what is due: at its moment, or at once when that is over. Nothing is skipped and nothing
//! is made up.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use trialogue_checker::Micros;

use super::Orders;
use super::floor::Floor;
use super::places;
use crate::alarm::Alarm;
use crate::live::Clock;
use crate::plan::{Pace, Schedule};

/// Sends in a row before the sockets get a turn, however late they are.
const IN_A_ROW: u32 = 16;
/// Nothing is sent once so many messages are under way: the server has long lost.
pub(crate) const UNDER_WAY_MAX: usize = 4_000_000;

/// How far it came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spoke {
    /// The plan is done.
    pub(super) complete: bool,
    /// Moments of it that came.
    pub(super) due: u64,
}

/// Sends until the plan is done or a stop comes.
pub(super) async fn speak(
    floor: &Rc<Floor>,
    orders: &Orders,
    mut alarm: Alarm,
) -> io::Result<Spoke> {
    let due = Cell::new(0);
    let senders = floor.judge.borrow().senders();
    let schedule = Schedule::of(&orders.plan, orders.number, senders);
    let spoken = async {
        alarm.until(floor.begin.get()).await?;
        match orders.plan.pace {
            Pace::Open { .. } => {
                let clock = orders.steered.clock(floor.begin.get());
                open(floor, schedule, (clock, &due), &mut alarm).await
            }
            Pace::Silent { length } => {
                let end = floor.begin.get() + Duration::from_micros(length);
                alarm.until(end).await.map(|()| true)
            }
            Pace::Closed { window, warm_up, length } => {
                closed(floor, schedule, (window, warm_up, length), &mut alarm).await
            }
        }
    };
    let complete = orders.stop.run_until_cancelled(spoken).await.unwrap_or(Ok(false))?;
    Ok(Spoke { complete, due: due.get() })
}

async fn open(
    floor: &Floor,
    mut schedule: Schedule,
    (mut clock, came): (Clock, &Cell<u64>),
    alarm: &mut Alarm,
) -> io::Result<bool> {
    let mut in_a_row = 0;
    while let Some(due) = schedule.next() {
        let moment = loop {
            match clock.moment(due.at) {
                Some(moment) if moment <= Instant::now() => break moment,
                Some(moment) => {
                    in_a_row = 0;
                    tokio::select! {
                        rang = alarm.until(moment) => {
                            rang?;
                            break moment;
                        }
                        () = clock.changed() => {}
                    }
                }
                None => {
                    in_a_row = 0;
                    clock.changed().await;
                }
            }
        };
        if in_a_row == IN_A_ROW {
            tokio::task::yield_now().await;
            in_a_row = 0;
        }
        came.set(came.get() + 1);
        if floor.judge.borrow().under_way() > UNDER_WAY_MAX {
            // They are due, and nothing goes out for them.
            came.set(came.get() + schedule.count() as u64);
            floor.ends.borrow_mut().is_overfull = true;
            return Ok(false);
        }
        floor.send(due.sender, due.size, due.recorded, floor.at(moment));
        in_a_row += 1;
    }
    Ok(true)
}

/// Keeps so many messages of every room under way.
async fn closed(
    floor: &Floor,
    mut schedule: Schedule,
    (window, warm_up, length): (u32, Micros, Micros),
    alarm: &mut Alarm,
) -> io::Result<bool> {
    let rooms = floor.judge.borrow().rooms();
    let mut turns = vec![0_u32; rooms as usize];
    for _ in 0..window {
        floor.ready.borrow_mut().extend(0..rooms);
    }
    let end = floor.begin.get() + Duration::from_micros(warm_up.saturating_add(length));
    let mut silenced = vec![false; rooms as usize];
    let mut in_a_row = 0;
    let talk = async {
        while silenced.contains(&false) {
            let Some(room) = floor.ready.borrow_mut().pop_front() else {
                in_a_row = 0;
                floor.news.notified().await;
                continue;
            };
            if in_a_row == IN_A_ROW {
                tokio::task::yield_now().await;
                in_a_row = 0;
            }
            let Some(sender) = floor.next_sender(room, &mut turns[room as usize]) else {
                if !std::mem::replace(&mut silenced[room as usize], true) {
                    floor.ends.borrow_mut().silenced += 1;
                }
                continue;
            };
            let now = floor.at(Instant::now());
            floor.send(sender, schedule.draw(), now >= warm_up, now);
            in_a_row += 1;
        }
    };
    tokio::select! {
        // Nobody is left to speak.
        () = talk => Ok(false),
        () = places::watch(floor) => Ok(false),
        rang = alarm.until(end) => rang.map(|()| true),
    }
}
