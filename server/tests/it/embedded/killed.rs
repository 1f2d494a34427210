//! What kills leave behind: nothing, at once or at the next start.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::{Cluster, halt};

use super::process::{Owner, Role, kill, lives, parent};
use super::{cluster_folder, options, postmaster, sockets, text, until};

#[tokio::test]
async fn a_killed_owner_of_a_throw_away_cluster_leaves_neither_process_nor_folder() {
    let home = tempfile::tempdir().unwrap();
    let owner = Owner::start(Role::Throwaway, home.path());
    let folder = sockets(&owner.url).parent().unwrap().to_owned();
    let database = postmaster(&folder);
    let guard = parent(database);
    assert!(lives(database) && lives(guard));
    owner.kill();
    until("the end of database, guard and folder", || {
        !lives(database) && !lives(guard) && !folder.exists()
    })
    .await;
}

#[tokio::test]
async fn the_last_of_two_killed_owners_takes_the_database_with_it() {
    let home = tempfile::tempdir().unwrap();
    let first = Owner::start(Role::Persistent, home.path());
    let second = Owner::start(Role::Persistent, home.path());
    assert_eq!(first.url, second.url, "one cluster, not two");
    let database = postmaster(&cluster_folder(home.path()));
    let (url, folder) = (second.url.clone(), sockets(&second.url));
    first.kill();
    assert_eq!(text(&url, "SELECT 'still here'").await, "still here");
    second.kill();
    until("the end of database and folder", || !lives(database) && !folder.exists()).await;
    // A clean stop: the file is the database's to remove.
    assert!(!cluster_folder(home.path()).join("data/postmaster.pid").exists());
}

#[tokio::test]
async fn the_database_of_a_killed_owner_is_dropped_by_the_next_start_and_no_other() {
    const COUNT: &str = "SELECT count(*)::text FROM pg_database WHERE datname LIKE 'demo%'";
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let killed = Owner::start(Role::Database, home.path());
    let living = Owner::start(Role::Database, home.path());
    killed.kill();
    let cluster = Cluster::persistent_with(&options).await.unwrap();
    let admin = cluster.url_of("postgres");
    assert_eq!(text(&admin, COUNT).await, "1");
    assert_eq!(text(&living.url, "SELECT 'mine'").await, "mine");
    living.finish();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_throw_away_cluster_whose_guard_was_killed_too_is_removed_by_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let owner = Owner::start(Role::Throwaway, home.path());
    let folder = sockets(&owner.url).parent().unwrap().to_owned();
    let database = postmaster(&folder);
    kill(parent(database));
    owner.kill();
    assert!(lives(database) && folder.exists(), "nobody was left to stop it");
    let next = Cluster::throwaway(false).await.unwrap();
    assert!(!lives(database) && !folder.exists());
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_whose_guard_was_killed_is_adopted_with_its_owners() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let first = Owner::start(Role::Persistent, home.path());
    let database = postmaster(&cluster_folder(home.path()));
    kill(parent(database));
    let second = Cluster::persistent_with(&options).await.unwrap();
    assert_eq!(postmaster(&cluster_folder(home.path())), database, "not started anew");
    second.stop().await.unwrap();
    assert_eq!(text(&first.url, "SELECT 'still here'").await, "still here");
    let folder = sockets(&first.url);
    first.kill();
    until("the end of database and folder", || !lives(database) && !folder.exists()).await;
}

#[tokio::test]
async fn a_killed_database_is_started_again_for_the_next_owner() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let first = Cluster::persistent_with(&options).await.unwrap();
    let url = first.own_database().await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 'here' AS word")
        .execute(&mut connection)
        .await
        .unwrap();
    let database = postmaster(&cluster_folder(home.path()));
    kill(database);
    until("its end", || !lives(database)).await;
    let second = Cluster::persistent_with(&options).await.unwrap();
    let url = second.own_database().await.unwrap();
    assert_eq!(text(&url, "SELECT word FROM kept").await, "here");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
    assert!(!sockets(&url).exists());
}

