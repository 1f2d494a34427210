//! The verbs of operators: accounts, tokens, migrations, health, settings.

use std::path::Path;
use std::process::Command;

use trialogue_server::embedded::Cluster;

use crate::binary::{run, trialogue};
use crate::story::Story;

#[test]
fn an_operator_adds_lists_and_changes_accounts() {
    let mut story = Story::begin();
    let name = ["--first-name", "Lena", "--last-name", "Hart", "--region", "Lahore"];
    let add = [&["user", "add", "lena@example.org", "--role", "lsm"][..], &name[..]].concat();
    story.operate(&add);
    story.operate(&add);
    story.run("lena", &["login", "lena@example.org"]);
    story.operate(&["user", "role", "1", "provider"]);
    story.run("lena", &["whoami"]);
    story.run("lena", &["login", "lena@example.org"]);
    story.operate(&["user", "role", "lena@example.org", "provider"]);
    story.operate(&["user", "password", "1"]);
    story.operate(&["user", "disable", "1"]);
    story.run("lena", &["login", "lena@example.org"]);
    story.operate(&["user", "list", "--disabled"]);
    story.operate(&["--json", "user", "list"]);
    story.operate(&["user", "enable", "1"]);
    story.operate(&["user", "list"]);
    story.operate(&["user", "list", "--role", "customer"]);
    story.operate(&["user", "disable", "99"]);
    story.operate(&["--json", "user", "enable", "nobody@example.org"]);
    story.operate(&["user", "enable", "nobody"]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn a_listener_whose_account_is_shut_is_told_within_seconds() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let mut amna = story.start("amna", &["--json", "listen"]);
    amna.wait_for_link("connected");
    let shut = story.operate(&["user", "disable", "1"]);
    assert_eq!(shut.code, Some(0), "{shut}");
    assert_eq!(amna.exit_code(), Some(3), "not signed in any more");
}

#[test]
fn tokens_are_minted_for_who_owns_the_secret() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let people = ["token", "mint", "--user", "1", "--email", "Ravi@example.org", "--count", "2"];
    let ran = story.operate(&people);
    let tokens: Vec<&str> =
        ran.stdout.lines().skip(1).map(|l| l.rsplit(',').next().unwrap()).collect();
    assert_eq!(tokens.len(), 4, "{ran}");
    for (token, id) in tokens.iter().zip(["user 1", "user 1", "user 2", "user 2"]) {
        let who = run(story.command("nobody", &["whoami"]).env("TRIALOGUE_TOKEN", token));
        assert!(who.stdout.contains(id), "{who}");
        story.call(token, "<token>");
    }
    let json = story.operate(&["--json", "token", "mint", "--user", "2", "--ttl", "5m"]);
    let minted: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    story.call(minted["token"].as_str().unwrap(), "<token>");
    story.operate(&["token", "mint"]);
    story.operate(&["token", "mint", "--user", "3"]);
    story.operate(&["token", "mint", "--user", "1", "--ttl", "31d"]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn health_is_an_exit_code() {
    let mut story = Story::begin();
    story.run("nobody", &["health"]);
    story.run("nobody", &["--json", "health"]);
    story.kill_server();
    let ran = run(&mut story.command("nobody", &["health"]));
    assert_eq!(ran.code, Some(5), "{ran}");
    insta::assert_snapshot!(story.transcript());
}

fn with_database(url: &str, args: &[&str]) -> Command {
    let mut command = trialogue();
    command.env("DATABASE_URL", url).args(args);
    command
}

#[tokio::test]
async fn a_database_is_migrated_apart_and_a_server_can_be_told_not_to() {
    let cluster = Cluster::for_tests().await.unwrap();
    let database = cluster.fresh_database("migrate").await.unwrap();
    let url = database.url();
    let serve = ["serve", "--no-migrate", "--unsafe-durability", "--listen", "127.0.0.1:0"];
    let early = run(&mut with_database(&url, &serve));
    assert_eq!(early.code, Some(1), "{early}");
    assert!(early.stderr.contains("run `trialogue migrate`"), "{early}");
    let early = run(&mut with_database(&url, &["user", "list"]));
    assert_eq!(early.code, Some(4), "{early}");
    let first = run(&mut with_database(&url, &["migrate"]));
    assert!(first.code == Some(0) && first.stderr.starts_with("migrated from version 0 to "));
    let again = run(&mut with_database(&url, &["migrate"]));
    assert!(again.code == Some(0) && again.stderr.starts_with("up to date: version "), "{again}");
    let list = run(&mut with_database(&url, &["user", "list"]));
    assert_eq!((list.code, list.stderr.trim_end()), (Some(0), "nobody"));
    let nowhere = "postgres://trialogue:secret-of-mine@127.0.0.1:1/nothing?connect_timeout=1";
    let garbled = run(&mut with_database("not a url", &["migrate"]));
    assert_eq!(garbled.code, Some(2), "{garbled}");
    assert!(!garbled.stderr.contains(nowhere));
    let json = run(&mut with_database(&url, &["--json", "migrate"]));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["from"], json["to"]);
}

/// `trialogue config` with a settings file.
fn config(file: &Path, args: &[&str]) -> Command {
    let mut command = trialogue();
    command.arg("config").arg("--config").arg(file).args(args).env_remove("DATABASE_URL");
    command
}

const SECRET: &str = "a secret that nobody may ever see on a screen";

#[test]
fn settings_are_shown_with_where_they_came_from_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trialogue.toml");
    let text = "listen = \"127.0.0.1:4000\"\nallow-origin = [\"https://a.example\", \
                \"https://b.example\"]\nunsafe-durability = true\nping-interval = \"5s\"\n";
    std::fs::write(&file, text).unwrap();
    let mut command = config(&file, &["--ping-interval", "7s", "--limit", "messages=9/s:10"]);
    command.env("TRIALOGUE_ACCESS_TTL", "5m").env("TRIALOGUE_JWT_SECRET", SECRET);
    command.env("DATABASE_URL", format!("postgres://me:{SECRET}@db/x"));
    let ran = run(&mut command);
    assert!(!ran.to_string().contains("nobody may"), "{ran}");
    let shown = ran.to_string().replace(&*file.to_string_lossy(), "<file>");
    insta::assert_snapshot!(shown);

    let ran = run(command.arg("--json"));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let settings = json["settings"].as_array().unwrap();
    let of = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap();
    assert_eq!(
        (&of("listen")["source"], &of("listen")["value"]),
        (&"file".into(), &"127.0.0.1:4000".into())
    );
    assert_eq!(of("ping-interval")["source"], "flag");
    assert_eq!(of("access-ttl")["from"], "TRIALOGUE_ACCESS_TTL");
    assert_eq!(of("jwt-secret")["value"], "***");
    assert_eq!(json["limits"]["messages"], "9/s:10");
}

