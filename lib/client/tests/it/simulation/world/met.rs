//! What runs have met: a simulation that meets nothing proves nothing.

/// What the runs so far have met.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Met {
    pub(super) server_kills: u64,
    pub(super) client_crashes: u64,
    pub(super) cuts: u64,
    pub(super) silences: u64,
    pub(super) restores: u64,
    pub(super) expiries: u64,
    pub(super) reconnects: u64,
    pub(super) resets: u64,
    pub(super) repeats: u64,
}

impl Met {
    pub(in crate::simulation) fn add(&mut self, other: &Self) {
        self.server_kills += other.server_kills;
        self.client_crashes += other.client_crashes;
        self.cuts += other.cuts;
        self.silences += other.silences;
        self.restores += other.restores;
        self.expiries += other.expiries;
        self.reconnects += other.reconnects;
        self.resets += other.resets;
        self.repeats += other.repeats;
    }

    pub(in crate::simulation) fn assert_all(&self) {
        let Self { server_kills, client_crashes, cuts, silences, restores, .. } = self;
        let Self { expiries, reconnects, resets, repeats, .. } = self;
        for seen in [server_kills, client_crashes, cuts, silences, restores] {
            assert!(*seen > 10, "{self:?}");
        }
        for seen in [expiries, reconnects, resets, repeats] {
            assert!(*seen > 10, "{self:?}");
        }
    }
}
