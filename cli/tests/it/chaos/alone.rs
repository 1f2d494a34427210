//! A bare `serve` owns its database: nobody else starts that again when it is killed.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use trialogue_faults::wait_until_gone;
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess, Signal, pid_in, send_signal};

use super::cast::Room;
use super::place::{START_WITHIN, STOP_WITHIN, clean};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_owns_its_database_starts_it_again() {
    let home = tempfile::tempdir().unwrap();
    // As root the database runs as somebody else, who has to pass through.
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let args = ["--json", "serve", "--exit-with-stdin", "--listen", LISTEN, "--open-registration"];
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), args);
    let command = clean(command).without_env("DATABASE_URL");
    let command = command.env("TRIALOGUE_DATA_DIR", home.path().to_str().unwrap());
    let mut server = ServerProcess::start(&command, START_WITHIN).await.unwrap();
    let room = Room::book(server.url()).await;

    let pattern = home.path().join("pg*/data/postmaster.pid");
    let file = glob::glob(pattern.to_str().unwrap()).unwrap().next().unwrap().unwrap();
    let postmaster = pid_in(&file).unwrap();
    send_signal(postmaster, Signal::Kill).unwrap();
    assert!(wait_until_gone(postmaster, START_WITHIN).await);

    let by = Instant::now() + START_WITHIN;
    let path = format!("/chat/{}", room.chat);
    while room.customer.try_get(&path).await.is_none() {
        assert!(Instant::now() < by, "the database does not come back");
        sleep(LOOK_EVERY).await;
    }
    assert_eq!(server.ended(), None);
    assert!(server.stop(STOP_WITHIN).await.unwrap().success());
}
