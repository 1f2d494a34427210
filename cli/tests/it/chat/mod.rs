//! The client at a real terminal: tmux answers what a terminal must answer.
//!
//! Where there is no tmux these tests say so and do nothing.

mod away;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::binary::trialogue;
use crate::story::{PASSWORD, Story};

/// How long a loaded machine may take to show the next thing.
const SHOWN_MAX: Duration = Duration::from_secs(30);

/// Says whether the terminal's settings are those from before, whatever size it has now.
const SAME: &str = "[ \"$(stty -a | tail -n +2)\" = \"$(echo \"$before\" | tail -n +2)\" ] && echo same || stty -a";

/// Programs in windows of a tmux of their own.
struct Tmux {
    folder: tempfile::TempDir,
}

impl Tmux {
    /// Nothing where there is no tmux, said aloud.
    #[expect(clippy::print_stderr, reason = "a test that did nothing must say so")]
    fn start() -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!(
                "SKIPPED: there is no tmux on this machine; the client was not tried for real"
            );
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        let mut command = Command::new("tmux");
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(args);
        command.env_remove("TMUX").env("LANG", "C.UTF-8").output().unwrap()
    }

    /// A window with a shell that runs the client, then says how it ended and what is left of the
    /// terminal.
    fn open(&self, name: &str, size: (u16, u16), command: &Command) {
        let mut words = vec!["env".to_owned(), "-u".into(), "NO_COLOR".into()];
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                words.push(format!(
                    "{}={}",
                    name.to_str().unwrap(),
                    quoted(value.to_str().unwrap())
                ));
            }
        }
        words.push(quoted(command.get_program().to_str().unwrap()));
        words.extend(command.get_args().map(|arg| quoted(arg.to_str().unwrap())));
        // With job control, as in a shell that somebody types into: what is suspended comes back by a
        // line that is entered. The terminal must be the same before, between and after.
        let run = format!(
            "set -m; before=$(stty -a); {}; code=$?; \
             while [ $code -ge 145 ]; do echo suspended; {SAME}; read line; fg >/dev/null; code=$?; done; \
             echo ended $code; {SAME}; stty -a | grep -o ' icanon' && echo sane; exec sleep 600",
            words.join(" ")
        );
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let output = self.tmux(&[
            "new-session",
            "-d",
            "-s",
            name,
            "-x",
            &width,
            "-y",
            &height,
            "sh",
            "-c",
            &run,
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn screen(&self, name: &str) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-t", name]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn wait_for(&self, name: &str, words: &str) -> String {
        self.wait_within(name, words, SHOWN_MAX)
    }

    #[track_caller]
    fn wait_within(&self, name: &str, words: &str, longest: Duration) -> String {
        self.wait_until(name, words, longest, |screen| screen.contains(words))
    }

    /// Waits for a screen that is as it should be: `what` says how.
    #[track_caller]
    fn wait_until(
        &self,
        name: &str,
        what: &str,
        longest: Duration,
        is_so: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + longest;
        loop {
            let screen = self.screen(name);
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "no {what:?} in\n{screen}");
            // A screen tells nobody when it changes.
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn types(&self, name: &str, text: &str) {
        self.tmux(&["send-keys", "-t", name, "-l", text]);
    }

    fn press(&self, name: &str, keys: &[&str]) {
        let mut args = vec!["send-keys", "-t", name];
        args.extend(keys);
        self.tmux(&args);
    }

    fn pid(&self, name: &str) -> String {
        let output = self.tmux(&["display-message", "-p", "-t", name, "#{pane_pid}"]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The one child of a process.
fn child_of(pid: &str) -> String {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().to_owned()
}

fn signal(pid: &str, name: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[test]
fn a_day_at_the_terminal_logs_in_sends_resizes_loses_the_server_and_recovers() {
    let Some(tmux) = Tmux::start() else { return };
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    story.run("amna", &["logout"]);

    let mut client = story.command("amna", &["chat"]);
    client.env("VISUAL", "printf 'written in an editor\\n' >");
    tmux.open("amna", (80, 24), &client);
    tmux.wait_for("amna", "Sign in");
    tmux.press("amna", &["C-u"]);
    tmux.types("amna", "amna@example.org");
    tmux.press("amna", &["Enter"]);
    tmux.types("amna", PASSWORD);
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "Connected · amna (customer)");
    tmux.wait_for("amna", "Say hello");
    tmux.types("amna", "Hello, can you come today?");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "✓ ");

    tmux.open("ravi", (44, 14), &story.command("ravi", &["chat"]));
    tmux.wait_for("ravi", "Hello, can you come");
    tmux.types("ravi", "Yes");
    tmux.wait_for("amna", "Ravi is typing");
    tmux.press("ravi", &["Enter"]);
    tmux.wait_for("amna", "Ravi   Yes");
    for size in [["120", "40"], ["30", "8"], ["20", "4"], ["80", "24"]] {
        tmux.tmux(&["resize-window", "-t", "amna", "-x", size[0], "-y", size[1]]);
        let shown = if size[0] == "20" { "too small" } else { "Yes" };
        tmux.wait_for("amna", shown);
    }

    tmux.press("amna", &["C-g"]);
    tmux.wait_for("amna", "> written in an editor");
    tmux.press("amna", &["C-c"]);

    story.kill_server();
    tmux.wait_for("amna", "Reconnecting");
    tmux.types("amna", "typed while offline");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "1 queued, sent in order when back");
    story.restart_server();
    tmux.press("amna", &["C-r"]);
    tmux.wait_for("ravi", "typed while offline");
    tmux.wait_for("amna", "Connected");

    tmux.press("amna", &["C-q"]);
    let end = tmux.wait_for("amna", "sane");
    assert!(end.contains("ended 0") && !end.contains("Chats"), "{end}");
    signal(&child_of(&tmux.pid("ravi")), "-TERM");
    let end = tmux.wait_for("ravi", "sane");
    assert!(end.contains("ended 143") && end.contains("same"), "{end}");
}

#[test]
fn suspended_it_leaves_the_terminal_as_it_was_and_comes_back_where_it_was() {
    let Some(tmux) = Tmux::start() else { return };
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    tmux.open("amna", (80, 24), &story.command("amna", &["chat"]));
    tmux.wait_for("amna", "Say hello");
    tmux.types("amna", "half a sentence");
    tmux.wait_for("amna", "> half a sentence");
    tmux.press("amna", &["C-z"]);
    let shell = tmux.wait_for("amna", "same");
    assert!(shell.contains("suspended") && !shell.contains("Chats"), "{shell}");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "> half a sentence");
    tmux.types("amna", " more");
    tmux.wait_for("amna", "> half a sentence more");

    // From outside: SIGTSTP, as `kill -TSTP` and job control send it.
    signal(&child_of(&tmux.pid("amna")), "-TSTP");
    tmux.wait_for("amna", "suspended");
    tmux.press("amna", &["Enter"]);
    tmux.wait_for("amna", "> half a sentence more");

    // Stopped without being asked, which leaves the terminal raw, and set going again: drawn anew.
    let client = child_of(&tmux.pid("amna"));
    signal(&client, "-STOP");
    tmux.wait_for("amna", "suspended");
    tmux.press("amna", &["C-j"]);
    tmux.wait_for("amna", "> half a sentence more");

    // The terminal goes.
    signal(&child_of(&tmux.pid("amna")), "-HUP");
    let end = tmux.wait_for("amna", "sane");
    assert!(end.contains("ended 129") && end.contains("same"), "{end}");
}

#[test]
fn a_panic_leaves_a_sane_terminal_and_words_that_can_be_read() {
    let Some(tmux) = Tmux::start() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut client = trialogue();
    client
        .env("TRIALOGUE_DATA_DIR", data.path())
        .env("TRIALOGUE_FAIL_CHAT_FRAME", "1")
        .env("RUST_BACKTRACE", "0");
    tmux.open("panic", (80, 24), client.arg("chat"));
    let end = tmux.wait_for("panic", "sane");
    assert!(end.contains("this panic was asked for") && end.contains("ended 101"), "{end}");
}

#[test]
fn what_terminals_measure_each_in_its_own_way_leaves_nothing_behind() {
    let Some(tmux) = Tmux::start() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut client = trialogue();
    client.env("TRIALOGUE_DATA_DIR", data.path());
    tmux.open("demo", (80, 24), client.args(["chat", "--demo"]));
    tmux.wait_for("demo", "Connected");
    tmux.types("demo", "日本 👨‍👩‍👧‍👦 family ❤️ 🇵🇰 é́́́́ end");
    tmux.wait_for("demo", "end");
    tmux.press("demo", &["C-u"]);
    let is_empty = |screen: &str| {
        let chat = |row: &str| row.split('│').nth(1).unwrap_or_default().trim().to_owned();
        screen.lines().map(chat).any(|row| row == ">")
    };
    tmux.wait_until("demo", "an empty input", SHOWN_MAX, is_empty);
    tmux.press("demo", &["C-q"]);
    tmux.wait_for("demo", "ended 0");
}

#[test]
fn without_a_terminal_there_is_one_sentence_and_lines_do_instead() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let ran = story.run("amna", &["chat"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
    let mut dumb = story.command("amna", &["demo", "--tui"]);
    let ran = crate::binary::run(dumb.env("TERM", "dumb"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
    assert!(ran.stderr.contains("TERM is dumb"), "{ran}");
    story.book("amna", "2");
    let lines = "Hello from a pipe\n/members\n/fly\n/quit\n";
    let ran = story.pipe(lines, "amna", &["shell"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for said in ["Chat: ", "Ravi Kumar, provider", "Not done: /fly is no command"] {
        assert!(ran.stdout.contains(said), "{ran}");
    }
    // Sent in time, or kept and said so: on a slow machine the line may be away by then.
    let flushed = story.run("amna", &["outbox", "--flush"]);
    assert_eq!(flushed.code, Some(0), "{flushed}");
    let history = story.run("ravi", &["--json", "chats"]).stdout;
    assert!(history.contains("Hello from a pipe"), "{history} {ran} {flushed}");
}

#[test]
fn a_line_from_a_pipe_waits_for_a_server_that_comes_late() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.book("amna", "2");
    // Nothing on this machine says which chat it is: without the server there is none.
    std::fs::remove_dir_all(story.folder("amna").join("backup")).unwrap_or_default();
    story.kill_server();
    let mut shell = story.command("amna", &["shell"]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    let lines = "first\n/dispute not done: it leaks\nsecond\n/quit\n";
    shell.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let (tell, said) = channel();
    let out = BufReader::new(shell.stdout.take().unwrap());
    std::thread::spawn(move || {
        out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    let mut heard = Vec::new();
    let mut until = |words: &str| {
        while !heard.iter().any(|line: &String| line.contains(words)) {
            match said.recv_timeout(SHOWN_MAX) {
                Ok(line) => heard.push(line),
                Err(_) => panic!("no {words:?} in {heard:#?}"),
            }
        }
    };
    // More than a person's patience.
    until("Reconnecting, retry 3");
    story.restart_server();
    until("Chat: Kitchen sink leak");
    // There is no LSM: what the server says to one line is there before the next one goes.
    until("No local service manager");
    until("You: second");
    assert_eq!(shell.wait().unwrap().code(), Some(0));
    let history = story.run("ravi", &["--json", "chats"]).stdout;
    assert!(history.contains("\"second\"") && history.contains("\"lastSeq\":2"), "{history}");
}

#[test]
fn the_commented_settings_are_written_once() {
    let home = tempfile::tempdir().unwrap();
    let init = || {
        let mut config = trialogue();
        crate::binary::run(config.args(["config", "init"]).env("XDG_CONFIG_HOME", home.path()))
    };
    let ran = init();
    assert_eq!(ran.code, Some(0), "{ran}");
    let text = std::fs::read_to_string(ran.stdout.trim()).unwrap();
    assert!(text.contains("# preset = \"usual\""), "{text}");
    let again = init();
    assert_eq!(again.code, Some(2), "{again}");
    assert!(again.stderr.contains("is there already"), "{again}");
}

#[test]
fn a_script_plays_the_panes_by_steps_and_by_itself_and_leaves_them_to_the_user() {
    let Some(tmux) = Tmux::start() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut demo = trialogue();
    for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
        demo.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    demo.env("TRIALOGUE_DATA_DIR", data.path());
    demo.args(["demo", "--tui", "--script", "rapid-typing"]);
    tmux.open("script", (140, 30), &demo);
    // A database from nothing on a busy machine comes before the first frame.
    tmux.wait_within("script", "next: ", 4 * SHOWN_MAX);
    tmux.press("script", &["F8"]);
    tmux.wait_for("script", "rapid-typing step 1 of");
    tmux.press("script", &["F9"]);
    // Every step stands for a beat, beside what it takes on a busy machine.
    let end = tmux.wait_within("script", "steps and checks held", 6 * SHOWN_MAX);
    assert!(!end.contains("did not hold"), "{end}");
    tmux.types("script", "by hand");
    tmux.press("script", &["Enter"]);
    // Until it is stored: quitting asks while something waits.
    let stored = |screen: &str| {
        let pane = |row: &str| row.split('│').next().unwrap_or_default().to_owned();
        let row = screen.lines().map(pane).find(|row| row.contains("Customer   by hand"));
        row.is_some_and(|row| row.starts_with('✓'))
    };
    tmux.wait_until("script", "stored by hand", SHOWN_MAX, stored);
    tmux.press("script", &["C-q"]);
    tmux.wait_for("script", "ended 0");
}
