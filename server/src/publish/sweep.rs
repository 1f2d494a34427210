//! Finds what was committed but not put out: after a crash between the two, after news that were
//! lost, after commits of another process (CONTRACT §3.4: visible within 2.5 s), and sessions and
//! memberships that somebody else has ended (within 2 s).

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};

use super::nodes::{self, Due, Tail};
use super::{Broadcast, Context, Op, Publisher, Surveyed};
use crate::store::{Ending, Endings, StoreError};
use crate::supervise::Task;

/// Between the beginnings of two sweeps: with the statement and the reading of what was found
/// everything is visible within 2.5 s, and every ending known within 2 s.
const SWEEP_INTERVAL: Duration = Duration::from_millis(1_500);
const _: () = assert!(SWEEP_INTERVAL.as_millis() < 2_000, "the promises of CONTRACT §3.4 and §1");
/// Time for one sweep; then the next one asks again.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(5);
/// How far a commit may lie behind its own time stamp: endings are read so far back each time.
const COMMIT_LAG_MAX: Duration = Duration::from_secs(10);

/// The task. It remembers what it has dealt with.
pub(super) struct Sweep {
    publisher: Publisher,
    context: Context,
    endings: Heeded,
    tail: Tail,
}

impl Sweep {
    pub(super) fn new(publisher: Publisher, context: Context) -> Self {
        let endings = Heeded { by_id: HashMap::new(), read_at: Instant::now(), owes_tail: false };
        Self { publisher, context, endings, tail: Tail::default() }
    }
}

impl Task for Sweep {
    const NAME: &'static str = "sweep";

    async fn run(&mut self) {
        run(self).await;
    }
}

/// Sweeps for ever; a part of it before its time when another node says where something is new.
async fn run(Sweep { publisher, context, endings, tail }: &mut Sweep) {
    let mut tick = tokio::time::interval(SWEEP_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = tokio::select! {
            _ = tick.tick() => Due { everything: true, ..Due::default() },
            due = context.nodes.due() => due,
        };
        let swept = tokio::time::timeout(SWEEP_TIMEOUT, async {
            // The database may be away: whoever asks for something is told so, and we come again.
            if due.everything || due.endings {
                let _ = endings.sweep(publisher, context).await;
            }
            if due.everything {
                let _ = sweep(publisher, context).await;
            }
            if context.nodes.has_others() || endings.owes_tail {
                // An operator's verb is no node, and leaves more than the end of a membership: the
                // flags of the chat have changed, and others have notifications.
                let due = Due { everything: due.everything || endings.owes_tail, ..due };
                if tail.sweep(&due, publisher, context).await.is_ok() {
                    endings.owes_tail = false;
                }
            }
        });
        if swept.await.is_err() {
            tracing::warn!("a sweep took too long");
        }
    }
}

/// One statement for all rooms that somebody is in.
async fn sweep(publisher: &Publisher, context: &Context) -> Result<(), StoreError> {
    let mut seen: Vec<Vec<Surveyed>> = Vec::with_capacity(publisher.shards.len());
    for shard in publisher.shards.iter() {
        let (answer, answered) = oneshot::channel();
        let asked = shard.send(Op::Survey(answer)).await.is_ok();
        seen.push(if asked { answered.await.unwrap_or_default() } else { Vec::new() });
    }
    let chats: Vec<_> = seen.iter().flatten().map(|room| room.chat_id).collect();
    context.metrics.rooms(chats.len());
    if chats.is_empty() {
        return Ok(());
    }
    let last: HashMap<_, _> = context.store.last_seqs(&chats).await?.into_iter().collect();
    let marks = seen.iter().flatten().map(|room| (room.chat_id, room.marks)).collect::<Vec<_>>();
    // What a room knows of and waits for is not the sweep's find.
    let unheard = |room: &Surveyed| Some((last.get(&room.chat_id)? - room.known).max(0));
    context.metrics.swept(seen.iter().flatten().filter_map(unheard).sum());
    for (shard, seen) in publisher.shards.iter().zip(seen) {
        let found: Vec<_> = seen
            .into_iter()
            .filter_map(|room| Some((room.chat_id, room.seq, *last.get(&room.chat_id)?)))
            .filter(|(_, seq, last_seq)| seq != last_seq)
            .collect();
        if !found.is_empty() && shard.send(Op::Found(found)).await.is_err() {
            return Ok(());
        }
    }
    if context.nodes.has_others() {
        nodes::sweep_marks(&marks, publisher, context).await?;
    }
    Ok(())
}

/// Endings that were dealt with, so that each is dealt with once.
struct Heeded {
    by_id: HashMap<i64, Instant>,
    /// When they were last read.
    read_at: Instant,
    /// Somebody was put out of a chat, and what else came with it was not looked at yet. A pass that
    /// fails or takes too long does not lose it.
    owes_tail: bool,
}

impl Heeded {
    /// Ends what somebody else has ended. What an ending says may be over by now (a person who is
    /// in the chat again, a session that began after it), so it is only a hint where to look.
    async fn sweep(&mut self, publisher: &Publisher, context: &Context) -> Result<(), StoreError> {
        let now = Instant::now();
        let back = (now - self.read_at) + COMMIT_LAG_MAX;
        let seconds = u32::try_from(back.as_secs() + 1).unwrap_or(u32::MAX);
        for ending in context.store.endings(seconds).await? {
            if self.by_id.contains_key(&ending.id) {
                continue;
            }
            self.owes_tail |= matches!(ending.what, Ending::Membership(_));
            if context.presence.sockets_of(ending.user_id) > 0 {
                heed(&ending, publisher, context).await?;
            }
            self.by_id.insert(ending.id, now);
        }
        self.read_at = now;
        self.by_id.retain(|_, heeded_at| now - *heeded_at < 2 * back);
        Ok(())
    }
}

async fn heed(
    ending: &Endings,
    publisher: &Publisher,
    context: &Context,
) -> Result<(), StoreError> {
    let Context { presence, store, .. } = context;
    let user_id = ending.user_id;
    match ending.what {
        Ending::Membership(chat_id) => {
            if store.entry(user_id, chat_id).await?.is_none() {
                publisher.tell_here(Broadcast::MemberRemoved { chat_id, user_id }).await;
            }
        }
        Ending::Session(_) | Ending::Sessions { .. } => {
            for session in presence.sessions_of(user_id) {
                if store.person_of_session(session, user_id).await?.is_none() {
                    let (family, except) = (Some(session), None);
                    let ended = Broadcast::SessionsEnded { user_id, family, except };
                    publisher.tell_here(ended).await;
                }
            }
        }
    }
    Ok(())
}
