//! Lies: what a broken server would have left in a history. The first fourteen are those of
//! RELIABILITY §3.0, the others show the rest of the names.

mod facts;
mod frames;
mod rows;
mod shift;

use rand::rngs::StdRng;
use trialogue_checker::Wrong;
use trialogue_checker::history::OpName;

use crate::world::World;
use facts::Facts;

/// A lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    DropAckedRow,
    DuplicateRow,
    SwapTwo,
    ReuseSeq,
    SkipSeq,
    AckBeforeCommit,
    BroadcastWithoutRow,
    BroadcastLate,
    LeakToAnotherRoom,
    OneReceiverReordered,
    LostTail,
    FailThatWasStored,
    CommitsLostByTheDatabase,
    GlobalIdCursor,
    // Beyond the fourteen.
    RecvBeforeCommit,
    BodyChanged,
    TwoPlaces,
    TwoRowsOfOneKey,
    CounterAhead,
    NobodySentIt,
    FrameTwice,
    LineTwice,
    LineMissing,
    LineReordered,
    NotificationMissing,
    NotificationTwice,
    CanaryInALog,
    HeardAfterRemoval,
}

impl Lie {
    /// The fourteen of RELIABILITY §3.0.
    pub(crate) const SEEDED: [Self; 14] = [
        Self::DropAckedRow,
        Self::DuplicateRow,
        Self::SwapTwo,
        Self::ReuseSeq,
        Self::SkipSeq,
        Self::AckBeforeCommit,
        Self::BroadcastWithoutRow,
        Self::BroadcastLate,
        Self::LeakToAnotherRoom,
        Self::OneReceiverReordered,
        Self::LostTail,
        Self::FailThatWasStored,
        Self::CommitsLostByTheDatabase,
        Self::GlobalIdCursor,
    ];
    /// The others.
    pub(crate) const MORE: [Self; 14] = [
        Self::RecvBeforeCommit,
        Self::BodyChanged,
        Self::TwoPlaces,
        Self::TwoRowsOfOneKey,
        Self::CounterAhead,
        Self::NobodySentIt,
        Self::FrameTwice,
        Self::LineTwice,
        Self::LineMissing,
        Self::LineReordered,
        Self::NotificationMissing,
        Self::NotificationTwice,
        Self::CanaryInALog,
        Self::HeardAfterRemoval,
    ];

    /// The one name that the checker must give it. None of them has a consequence that is told as
    /// something else.
    pub(crate) fn name(self) -> Wrong {
        match self {
            Self::DropAckedRow | Self::CommitsLostByTheDatabase => Wrong::Lost,
            Self::DuplicateRow | Self::TwoRowsOfOneKey => Wrong::Duplicate,
            Self::FrameTwice | Self::LineTwice => Wrong::Duplicate,
            Self::SwapTwo | Self::OneReceiverReordered | Self::LineReordered => Wrong::Misordered,
            Self::ReuseSeq | Self::CounterAhead => Wrong::Counter,
            Self::SkipSeq => Wrong::Hole,
            Self::AckBeforeCommit | Self::BroadcastWithoutRow => Wrong::BroadcastBeforePersist,
            Self::RecvBeforeCommit => Wrong::BroadcastBeforePersist,
            Self::BroadcastLate => Wrong::Stale,
            Self::LeakToAnotherRoom | Self::CanaryInALog | Self::HeardAfterRemoval => Wrong::Leak,
            Self::LostTail => Wrong::NeverRead,
            Self::FailThatWasStored => Wrong::AbortedRead,
            Self::GlobalIdCursor | Self::LineMissing => Wrong::Skipped,
            Self::BodyChanged | Self::TwoPlaces => Wrong::Mutated,
            Self::NobodySentIt => Wrong::Phantom,
            Self::NotificationMissing | Self::NotificationTwice => Wrong::Notification,
        }
    }

    /// Tells it; `None` where the world has no place for it.
    #[must_use]
    pub(crate) fn tell(self, world: &mut World, random: &mut StdRng) -> Option<()> {
        let facts = Facts::of(world);
        match self {
            Self::DropAckedRow => rows::drop_acked(world, &facts, random),
            Self::DuplicateRow => rows::duplicate(world, &facts, random),
            Self::SwapTwo => shift::swap_two(world, &facts, random),
            Self::ReuseSeq => shift::reuse_seq(world, &facts, random),
            Self::SkipSeq => shift::skip_seq(world, &facts, random),
            Self::AckBeforeCommit => frames::ack_before_commit(world, random),
            Self::BroadcastWithoutRow => frames::broadcast_without_row(world, &facts, random),
            Self::BroadcastLate => frames::broadcast_late(world, &facts, random),
            Self::LeakToAnotherRoom => frames::leak(world, random),
            Self::OneReceiverReordered => frames::reorder(world, OpName::Recv, random),
            Self::LostTail => frames::lose_tail(world, &facts, random),
            Self::FailThatWasStored => rows::fail_stored(world, &facts, random),
            Self::CommitsLostByTheDatabase => shift::lose_commits(world, &facts, random),
            Self::GlobalIdCursor => frames::skip_rows(world, &facts, random),
            Self::RecvBeforeCommit => frames::recv_before_commit(world, random),
            Self::BodyChanged => rows::change_body(world, &facts, random),
            Self::TwoPlaces => rows::two_places(world, &facts, random),
            Self::TwoRowsOfOneKey => rows::one_key(world, &facts, random),
            Self::CounterAhead => rows::counter_ahead(world, random),
            Self::NobodySentIt => rows::nobody_sent(world, &facts, random),
            Self::FrameTwice => frames::twice(world, OpName::Recv, random),
            Self::LineTwice => frames::twice(world, OpName::Show, random),
            Self::LineMissing => frames::miss_line(world, random),
            Self::LineReordered => frames::reorder(world, OpName::Show, random),
            Self::NotificationMissing => rows::note(world, false, random),
            Self::NotificationTwice => rows::note(world, true, random),
            Self::CanaryInALog => frames::canary(world, &facts, random),
            Self::HeardAfterRemoval => frames::after_removal(world, &facts, random),
        }
    }
}
