//! Histories as files: read together, with errors that name the place.

use std::path::PathBuf;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use trialogue_checker::history::{FILES_MAX, LINE_BYTES_MAX, ReadCounts};
use trialogue_checker::{Checker, History, HistoryError, Report, Table, Verdict};

use crate::world::{Size, play, sizes};

/// Writes texts as files, and judges them.
fn judge(texts: &[(String, String)]) -> Result<(Report, ReadCounts), HistoryError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = texts.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(texts) {
        std::fs::write(path, text).unwrap();
    }
    let history = History::open(&paths)?;
    let config = history.plan().map(|plan| plan.config()).unwrap_or_default();
    let mut checker = Checker::new(config);
    let counts = history.read(&mut checker)?;
    Ok((checker.judge(), counts))
}

fn one(text: &str) -> [(String, String); 1] {
    [("a.jsonl".to_owned(), text.to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn files_in_any_order_tell_what_their_lines_tell(seed: u64, size in sizes()) {
        let world = play(seed, size);
        let mut texts = world.texts();
        texts.shuffle(&mut StdRng::seed_from_u64(seed));
        let (report, counts) = judge(&texts).unwrap();
        prop_assert_eq!(report.to_string(), world.judge().to_string());
        let lines = ReadCounts { lines: world.lines().count() as u64, torn: 0 };
        prop_assert_eq!(counts, lines);
    }
}

#[test]
fn a_line_that_was_torn_by_a_kill_is_left_out_and_counted() {
    let size = Size { chats: 1, sends: 40, kills: 0, disputes: false };
    let mut texts = play(1, size).texts();
    let killed = texts.iter_mut().find(|(name, _)| name.as_str() == "ann0").unwrap();
    killed.1 += r#"{"op":"invoke","t":99999999,"client":"ann0","ch"#;
    let (report, counts) = judge(&texts).unwrap();
    assert_eq!((report.verdict, counts.torn), (Verdict::Valid, 1));
    // In the middle of a file it is a fault of the recorder.
    let error = judge(&one("{\"op\":\"inv\n{}\n")).unwrap_err().to_string();
    assert!(error.contains("a.jsonl:1: "), "{error}");
    // A last line without an end that makes sense is one.
    let whole = r#"{"op":"open","t":1,"client":"a","user":"a"}"#;
    assert_eq!(judge(&one(whole)).unwrap().1, ReadCounts { lines: 1, torn: 0 });
    assert_eq!(judge(&one("")).unwrap().1, ReadCounts::default());
}

#[track_caller]
fn check(text: &str, expect: &str) {
    let error = judge(&one(text)).unwrap_err().to_string();
    let (_, error) = error.split_once("a.jsonl").unwrap();
    assert_eq!(error, expect, "{text}");
}

#[test]
fn errors_name_file_line_and_field() {
    let good = r#"{"op":"open","t":1,"client":"a","user":"a"}"#;
    let after = |line: &str| format!("{good}\n{line}\n");
    check(&after(r#"{"op":"recv","t":1,"client":"a","chat":"c","seq":1}"#), ":2: recv needs `h`");
    check(&after(r#"{"op":"down","t":1,"client":"a","chat":"c"}"#), ":2: down has no `chat`");
    check(&after(r#"{"op":"row","chat":"","h":"1"}"#), name_error("chat").as_str());
    check(&after(r#"{"op":"row","chat":"a\u001bb","h":"1"}"#), name_error("chat").as_str());
    let long = "x".repeat(129);
    check(&after(&format!(r#"{{"op":"row","chat":"{long}","h":"1"}}"#)), &name_error("chat"));
    check(
        &after(r#"{"op":"row","chat":"c","h":"1","seq":0}"#),
        ":2: `seq` must be 1 to 9007199254740991",
    );
    check(
        &after(r#"{"op":"chat","chat":"c","last_seq":9007199254740992}"#),
        ":2: `last_seq` must be at most 9007199254740991",
    );
    check(&after(r#"{"op":"plan"}"#), ":2: a plan is the first line of its file");
    check(
        &after(r#"{"op":"receive"}"#),
        ":2: unknown variant `receive`, expected one of `invoke`, `ok`, `fail`, `info`, `recv`, \
         `show`, `page`, `open`, `down`, `join`, `leave`, `evict`, `canary`, `row`, `chat`, \
         `member`, `note`, `fault` (column 15)",
    );
    check(
        &after(r#"{"op":"down","t":1,"client":"a","colour":"c"}"#),
        ":2: unknown field `colour`, expected one of `op`, `t`, `client`, `chat`, `user`, `cmid`, \
         `seq`, `id`, `h`, `sender`, `nth`, `stored`, `since`, `last_seq`, `is_final`, `more`, \
         `rows`, `name`, `over`, `from`, `added_seq`, `removed_seq`, `added`, `removed` \
         (column 40)",
    );
    check("{\"op\":\"plan\",\"fault\":1}\n", plan_error());
    let entry = r#"{"h":"1"}"#;
    let rows = vec![entry; 1_001].join(",");
    let page = format!(r#"{{"op":"page","t":1,"client":"a","chat":"c","rows":[{rows}]}}"#);
    check(&after(&page), ":2: a page has at most 1000 messages");
    let endless = " ".repeat(LINE_BYTES_MAX + 1);
    check(&after(&endless), ":2: a line has at most 1048576 bytes");
}

fn name_error(field: &str) -> String {
    format!(":2: `{field}` must be 1 to 128 bytes without control characters")
}

fn plan_error() -> &'static str {
    ":1: unknown field `fault`, expected one of `op`, `table`, `faults`, `notes`, `own_copies`, \
     `late`, `evict`, `clock_error` (column 20)"
}

#[test]
fn files_must_be_there_be_few_and_agree_on_the_plan() {
    let error = History::open(&["/no/such/file"]).unwrap_err().to_string();
    assert!(error.starts_with("/no/such/file: "), "{error}");
    let plan =
        |faults: u32| format!("{{\"op\":\"plan\",\"faults\":{faults},\"table\":\"reads\"}}\n");
    let two = |a: u32, b: u32| [("a".to_owned(), plan(a)), ("b".to_owned(), plan(b))];
    assert!(judge(&two(1, 1)).is_ok());
    let error = judge(&two(1, 2)).unwrap_err().to_string();
    assert!(error.ends_with("b:1: another file has another plan"), "{error}");
    let many: Vec<(String, String)> =
        (0..=FILES_MAX).map(|n| (format!("{n}"), String::new())).collect();
    let error = judge(&many).unwrap_err().to_string();
    assert!(error.ends_with("512: a history has at most 512 files"), "{error}");
}

#[test]
fn a_plan_is_what_the_judgement_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan");
    let text = r#"{"op":"plan","table":"acks","faults":3,"late":7,"own_copies":false}"#;
    std::fs::write(&path, text).unwrap();
    let history = History::open(&[path]).unwrap();
    let config = history.plan().unwrap().config();
    assert_eq!((config.table, config.faults, config.late_max), (Table::Acks, 3, 7));
    assert!(!config.own_copies && !config.notes);
}
