//! Keeps this node's lease, says who is with it, reads who is with the others. One task, so that
//! what it says has one order and what it has read is never overtaken.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use trialogue_protocol::UserId;

use super::super::{Context, Publisher};
use super::theirs::Changed;
use super::{Hint, lock};
use crate::store::{OtherNode, Place};
use crate::supervise::Task;

/// How long a node counts as alive after its last heartbeat (CONTRACT's issue of several nodes:
/// "leases of 6 s"): three heartbeats may fail.
const LEASE: Duration = Duration::from_secs(6);
/// Between two heartbeats, and so between two looks at what the others say when no hint comes.
const BEAT_INTERVAL: Duration = Duration::from_millis(1_500);
/// Between two statements that say or read who is where: bounds their rate.
const PAUSE: Duration = Duration::from_millis(10);
/// Who is gone is remembered in the table so long for readers of changes.
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// A queue of hints that is so full is not read by somebody (RELIABILITY §2.14).
const QUEUE_USAGE_MAX: f64 = 0.1;

/// See the module.
pub(super) struct Keeper {
    publisher: Publisher,
    context: Context,
    /// The table has this node with nothing in it that was true before.
    has_entered: bool,
    /// Nobody is declared dead before this: after an outage of the database all leases are over,
    /// and the others need a moment to renew theirs too.
    patient_until: Instant,
    /// When, and up to which version, who is gone may be forgotten.
    forget: (Instant, i64),
}

impl Keeper {
    pub(super) fn new(publisher: Publisher, context: Context) -> Self {
        let now = Instant::now();
        let (has_entered, forget) = (false, (now + FORGET_AFTER, 0));
        Self { publisher, context, has_entered, patient_until: now, forget }
    }
}

impl Task for Keeper {
    const NAME: &'static str = "keeper";

    async fn run(&mut self) {
        let mut tick = interval(BEAT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_time = tokio::select! {
                _ = tick.tick() => true,
                () = self.context.nodes.inside.keeper.notified() => false,
            };
            let wanted = std::mem::take(&mut *lock(&self.context.nodes.inside.wanted));
            if is_time || wanted.beat {
                self.beat().await;
            }
            if self.context.nodes.ours().has_news() {
                self.say().await;
            }
            if wanted.read {
                self.read().await;
            }
            sleep(PAUSE).await;
        }
    }

    /// What was taken to be said may not have been: all of it is said under a new lease.
    fn failed(&mut self) {
        self.has_entered = false;
    }
}

impl Keeper {
    /// A sign of life, and a look at those of the others.
    async fn beat(&mut self) {
        let nodes = self.context.nodes.clone();
        let Ok(beat) = self.context.store.beat(nodes.inside.id, LEASE).await else {
            // Most likely the others fail now too.
            self.patient_until = Instant::now() + LEASE;
            return;
        };
        let is_in = beat.own && self.has_entered;
        if !is_in && !self.enter().await {
            return;
        }
        let is_patient = Instant::now() < self.patient_until;
        let (alive, dead): (Vec<_>, Vec<_>) = beat.others.into_iter().partition(|o| o.is_alive);
        {
            let mut theirs = nodes.theirs_mut();
            alive.iter().for_each(|other| theirs.saw(other.id, other.beat_at));
        }
        if !is_patient {
            self.bury(&alive, &dead).await;
        }
        self.share().await;
        let behind = nodes.theirs().versions();
        let is_behind =
            |other: &OtherNode| behind.iter().any(|&(id, v)| id == other.id && v < other.version);
        if alive.iter().any(is_behind) {
            self.read().await;
        }
        self.forget().await;
    }

    /// Begins a lease, because there is none (any more), or because what was said under it is not
    /// true any more. When that fails, the next heartbeat tries again.
    async fn enter(&mut self) -> bool {
        self.has_entered = false;
        let nodes = &self.context.nodes;
        let version = nodes.ours().begin_anew();
        if self.context.store.enter_node(nodes.inside.id, version, LEASE).await.is_err() {
            return false;
        }
        self.has_entered = true;
        self.patient_until = Instant::now() + LEASE;
        nodes.whisper(Hint::Hello);
        true
    }

