//! Everything that the server of one test logs, down to the finest level, of every library too.
//!
//! A test and its server share one thread, so the log of that thread is the server's. One subscriber
//! serves all threads and takes only what is asked for: subscribers that come and go side by side
//! make each other's log points forget that somebody listens.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

thread_local! {
    static TAKEN: RefCell<Option<Log>> = const { RefCell::new(None) };
}

static LISTENING: Once = Once::new();

/// A log in memory.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

/// Ends what [`capture`] began.
pub(super) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        TAKEN.set(None);
    }
}

/// Takes the log of this thread until the guard is dropped.
pub(super) fn capture() -> (Log, Guard) {
    LISTENING.call_once(|| {
        let wanted = dynamic_filter_fn(|_, _| TAKEN.with_borrow(Option::is_some));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| OfThisThread);
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(wanted));
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    let log = Log::default();
    TAKEN.set(Some(log.clone()));
    (log, Guard(()))
}

impl Log {
    /// What has been logged so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct OfThisThread;

impl io::Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TAKEN.with_borrow(|taken| {
            if let Some(log) = taken {
                log.0.lock().unwrap().extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
