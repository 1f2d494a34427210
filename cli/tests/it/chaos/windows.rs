//! Kills between two steps of a message (F2). Nothing in the server knows of them: the database is
//! made to hold a step from outside, so the moment is exact and the build is the one that is used.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};
use trialogue_faults::Signal;

use super::cast::Room;
use super::form::Form;
use super::kills::judge;
use super::place::Place;
use super::storm::{Part, Storm};

/// How long a message that is on its way may take to come to the step that is held.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The database gives up waiting for a chat after 2 s (`lock_timeout`): on a machine that needs
/// longer than that to kill a process, it is tried again.
const ATTEMPTS_MAX: u32 = 20;

/// Holds every message after its row is inserted and before it is committed, for as long as
/// somebody else has the advisory lock: at a commit no time-out of the statement runs any more.
const HOLD_AT_COMMIT: &str = "
    create function hold() returns trigger language plpgsql set lock_timeout = 0 as $$
    begin
        perform pg_advisory_xact_lock_shared(4711);
        return null;
    end $$;
    create constraint trigger hold after insert on messages
        deferrable initially deferred for each row execute function hold()";
const TAKE: &str = "select pg_advisory_lock(4711)";
const LET_GO: &str = "select pg_advisory_unlock(4711)";

/// Where the server is killed.
#[derive(Debug, Clone, Copy)]
enum Window {
    /// The statement waits for the chat's lock.
    BeforeLock,
    /// The rows are inserted and not committed.
    AfterInsert,
    /// They are committed, and the server has not heard of it.
    AfterCommit,
    /// The server was asked to stop and has said so.
    InDrain,
}

const WINDOWS: [Window; 4] =
    [Window::BeforeLock, Window::AfterInsert, Window::AfterCommit, Window::InDrain];

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// Waits until a number that the database answers is 0, or until it is not.
async fn until(watcher: &mut PgConnection, sql: &'static str, is_zero: bool) {
    let by = Instant::now() + STEP_WITHIN;
    loop {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut *watcher).await.unwrap();
        if (count == 0) == is_zero {
            return;
        }
        assert!(Instant::now() < by, "not within {STEP_WITHIN:?}: {sql}");
        sleep(LOOK_EVERY).await;
    }
}

const WAITING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'trialogue'
        and wait_event_type = 'Lock'";
const AT_WORK: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'trialogue' and state = 'active'";

impl Window {
    /// Kills the server in it, and starts it again when the database has come to rest.
    async fn kill(self, storm: &mut Storm, holder: &mut PgConnection, watcher: &mut PgConnection) {
        let fault = storm.fault("kill-between").await;
        match self {
            Self::BeforeLock => {
                let mut holding = holder.begin().await.unwrap();
                let hold = "select 1 from chats for update";
                sqlx::query(hold).execute(&mut *holding).await.unwrap();
                until(watcher, WAITING, false).await;
                storm.place.server.kill().await.unwrap();
                holding.rollback().await.unwrap();
            }
            Self::AfterInsert => {
                run(holder, TAKE).await;
                until(watcher, WAITING, false).await;
                storm.place.server.kill().await.unwrap();
                run(holder, LET_GO).await;
            }
            Self::AfterCommit => {
                run(holder, TAKE).await;
                until(watcher, WAITING, false).await;
                storm.place.server.pause().unwrap();
                run(holder, LET_GO).await;
                until(watcher, AT_WORK, true).await;
                storm.place.server.kill().await.unwrap();
            }
            Self::InDrain => {
                let drains = storm.run.told().drains;
                storm.place.server.send(Signal::Stop).unwrap();
                storm.run.hears(|told| told.drains > drains).await;
                storm.place.server.kill().await.unwrap();
            }
        }
        // What the killed server had asked for is done or given up before the next one serves.
        until(watcher, AT_WORK, true).await;
        storm.place.restart_server().await;
        storm.over(&fault);
        storm.run.more(Form::of_environment().between()).await;
    }

    /// Whether a message is stored that nobody was told of, so that its retry is a duplicate.
    fn leaves_a_row(self) -> bool {
        !matches!(self, Self::InDrain)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_any_two_steps_of_a_message_loses_and_doubles_nothing() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::open().await, form.rooms()).await;
    let (mut holder, mut watcher) = (storm.place.outside().await, storm.place.outside().await);
    run(&mut holder, HOLD_AT_COMMIT).await;
    for _ in 0..form.windows() {
        for window in WINDOWS {
            let before = storm.run.told().duplicates;
            let mut attempts = 0;
            loop {
                window.kill(&mut storm, &mut holder, &mut watcher).await;
                attempts += 1;
                if !window.leaves_a_row() || storm.run.told().duplicates > before {
                    break;
                }
                assert!(attempts < ATTEMPTS_MAX, "{window:?} was never met");
            }
        }
    }
    holder.close().await.unwrap();
    watcher.close().await.unwrap();
    judge("kills between two steps", storm).await;
}

/// Nobody else puts it out: the process that had it stored is dead, and its author's retry is a
/// duplicate. Only the sweep can find it (CONTRACT §3.4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_word_of_a_dead_server_is_seen_by_everybody() {
    let mut storm = Storm::prepare(Place::open().await);
    let url = storm.place.server.url().to_owned();
    let room = Room::book(&url).await;
    let chats = [room.chat.clone()];
    let customer = storm.seat("customer", &room.customer, &chats, &url, Part::Sit);
    let provider = storm.seat("provider", &room.provider, &chats, &url, Part::Look);
    let mut voice = customer.voice(&room.chat);
    let first = voice.say().await.unwrap();
    let (mut holder, mut watcher) = (storm.place.outside().await, storm.place.outside().await);
    run(&mut holder, HOLD_AT_COMMIT).await;
    run(&mut holder, TAKE).await;
    let last = tokio::spawn(async move { voice.say().await.unwrap() });
    until(&mut watcher, WAITING, false).await;
    let fault = storm.fault("kill-server").await;
    storm.place.kill_server().await;
    customer.is_up().await;
    provider.is_up().await;
    // Everybody is there and has seen all that there is. Now it is committed.
    run(&mut holder, LET_GO).await;
    storm.over(&fault);
    assert_eq!(last.await.unwrap(), first + 1);
    provider.holds(&room.chat, first + 1).await;
    customer.holds(&room.chat, first + 1).await;
    assert_eq!(storm.run.told().duplicates, 1);
    holder.close().await.unwrap();
    watcher.close().await.unwrap();
    judge("the last word of a dead server", storm).await;
}
