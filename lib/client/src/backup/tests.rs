//! What a backup keeps, what it must never show, and what a disk may do to it.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use proptest::prelude::*;
use trialogue_protocol::{
    ChatId, ChatJob, JobId, JobStatus, Message, MessageId, MessageType, Role, UserId,
};
use uuid::Uuid;

use super::*;

const AMNA: &str = "http://127.0.0.1:1 7";
const RAVI: &str = "http://127.0.0.1:1 8";

/// The right to keep. A process that another test is starting has our files too, locks included,
/// until it is itself.
#[expect(clippy::disallowed_methods, reason = "no runtime here, and nobody tells of a free lock")]
fn keeper(folder: &Path) -> Keeper {
    for _ in 0..500 {
        if let Some(keeper) = open(folder, AMNA).unwrap().keeper {
            return keeper;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it stays locked");
}

fn chat_id(n: u128) -> ChatId {
    ChatId(Uuid::from_u128(n))
}

fn row(chat: u128, seq: i64) -> Message {
    Message {
        id: MessageId(Uuid::from_u128(chat << 64 | u128::from(seq.unsigned_abs()))),
        chat_id: chat_id(chat),
        seq: Some(seq),
        sender_type: Role::Customer,
        sender_id: UserId(1),
        sender_name: "Amna".to_owned(),
        message: format!("text {seq} \u{1b}]52;c;x\u{7}"),
        message_type: MessageType::Text,
        client_message_id: None,
        created_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

fn chat(n: u128) -> trialogue_protocol::Chat {
    trialogue_protocol::Chat {
        id: chat_id(n),
        job: ChatJob { id: JobId(1), title: None, status: JobStatus::Open },
        members: vec![],
        last_message: None,
        unread_count: 0,
        last_seq: 0,
        lsm_invited: false,
        lsm_joined: false,
        lsm_joined_at: None,
        closed: false,
        created_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

fn seqs(shelf: &Shelf, n: u128) -> Vec<i64> {
    let recent = shelf.get(chat_id(n));
    recent.map_or(Vec::new(), |recent| recent.messages.iter().filter_map(|m| m.seq).collect())
}

fn order(shelf: &Shelf) -> Vec<u128> {
    shelf.chats().iter().map(|recent| recent.id.0.as_u128()).collect()
}

/// Two chats, the second one active last.
fn some() -> Shelf {
    let mut shelf = Shelf::default();
    shelf.list(&[chat(1), chat(2)], true);
    for n in [1, 2] {
        for seq in 4..=6 {
            shelf.said(&row(n, seq), Some("e1"));
        }
    }
    shelf
}

#[test]
fn what_was_seen_last_is_there_after_a_restart_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let opened = open(&folder, AMNA).unwrap();
    let mut shelf = some();
    opened.keeper.unwrap().keep(&mut shelf).unwrap();
    let again = open(&folder, AMNA).unwrap();
    assert_eq!(again.shelf.chats(), shelf.chats());
    assert_eq!((order(&again.shelf), again.notices), (vec![2, 1], vec![]));
    assert_eq!(again.shelf.get(chat_id(2)).unwrap().epoch.as_deref(), Some("e1"));
    assert!(open(&folder, RAVI).unwrap().shelf.chats().is_empty(), "shown to somebody else");
    assert!(look(&folder, RAVI).unwrap().chats().is_empty());
    assert_eq!(look(&folder, AMNA).unwrap().chats(), shelf.chats());
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_logout_wipes_it_also_under_a_process_that_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let kept = keeper(&folder);
    kept.keep(&mut some()).unwrap();
    wipe(&folder, AMNA).unwrap();
    assert_eq!(kept.keep(&mut some()), Err(Error::Closed), "it came back");
    // As if the logout had come between the look and the write.
    kept.write(&some().lines()).unwrap();
    // As if another writer had been killed before its file was in its place.
    fs::copy(path_of(&folder, AMNA), folder.join(".0123.new")).unwrap();
    assert_eq!(kept.keep(&mut some()), Err(Error::Closed));
    wipe(&folder, AMNA).unwrap();
    drop(kept);
    assert!(open(&folder, AMNA).unwrap().shelf.chats().is_empty());
    let left = fs::read_dir(&folder).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap());
    assert!(left.into_iter().all(|bytes| !String::from_utf8_lossy(&bytes).contains("text 4")));
    wipe(&folder, AMNA).unwrap();
    wipe(&folder, AMNA).unwrap();
    wipe(&folder.join("nowhere"), AMNA).unwrap();
    // Who signs in again is kept again.
    keeper(&folder).keep(&mut some()).unwrap();
    assert_eq!(look(&folder, AMNA).unwrap().chats().len(), 2);
}

#[test]
fn one_process_keeps_it_and_others_look() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    let first = open(&folder, AMNA).unwrap();
    first.keeper.as_ref().unwrap().keep(&mut some()).unwrap();
    let second = open(&folder, AMNA).unwrap();
    assert!(second.keeper.is_none());
    assert_eq!(second.shelf.chats().len(), 2);
    drop(first);
    drop(keeper(&folder));
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_damaged_backup_costs_its_damaged_part_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    keeper(&folder).keep(&mut some()).unwrap();
    let path = path_of(&folder, AMNA);
    let whole = fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(97) {
        put(&path, &whole[..cut]);
        let opened = open(&folder, AMNA).unwrap();
        assert!(opened.shelf.chats().len() < 2);
        let at_a_line = whole[..cut].ends_with(b"\n");
        assert!(at_a_line || !opened.notices.is_empty(), "cut at {cut}");
    }
    let mut flipped = whole.clone();
    let at = whole.len() - 40;
    flipped[at] ^= 1;
    put(&path, &flipped);
    let opened = open(&folder, AMNA).unwrap();
    assert_eq!(opened.notices, ["1 damaged chats of the backup are ignored"]);
    assert_eq!(order(&opened.shelf), [1], "the other one is whole");
    drop(opened);
    put(&path, b"somebody's own file");
    let opened = open(&folder, AMNA).unwrap();
    assert!(opened.notices[0].contains("put aside"), "{:?}", opened.notices);
    let mine = |e: fs::DirEntry| fs::read(e.path()).unwrap() == b"somebody's own file";
    assert!(fs::read_dir(&folder).unwrap().any(|e| mine(e.unwrap())), "it was deleted");
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    keeper(&folder).keep(&mut some()).unwrap();
    let path = path_of(&folder, AMNA);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = open(&folder, AMNA).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn a_chat_that_the_account_may_not_see_any_more_is_forgotten() {
    let mut shelf = some();
    shelf.list(&[chat(2)], true);
    assert_eq!(order(&shelf), [2]);
    shelf.list(&[], false);
    assert_eq!(order(&shelf), [2], "a page is not the whole list");
    shelf.forget(chat_id(2));
    assert!(shelf.chats().is_empty());
}

#[test]
fn a_hole_begins_anew_and_another_epoch_too() {
    let mut shelf = some();
    shelf.said(&row(1, 6), Some("e1"));
    shelf.said(&row(1, 7), Some("e1"));
    assert_eq!(seqs(&shelf, 1), [4, 5, 6, 7]);
    shelf.said(&row(1, 9), Some("e1"));
    assert_eq!(seqs(&shelf, 1), [9]);
    shelf.said(&row(1, 10), Some("e2"));
    assert_eq!(seqs(&shelf, 1), [10]);
    assert_eq!(shelf.get(chat_id(1)).unwrap().chat.as_ref().unwrap().last_seq, 10);
    shelf.reset(chat_id(1));
    assert!(seqs(&shelf, 1).is_empty());
}

#[test]
fn what_a_file_claims_is_made_to_fit() {
    let mut wrong = some().get(chat_id(1)).unwrap().clone();
    wrong.chat = Some(chat(9));
    wrong.messages = [row(1, 1), row(9, 2), row(1, 5), row(1, 6), row(1, 6)].into();
    let shelf = Shelf::restore(ShelfBounds::default(), [wrong]);
    assert_eq!(seqs(&shelf, 1), [5, 6]);
    assert_eq!(shelf.get(chat_id(1)).unwrap().chat, None);
    assert!(shelf.get(chat_id(9)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Against a plain list per chat: a run without holes that ends with the newest message, in
    /// the bounds, the same after a restart.
    #[test]
    fn a_shelf_holds_the_newest_run_of_the_most_recent_chats(
        steps in prop::collection::vec((0u128..6, 1i64..4, 0u8..20), 0..120)
    ) {
        let bounds = ShelfBounds { chats_max: 4, messages_max: 5, bytes_max: 30_000 };
        let mut shelf = Shelf::new(bounds);
        let mut model: BTreeMap<u128, Vec<i64>> = BTreeMap::new();
        let mut recent: Vec<u128> = Vec::new();
        for (n, step, what) in steps {
            match what {
                0 => {
                    shelf.forget(chat_id(n));
                    model.remove(&n);
                    recent.retain(|other| *other != n);
                }
                1 => {
                    shelf.reset(chat_id(n));
                    if let Some(all) = model.get_mut(&n) { all.clear() }
                }
                _ => {
                    let all = model.entry(n).or_default();
                    // Mostly the next one, now and then one further.
                    let next = all.last().copied().unwrap_or(0) + if what == 2 { step } else { 1 };
                    if all.last().is_some_and(|last| last + 1 != next) { all.clear() }
                    all.push(next);
                    if all.len() > 5 { all.remove(0); }
                    shelf.said(&row(n, next), None);
                    recent.retain(|other| *other != n);
                    recent.push(n);
                    while recent.len() > 4 { model.remove(&recent.remove(0)); }
                }
            }
            for (n, all) in &model {
                prop_assert_eq!(&seqs(&shelf, *n), all);
            }
            prop_assert_eq!(shelf.chats().len(), model.len());
            prop_assert_eq!(order(&shelf), recent.iter().rev().copied().collect::<Vec<_>>());
        }
        let mut bytes = b"h\n".to_vec();
        shelf.lines().iter().for_each(|line| bytes.extend_from_slice(line));
        let content = lines::decode::<Recent>(&bytes, "h\n").unwrap();
        let again = Shelf::restore(bounds, content.records);
        prop_assert_eq!(again.chats(), shelf.chats());
    }

    /// Whatever is in the file: no panic, nothing of another chat, the bounds hold.
    #[test]
    fn whatever_is_in_the_file_it_is_survived(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = b"h\n".to_vec();
        bytes.extend(noise);
        let content = lines::decode::<Recent>(&bytes, "h\n").unwrap();
        prop_assert!(Shelf::restore(ShelfBounds::default(), content.records).chats().len() <= 100);
    }
}
