//! The session's way to its journal: a thread of its own, because fsync blocks.

use std::thread::JoinHandle;

use tokio::sync::mpsc;
use trialogue_protocol::ClientMessageId;

use crate::error::Error;
use crate::journal::Journal;
use crate::outbox::Record;

/// Records on their way to the disk (2,048): all that an outbox can hold, and as many ends of
/// messages. When full, the message at hand is not queued and its author is told.
const RECORDS_MAX: usize = 2_048;
/// Records written with one fsync (256): authors who write together wait together.
const BATCH_MAX: usize = 256;

/// What became of the messages of one write that somebody waits for.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) ids: Vec<ClientMessageId>,
    pub(super) result: Result<(), Error>,
}

#[derive(Debug)]
pub(super) struct Journalist {
    /// `None` once it was asked to finish.
    records: Option<mpsc::Sender<Record>>,
    written: mpsc::Receiver<Written>,
    /// Fires when the thread is over and the journal's lock is free.
    thread: Option<JoinHandle<()>>,
}

impl Journalist {
    pub(super) fn start(mut journal: Box<dyn Journal>) -> Result<Self, Error> {
        let (records, mut inbox) = mpsc::channel(RECORDS_MAX);
        // As many places as records: an answer never waits for the session.
        let (outbox, written) = mpsc::channel(RECORDS_MAX + 1);
        let work = move || {
            let mut batch = Vec::with_capacity(BATCH_MAX);
            while inbox.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
                let result = journal.append(&batch);
                let ids = batch.drain(..).filter_map(|record| record.awaited().cloned()).collect();
                if outbox.blocking_send(Written { ids, result }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("trialogue-journal".to_owned())
            .spawn(work)
            .map_err(|e| Error::Storage(format!("no thread for the outbox: {e}")))?;
        Ok(Self { records: Some(records), written, thread: Some(thread) })
    }

    /// Hands a record over; gives it back when there is no place.
    pub(super) fn write(&self, record: Record) -> Result<(), Record> {
        match &self.records {
            Some(records) => {
                records.try_send(record).map_err(mpsc::error::TrySendError::into_inner)
            }
            None => Err(record),
        }
    }

    /// The next write that is over. Never ends by itself while the session lives.
    pub(super) async fn written(&mut self) -> Option<Written> {
        self.written.recv().await
    }

    /// Lets the thread write what it has, and waits for its end.
    pub(super) async fn finish(&mut self) {
        self.records = None;
        while self.written.recv().await.is_some() {}
        if let Some(thread) = self.thread.take() {
            // Its channel is closed, so it is past its last write: this does not block.
            drop(thread.join());
        }
    }
}
