//! The configuration file: what is stronger than it, what it is weaker than, and what it may not be.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trialogue_client::Dialect;
use trialogue_client::profile::{Profiles, Saved};

use crate::binary::{Ran, run, trialogue};
use crate::story::Story;

/// A home with a configuration file in its usual place.
struct Home(tempfile::TempDir);

impl Home {
    fn with(text: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.file().parent().unwrap()).unwrap();
        fs::write(home.file(), text).unwrap();
        home
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("trialogue/config.toml")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = trialogue();
        command.env("XDG_CONFIG_HOME", self.0.path()).args(args);
        command.env("TRIALOGUE_DATA_DIR", self.0.path().join("data"));
        command
    }

    /// Runs it; paths of this home are `<home>`.
    fn run(&self, args: &[&str]) -> Ran {
        let ran = run(&mut self.command(args));
        let scrub = |text: String| text.replace(&*self.0.path().to_string_lossy(), "<home>");
        Ran { stdout: scrub(ran.stdout), stderr: scrub(ran.stderr), code: ran.code }
    }
}

/// What `status` says of one setting: its value, the kind of its source, and the place.
fn setting(ran: &Ran, name: &str) -> (Value, String, String) {
    let status: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let settings = status["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name).unwrap();
    let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (found["value"].clone(), word("source"), word("from"))
}

#[track_caller]
fn check(ran: &Ran, name: &str, value: &str, source: &str, from: &str) {
    assert_eq!(setting(ran, name), (value.into(), source.to_owned(), from.to_owned()), "{name}");
}

const FILE: &str = r#"
server = "http://127.0.0.1:1"
timeout = "7s"
cacert = ["authority.pem"]
color = "never"
default-profile = "ravi"
listen = "127.0.0.1:4000"

[profile.ravi]
timeout = "8s"

[profile.amna]
server = "http://127.0.0.1:2"
no-input = true
"#;

#[test]
fn a_flag_beats_a_variable_beats_the_profile_beats_the_file() {
    let home = Home::with(FILE);
    let pem = include_str!("certs/authority.pem");
    fs::write(home.file().with_file_name("authority.pem"), pem).unwrap();
    let place = "<home>/trialogue/config.toml";
    let ran = home.run(&["--json", "status"]);
    assert_eq!(ran.code, Some(5), "{ran}");
    check(&ran, "profile", "ravi", "file", place);
    check(&ran, "server", "http://127.0.0.1:1", "file", place);
    check(&ran, "timeout", "8s", "file", &format!("{place} [profile.ravi]"));
    check(&ran, "color", "never", "file", place);
    check(&ran, "no-input", "false", "default", "");
    // It means the same file wherever one stands.
    check(&ran, "cacert", "<home>/trialogue/authority.pem", "file", place);

    let amna = format!("{place} [profile.amna]");
    let ran = home.run(&["--json", "--profile", "amna", "--color", "always", "status"]);
    check(&ran, "profile", "amna", "flag", "");
    check(&ran, "server", "http://127.0.0.1:2", "file", &amna);
    check(&ran, "no-input", "true", "file", &amna);
    check(&ran, "timeout", "7s", "file", place);
    check(&ran, "color", "always", "flag", "");

    let mut command = home.command(&["status", "--json", "--timeout", "9s"]);
    command.env("TRIALOGUE_SERVER", "http://127.0.0.1:3").env("TRIALOGUE_TIMEOUT", "1s");
    let ran = run(command.env("TRIALOGUE_PROFILE", "amna").env("TRIALOGUE_NO_INPUT", "no"));
    check(&ran, "server", "http://127.0.0.1:3", "env", "TRIALOGUE_SERVER");
    check(&ran, "timeout", "9s", "flag", "");
    check(&ran, "no-input", "false", "env", "TRIALOGUE_NO_INPUT");
}

#[test]
fn what_a_login_remembered_stands_between_the_profile_and_the_file() {
    let story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let home = Home::with("server = \"http://127.0.0.1:1\"\n");
    let status = |file: &Path| {
        let mut command = story.command("amna", &["--json", "status"]);
        run(command.env_remove("TRIALOGUE_SERVER").env("TRIALOGUE_CONFIG", file))
    };
    let ran = status(&home.file());
    assert_eq!(ran.code, Some(0), "{ran}");
    let (value, source, from) = setting(&ran, "server");
    assert_eq!((value, source.as_str()), (story.url().into(), "profile"));
    assert!(from.ends_with("amna"), "{from}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["user"]["firstName"], "Amna");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["login"]["expires"].is_string() && told["login"]["renews"] == true, "{told}");
    assert!(told["roundTripMs"].as_f64().unwrap() >= 0.0 && told["ready"] == true);

    fs::write(home.file(), "[profile.amna]\nserver = \"http://127.0.0.1:1\"\n").unwrap();
    let ran = status(&home.file());
    // The tokens of one server are not for another.
    assert_eq!(ran.code, Some(5), "{ran}");
    assert_eq!(setting(&ran, "server").1, "file");
}

#[test]
fn a_file_that_is_wrong_is_refused_by_the_name_of_what_is_wrong() {
    let home = Home::with("");
    let mut said = String::new();
    for text in [
        "colour = \"red\"",
        "password = \"correct horse\"",
        "access-token = \"eyJ\"",
        "server = \"https://me:correct-horse@chat.example\"",
        "server = 3000",
        "server = \"not a url\"",
        "timeout = \"soon\"",
        "plain-http = \"maybe\"",
        "profile = \"amna\"",
        "[profile]\namna = 1",
        "[profile.amna]\nlisten = \"127.0.0.1:1\"",
        "[profile.amna]\npasswort = 1",
        "[profile.amna]\ntoken = \"eyJ\"",
        "[[profile]]",
        "timeout",
    ] {
        fs::write(home.file(), text).unwrap();
        let ran = home.run(&["whoami"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text}: {ran}");
        let sentence = ran.stderr.lines().next().unwrap_or_default();
        assert!(!ran.stderr.contains("horse") && !ran.stderr.contains("eyJ"), "{ran}");
        said.push_str(&format!("{}\n  {sentence}\n", text.replace('\n', " ")));
    }
    insta::assert_snapshot!(said);
    let long = format!("# {}\ntimeout = \"1s\"\n", "x".repeat(64 * 1024));
    fs::write(home.file(), long).unwrap();
    assert!(home.run(&["whoami"]).stderr.contains("longer than 65536 bytes"));
}

#[cfg(unix)]
#[test]
fn a_file_that_anybody_may_write_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::with("timeout = \"1s\"\n");
    let mode = |mode| fs::set_permissions(home.file(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o646);
    let ran = home.run(&["--json", "whoami"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("chmod o-w '<home>/trialogue/config.toml'"), "{ran}");
    // Doctor says so too, and looks at the rest all the same.
    let ran = home.run(&["doctor"]);
    assert!(ran.stdout.contains("BAD config     <home>/trialogue/config.toml: anybody"), "{ran}");
    assert!(ran.stdout.contains("BAD server"), "{ran}");
    // With a umask of 002 every file looks like this.
    mode(0o664);
    assert_eq!(home.run(&["whoami"]).code, Some(3));
}

#[test]
fn one_file_is_for_both_sides() {
    let home = Home::with(FILE);
    let ran = home.run(&["--json", "config"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    check(&ran, "listen", "127.0.0.1:4000", "file", "<home>/trialogue/config.toml");
    let mut command = home.command(&["--json", "config"]);
    let elsewhere = home.0.path().join("elsewhere.toml");
    fs::write(&elsewhere, "listen = \"127.0.0.1:5000\"\n").unwrap();
    let ran = run(command.arg("--config").arg(&elsewhere));
    assert_eq!(setting(&ran, "listen").0, "127.0.0.1:5000");
}

#[test]
fn a_secret_is_not_taken_from_the_command_line() {
    let secret = "0123456789 0123456789 0123456789 0123456789";
    for verb in ["serve", "config"] {
        let ran = run(trialogue().args([verb, "--jwt-secret", secret]).env_remove("DATABASE_URL"));
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("use TRIALOGUE_JWT_SECRET"), "{ran}");
        assert!(!ran.stderr.contains("0123456789"), "{ran}");
    }
}

#[test]
fn an_address_with_a_secret_in_it_is_refused_wherever_it_stands_and_never_shown() {
    const ADDRESS: &str = "http://me:correct-horse@127.0.0.1:1";
    let home = Home::with("");
    let refused = |ran: Ran, place: &str| {
        assert_eq!(ran.code, Some(2), "{place}: {ran}");
        assert!(ran.stderr.contains("user name or a password"), "{place}: {ran}");
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!shown.contains("horse") && !shown.contains("me:"), "{place}: {ran}");
    };
    for args in [&["whoami"][..], &["status", "-v"], &["--json", "status"], &["doctor"]] {
        refused(run(home.command(args).args(["--server", ADDRESS])), "flag");
        refused(run(home.command(args).env("TRIALOGUE_SERVER", ADDRESS)), "variable");
    }
    let bare = "http://me@127.0.0.1:1";
    refused(run(home.command(&["whoami"]).env("TRIALOGUE_SERVER", bare)), "a name alone");
    for text in [format!("server = {ADDRESS:?}"), format!("[profile.amna]\nserver = {ADDRESS:?}")] {
        fs::write(home.file(), text).unwrap();
        refused(home.run(&["whoami"]), "file");
    }
    fs::write(home.file(), "").unwrap();
    let profile = Profiles::at(home.0.path().join("data/profiles"));
    let profile = profile.profile("default".parse().unwrap());
    let (server, dialect) = (ADDRESS.parse().unwrap(), Dialect::Trialogue);
    profile.keep(&Saved { server, dialect, user: None, tokens: None }).unwrap();
    refused(home.run(&["status", "-v"]), "profile");
    // Help is help, whatever the environment holds.
    let ran = run(home.command(&["whoami", "--help"]).env("TRIALOGUE_SERVER", ADDRESS));
    assert!(ran.code == Some(0) && !ran.stdout.contains("horse"), "{ran}");
}

#[test]
fn a_variable_that_is_empty_is_none() {
    let home = Home::with("");
    let mut command = home.command(&["--json", "status"]);
    for name in ["SERVER", "PROFILE", "DIALECT", "TIMEOUT", "CACERT", "PLAIN_HTTP", "JSON", "COLOR"]
    {
        command.env(format!("TRIALOGUE_{name}"), "");
    }
    let ran = run(&mut command);
    // Nobody is signed in, whether or not somebody listens there.
    assert!(matches!(ran.code, Some(3 | 5)), "{ran}");
    check(&ran, "server", "http://127.0.0.1:3000", "default", "");
    check(&ran, "timeout", "30s", "default", "");
    let ran = run(home.command(&["--json", "config"]).env("DATABASE_URL", ""));
    assert_eq!(
        (ran.code, setting(&ran, "database-url").1),
        (Some(0), "default".to_owned()),
        "{ran}"
    );
}

#[cfg(unix)]
#[test]
fn a_configuration_that_can_be_read_only_once_is_enough() {
    use std::io::Write as _;
    let home = Home::with("");
    let mut command = home.command(&["--json", "config", "--config", "/dev/stdin"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"listen = \"127.0.0.1:5000\"\n").unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    check(&ran, "listen", "127.0.0.1:5000", "file", "/dev/stdin");
}

#[test]
fn what_a_usage_asks_for_is_what_is_needed() {
    let home = Home::with("");
    let mut command = home.command(&["--profile", "amna", "send"]);
    let ran = run(command.env("TRIALOGUE_SERVER", "http://127.0.0.1:1"));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("\nUsage: trialogue send [OPTIONS] <CHAT> [TEXT]..."), "{ran}");
    assert!(!ran.stderr.contains("--server") && !ran.stderr.contains("--profile"), "{ran}");
    let ran = home.run(&["--json", "register", "--role", "customer"]);
    for name in ["--first-name <NAME>", "--last-name <NAME>", "<EMAIL>"] {
        assert!(ran.stderr.contains(name), "{ran}");
    }
    // A variable is no verb.
    let ran = run(home.command(&[]).env("TRIALOGUE_TIMEOUT", "1s"));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("Commands:\n  register "), "{ran}");
    // Colours are asked for and not asked for like everywhere.
    let ran = home.run(&["--color", "always", "whomi"]);
    assert!(ran.stderr.contains("\u{1b}["), "{ran}");
    let mut command = home.command(&["--color=never", "whomi"]);
    let ran = run(command.env("CLICOLOR_FORCE", "1"));
    assert!(!ran.stderr.contains('\u{1b}') && ran.stderr.contains("whoami"), "{ran}");
    let ran =
        run(home.command(&["--help"]).env("CLICOLOR_FORCE", "1").env("TRIALOGUE_COLOR", "never"));
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.ends_with("SIGTERM\n"), "{ran}");
    for zero in ["0", "0s", "0ms"] {
        let ran = home.run(&["--timeout", zero, "whoami"]);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("in no time"), "{ran}");
    }
    let ran = home.run(&["listen", "--event", "new_mesage"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("'new_message'"), "{ran}");
}

#[test]
fn config_fails_where_serve_would_and_makes_nothing() {
    let home = Home::with("");
    let empty = home.0.path().join("empty");
    fs::write(&empty, "").unwrap();
    let empty = empty.to_string_lossy();
    let good = ("TRIALOGUE_JWT_SECRET", "0123456789 0123456789 0123456789");
    for (variable, args, words) in [
        (("TRIALOGUE_JWT_SECRET", "12345"), &[][..], "5 bytes"),
        (("TRIALOGUE_X", ""), &["--listen", "0.0.0.0:0"][..], "no JWT secret"),
        (("TRIALOGUE_X", ""), &["--jwt-secret-file", "/nonexistent"], "/nonexistent"),
        (("TRIALOGUE_X", ""), &["--jwt-secret-file", &empty], "0 bytes"),
        (("DATABASE_URL", "nonsense"), &[], "database URL"),
        (good, &["--listen", "0.0.0.0:0", "--seed-demo"], "--seed-demo"),
        (good, &["--ping-timeout", "0s"], "--ping-timeout"),
    ] {
        for verb in ["serve", "config"] {
            let mut command = home.command(&[verb, "--listen", "127.0.0.1:0"]);
            if args.contains(&"--listen") {
                command = home.command(&[verb]);
            }
            // Should it go so far, there is no database for it.
            command.env_remove("DATABASE_URL").env("TRIALOGUE_PG_BIN", "none");
            let ran = run(command.args(args).env(variable.0, variable.1));
            assert!(ran.code.is_some_and(|code| code > 0), "{verb} {args:?}: {ran}");
            assert!(ran.stderr.contains(words), "{verb} {args:?}: {ran}");
            assert!(!home.0.path().join("data").exists(), "{verb} {args:?} has made something");
        }
    }
    // A local server would make its secret; to ask what it would run with makes none.
    let ran = home.run(&["config"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!home.0.path().join("data").exists());
}

#[test]
fn a_port_that_is_taken_is_said_before_a_database_is_started() {
    let home = Home::with("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (args, words) in [
        (["--listen", &*address, "--metrics-addr", "127.0.0.1:0"], &*address),
        (["--listen", "127.0.0.1:0", "--metrics-addr", &*address], "metrics address"),
    ] {
        let mut command = home.command(&["serve"]);
        // Without programs of PostgreSQL it would say so, if it came to that.
        command.env_remove("DATABASE_URL").env("TRIALOGUE_PG_BIN", "none");
        let ran = run(command.args(args));
        assert!(ran.code.is_some_and(|code| code > 0), "{ran}");
        assert!(ran.stderr.contains("cannot listen on"), "{ran}");
        assert!(ran.stderr.contains(words), "{ran}");
        assert!(!home.0.path().join("data").exists(), "something was made");
    }
}
