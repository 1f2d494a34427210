//! The storms: kills of the server and the database, graceful stops, a database that is away.

use std::time::Duration;

use sqlx::Connection;
use tokio::time::sleep;
use trialogue_checker::{Report, Wrong};
use trialogue_faults::Signal;

use super::form::Form;
use super::place::Place;
use super::run::Told;
use super::storm::Storm;

/// The figures of a run, for those who read the output of a long one.
#[expect(clippy::print_stdout, reason = "the figures of a long run are for its reader")]
pub(super) fn tell(what: &str, told: &Told, report: &Report) {
    println!("{what}\n{report}\n{told:?}\n");
}

/// Judges a run and tells its figures.
pub(super) async fn judge(what: &str, storm: Storm) -> Report {
    let run = storm.run.clone();
    let report = storm.judge().await;
    tell(what, &run.told(), &report);
    report
}

/// F1 and F5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_server_and_database_are_killed_under_load() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::apart().await, form.rooms()).await;
    let (servers, databases) = form.kills();
    let every = servers / databases;
    for n in 1..=servers {
        let fault = storm.fault("kill-server").await;
        storm.place.kill_server().await;
        storm.over(&fault);
        storm.run.more(form.between_kills()).await;
        if n % every == 0 {
            let server = storm.place.server.pid();
            let fault = storm.fault("kill-database").await;
            storm.place.end_database(Signal::Kill).await;
            storm.place.revive_database().await;
            storm.over(&fault);
            storm.run.more(form.between_kills()).await;
            assert_eq!(storm.place.server.ended(), None, "the server outlives its database");
            assert_eq!(storm.place.server.pid(), server);
        }
    }
    judge("kills of server and database", storm).await;
}

/// Whether the tests of this folder can fail: a database that forgets (M11) is found out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_a_database_that_forgets_is_found_out() {
    let form = Form::of_environment();
    let mut place = Place::apart().await;
    place.forget().await;
    let mut storm = Storm::begin(place, form.rooms()).await;
    let fault = storm.fault("kill-database").await;
    storm.place.end_database(Signal::Kill).await;
    storm.place.revive_database().await;
    storm.over(&fault);
    storm.run.more(form.between()).await;
    let report = storm.report().await;
    let lost = report.findings.iter().find(|finding| finding.wrong == Wrong::Lost);
    assert!(lost.is_some(), "{report}");
}

/// F3: also while a transaction keeps a message waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_stops_under_load_lose_nothing() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::open().await, form.rooms()).await;
    for n in 0..form.drains() {
        let fault = storm.fault("drain").await;
        if n % 2 == 0 {
            storm.place.drain_server().await;
        } else {
            let mut outside = storm.place.outside().await;
            let mut holding = outside.begin().await.unwrap();
            let hold = "select 1 from chats for update";
            sqlx::query(hold).execute(&mut *holding).await.unwrap();
            storm.place.drain_server().await;
            holding.rollback().await.unwrap();
        }
        storm.over(&fault);
        storm.run.more(form.between()).await;
    }
    judge("graceful stops", storm).await;
}

/// F4 and F6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_or_frozen_costs_time_and_nothing_else() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::apart().await, form.rooms()).await;
    let server = storm.place.server.pid();
    for signal in [Signal::Interrupt, Signal::Quit] {
        let before = storm.run.told().messages("unavailable");
        let fault = storm.fault("stop-database").await;
        storm.place.end_database(signal).await;
        storm.run.hears(|told| told.messages("unavailable") > before).await;
        sleep(form.outage()).await;
        storm.place.revive_database().await;
        storm.over(&fault);
        storm.run.more(form.between()).await;
    }
    let fault = storm.fault("freeze-database").await;
    storm.place.freeze_database(form.outage()).await;
    storm.over(&fault);
    storm.run.more(form.between()).await;
    assert_eq!(storm.place.server.ended(), None);
    assert_eq!(storm.place.server.pid(), server, "the server outlives it all");

    let fault = storm.fault("freeze-server").await;
    storm.place.server.pause().unwrap();
    sleep(form.outage().min(Duration::from_secs(30))).await;
    storm.place.server.resume().unwrap();
    storm.over(&fault);
    storm.run.more(form.between()).await;
    judge("a database that is away", storm).await;
}

/// F7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_backends_are_met_by_retries_and_nothing_is_stored_twice() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::open().await, form.rooms()).await;
    let mut outside = storm.place.outside().await;
    for _ in 0..form.terminations() {
        let fault = storm.fault("terminate").await;
        // The one at work, if there is one: its commit is what is in doubt.
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                   where datname = current_database() and application_name = 'trialogue'
                   order by state = 'active' desc, random() limit 1";
        sqlx::query(sql).execute(&mut outside).await.unwrap();
        storm.over(&fault);
        storm.run.more(5).await;
    }
    let idle = "select count(*) from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'";
    let idle: i64 = sqlx::query_scalar(idle).fetch_one(&mut outside).await.unwrap();
    assert_eq!(idle, 0, "a connection came back inside a transaction");
    outside.close().await.unwrap();
    judge("terminated backends", storm).await;
}

/// F8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_somebody_locks_is_unavailable_and_the_others_are_not() {
    let form = Form::of_environment();
    let mut storm = Storm::begin(Place::open().await, form.rooms()).await;
    let locked = storm.rooms[0].chat.clone();
    let chat: uuid::Uuid = locked.parse().unwrap();
    let mut outside = storm.place.outside().await;
    let fault = storm.fault("lock-chat").await;
    let mut holding = outside.begin().await.unwrap();
    let hold = "select 1 from chats where id = $1 for update";
    sqlx::query(hold).bind(chat).execute(&mut *holding).await.unwrap();
    let refused = storm.run.told().messages("unavailable");
    while storm.run.told().messages("unavailable") < refused + 2 {
        // So many times one after the other, while the locked chat waits in vain.
        storm.run.more_of(form.between(), |chat| chat != locked).await;
    }
    holding.rollback().await.unwrap();
    storm.over(&fault);
    storm.run.more_of(3, |chat| chat == locked).await;
    let fault = storm.fault("lock-table").await;
    let mut holding = outside.begin().await.unwrap();
    sqlx::query("lock table messages in exclusive mode").execute(&mut *holding).await.unwrap();
    let refused = storm.run.told().messages("unavailable");
    storm.run.hears(|told| told.messages("unavailable") >= refused + 2).await;
    holding.rollback().await.unwrap();
    storm.over(&fault);
    storm.run.more(form.between()).await;
    outside.close().await.unwrap();
    judge("locks from outside", storm).await;
}
