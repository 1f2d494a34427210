//! How long the tests of this folder are: as long as `cargo test` can afford, or as long as it takes
//! to believe them (`TRIALOGUE_CHAOS=long`, which `.ci/nightly` sets).

use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Short,
    Long,
}

impl Form {
    pub(super) fn of_environment() -> Self {
        match std::env::var("TRIALOGUE_CHAOS").as_deref() {
            Ok("long") => Self::Long,
            Ok(other) if !other.is_empty() => panic!("TRIALOGUE_CHAOS is `long` or nothing"),
            Ok(_) | Err(_) => Self::Short,
        }
    }

    fn of<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }

    /// What is visible later than this after its acknowledgement, or after the end of the fault
    /// that held it up, is late. The promise is 2.5 s (CONTRACT §3.4); it is judged where nothing
    /// else runs, and `cargo test` judges that it comes by itself at all.
    pub(super) fn late_us(self) -> u64 {
        self.of(30_000_000, 2_500_000)
    }

    /// Rooms of a storm.
    pub(super) fn rooms(self) -> usize {
        self.of(3, 16)
    }

    /// Kills of the server and of the database (the figures of issue and RELIABILITY §4).
    pub(super) fn kills(self) -> (u32, u32) {
        self.of((3, 1), (15, 3))
    }

    /// Acknowledgements between two faults.
    pub(super) fn between(self) -> u64 {
        self.of(40, 150)
    }

    /// The same between two kills: more than 10,000 in the long form (RELIABILITY §4, row 1).
    pub(super) fn between_kills(self) -> u64 {
        self.of(40, 600)
    }

    /// Graceful stops (F3).
    pub(super) fn drains(self) -> u32 {
        self.of(2, 50)
    }

    /// How long the database is away (F6).
    pub(super) fn outage(self) -> Duration {
        self.of(Duration::from_secs(1), Duration::from_secs(60))
    }

    /// Backends that are terminated (F7).
    pub(super) fn terminations(self) -> u32 {
        self.of(20, 1_000)
    }

    /// Kills in each of the windows between two steps of a message (F2).
    pub(super) fn windows(self) -> u32 {
        self.of(1, 20)
    }

    /// Every how many bytes a dialogue is cut (F20).
    pub(super) fn cut_step(self) -> u64 {
        self.of(7, 1)
    }
}
