//! A journal in a file: append, fsync, and now and then write anew without what is over.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use trialogue_protocol::ClientMessageId;

use super::{Discarded, Journal, Looked, Opened, replay};
use crate::error::Error;
use crate::lines;
use crate::outbox::{Draft, Left, Record, Restored};
use crate::profile::file as private;

/// What every journal begins with.
pub(super) const KIND: &str = "trialogue-outbox 2";
/// What journals began with whose writers did not keep what left: nothing is known of it there.
pub(super) const KIND_WITHOUT_MARKS: &str = "trialogue-outbox 1";

/// Longest journal in bytes (64 MiB): four times what an outbox may hold.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Lines after which the file is written anew (4,096): most of them are over by then.
const LINES_MAX: usize = 4_096;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it: two writers would send twice.
    #[error("another trialogue of this account is running and keeps the outbox")]
    Busy,
    /// The disk, its permissions or its content; the sentence says which and what to do.
    #[error("{0}")]
    Disk(String),
}

/// A file as a journal needs one. Tests have one that fails where they want.
pub(super) trait Medium: Send {
    /// Appends all of it, or fails after any part of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// What was appended survives a power cut when this returns.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts off what lies behind.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(|_| ())
    }
}

/// Appends lines to a medium and takes back what did not get there whole.
#[derive(Debug)]
pub(super) struct Lines<M> {
    pub(super) medium: M,
    /// Bytes that count.
    pub(super) len: u64,
    /// What lies behind `len` could not be cut off yet.
    torn: bool,
}

impl<M: Medium> Lines<M> {
    pub(super) fn new(medium: M, len: u64) -> Self {
        Self { medium, len, torn: false }
    }

    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.torn {
            self.medium.cut(self.len)?;
            self.torn = false;
        }
        let mut bytes = Vec::new();
        for record in records {
            lines::encode(record, &mut bytes).map_err(io::Error::other)?;
        }
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.len.saturating_add(added) > FILE_BYTES_MAX {
            return Err(io::Error::other(format!(
                "the outbox file is over {FILE_BYTES_MAX} bytes"
            )));
        }
        // The end of a message may be lost: that costs a repeat under its id, or a look.
        let durable = records.iter().any(|record| record.awaited().is_some());
        let appended = self.medium.append(&bytes);
        let kept = appended.and_then(|()| if durable { self.medium.sync() } else { Ok(()) });
        match kept {
            Ok(()) => {
                self.len += added;
                Ok(())
            }
            Err(error) => {
                // Its author is told that it is not queued, so it must not come back either.
                self.torn = self.medium.cut(self.len).is_err();
                Err(error)
            }
        }
    }
}

/// The journal of one account's outbox, in a folder that is the user's alone.
///
/// One process at a time: the lock is free again when this is dropped, however the process ends.
/// Dropped with nothing left to send, it leaves no text of what was sent in the file.
#[derive(Debug)]
pub struct FileJournal {
    place: Place,
    lines: Lines<File>,
    /// Lines since the file was written anew.
    count: usize,
    /// What was neither stored nor discarded.
    open: HashSet<ClientMessageId>,
    /// Holds the lock as long as it is open.
    _lock: File,
}

/// Where the journal of an owner is.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    /// Without its ending.
    name: String,
    owner: String,
}

