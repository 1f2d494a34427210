//! What runs have met: a simulation that meets nothing proves nothing.

/// One field per thing that may go wrong or be survived, added up and asserted all the same.
macro_rules! met {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the runs so far have met.
        #[derive(Debug, Default)]
        pub(in crate::simulation) struct Met {
            $($(#[$doc])* pub(in crate::simulation) $name: u64,)*
        }

        impl Met {
            pub(in crate::simulation) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            pub(in crate::simulation) fn assert_all(&self) {
                $(assert!(self.$name > 10, "{}: {self:?}", stringify!($name));)*
            }
        }
    };
}

pub(in crate::simulation) use met;

met! {
    /// SIGKILL of the server.
    server_kills,
    /// SIGKILL of a client.
    client_crashes,
    /// Connections that broke.
    cuts,
    /// Connections that fell silent without breaking.
    silences,
    /// Older copies of the server's database put in place.
    restores,
    /// Records of a client's disk that an older copy did not have.
    rolled_back,
    /// Answers that never came.
    eaten,
    /// `new_message` events that never came.
    dropped,
    /// ... that came twice.
    doubled,
    /// ... that took more than a quarter of a second.
    delayed,
    /// Tokens that were over.
    expiries,
    reconnects,
    /// Screens that became void.
    resets,
    /// Messages that arrived at the server again.
    repeats,
    /// Screens that began with a backup.
    backups,
}
