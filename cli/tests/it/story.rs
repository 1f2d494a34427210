//! People at terminals of their own, one server, and the transcript of all they did.
//!
//! Every story has a server process and a database to itself, so ids count from 1 and the whole
//! transcript can be compared; what differs from run to run is written as `<chat>`, `<time>` and
//! the like.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use trialogue_server::embedded::{Cluster, Database};

use crate::binary::{Ran, run, trialogue};

/// How long the next word of a process may take on a loaded machine.
pub(crate) const WORD_MAX: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "correct horse battery";

/// One PostgreSQL for all stories; it ends with this process.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| wait(Cluster::for_tests()).unwrap())
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A `trialogue serve` that does not outlive this process.
struct Server {
    child: Child,
    /// Closed with us, whatever ends us: then the server goes too.
    _hold: ChildStdin,
    url: String,
}

impl Server {
    fn start(database: &Database, listen: &str) -> Self {
        let mut command = trialogue();
        command.args(["--json", "serve", "--exit-with-stdin", "--listen", listen]);
        command.args(["--open-registration", "--unsafe-durability", "--limits", "bench"]);
        command.env("DATABASE_URL", database.url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).expect("a ready line");
        let hold = child.stdin.take().unwrap();
        Self { child, _hold: hold, url: ready["url"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by the story already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// See the module.
pub(crate) struct Story {
    server: Option<Server>,
    url: String,
    database: Database,
    data: tempfile::TempDir,
    transcript: String,
    /// What is written instead of what differs.
    names: HashMap<String, String>,
    /// Goes after the database in it.
    own: Option<Cluster>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self::on(cluster())
    }

    /// With a durable PostgreSQL of its own, which may come to harm.
    pub(crate) fn begin_apart() -> Self {
        let cluster = wait(Cluster::throwaway(true)).unwrap();
        let story = Self::on(&cluster);
        Self { own: Some(cluster), ..story }
    }

    fn on(cluster: &Cluster) -> Self {
        let database = wait(cluster.fresh_database("verbs")).unwrap();
        let server = Server::start(&database, "127.0.0.1:0");
        let (url, data) = (server.url.clone(), tempfile::tempdir().unwrap());
        let names = HashMap::from([(url.clone(), "<server>".to_owned())]);
        let (server, transcript) = (Some(server), String::new());
        Self { server, url, database, data, transcript, names, own: None }
    }

    /// The PostgreSQL that nobody else uses.
    pub(crate) fn own_cluster(&self) -> &Cluster {
        self.own.as_ref().expect("others use this one")
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the profiles are.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.data.path().to_owned()
    }

    /// A person's own folder.
    pub(crate) fn folder(&self, who: &str) -> std::path::PathBuf {
        self.data.path().join("profiles").join(who)
    }

    /// Where its database is.
    pub(crate) fn database_url(&self) -> String {
        self.database.url()
    }

    /// The verb as this person's terminal runs it.
    pub(crate) fn command(&self, who: &str, args: &[&str]) -> Command {
        self.command_of(who)(args)
    }

    /// The same, for somebody who acts while the story goes on.
    pub(crate) fn command_of(&self, who: &str) -> impl Fn(&[&str]) -> Command + Sync + use<> {
        let (data, url, who) = (self.data.path().to_owned(), self.url.clone(), who.to_owned());
        move |args| {
            let mut command = trialogue();
            command.env("TRIALOGUE_DATA_DIR", &data).env("TRIALOGUE_SERVER", &url);
            command.env("TRIALOGUE_PROFILE", &who).env("TRIALOGUE_PASSWORD", PASSWORD);
            command.env("TZ", "UTC").args(args);
            command
        }
    }

    /// Runs it to its end; it and what came of it go into the transcript.
    pub(crate) fn run(&mut self, who: &str, args: &[&str]) -> Ran {
        let ran = run(&mut self.command(who, args));
        self.note(who, args, &ran);
        ran
    }

    /// Runs it with something on standard input.
    pub(crate) fn pipe(&mut self, input: &str, who: &str, args: &[&str]) -> Ran {
        let mut command = self.command(who, args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The verb may end without having read all of it; that is the story's to judge.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let ran = child.wait_with_output().unwrap().into();
        self.note(who, args, &ran);
        ran
    }

    /// Runs a verb of operators, who have the database's address; with something on standard input
    /// when it is needed.
    pub(crate) fn operate(&mut self, args: &[&str]) -> Ran {
        let mut command = self.command("operator", args);
        // The secret that the server keeps is found where the server keeps it.
        command.env("DATABASE_URL", self.database.url()).env_remove("TRIALOGUE_DATA_DIR");
        let ran = run(&mut command);
        self.note("operator", args, &ran);
        ran
    }

    /// Registers somebody with the first name as profile; not part of the transcript.
    pub(crate) fn enter(&self, role: &str, first_name: &str, last_name: &str) {
        let (who, email) = (first_name.to_lowercase(), format!("{first_name}@example.org"));
        let name = ["--first-name", first_name, "--last-name", last_name, "--region", "Lahore"];
        let args = [&["register", &email, "--role", role][..], &name[..]].concat();
        let ran = run(&mut self.command(&who, &args));
        assert_eq!(ran.code, Some(0), "{ran}");
    }

    /// The customer books the provider with this id; answers the chat, which is `<chat>` from now.
    pub(crate) fn book(&mut self, who: &str, provider: &str) -> String {
        let args = ["book", "--provider", provider, "--title", "Kitchen sink leak"];
        let ran = run(&mut self.command(who, &args));
        assert_eq!(ran.code, Some(0), "{ran}");
        let chat = ran.stdout.trim().to_owned();
        self.call(&chat, "<chat>");
        self.call(&chat[chat.len() - 6..], "<end>");
        self.note(who, &args, &ran);
        chat
    }

    /// From now on this text is written as that.
    pub(crate) fn call(&mut self, text: &str, name: &str) {
        self.names.insert(text.to_owned(), name.to_owned());
    }

    /// Starts a verb that stays, such as `listen`.
    pub(crate) fn start(&self, who: &str, args: &[&str]) -> Stream {
        let mut child =
            self.command(who, args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Stream { lines: read_lines(lines), child }
    }

    /// SIGKILL: no good-bye.
    pub(crate) fn kill_server(&mut self) {
        drop(self.server.take().expect("a server runs"));
    }

    /// A new server at the same address, on the same database.
    pub(crate) fn restart_server(&mut self) {
        let listen = self.url.strip_prefix("http://").unwrap();
        self.server = Some(Server::start(&self.database, listen));
    }

    fn note(&mut self, who: &str, args: &[&str], ran: &Ran) {
        let quoted = args.iter().map(|arg| match arg.contains(' ') || arg.is_empty() {
            true => format!("'{arg}'"),
            false => (*arg).to_owned(),
        });
        let words: Vec<String> = quoted.collect();
        self.transcript.push_str(&format!("{who}$ trialogue {}\n", words.join(" ")));
        for line in ran.stdout.lines() {
            self.transcript.push_str(&format!("{line}\n"));
        }
        for line in ran.stderr.lines() {
            self.transcript.push_str(&format!("! {line}\n"));
        }
        match ran.code {
            Some(0) => {}
            Some(code) => self.transcript.push_str(&format!("exit {code}\n")),
            None => self.transcript.push_str("killed\n"),
        }
        self.transcript.push('\n');
    }

    /// All that was done, without what differs from run to run.
    pub(crate) fn transcript(&self) -> String {
        let mut names: Vec<_> = self.names.iter().collect();
        // The longest first: a chat's id before its end.
        names.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let named = names
            .iter()
            .fold(self.transcript.clone(), |text, (from, to)| text.replace(from.as_str(), to));
        unseen(scrub(&named))
    }
}

/// Who is there is a race between a verb that ends and the server that notices.
fn unseen(text: String) -> String {
    const FORMS: [(&str, &str); 7] = [
        ("offline since <hh:mm>", "<presence>"),
        ("offline\n", "<presence>\n"),
        ("online\n", "<presence>\n"),
        ("\"lastSeen\":null", "\"lastSeen\":<time>"),
        ("\"lastSeen\":\"<time>\"", "\"lastSeen\":<time>"),
        ("\"status\":\"offline\"", "\"status\":<presence>"),
        ("\"status\":\"online\"", "\"status\":<presence>"),
    ];
    FORMS.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// Ids and times by their form.
fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (name, length) = if starts(rest, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") {
            ("<id>", 36)
        } else if starts(rest, "dddd-dd-ddTdd:dd:dd.dddZ") {
            ("<time>", 24)
        } else if clean.ends_with("\"epoch\":") {
            ("<epoch>", rest.find([',', '}']).unwrap_or(rest.len()))
        } else if starts(rest, "dd:dd") {
            ("<hh:mm>", 5)
        } else {
            clean.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        clean.push_str(name);
        rest = &rest[length..];
    }
    clean
}

/// Whether a text begins like a form, in which `h` is a hex digit and `d` a decimal one.
fn starts(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| match form {
        b'h' => byte.is_ascii_hexdigit(),
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    text.len() >= form.len() && text.bytes().zip(form.bytes()).all(fits)
}

/// A verb that runs beside the story.
pub(crate) struct Stream {
    lines: Receiver<String>,
    child: Child,
}

impl Stream {
    /// The next line of JSON of this type, past all others.
    pub(crate) fn next(&mut self, kind: &str) -> serde_json::Value {
        let deadline = Instant::now() + WORD_MAX;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no {kind} among {seen:#?}");
            };
            let json: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
            if json["type"] == kind {
                return json;
            }
            seen.push(line);
        }
    }

    /// Skips until the line's state is this one.
    pub(crate) fn wait_for_link(&mut self, state: &str) {
        while self.next("link")["state"] != state {}
    }

    /// What it exits with by itself.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(lines: BufReader<ChildStdout>) -> Receiver<String> {
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    heard
}
