//! A disk that is full, fails, or loses its power, at any byte.

use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use trialogue_protocol::ClientMessageId;

use super::super::file::{KIND, Lines, Medium};
use super::{OWNER, done, leaving, names, queued};
use crate::journal::replay;
use crate::lines;
use crate::outbox::{Left, Record, Restored};

/// A disk that fails where it is told.
#[derive(Clone, Default)]
struct Flaky {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Bytes that still fit.
    room: usize,
    sync_fails: bool,
    cut_fails: bool,
}

impl Medium for Flaky {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = bytes.len().min(self.room);
        self.room -= fits;
        self.bytes.lock().unwrap().extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::Error::other("no space left")) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.sync_fails { Err(io::Error::other("bad disk")) } else { Ok(()) }
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        if self.cut_fails {
            return Err(io::Error::other("worse disk"));
        }
        self.bytes.lock().unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }
}

fn all_on(disk: &Flaky) -> Vec<Restored> {
    let bytes = disk.bytes.lock().unwrap().clone();
    let bytes = [lines::header(KIND, OWNER).into_bytes(), bytes].concat();
    let content = lines::decode::<Record>(&bytes, &lines::header(KIND, OWNER)).unwrap();
    replay(content.records)
}

fn left_on(disk: &Flaky) -> Vec<String> {
    names(&all_on(disk)).into_iter().map(ToOwned::to_owned).collect()
}

fn restored_on(disk: &Flaky, id: &ClientMessageId) -> Option<Restored> {
    all_on(disk).into_iter().find(|one| one.draft.id == *id)
}

#[test]
fn a_disk_that_is_full_at_any_byte_keeps_what_it_had_and_takes_more_later() {
    let mut line = Vec::new();
    lines::encode(&queued("b"), &mut line).unwrap();
    for room in 0..line.len() {
        let disk = Flaky { room: usize::MAX, ..Flaky::default() };
        let mut lines = Lines::new(disk.clone(), 0);
        lines.append(&[queued("a")]).unwrap();
        lines.medium.room = room;
        assert!(lines.append(&[queued("b")]).is_err());
        assert_eq!(left_on(&disk), ["a"], "room for {room}");
        lines.medium.room = usize::MAX;
        lines.append(&[queued("c")]).unwrap();
        assert_eq!(left_on(&disk), ["a", "c"], "room for {room}");
    }
}

#[test]
fn a_message_that_was_not_synced_does_not_come_back() {
    let disk = Flaky { room: usize::MAX, ..Flaky::default() };
    let mut lines = Lines::new(disk.clone(), 0);
    lines.append(&[queued("a")]).unwrap();
    lines.medium.sync_fails = true;
    lines.append(&[done("x")]).unwrap();
    assert!(lines.append(&[queued("b")]).is_err());
    assert_eq!(left_on(&disk), ["a"]);
    assert!(lines.append(&[leaving("a", 0)]).is_err(), "nor does a mark that was not");
    // The disk does not even cut: nothing more is taken until it does.
    lines.medium.cut_fails = true;
    assert!(lines.append(&[queued("c")]).is_err());
    lines.medium.sync_fails = false;
    assert!(lines.append(&[queued("d")]).is_err());
    lines.medium.cut_fails = false;
    lines.append(&[queued("e")]).unwrap();
    assert_eq!(left_on(&disk), ["a", "e"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A power cut keeps any part of what was not synced, and may ruin the last bytes of it.
    #[test]
    fn a_power_cut_at_any_byte_keeps_every_message_that_was_synced(
        ops in prop::collection::vec((0u8..3, 0u8..20), 1..40),
        kept in 0.0f64..=1.0,
        ruin in any::<Option<u8>>(),
    ) {
        let disk = Flaky { room: usize::MAX, ..Flaky::default() };
        let mut lines = Lines::new(disk.clone(), 0);
        let mut model: Vec<Record> = Vec::new();
        let (mut synced, mut synced_records) = (0, 0);
        for (kind, n) in ops {
            let name = n.to_string();
            let record = [queued(&name), leaving(&name, 1), done(&name)][usize::from(kind)].clone();
            lines.append(std::slice::from_ref(&record)).unwrap();
            model.push(record);
            if kind < 2 {
                (synced, synced_records) = (disk.bytes.lock().unwrap().len(), model.len());
            }
        }
        {
            let mut bytes = disk.bytes.lock().unwrap();
            let tail = bytes.len() - synced;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss,
                clippy::cast_precision_loss, reason = "a share of a small number")]
            let keep = synced + (tail as f64 * kept) as usize;
            bytes.truncate(keep);
            if let (Some(ruin), Some(last)) = (ruin, bytes[synced..].last_mut()) {
                *last = ruin;
            }
        }
        for one in replay(model[..synced_records].iter().cloned()) {
            if one.left != Left::Never && let Some(found) = restored_on(&disk, &one.draft.id) {
                prop_assert_ne!(found.left, Left::Never, "a mark that was synced is gone");
            }
        }
        let left = left_on(&disk);
        let least = replay(model[..synced_records].iter().cloned());
        let most: Vec<_> = replay(model.clone()).iter().map(|r| r.draft.id.to_string()).collect();
        let least: Vec<_> = least.iter().map(|r| r.draft.id.to_string()).collect();
        prop_assert!(left.iter().all(|name| least.contains(name)), "{left:?} of {least:?}");
        prop_assert!(most.iter().all(|name| left.contains(name)), "{left:?} lacks of {most:?}");
    }
}
