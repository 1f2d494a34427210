//! `trialogue outbox`, and what of it a logout leaves: nothing is dropped in silence, and no text stays
//! where nobody needs it any more.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use trialogue_client::journal::{FileJournal, Journal, Opened};
use trialogue_client::outbox::{Draft, Record};
use trialogue_faults::{Proxy, Way, Weather};
use trialogue_protocol::{ChatId, MessageType};

use crate::binary::{Ran, run};
use crate::story::Story;

const NOWHERE: &str = "00000000-0000-7000-8000-000000000001";

/// Amna's outbox, as a process that was killed has left it.
fn outbox(story: &Story) -> Opened {
    outbox_at(story, story.url())
}

fn outbox_at(story: &Story, url: &str) -> Opened {
    FileJournal::open(&folder(story), &format!("{url}/ 1")).unwrap()
}

fn folder(story: &Story) -> std::path::PathBuf {
    story.folder("amna").join("outbox")
}

fn queue(journal: &mut dyn Journal, chat: &str, id: &str, text: &str) {
    let (id, chat): (_, ChatId) = (id.parse().unwrap(), chat.parse().unwrap());
    let draft = Draft { id, chat, text: text.to_owned(), kind: MessageType::Text };
    journal.append(&[Record::Queued(draft)]).unwrap();
}

/// Whether a text is in any file of a folder.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        String::from_utf8_lossy(&bytes).contains(text)
    })
}

