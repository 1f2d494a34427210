//! The three as a scenario plays them: its runner drives, the panes show its actors and lend a hand.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::mpsc::{self, error::TrySendError};
use trialogue_client::Dialect;
use trialogue_protocol::Role;
use trialogue_report::diagram::Row;
use trialogue_scenarios::file::Scenario;
use trialogue_scenarios::{
    Audience, Came, Entrance, Looking, Observer, Pause, Report, RunConfig, StepDone, Target,
    Waiting, run, steps_in,
};
use trialogue_server::embedded::{Cluster, Database};
use trialogue_tui::shell::{self, Begin, Ended, News, Play, Start};
use trialogue_tui::{model::Who, shell::Entrance as Comes};

use super::{Seats, Wire, settings};
use crate::exit::Failure;
use crate::library::{find, load};
use crate::play::{OwnDatabase, drop_database, server, token_secret};
use crate::verb::Context;

/// The script that comes with the three.
pub(super) const USUAL: &str = "dispute-join";

/// News that wait for the screen (256); steps wait where there are more.
const NEWS_MAX: usize = 256;

/// Panes on a screen.
const PANES: usize = 3;

/// The scenario that is meant: a file, or the name of one that is part of the program.
pub(crate) fn read(word: &str) -> anyhow::Result<Scenario> {
    let places = find(&[word.to_owned()])?;
    let [place] = places.as_slice() else {
        let several = format!("`{word}` is {} scenarios: name one", places.len());
        return Err(Failure::usage(several).into());
    };
    let source = load(place)?;
    let scenario = trialogue_scenarios::file::read(&source);
    Ok(scenario.map_err(|wrong| Failure::usage(wrong.to_string()))?)
}

/// Plays it before the user's eyes, on a database of its own.
pub(super) async fn show(
    scenario: &Scenario,
    cluster: &Cluster,
    context: &Context,
) -> anyhow::Result<Ended> {
    // One that steps stop and kill is nobody else's.
    let own = match scenario.torments_the_database() {
        true => Some(Arc::new(OwnDatabase(Cluster::throwaway(true).await?))),
        false => None,
    };
    let database = match &own {
        Some(own) => own.0.fresh_database("trio").await?,
        None => cluster.fresh_database("trio").await?,
    };
    let ended = play(scenario, &database, own.clone(), context).await;
    drop_database(database).await;
    if let Some(own) = own.and_then(Arc::into_inner) {
        own.0.stop().await?;
    }
    ended
}

async fn play(
    scenario: &Scenario,
    database: &Database,
    own: Option<Arc<OwnDatabase>>,
    context: &Context,
) -> anyhow::Result<Ended> {
    let (news, heard) = mpsc::channel(NEWS_MAX);
    let (ask, asked) = mpsc::channel(1);
    let seats = seats_of(scenario);
    let mut config = RunConfig::new(Target::Child(server(database)?));
    config.token_secret = Some(token_secret().to_owned());
    config.database = own.map(|own| own as Arc<dyn trialogue_scenarios::Database>);
    config.pause = Some(Pause(ask));
    config.audience = Some(Arc::new(Watcher { seats: seats.clone(), news: news.clone() }));
    let starts = seats.iter().map(|seat| start(scenario, *seat, context)).collect();
    let show = Play { name: scenario.name.clone(), of: steps_in(scenario), news: heard };
    let playing = async {
        let mut steps = Steps(news.clone());
        let over = match run(scenario, config, &mut steps).await {
            // Watched to its end, unless nothing of it could be played.
            Ok(report) => over(&report),
            Err(error) => {
                News::Over { words: format!("{:#}", anyhow::Error::from(error)), passed: false }
            }
        };
        _ = news.send(over).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = shell::run(starts, Some(show), context.shutdown.clone()) => {
            ended.context("no terminal to draw on")
        }
        // These two go on for ever.
        () = playing => Ok(Ended::Quit),
        () = answer(asked, news.clone()) => Ok(Ended::Quit),
    }
}

/// Hands every step that waits to the screen.
async fn answer(mut asked: mpsc::Receiver<Waiting>, news: mpsc::Sender<News>) {
    while let Some(Waiting { place, words, is_heading, go }) = asked.recv().await {
        _ = news.send(News::Waits { place, words, is_heading, go }).await;
    }
    std::future::pending::<()>().await;
}

/// The actors that get a pane: a customer, a provider and an LSM, then whoever is left.
fn seats_of(scenario: &Scenario) -> Vec<usize> {
    let mut seats: Vec<usize> = Vec::new();
    for role in [Role::Customer, Role::Provider, Role::Lsm] {
        seats.extend(scenario.actors.iter().position(|actor| actor.role == role));
    }
    let rest = (0..scenario.actors.len()).filter(|actor| !seats.contains(actor));
    let rest: Vec<usize> = rest.collect();
    seats.extend(rest);
    seats.truncate(PANES);
    seats
}