#[tokio::test]
async fn a_killed_database_is_started_again_by_an_owner_that_looks() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Cluster::persistent_with(&options(home.path())).await.unwrap();
    let url = cluster.own_database().await.unwrap();
    assert!(!cluster.revive().await.unwrap(), "it lives");
    let database = postmaster(&cluster_folder(home.path()));
    kill(database);
    until("its end", || !lives(database)).await;
    assert!(cluster.revive().await.unwrap());
    assert_eq!(text(&url, "SELECT 'again'").await, "again");
    assert!(!cluster.revive().await.unwrap(), "once");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_was_stopped_from_outside_stays_stopped_until_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let cluster = Cluster::persistent_with(&options).await.unwrap();
    let database = postmaster(&cluster_folder(home.path()));
    halt(&options, true).await.unwrap();
    assert!(!lives(database) && !cluster.revive().await.unwrap(), "somebody wanted it so");
    let next = Cluster::persistent_with(&options).await.unwrap();
    let database = postmaster(&cluster_folder(home.path()));
    kill(database);
    until("its end", || !lives(database)).await;
    assert!(cluster.revive().await.unwrap(), "nobody wanted that");
    next.stop().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_from_before_a_reboot_that_names_a_stranger_harms_nobody() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    Cluster::persistent_with(&options).await.unwrap().stop().await.unwrap();
    let data = cluster_folder(home.path()).join("data");
    // The process id is alive and a database cannot tell that it is not one: it is this test's.
    let file = data.join("postmaster.pid");
    let stale = format!(
        "{}\n{}\n1700000000\n5432\n/tmp/trialogue-gone00\n\n        17  17\nready   \n",
        std::process::id(),
        data.display()
    );
    std::fs::write(&file, stale).unwrap();
    let owner = data.metadata().unwrap();
    chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    let cluster = Cluster::persistent_with(&options).await.unwrap();
    assert_eq!(text(&cluster.url_of("postgres"), "SELECT 'up'").await, "up");
    cluster.stop().await.unwrap();
}

/// This test binary as another user, who may not be able to read where it lies.
fn as_user(uid: u32, home: &Path) -> Command {
    let copy = home.join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [copy.as_path(), home] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let data = home.join("data");
    std::fs::create_dir(&data).unwrap();
    chown(&data, Some(uid), Some(uid)).unwrap();
    let mut command = Command::new(copy);
    command.uid(uid).gid(uid).current_dir("/").env_remove("HOME");
    command
}

#[tokio::test]
async fn an_ordinary_user_owns_clusters_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let start = |role| {
        if !root {
            return Owner::start(role, home.path());
        }
        let home = home.path().join(format!("{}", role as u8));
        std::fs::create_dir(&home).unwrap();
        let mut command = as_user(NOBODY, &home);
        Owner::run(&mut command, role, &home).unwrap_or_else(|said| panic!("{said}"))
    };
    for role in [Role::Throwaway, Role::Database] {
        let owner = start(role);
        let folder = sockets(&owner.url);
        if root {
            assert_eq!(folder.metadata().unwrap().uid(), NOBODY);
            // The way root's own server would take.
            assert_eq!(text(&owner.url, "SELECT 'through'").await, "through");
        }
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        owner.kill();
        until("the end of the socket's folder", || !folder.exists()).await;
    }
}

/// The uid of `nobody` on every system that we know of but old BSDs.
const NOBODY: u32 = 65534;
/// Has no passwd entry.
const UNNAMED: u32 = 54321;

#[tokio::test]
async fn a_user_without_a_passwd_entry_is_told_so() {
    let home = tempfile::tempdir().unwrap();
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() != 0) {
        println!("only root can be somebody else");
        return;
    }
    let mut command = as_user(UNNAMED, home.path());
    let said = Owner::run(&mut command, Role::Persistent, home.path()).err().unwrap();
    assert!(said.contains("uid 54321 has no passwd entry"), "{said}");
}
