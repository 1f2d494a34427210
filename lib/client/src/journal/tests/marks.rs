//! What left and what did not, on disk.

use super::*;

#[test]
fn what_never_left_and_what_may_have_left_are_told_apart_after_any_number_of_restarts() {
    let (_home, folder) = home();
    let mut opened = open(&folder);
    let records = [queued("a"), queued("b"), queued("c"), leaving("b", 2), leaving("c", 0)];
    opened.journal.append(&records).unwrap();
    // Nothing left after the first count, so the second counts.
    opened.journal.append(&[leaving("c", 1)]).unwrap();
    drop(opened);
    for _ in 0..2 {
        let opened = open(&folder);
        let left: Vec<_> = opened.restored.iter().map(|one| one.left).collect();
        assert_eq!(left, [Left::Never, Left::Maybe(Some(2)), Left::Maybe(Some(1))]);
    }
    open(&folder).journal.append(&[Record::Again { id: "b".parse().unwrap() }]).unwrap();
    let opened = open(&folder);
    assert_eq!(names(&opened.restored), ["a", "c", "b"]);
    assert_eq!(opened.restored[2].left, Left::Never, "its author sends it all the same");
}

#[test]
fn an_outbox_of_an_older_program_is_read_and_what_left_is_not_known() {
    let (_home, folder) = home();
    drop(open(&folder));
    let mut old = lines::header(crate::journal::file::KIND_WITHOUT_MARKS, OWNER).into_bytes();
    for record in [queued("a"), queued("b"), done("a"), queued("c")] {
        lines::encode(&record, &mut old).unwrap();
    }
    // ... and its end is torn.
    old.truncate(old.len() - 5);
    fs::write(journal_in(&folder), old).unwrap();
    for notices in [1, 0] {
        let opened = open(&folder);
        assert_eq!((names(&opened.restored), opened.notices.len()), (vec!["b"], notices));
        assert_eq!(opened.restored[0].left, Left::Maybe(None));
    }
}
