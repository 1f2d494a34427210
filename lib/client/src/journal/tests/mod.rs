//! What a disk may do to an outbox, and what it may not cost.

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use trialogue_protocol::{ChatId, ErrorCode, MessageType};

use super::file::{KIND, Lines, Medium};
use super::*;
use crate::lines;
use crate::outbox::Draft;

mod marks;

const OWNER: &str = "http://127.0.0.1:1 7";

fn draft(name: &str) -> Draft {
    Draft {
        id: name.parse().unwrap(),
        chat: ChatId(uuid::Uuid::nil()),
        text: format!("text of {name}\n with \"quotes\" and ünïcödé \u{1b}"),
        kind: MessageType::Text,
    }
}

fn queued(name: &str) -> Record {
    Record::Queued(draft(name))
}

fn done(name: &str) -> Record {
    Record::Done { id: name.parse().unwrap() }
}

fn leaving(name: &str, same: u32) -> Record {
    Record::Leaving { id: name.parse().unwrap(), same: Some(same) }
}

fn names(restored: &[Restored]) -> Vec<&str> {
    restored.iter().map(|r| r.draft.id.as_str()).collect()
}

/// A process that another test is starting has our files too, locks included, until it is itself.
#[expect(clippy::disallowed_methods, reason = "no runtime here, and nobody tells of a free lock")]
fn open(folder: &std::path::Path) -> Opened {
    for _ in 0..500 {
        match FileJournal::open(folder, OWNER) {
            Err(OpenError::Busy) => std::thread::sleep(std::time::Duration::from_millis(20)),
            opened => return opened.unwrap(),
        }
    }
    panic!("it stays locked");
}

/// A place of its own and a folder in it that is not there yet.
fn home() -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("account");
    (home, folder)
}

/// The one journal in a folder.
fn journal_in(folder: &std::path::Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files.find(|p| p.extension().is_some_and(|e| e == "journal")).unwrap()
}

#[test]
fn what_was_appended_is_there_after_a_restart_in_its_order() {
    let (_home, folder) = home();
    let mut opened = open(&folder);
    assert_eq!(opened.restored, []);
    opened.journal.append(&[queued("a"), queued("b"), queued("c")]).unwrap();
    let (id, code, message) = ("b".parse().unwrap(), ErrorCode::Denied, "no".to_owned());
    opened.journal.append(&[done("a"), Record::Refused { id, code, message }]).unwrap();
    drop(opened);
    for _ in 0..2 {
        let opened = open(&folder);
        assert_eq!(names(&opened.restored), ["b", "c"]);
        assert_eq!(opened.restored[0].refused.as_ref().unwrap().code, ErrorCode::Denied);
        assert_eq!(opened.restored[1].draft, draft("c"));
        assert!(opened.notices.is_empty(), "{:?}", opened.notices);
    }
}

#[test]
fn a_second_writer_is_told_so_until_the_first_is_gone() {
    let (_home, folder) = home();
    let first = open(&folder);
    assert!(matches!(FileJournal::open(&folder, OWNER), Err(OpenError::Busy)));
    // Another account on the same machine has its own.
    assert!(FileJournal::open(&folder, "http://127.0.0.1:1 8").is_ok());
    drop(first);
    open(&folder);
}

#[test]
fn a_torn_end_costs_nothing_but_itself() {
    let (_home, folder) = home();
    open(&folder).journal.append(&[queued("a"), queued("b")]).unwrap();
    let path = journal_in(&folder);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let mut opened = open(&folder);
    assert_eq!(names(&opened.restored), ["a"]);
    assert_eq!(opened.notices, ["the end of the outbox was torn and is ignored"]);
    opened.journal.append(&[queued("c")]).unwrap();
    drop(opened);
    let opened = open(&folder);
    assert_eq!(names(&opened.restored), ["a", "c"]);
    assert!(opened.notices.is_empty(), "said once");
}

