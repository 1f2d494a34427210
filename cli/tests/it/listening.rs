//! `trialogue listen`: a stream that a script can trust, over a server that dies.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::story::{Story, WORD_MAX};

#[test]
fn two_listeners_hear_one_sender_and_each_other() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    // Listens to all chats, of which there is none yet.
    let mut ravi = story.start("ravi", &["--json", "listen"]);
    ravi.wait_for_link("connected");
    let chat = story.book("amna", "2");
    let invited = ravi.next("notification:created");
    assert_eq!(invited["notification"]["chatId"], chat.as_str());
    assert_eq!(ravi.next("joined_chat")["chatId"], chat.as_str());

    let mut amna = story.start("amna", &["--json", "listen", &chat]);
    assert_eq!(amna.next("joined_chat")["chatId"], chat.as_str());
    assert_eq!(ravi.next("user_joined")["userId"], 1);
    story.run("amna", &["send", &chat, "Hi Ravi"]);
    for listener in [&mut amna, &mut ravi] {
        let heard = listener.next("new_message");
        assert_eq!(heard["message"]["message"], "Hi Ravi");
        assert_eq!((&heard["message"]["seq"], &heard["via"]), (&1.into(), &"live".into()));
    }
}

#[test]
fn a_listener_comes_back_by_itself_and_misses_nothing() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    let args = ["--json", "listen", &chat, "--event", "new_message,link", "--since", "0"];
    let mut ravi = story.start("ravi", &args);
    ravi.wait_for_link("connected");
    story.run("amna", &["send", &chat, "before"]);
    assert_eq!(ravi.next("new_message")["message"]["message"], "before");

    story.kill_server();
    ravi.wait_for_link("reconnecting");
    // Said to a server that is not there: it waits, and is stored once it is.
    let late = story.start("amna", &["--json", "send", &chat, "while you were away"]);
    story.restart_server();
    assert_eq!(late.exit_code(), Some(0));
    let heard = ravi.next("new_message");
    assert_eq!(heard["message"]["message"], "while you were away");
    assert_eq!(heard["message"]["seq"], 2);
    story.run("amna", &["send", &chat, "after"]);
    assert_eq!(ravi.next("new_message")["message"]["seq"], 3);
}

#[test]
fn a_count_ends_the_stream() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    for text in ["one", "two", "three"] {
        story.run("amna", &["send", &chat, text]);
    }
    let filter = ["--event", "new_message", "--since", "0", "--count", "2", "--for", "30s"];
    // Quiet: whether the connection is spoken of before the count is reached is a race.
    story.run("ravi", &[&["-q", "listen", &chat][..], &filter[..]].concat());
    story.run("ravi", &[&["--json", "listen", &chat][..], &filter[..]].concat());
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn a_count_is_of_what_is_shown() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    assert_eq!(story.run("amna", &["send", &chat, "on my way"]).code, Some(0));
    let listen = ["-q", "listen", &chat, "--since", "0", "--count", "1", "--for", "30s"];
    let ran = story.run("ravi", &listen);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{ran}");
    // What has no words is shown as it came, when it is asked for.
    let ran = story.run("ravi", &[&listen[..], &["--event", "connected"]].concat());
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{ran}");
    let ran = story.run("ravi", &[&listen[..], &["--event", "link"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "connecting\n"), "{ran}");
}

#[cfg(unix)]
#[test]
fn a_listener_whose_reader_goes_away_ends_quietly_without_another_event() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    assert_eq!(story.run("amna", &["send", &chat, "on my way"]).code, Some(0));
    let mut listen = story.command("ravi", &["listen", &chat, "--since", "0"]);
    let mut ravi = listen.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(ravi.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("on my way\n"), "{line}");
    // Nothing more happens in this chat.
    let by = Instant::now() + WORD_MAX;
    let ended = loop {
        match ravi.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > by => break ravi.kill().map(|()| None).unwrap(),
            None => std::thread::park_timeout(Duration::from_millis(5)),
        }
    };
    assert_eq!(ended, Some(0), "it still waits for something to say");
}

#[test]
fn who_listens_to_all_chats_waits_for_a_server_that_is_not_there_yet() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    story.kill_server();
    let end = chat[chat.len() - 6..].to_owned();
    let mut all = story.start("ravi", &["--json", "listen"]);
    let mut short = story.start("ravi", &["--json", "listen", &end]);
    for listener in [&mut all, &mut short] {
        listener.wait_for_link("reconnecting");
        // It does so again and again.
        listener.wait_for_link("reconnecting");
    }
    story.restart_server();
    for listener in [&mut all, &mut short] {
        listener.wait_for_link("connected");
    }
    assert_eq!(story.run("amna", &["send", &chat, "back again"]).code, Some(0));
    for listener in [&mut all, &mut short] {
        assert_eq!(listener.next("new_message")["message"]["message"], "back again");
    }
}