/// The ids that `--json` lists.
fn ids(ran: &Ran) -> Vec<String> {
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let items = listed["items"].as_array().unwrap();
    items.iter().map(|item| item["clientMessageId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_message_that_waits_is_given_up_and_leaves_the_disk_with_or_without_a_server() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let mut opened = outbox(&story);
    for (id, text) in [("m1", "the first secret"), ("m2", "the second secret")] {
        queue(opened.journal.as_mut(), NOWHERE, id, text);
    }
    drop(opened);
    story.kill_server();
    let ran = story.run("amna", &["outbox", "--discard", "m1"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("given up: m1"), "{ran}");
    assert!(ran.stdout.contains("second") && !ran.stdout.contains("first"), "{ran}");
    assert!(!holds(&folder(&story), "first") && holds(&folder(&story), "second"));

    let ran = story.run("amna", &["--json", "outbox", "--discard", "m1", "m3"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert_eq!(ids(&ran), ["m2"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["code"], "not_found");
    assert_eq!(error["error"]["message"], "not in the outbox: m1, m3");

    assert_eq!(story.run("amna", &["--timeout", "5s", "logout"]).code, Some(5));
    let ran = story.run("amna", &["outbox", "--discard-all"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ids(&story.run("amna", &["--json", "outbox"])), Vec::<String>::new());
    assert!(!holds(&folder(&story), "secret"));
    let nobody = story.run("ravi", &["outbox"]);
    assert_eq!(nobody.code, Some(3), "{nobody}");
}

#[test]
fn a_flush_says_what_was_refused_until_it_is_given_up() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    let mut opened = outbox(&story);
    queue(opened.journal.as_mut(), NOWHERE, "m1", "let me in");
    queue(opened.journal.as_mut(), &chat, "m2", "hello");
    drop(opened);
    for _ in 0..2 {
        let ran = story.run("amna", &["-q", "outbox", "--flush"]);
        assert_eq!(ran.code, Some(4), "{ran}");
        assert_eq!(ran.stderr, "error: not stored, and not sent again: m1\n");
        assert!(ran.stdout.contains("denied") && !ran.stdout.contains("m2"), "{ran}");
    }
    let ran = story.run("amna", &["--json", "outbox", "--flush"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((ran.code, &error["error"]["code"]), (Some(4), &"denied".into()));
    assert!(story.run("ravi", &["history", &chat]).stdout.contains("hello"));
    assert_eq!(story.run("amna", &["outbox", "--discard", "m1"]).code, Some(0));
    assert_eq!(story.run("amna", &["outbox", "--flush"]).code, Some(0));
}

/// Each message takes a round trip of 400 ms, so ten of them take longer than the time limit.
#[tokio::test]
async fn a_flush_may_take_longer_than_its_time_limit_as_long_as_it_gets_on() {
    let mut story = tokio::task::spawn_blocking(Story::begin).await.unwrap();
    let upstream = story.url().strip_prefix("http://").unwrap().parse().unwrap();
    let proxy = Proxy::start(upstream).await.unwrap();
    let url = format!("http://{}", proxy.address());
    let work = move || {
        story.enter("customer", "Amna", "Khan");
        story.enter("provider", "Ravi", "Kumar");
        let chat = story.book("amna", "2");
        let far = |args: &[&str]| {
            let mut command = story.command("amna", args);
            run(command.env("TRIALOGUE_SERVER", &url))
        };
        assert_eq!(far(&["login", "amna@example.org"]).code, Some(0));
        let mut opened = outbox_at(&story, &url);
        for number in 0..10 {
            queue(opened.journal.as_mut(), &chat, &format!("m{number}"), "one of many");
        }
        drop(opened);
        let latency = Duration::from_millis(200);
        proxy.set_way(Way::ToServer, Weather { latency, ..Weather::default() });
        proxy.set_way(Way::ToClient, Weather { latency, ..Weather::default() });
        let ran = far(&["--timeout", "3s", "outbox", "--flush"]);
        assert_eq!(ran.code, Some(0), "{ran}");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[test]
fn the_outbox_is_listed_beside_a_process_that_has_it() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let mut opened = outbox(&story);
    queue(opened.journal.as_mut(), NOWHERE, "m1", "hello");
    let ran = story.run("amna", &["--json", "outbox"]);
    assert_eq!((ran.code, ids(&ran)), (Some(0), vec!["m1".to_owned()]), "{ran}");
    // To give something up is to write: that waits for its turn.
    let ran = story.run("amna", &["--timeout", "200ms", "--json", "outbox", "--discard", "m1"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains(r#""code":"busy""#), "{ran}");
}

/// RELIABILITY E14. No file may grow, as on a full disk.
#[cfg(unix)]
#[test]
fn the_outbox_is_listed_on_a_disk_that_takes_nothing() {
    let story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let mut opened = outbox(&story);
    queue(opened.journal.as_mut(), NOWHERE, "m1", "hello");
    drop(opened);
    let listed = story.command("amna", &["--json", "outbox"]);
    let mut full = std::process::Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
    full.arg(listed.get_program()).args(listed.get_args()).envs(vars(&listed));
    let ran = run(&mut full);
    assert_eq!((ran.code, ids(&ran)), (Some(0), vec!["m1".to_owned()]), "{ran}");
}

fn vars(of: &std::process::Command) -> impl Iterator<Item = (&std::ffi::OsStr, &std::ffi::OsStr)> {
    of.get_envs().filter_map(|(name, value)| Some((name, value?)))
}

#[test]
fn a_send_leaves_no_text_in_the_outbox() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    assert_eq!(story.run("amna", &["send", &chat, "a secret"]).code, Some(0));
    assert!(!holds(&folder(&story), "a secret"));
}

#[test]
fn a_logout_wipes_what_was_sent_and_tells_of_what_was_not() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let mut opened = outbox(&story);
    queue(opened.journal.as_mut(), NOWHERE, "m1", "sent long ago");
    opened.journal.append(&[Record::Done { id: "m1".parse().unwrap() }]).unwrap();
    queue(opened.journal.as_mut(), NOWHERE, "m2", "never sent");
    drop(opened);
    assert!(holds(&folder(&story), "sent long ago"), "while something waits the file only grows");
    let ran = story.run("amna", &["logout"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let said = format!("1 unsent message stays in {}", folder(&story).display());
    assert!(ran.stderr.contains(&said), "{ran}");
    assert!(ran.stderr.contains("trialogue outbox --discard-all"), "{ran}");
    assert!(!holds(&folder(&story), "sent long ago") && holds(&folder(&story), "never sent"));
    let told: Value =
        serde_json::from_str(&story.run("amna", &["--json", "logout"]).stdout).unwrap();
    assert_eq!((&told["unsent"], &told["profile"]), (&1.into(), &"amna".into()));
    assert_eq!(told["outbox"], folder(&story).to_str().unwrap());
    assert_eq!(story.run("amna", &["outbox", "--discard-all"]).code, Some(0));
    let ran = story.run("amna", &["logout"]);
    assert!(!ran.stderr.contains("unsent"), "{ran}");
}

#[test]
fn a_message_is_sent_beside_a_client_that_is_open_all_day() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    let opened_by_the_client = outbox(&story);
    let ran = story.run("amna", &["send", &chat, "from a script"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("what cannot be sent is not kept"), "{ran}");
    assert!(story.run("ravi", &["history", &chat]).stdout.contains("from a script"));
    story.kill_server();
    let ran = story.run("amna", &["--timeout", "1s", "send", &chat, "into the dark"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("to try again safely, add --id"), "{ran}");
    drop(opened_by_the_client);
    assert!(outbox(&story).restored.is_empty(), "{ran}");
}