#[test]
fn a_flipped_bit_costs_its_own_line() {
    let (_home, folder) = home();
    open(&folder).journal.append(&[queued("a"), queued("b"), queued("c")]).unwrap();
    let path = journal_in(&folder);
    let whole = String::from_utf8(fs::read(&path).unwrap()).unwrap();
    fs::write(&path, whole.replace("text of b", "text of x")).unwrap();
    let opened = open(&folder);
    assert_eq!(names(&opened.restored), ["a", "c"]);
    assert_eq!(opened.notices, ["1 damaged lines of the outbox are ignored"]);
}

#[test]
fn a_foreign_file_is_put_aside_and_never_sent_from() {
    for content in ["", "hello\n", "trialogue-outbox 3 x\n", "trialogue-outbox 2 other\n"] {
        let (_home, folder) = home();
        drop(open(&folder));
        let path = journal_in(&folder);
        fs::write(&path, content).unwrap();
        let opened = open(&folder);
        assert_eq!((opened.restored.len(), opened.notices.len()), (0, 1), "{content:?}");
        let mut files = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
        let aside = files.find(|p| p.to_string_lossy().contains("foreign-")).unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
    }
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_it_and_a_loose_file_or_a_link_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_home, folder) = home();
    drop(open(&folder));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = journal_in(&folder);
    assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let Err(OpenError::Disk(why)) = FileJournal::open(&folder, OWNER) else { panic!() };
    assert!(why.contains("chmod 600"), "{why}");
    let elsewhere = folder.join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(FileJournal::open(&folder, OWNER).is_err());
}

#[test]
fn a_long_life_does_not_grow_the_file() {
    let (_home, folder) = home();
    let mut opened = open(&folder);
    opened.journal.append(&[queued("stays")]).unwrap();
    for n in 0..10_000 {
        opened.journal.append(&[done(&n.to_string())]).unwrap();
    }
    let len = fs::metadata(journal_in(&folder)).unwrap().len();
    assert!(len < 1_000_000, "{len}");
    drop(opened);
    assert_eq!(names(&open(&folder).restored), ["stays"]);
}

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

    /// Whatever a file holds, reading it is an answer.
    #[test]
    fn any_bytes_are_an_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..300), ours in any::<bool>()) {
        if ours {
            bytes = [lines::header(KIND, OWNER).into_bytes(), bytes].concat();
        }
        prop_assert_eq!(lines::decode::<Record>(&bytes, &lines::header(KIND, OWNER)).is_some(), ours);
    }
}

/// Plays the writer that is killed: appends and says so, until it is no more.
#[test]
fn a_writer_for_the_test_of_sigkill() {
    let Some(folder) = std::env::var_os("TRIALOGUE_TEST_JOURNAL") else { return };
    let mut opened = open(std::path::Path::new(&folder));
    for n in 0.. {
        let name = format!("{}-{n}", opened.restored.len());
        opened.journal.append(&[queued(&name)]).unwrap();
        let mut out = io::stdout().lock();
        writeln!(out, "kept {name}").unwrap();
        out.flush().unwrap();
        if n % 3 == 2 {
            opened.journal.append(&[done(&name)]).unwrap();
        }
    }
}

#[test]
fn sigkill_at_any_moment_loses_nothing_that_was_said_to_be_kept() {
    let (_home, folder) = home();
    let mut kept: Vec<String> = Vec::new();
    for round in 0..10 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::a_writer_for_the_test_of_sigkill", "--nocapture"])
            .env("TRIALOGUE_TEST_JOURNAL", &folder)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        // Killed in the midst of whatever it does after so many words.
        while said < 5 + round * 3 {
            let line = lines.next().unwrap().unwrap();
            if let Some(name) = line.strip_prefix("kept ") {
                kept.push(name.to_owned());
                said += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let later = lines.map_while(Result::ok);
        kept.extend(later.filter_map(|l| l.strip_prefix("kept ").map(ToOwned::to_owned)));
        let opened = open(&folder);
        let restored = names(&opened.restored);
        let third =
            |name: &&String| name.rsplit_once('-').unwrap().1.parse::<u32>().unwrap() % 3 == 2;
        for name in kept.iter().filter(|name| !third(name)) {
            assert!(restored.contains(&name.as_str()), "{name} is lost in round {round}");
        }
        let mut once = restored.clone();
        once.dedup();
        assert_eq!(once, restored);
    }
}
