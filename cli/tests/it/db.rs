//! `trialogue db`: the private PostgreSQL, as a person asks for it.

use std::path::Path;
use std::process::Command;

use trialogue_server::embedded::{Cluster, Options};

use crate::binary::{run, trialogue};

fn db(home: &Path, arguments: &[&str]) -> Command {
    let mut command = trialogue();
    // What finds PostgreSQL is the tester's, where it lies is not.
    for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("TRIALOGUE_DATA_DIR", home).arg("db").args(arguments);
    command
}

#[tokio::test]
async fn a_running_database_has_an_address_and_is_not_taken_from_its_owner() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { data: Some(home.path().to_owned()), ..Options::from_env() };
    let cluster = Cluster::persistent_with(&options).await.unwrap();

    let url = cluster.own_database().await.unwrap();
    assert_eq!(run(&mut db(home.path(), &["url"])).stdout.trim_end(), url);
    for verb in [&["stop"][..], &["reset", "--yes"]] {
        let refused = run(&mut db(home.path(), verb));
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("in use by another trialogue process"), "{refused}");
    }
    let forced = run(&mut db(home.path(), &["stop", "--force"]));
    assert_eq!((forced.code, forced.stderr.trim_end()), (Some(0), "stopped"));
    assert_eq!(run(&mut db(home.path(), &["url"])).code, Some(1));

    cluster.stop().await.unwrap();
    let reset = run(&mut db(home.path(), &["reset", "--yes", "--json"]));
    assert!(reset.code == Some(0) && reset.stdout.contains("{\"removed\":[\""), "{reset}");
    let again = run(&mut db(home.path(), &["reset", "--yes"]));
    assert_eq!(again.stderr.trim_end(), "there is no private database");
}

#[test]
fn a_database_that_does_not_run_has_no_address() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(&mut db(home.path(), &["url"])), @"
    exit 1
    stderr:
    error: no private database runs; `trialogue serve` starts one
    ");
    insta::assert_snapshot!(run(&mut db(home.path(), &["stop"])), @"
    exit 0
    stderr:
    no private database runs
    ");
}

#[test]
fn a_reset_without_a_terminal_wants_a_yes() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(&mut db(home.path(), &["reset"])), @"
    exit 2
    stderr:
    error: this removes every stored chat: add --yes
    ");
}