    /// Those that are not alive take their people along.
    async fn bury(&mut self, alive: &[OtherNode], dead: &[OtherNode]) {
        let nodes = self.context.nodes.clone();
        let known = nodes.theirs().versions();
        for (id, _) in known.into_iter().filter(|(id, _)| !alive.iter().any(|o| o.id == *id)) {
            let lost = nodes.theirs_mut().lost(id);
            if let Some((changed, beat_at)) = lost {
                tracing::info!(node = %id, "another node is gone");
                self.look_again(changed, Some(beat_at)).await;
            }
        }
        let dead: Vec<_> = dead.iter().map(|other| other.id).collect();
        if !dead.is_empty() && self.context.store.bury_nodes(&dead).await.is_err() {
            tracing::debug!("dead nodes stay in their table for now");
        }
    }

    /// Begins to say who is here when the first other node is seen, ends with the last one.
    async fn share(&mut self) {
        let nodes = self.context.nodes.clone();
        let has_others = !nodes.theirs().is_empty();
        if has_others == nodes.has_others() {
            return;
        }
        if has_others {
            tracing::info!("this node is not alone");
            nodes.ours().share();
            nodes.inside.has_others.store(true, Ordering::Release);
            // Whoever comes from now on marks itself; whoever is here is marked now.
            for user in self.context.presence.online() {
                nodes.online(user);
            }
            self.publisher.call_roll().await;
        } else {
            tracing::info!("this node is alone");
            nodes.inside.has_others.store(false, Ordering::Release);
            let presence = &self.context.presence;
            let gone = nodes.hush(|user| presence.sockets_of(user) > 0);
            self.settle(gone).await;
            // Another node that begins must not read what was true when the last one ended.
            self.enter().await;
        }
    }

    /// Says what is new, then reads: whoever went from here was gone only if no other node has
    /// them.
    async fn say(&mut self) {
        let nodes = self.context.nodes.clone();
        let presence = self.context.presence.clone();
        let saying = nodes.ours().take(|user| presence.sockets_of(user) > 0);
        let (id, store) = (nodes.inside.id, &self.context.store);
        let (version, is_all, rows) = (saying.version, saying.is_all, &saying.rows);
        let was_said = saying.is_empty()
            || store.store_people(id, version, is_all, rows).await.unwrap_or(false);
        let is_done = nodes.settle(&saying, was_said);
        if was_said && !saying.is_empty() {
            nodes.whisper(Hint::People);
        }
        if !was_said {
            // Most likely the lease is over; the next heartbeat begins a new one.
            tracing::debug!("who is here was not said");
        } else if !is_done {
            nodes.inside.keeper.notify_one();
        }
        if !saying.gone.is_empty() {
            self.read().await;
            self.settle(saying.gone).await;
        }
    }

    /// Whoever went from here: the rooms decide by what the others have said by now.
    async fn settle(&self, gone: Vec<Place>) {
        let (mut people, mut places) = (Vec::new(), Vec::new());
        for place in gone {
            match place.chat_id {
                Some(chat) => places.push((chat, place.user_id)),
                None => people.push(place.user_id),
            }
        }
        self.publisher.settled(places).await;
        self.publisher.seen(people).await;
    }

    /// Reads what the others have said.
    async fn read(&self) {
        let nodes = &self.context.nodes;
        let known = nodes.theirs().versions();
        if known.is_empty() {
            return;
        }
        // When it fails, the next heartbeat asks again.
        let Ok(all) = self.context.store.said(&known).await else { return };
        for said in all {
            let changed = nodes.theirs_mut().heard(said);
            self.look_again(changed, None).await;
        }
    }

    /// Has the rooms look at whom and what has changed. `dead_since`: these people's node is gone
    /// and cannot write down when they were seen last.
    async fn look_again(&self, changed: Changed, dead_since: Option<DateTime<Utc>>) {
        let Changed { people, chats } = changed;
        let presence = &self.context.presence;
        let is_gone = |user: &&UserId| !presence.is_online(**user);
        let gone: Vec<UserId> = people.iter().filter(is_gone).copied().collect();
        presence.went_elsewhere(&gone, dead_since);
        self.publisher.look_elsewhere(chats).await;
        self.publisher.seen(people.into_iter().collect()).await;
    }

    /// Forgets rows of who went long ago.
    async fn forget(&mut self) {
        let nodes = &self.context.nodes;
        let (at, through) = self.forget;
        if !nodes.has_others() || Instant::now() < at {
            return;
        }
        if through > 0 && self.context.store.forget_people(nodes.inside.id, through).await.is_err()
        {
            return;
        }
        self.forget = (Instant::now() + FORGET_AFTER, nodes.ours().version());
        if let Ok(usage) = self.context.store.hint_queue_usage().await
            && usage > QUEUE_USAGE_MAX
        {
            tracing::warn!(usage, "somebody on this PostgreSQL listens and does not read");
        }
    }
}