#[test]
fn what_serve_would_refuse_is_refused_here() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trialogue.toml");
    let mut said = String::new();
    for (text, args) in [
        ("jwt-secret = \"0123456789\"", &[][..]),
        ("database-url = \"postgres://me:pw@db/x\"", &[]),
        ("colour = \"red\"", &[]),
        ("listen = \"everywhere\"", &[]),
        ("listen = ", &[]),
        ("", &["--listen", "0.0.0.0:3000", "--open-registration"]),
        ("", &["--limit", "masseges=1/s"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let ran = run(&mut config(&file, args));
        assert_eq!(ran.code, Some(2), "{text} {ran}");
        let stderr = ran.stderr.lines().next().unwrap_or_default();
        said.push_str(&format!("{text} {}\n  {stderr}\n", args.join(" ")));
        assert!(!stderr.contains("0123456789") && !stderr.contains("pw@"), "{stderr}");
    }
    insta::assert_snapshot!(said.replace(&*file.to_string_lossy(), "<file>"));
}

/// Every setting of `serve` stands in the README's table.
#[test]
fn every_setting_has_a_line_in_the_readme() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut command = trialogue();
    let ran = run(command.args(["config", "--json"]).env_remove("DATABASE_URL"));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let names = json["settings"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap());
    let missing: Vec<&str> =
        names.filter(|name| !readme.contains(&format!("`--{name}`"))).collect();
    assert_eq!(missing, [""; 0], "settings that the README does not know");
    let limits = json["limits"].as_object().unwrap().keys();
    let missing: Vec<&String> =
        limits.filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, [""; 0], "limits that the README does not know");
}

/// A variable that is misspelled in a unit or a compose file would be passed over in silence.
#[test]
fn what_is_deployed_sets_variables_that_there_are() {
    let help = run(trialogue().args(["serve", "--help"])).stdout;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let part = |c: char| c.is_ascii_uppercase() || c == '_';
        for word in text.split(|c| !part(c)).filter(|word| word.starts_with("TRIALOGUE_")) {
            checked += 1;
            assert!(help.contains(&format!("[env: {word}")), "{word} in {}", path.display());
        }
    }
    assert!(checked > 8, "{checked}");
}
