//! What a disk may do to an outbox, and what it may not cost.

use std::fs;
use std::io::{self, BufRead as _, Write as _};

use proptest::prelude::*;
use trialogue_protocol::{ChatId, ErrorCode, MessageType};

use super::file::KIND;
use super::*;
use crate::lines;
use crate::outbox::Draft;

mod disk;
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
fn once_free<T: std::fmt::Debug>(work: impl Fn() -> Result<T, OpenError>) -> T {
    for _ in 0..500 {
        match work() {
            Err(OpenError::Busy) => std::thread::sleep(std::time::Duration::from_millis(20)),
            done => return done.unwrap(),
        }
    }
    panic!("it stays locked");
}

fn open(folder: &std::path::Path) -> Opened {
    once_free(|| FileJournal::open(folder, OWNER))
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
    assert_eq!(why.matches(".journal is").count(), 1, "once: {why}");
    assert!(why.starts_with(&*path.to_string_lossy()), "{why}");
    let elsewhere = folder.join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(FileJournal::open(&folder, OWNER).is_err());
}

fn holds(folder: &std::path::Path, text: &str) -> bool {
    fs::read_to_string(journal_in(folder)).unwrap().contains(text)
}

#[test]
fn whoever_looks_sees_what_waits_beside_its_writer_and_changes_nothing() {
    let (_home, folder) = home();
    assert!(look(&folder, OWNER).unwrap().restored.is_empty());
    assert!(!folder.exists(), "nothing is made");
    let mut opened = open(&folder);
    opened.journal.append(&[queued("a"), queued("b"), done("a")]).unwrap();
    let path = journal_in(&folder);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"half a li").unwrap();
    let before = fs::read(&path).unwrap();
    let looked = look(&folder, OWNER).unwrap();
    assert_eq!((names(&looked.restored), looked.notices), (vec!["b"], Vec::<String>::new()));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "hello\n").unwrap();
    let looked = look(&folder, OWNER).unwrap();
    assert_eq!((looked.restored.len(), looked.notices.len()), (0, 1));
    assert_eq!(fs::read(&path).unwrap(), b"hello\n");
}

#[test]
fn what_is_given_up_is_gone_with_what_was_sent_and_the_rest_stays_as_it_was() {
    let (_home, folder) = home();
    let mut opened = open(&folder);
    opened.journal.append(&[queued("a"), queued("b"), queued("c"), done("a")]).unwrap();
    let (id, code, message) = ("c".parse().unwrap(), ErrorCode::Denied, "no".to_owned());
    opened.journal.append(&[Record::Refused { id, code, message }]).unwrap();
    assert!(matches!(discard(&folder, OWNER, |_| true), Err(OpenError::Busy)));
    drop(opened);
    let discard = |id: &str| once_free(|| discard(&folder, OWNER, |draft| draft.id.as_str() == id));
    let Discarded { gone, left } = discard("b");
    assert_eq!((names(&gone), names(&left)), (vec!["b"], vec!["c"]));
    assert!(!holds(&folder, "text of a") && !holds(&folder, "text of b"));
    let opened = open(&folder);
    assert_eq!(opened.restored[0].refused.as_ref().unwrap().code, ErrorCode::Denied);
    drop(opened);
    assert_eq!(names(&discard("c").gone), ["c"]);
    assert_eq!(names(&open(&folder).restored), Vec::<&str>::new());
}

#[test]
fn a_writer_with_nothing_left_to_send_leaves_no_text_behind() {
    let (_home, folder) = home();
    let mut opened = open(&folder);
    opened.journal.append(&[queued("a"), queued("b"), done("a")]).unwrap();
    drop(opened);
    assert!(holds(&folder, "text of b"));
    let mut opened = open(&folder);
    assert!(!holds(&folder, "text of a"), "it is written anew");
    opened.journal.append(&[queued("c"), done("b"), done("c")]).unwrap();
    drop(opened);
    assert!(!holds(&folder, "text of"));
    let opened = open(&folder);
    assert_eq!((opened.restored.len(), opened.notices.len()), (0, 0));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

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

#[test]
fn what_a_killed_writer_left_goes_with_the_next_one() {
    let (_home, folder) = home();
    drop(open(&folder));
    let left = folder.join(".0123.new");
    fs::copy(journal_in(&folder), &left).unwrap();
    drop(open(&folder));
    assert!(!left.exists());
    fs::copy(journal_in(&folder), &left).unwrap();
    once_free(|| discard(&folder, OWNER, |_| true));
    assert!(!left.exists(), "given up is wiped");
}
