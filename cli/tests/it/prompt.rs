//! A password at a terminal: asked for, never shown, and the terminal is left as it was.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::binary::trialogue;

/// How long a process on a loaded machine may take to say its next word.
const WORD_MAX: Duration = Duration::from_secs(20);

/// A terminal with `trialogue` in it, as a person would sit at it.
struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    line: OwnedFd,
    child: Child,
    _data: tempfile::TempDir,
}

impl Terminal {
    fn start(args: &[&str]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let path = ptsname(&keyboard, Vec::new()).unwrap();
        let line = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let data = tempfile::tempdir().unwrap();
        let child = trialogue()
            .args(args)
            .env("TRIALOGUE_DATA_DIR", data.path())
            .stdin(line.try_clone().unwrap())
            .stderr(line.try_clone().unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let keyboard = File::from(keyboard);
        let mut glass = keyboard.try_clone().unwrap();
        let (tell, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(read @ 1..) = glass.read(&mut bytes) {
                if tell.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen, seen: String::new(), line, child, _data: data }
    }

    fn wait_for(&mut self, words: &str) {
        let deadline = Instant::now() + WORD_MAX;
        while !self.seen.contains(words) {
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no {words:?} in {:?}", self.seen)
                }
            }
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A server that refuses at once: what counts here is what happens before it is asked.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn a_password_is_not_echoed_while_it_is_typed() {
    let mut terminal = Terminal::start(&["--server", NOBODY, "login", "amna@example.org"]);
    terminal.wait_for("Password: ");
    assert!(!terminal.echoes());
    terminal.type_in("correct horse\n");
    terminal.wait_for("cannot reach the server");
    assert_eq!(terminal.exit_code(), Some(5));
    assert!(terminal.echoes(), "the terminal is as it was");
    assert!(!terminal.seen.contains("horse"), "{}", terminal.seen);
}

#[test]
fn ctrl_c_at_the_question_leaves_a_terminal_that_echoes() {
    let mut terminal = Terminal::start(&["--server", NOBODY, "login", "amna@example.org"]);
    terminal.wait_for("Password: ");
    assert!(!terminal.echoes());
    let pid = Pid::from_child(&terminal.child);
    kill_process(pid, Signal::INT).unwrap();
    // The shell's own prompt does not go on behind the question.
    terminal.wait_for("Password: \r\n");
    assert_eq!(terminal.exit_code(), Some(130));
    assert!(terminal.echoes(), "the terminal is as it was");
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let who = ["--role", "customer", "--first-name", "Amna", "--last-name", "Khan"];
    let mut terminal =
        Terminal::start(&[&["--server", NOBODY, "register", "a@example.org"], &who[..]].concat());
    terminal.wait_for("Password: ");
    terminal.type_in("correct horse\n");
    terminal.wait_for("Password again: ");
    terminal.type_in("correct house\n");
    terminal.wait_for("the two passwords differ");
    assert_eq!(terminal.exit_code(), Some(2));
}

#[test]
fn no_answer_is_no_password() {
    for keys in ["\u{4}", "\n"] {
        let mut terminal = Terminal::start(&["--server", NOBODY, "login", "amna@example.org"]);
        terminal.wait_for("Password: ");
        terminal.type_in(keys);
        terminal.wait_for("no answer");
        assert_eq!(terminal.exit_code(), Some(2));
    }
}

#[test]
fn nobody_is_asked_when_nobody_wants_to_be() {
    let mut terminal = Terminal::start(&["--no-input", "--server", NOBODY, "login", "a@b.example"]);
    terminal.wait_for("--password-stdin");
    assert_eq!(terminal.exit_code(), Some(2));
}
