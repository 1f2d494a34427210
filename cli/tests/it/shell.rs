//! What a script may rely on before any server is asked.

use std::io::Read;
use std::process::Stdio;

use crate::binary::{run, trialogue};

#[test]
fn the_version_names_the_commit_when_there_is_one() {
    let ran = run(trialogue().arg("--version"));
    let version = ran.stdout.trim_end();
    let rest = version.strip_prefix(concat!("trialogue ", env!("CARGO_PKG_VERSION")));
    let commit = rest.expect("the package's version comes first");
    let is_hash = |text: &str| text.len() >= 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let hash = commit.strip_prefix(" (").and_then(|text| text.strip_suffix(')'));
    assert!(commit.is_empty() || hash.is_some_and(is_hash), "{version}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_wrong_command_line_exits_2_and_says_why_on_stderr() {
    let ran = run(trialogue().args(["completions", "tcsh"]));
    insta::assert_snapshot!(ran, @r#"
    exit 2
    stderr:
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    "#);
}

#[test]
fn with_json_a_wrong_command_line_is_one_json_line_on_stderr() {
    let check = |args: &[&str], message: &str| {
        let expect = format!(r#"{{"error":{{"code":"usage","message":"{message}"}}}}"#);
        for (json, args) in [(None, [&["--json"], args].concat()), (Some("1"), args.to_vec())] {
            let mut command = trialogue();
            command.args(args).envs(json.map(|on| ("TRIALOGUE_JSON", on)));
            let ran = run(&mut command);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
            assert_eq!(ran.stderr.trim_end(), expect);
        }
    };
    check(&["juggle"], "unrecognized subcommand 'juggle'");
    let missing = "the following required arguments were not provided";
    check(&["book"], &format!("{missing}: --provider <ID>"));
    check(&["send"], &format!("{missing}: <CHAT>, <TEXT>..."));
    let both = "the argument '--all' cannot be used with";
    check(&["history", "a", "--all", "--before", "3"], &format!("{both} '--before <SEQ>'"));
    let number = "invalid value 'x' for '--limit <N>': invalid digit found in string";
    check(&["chats", "--limit", "x"], number);
    check(
        &["whoami", "--color", "alway"],
        "invalid value 'alway' for '--color <WHEN>' [possible values: auto, always, never]; tip: \
         a similar value exists: 'always'",
    );
}

#[test]
fn an_event_that_does_not_exist_is_refused_with_those_that_do() {
    let ran = run(trialogue().args(["listen", "--event", "new_message,new_mesage"]));
    assert_eq!(ran.code, Some(2), "{ran}");
    for word in ["'new_mesage'", "'new_message'", "user_joined", "notification:created", "link"] {
        assert!(ran.stderr.contains(word), "{ran}");
    }
}

#[test]
fn a_room_is_not_left_by_a_command_line() {
    let ran = run(trialogue().args(["leave", "abcdef", "--json"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
    assert!(ran.stderr.contains("end `listen` to leave it"), "{ran}");
    assert!(ran.stderr.contains("`resolve abcdef`"), "{ran}");
}

#[test]
fn a_script_is_not_json() {
    let ran = run(trialogue().args(["completions", "bash", "--json"]));
    insta::assert_snapshot!(ran, @r#"
    exit 2
    stderr:
    {"error":{"code":"usage","message":"completions are a shell script, there is no --json"}}
    "#);
}

#[test]
fn man_pages_are_written_one_per_verb() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(trialogue().arg("--json").arg("man").arg(folder.path()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for page in ["trialogue.1", "trialogue-man.1"] {
        assert!(folder.path().join(page).is_file(), "{page} is missing");
    }
    let file = folder.path().join("trialogue.1");
    assert_eq!(run(trialogue().arg("man").arg(file)).code, Some(2));
}

#[test]
fn a_reader_that_closes_the_pipe_ends_the_verb_quietly() {
    let mut command = trialogue();
    command.args(["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Nobody has read a byte when the reading end goes away.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}