impl Place {
    fn of(folder: &Path, owner: &str) -> Self {
        let name = lines::file_name("outbox", owner);
        Self { folder: folder.to_owned(), name, owner: owner.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.journal", self.name))
    }

    fn lock(&self) -> Result<File, OpenError> {
        private::private_folder(&self.folder).map_err(disk)?;
        let path = self.folder.join(format!("{}.lock", self.name));
        private::lock(&path).map_err(|e| failed("lock", &path, e))?.ok_or(OpenError::Busy)
    }

    /// What the file keeps, and whether its end is torn; nothing: it is no journal of this owner.
    fn read(&self) -> Result<Option<(Looked, bool)>, OpenError> {
        let path = self.path();
        let bytes = private::load(&path, FILE_BYTES_MAX).map_err(|e| failed("read", &path, e))?;
        let Some(bytes) = bytes else {
            return Ok(Some((Looked { restored: Vec::new(), notices: Vec::new() }, false)));
        };
        let of = |kind| lines::decode(&bytes, &lines::header(kind, &self.owner));
        let (content, marked) = match of(KIND) {
            Some(content) => (Some(content), true),
            None => (of(KIND_WITHOUT_MARKS), false),
        };
        Ok(content.map(|content| {
            let bad = content.bad;
            let damaged =
                (bad > 0).then(|| format!("{bad} damaged lines of the outbox are ignored"));
            let mut restored = replay(content.records);
            if !marked {
                restored.iter_mut().for_each(|one| one.left = Left::Maybe(None));
            }
            (Looked { restored, notices: damaged.into_iter().collect() }, content.torn)
        }))
    }

    /// The same for a writer: says that the end was torn, and puts a foreign file aside.
    fn take(&self) -> Result<Looked, OpenError> {
        let path = self.path();
        match self.read()? {
            Some((mut looked, torn)) => {
                let words =
                    torn.then(|| "the end of the outbox was torn and is ignored".to_owned());
                looked.notices.splice(0..0, words);
                Ok(looked)
            }
            None => {
                private::put_aside(&self.folder, &path).map_err(|e| failed("rename", &path, e))?;
                let aside = format!("{} was no outbox of ours and was put aside", path.display());
                Ok(Looked { restored: Vec::new(), notices: vec![aside] })
            }
        }
    }

    /// Writes a file with nothing but what waits beside the old one and puts it in its place.
    fn write_anew(&self, restored: &[Restored]) -> io::Result<Lines<File>> {
        let mut bytes = lines::header(KIND, &self.owner).into_bytes();
        for Restored { draft, left, refused } in restored {
            lines::encode(&Record::Queued(draft.clone()), &mut bytes).map_err(io::Error::other)?;
            if let Left::Maybe(same) = *left {
                let leaving = Record::Leaving { id: draft.id.clone(), same };
                lines::encode(&leaving, &mut bytes).map_err(io::Error::other)?;
            }
            if let Some(refusal) = refused {
                let (id, code) = (draft.id.clone(), refusal.code);
                let refused = Record::Refused { id, code, message: refusal.message.clone() };
                lines::encode(&refused, &mut bytes).map_err(io::Error::other)?;
            }
        }
        let file = private::put(&self.folder, &self.path(), &bytes)?;
        Ok(Lines::new(file, u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
    }
}

/// What waits in the journal of `owner`, without the right to write it: also beside another process
/// that has it, and on a disk that takes nothing more. Blocks.
///
/// # Errors
/// [`OpenError::Disk`]: it cannot be read, or others can read it.
pub fn look(folder: &Path, owner: &str) -> Result<Looked, OpenError> {
    let place = Place::of(folder, owner);
    // A torn end may be a line that is being written just now; a foreign file is the writer's to
    // put aside.
    let read = place.read()?.map(|(looked, _)| looked);
    let foreign = || {
        let foreign = format!("{} is no outbox of ours and is ignored", place.path().display());
        Looked { restored: Vec::new(), notices: vec![foreign] }
    };
    Ok(read.unwrap_or_else(foreign))
}

/// Gives messages of `owner` up for good: they are never sent from here, and nothing of their texts
/// stays in the file, nor of those that were sent. Blocks.
///
/// # Errors
/// [`OpenError::Busy`], [`OpenError::Disk`]: all of them are still there.
pub fn discard(
    folder: &Path,
    owner: &str,
    is_meant: impl Fn(&Draft) -> bool,
) -> Result<Discarded, OpenError> {
    let place = Place::of(folder, owner);
    let _lock = place.lock()?;
    let restored = place.take()?.restored.into_iter();
    let (gone, left): (Vec<_>, Vec<_>) = restored.partition(|kept| is_meant(&kept.draft));
    place.write_anew(&left).map_err(|e| failed("write", &place.path(), e))?;
    Ok(Discarded { gone, left })
}

impl FileJournal {
    /// Opens, or begins, the journal of `owner` (a server and a user, in any spelling that names
    /// no one else) in `folder`. Blocks.
    ///
    /// A torn end and lines that are not what was written are put aside with a notice; a file that
    /// is not ours at all is renamed, never deleted and never sent from.
    ///
    /// # Errors
    /// [`OpenError::Busy`] and [`OpenError::Disk`].
    pub fn open(folder: &Path, owner: &str) -> Result<Opened, OpenError> {
        let place = Place::of(folder, owner);
        let lock = place.lock()?;
        let Looked { restored, notices } = place.take()?;
        let lines = place.write_anew(&restored).map_err(|e| failed("write", &place.path(), e))?;
        let open = restored.iter().map(|kept| kept.draft.id.clone()).collect();
        let journal = Self { place, lines, count: restored.len(), open, _lock: lock };
        Ok(Opened { journal: Box::new(journal), restored, notices })
    }

    fn compact(&mut self) {
        let compact = || {
            let read = self.place.read().map_err(io::Error::other)?;
            let (kept, _) = read.ok_or_else(|| io::Error::other("another file is in its place"))?;
            self.place.write_anew(&kept.restored)
        };
        match compact() {
            Ok(lines) => self.lines = lines,
            // The old file is whole; the next try is as many lines away.
            Err(error) => tracing::warn!(%error, "the outbox file is not compacted"),
        }
        self.count = 0;
    }
}

impl Journal for FileJournal {
    fn append(&mut self, records: &[Record]) -> Result<(), Error> {
        self.lines.append(records).map_err(|error| Error::Storage(error.to_string()))?;
        self.count += records.len();
        for record in records {
            match record {
                Record::Queued(draft) => drop(self.open.insert(draft.id.clone())),
                Record::Done { id } => drop(self.open.remove(id)),
                Record::Leaving { .. } | Record::Refused { .. } | Record::Again { .. } => {}
            }
        }
        if self.count >= LINES_MAX {
            self.compact();
        }
        Ok(())
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        if self.open.is_empty() && self.count > 0 {
            let header = lines::header(KIND, &self.place.owner).len();
            // Should this fail or be forgotten by the disk, the lines say that all is over.
            let _ = self.lines.medium.cut(u64::try_from(header).unwrap_or(u64::MAX));
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn disk(error: private::ProfileError) -> OpenError {
    OpenError::Disk(error.to_string())
}

fn failed(doing: &'static str, path: &Path, error: io::Error) -> OpenError {
    // Some of our own know the path and what to do about it.
    let own = error.downcast::<private::ProfileError>();
    disk(own.unwrap_or_else(private::io_error(doing, path)))
}