fn start(scenario: &Scenario, actor: usize, context: &Context) -> Start {
    let actor = &scenario.actors[actor];
    Start {
        who: Who {
            user: None,
            server: String::new(),
            profile: format!("{} · {}", actor.name.name, actor.role.short()),
            can: Dialect::Trialogue.capabilities(),
        },
        begin: Begin::Waits,
        door: Arc::new(Seats),
        settings: settings(context),
        chat: None,
        notices: Vec::new(),
        line: None,
    }
}

/// Brings actors to their panes, and keeps everything as it is once all is judged.
struct Watcher {
    seats: Vec<usize>,
    news: mpsc::Sender<News>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the panes of {:?}", self.seats)
    }
}

impl Audience for Watcher {
    fn enters(&self, entrance: Entrance) {
        let Entrance { actor, rest, user, session, updates, line } = entrance;
        // The others play unseen.
        let Some(seat) = self.seats.iter().position(|seat| *seat == actor) else { return };
        let line = Arc::new(Wire(line));
        let comes = Comes { seat, rest, user, session, updates, line };
        // Three of them at most, in a channel for hundreds.
        if let Err(TrySendError::Full(_)) = self.news.try_send(News::Enters(Box::new(comes))) {
            tracing::warn!("a pane stays empty: too much news");
        }
    }

    fn judged<'a>(&'a self, report: &'a Report) -> Looking<'a> {
        Box::pin(async move {
            _ = self.news.send(over(report)).await;
            // Until the user goes: then the whole run is dropped, and ends with it.
            std::future::pending::<()>().await;
        })
    }
}

/// What is said at the end.
fn over(report: &Report) -> News {
    let passed = report.passed();
    let mut words = format!("{} of {} steps and checks held", report.held, report.of);
    let wrong = report.verdicts.iter().find(|verdict| verdict.came > Came::Unimplemented);
    let left_out = report.steps.iter().find(|step| step.came == Came::Unimplemented);
    if let Some(failure) = report.failures.first() {
        words = format!("{words}; {} did not hold at {}", failure.what, failure.place);
    } else if let Some(verdict) = wrong {
        words = format!("{words}; {}: {}", verdict.name, verdict.why);
    } else if let Some(step) = left_out {
        let count = report.count(Came::Unimplemented);
        words = format!("{words}; {count} left out: {}", step.why);
    }
    News::Over { words, passed }
}

/// Says what is odd about a step.
struct Steps(mpsc::Sender<News>);

impl Observer for Steps {
    fn row(&mut self, _: &Row) {}

    fn step(&mut self, done: &StepDone) {
        let why = done.why.lines().next().unwrap_or_default();
        let words = match done.came {
            Came::Held => return,
            Came::Unimplemented => format!("left out: {}: {why}", done.words),
            Came::NotReached | Came::Unknown | Came::Broken => {
                format!("did not hold: {}: {why}", done.words)
            }
        };
        // A screen that is behind is told by the end.
        _ = self.0.try_send(News::Odd(words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_program_has_its_panes() {
        for name in trialogue_scenarios::bundled_names() {
            let scenario = read(name).unwrap();
            let seats = seats_of(&scenario);
            assert_eq!(seats.len(), scenario.actors.len().min(PANES), "{name}");
            assert!(steps_in(&scenario) > 0, "{name}");
        }
        let roles: Vec<Role> = {
            let scenario = read(USUAL).unwrap();
            seats_of(&scenario).iter().map(|seat| scenario.actors[*seat].role).collect()
        };
        assert_eq!(roles, [Role::Customer, Role::Provider, Role::Lsm]);
        assert!(read("no-such-thing").is_err());
    }

    #[test]
    fn the_end_says_what_did_not_hold_or_was_left_out() {
        let words = |report: &Report| match over(report) {
            News::Over { words, passed } => (words, passed),
            _ => unreachable!(),
        };
        let mut report = Report { held: 5, of: 5, ..Report::default() };
        assert_eq!(words(&report), ("5 of 5 steps and checks held".to_owned(), true));
        report.steps.push(StepDone {
            place: "x:1:1".to_owned(),
            id: None,
            words: "database stop".to_owned(),
            signs_in: false,
            came: Came::Unimplemented,
            began: std::time::Duration::ZERO,
            took: std::time::Duration::ZERO,
            times: 0,
            why: "nobody's database".to_owned(),
        });
        let end = "5 of 5 steps and checks held; 1 left out: nobody's database";
        assert_eq!(words(&report), (end.to_owned(), true));
    }
}
