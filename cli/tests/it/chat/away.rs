//! The client while somebody else has the terminal, the outbox or the last word.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc::channel;

use super::{SHOWN_MAX, Tmux, child_of, signal};
use crate::binary::trialogue;
use crate::story::Story;

#[test]
fn an_editor_keeps_its_ctrl_c_and_ends_with_the_client() {
    let Some(tmux) = Tmux::start() else { return };
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let mut client = story.command("amna", &["chat"]);
    // An editor that says that it is there, minds no Ctrl-C, and ends when a file comes.
    let shown = done.display();
    let editor =
        format!("trap : INT; echo in the editor; until [ -e {shown} ]; do sleep 0.1; done; :");
    client.env("VISUAL", editor);
    tmux.open("amna", (80, 24), &client);
    tmux.wait_for("amna", "Say hello");
    tmux.types("amna", "half a sentence");
    tmux.press("amna", &["C-g"]);
    tmux.wait_for("amna", "in the editor");
    tmux.press("amna", &["C-c"]);
    tmux.wait_for("amna", "^C");
    std::fs::write(&done, "").unwrap();
    tmux.wait_for("amna", "> half a sentence");
    tmux.types("amna", " more");
    tmux.wait_for("amna", "> half a sentence more");

    std::fs::remove_file(&done).unwrap();
    tmux.press("amna", &["C-g"]);
    tmux.wait_for("amna", "in the editor");
    signal(&child_of(&tmux.pid("amna")), "-TERM");
    let end = tmux.wait_for("amna", "sane");
    assert!(end.contains("ended 143") && end.contains("same"), "{end}");
}

#[test]
fn a_second_window_says_that_it_keeps_nothing() {
    let Some(tmux) = Tmux::start() else { return };
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    tmux.open("first", (120, 24), &story.command("amna", &["chat"]));
    tmux.wait_for("first", "Say hello");
    tmux.open("second", (120, 24), &story.command("amna", &["chat"]));
    tmux.wait_for("second", "the outbox is in memory");
    story.kill_server();
    tmux.wait_for("second", "Reconnecting");
    tmux.types("second", "hi");
    tmux.press("second", &["Enter"]);
    tmux.wait_for("second", "1 queued");
    tmux.press("second", &["C-q"]);
    let asked = tmux.wait_for("second", "lost");
    assert!(!asked.contains("kept"), "{asked}");
}

#[test]
fn a_panic_beside_the_client_leaves_it_on_its_screen() {
    let Some(tmux) = Tmux::start() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut client = trialogue();
    client
        .env("TRIALOGUE_DATA_DIR", data.path())
        .env("TRIALOGUE_FAIL_CHAT_FRAME", "aside")
        .env("RUST_BACKTRACE", "0");
    tmux.open("panic", (80, 24), client.arg("chat"));
    tmux.wait_for("panic", "Sign in");
    tmux.types("panic", "typed after it");
    tmux.wait_for("panic", "typed after it");
    let screen = tmux.tmux(&["display-message", "-p", "-t", "panic", "#{alternate_on}"]);
    assert_eq!(String::from_utf8_lossy(&screen.stdout).trim(), "1");
    tmux.press("panic", &["C-q"]);
    let mut end = tmux.screen("panic");
    if !end.contains("sane") {
        // Something was typed: it may ask.
        tmux.press("panic", &["C-q"]);
        end = tmux.wait_for("panic", "sane");
    }
    assert!(end.contains("this panic was asked for") && end.contains("ended 0"), "{end}");
}

#[test]
fn a_token_of_the_environment_is_asked_about_until_there_is_a_server() {
    let mut story = Story::begin();
    story.kill_server();
    let mut shell = story.command("nobody", &["shell"]);
    shell.env("TRIALOGUE_TOKEN", "no such token");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    shell.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let (tell, said) = channel();
    let out = BufReader::new(shell.stdout.take().unwrap());
    std::thread::spawn(move || {
        out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    let until = |words: &str| {
        while !said.recv_timeout(SHOWN_MAX).expect(words).contains(words) {}
    };
    until("Reconnecting, retry 2");
    story.restart_server();
    until("Signed out");
    // Nothing was taken from the pipe.
    assert_eq!(shell.wait().unwrap().code(), Some(6));
}

#[test]
fn another_account_of_this_machine_is_a_word_away() {
    let Some(tmux) = Tmux::start() else { return };
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    tmux.open("amna", (80, 24), &story.command("amna", &["chat"]));
    tmux.wait_for("amna", "Say hello");
    tmux.types("amna", "/profile ravi");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "Connected · ravi (provider)");
    tmux.types("amna", "It is Ravi now");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "Ravi   It is Ravi now");
    tmux.types("amna", "/profile amna");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "Connected · amna (customer)");
    tmux.wait_for("amna", "It is Ravi now");
    // A profile that nobody has made asks who it is.
    tmux.types("amna", "/profile lena");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "Sign in");
    tmux.press("amna", &["C-q"]);
    tmux.wait_for("amna", "ended 0");
}
