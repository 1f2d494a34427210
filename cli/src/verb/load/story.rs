//! `--scenario`: whole stories as load, each with people of its own.

use std::sync::Arc;

use trialogue_loadtest::iterate::iterate;
use trialogue_loadtest::plan::{Crowd, Plan, Unrest};
use trialogue_loadtest::result::Document;
use trialogue_loadtest::{Progress, RunConfig, RunError, show};
use trialogue_scenarios::file::{self, Profile, Scenario};
use trialogue_scenarios::{RunConfig as PlayConfig, Target, lacking_at_all};

use super::super::Context;
use crate::exit::Failure;
use crate::library::{find, load};
use crate::out::Out;
use crate::play::token_secret;

/// The one scenario of this name or file.
pub(super) fn read(word: &str, out: &mut Out) -> anyhow::Result<Arc<Scenario>> {
    let places = find(&[word.to_owned()])?;
    let [place] = places.as_slice() else {
        return Err(Failure::usage(format!("{word} is more than one scenario")).into());
    };
    match file::read(&load(place)?) {
        Ok(scenario) => Ok(Arc::new(scenario)),
        Err(mistakes) => {
            out.say(&mistakes.to_string());
            let text = format!("mistakes: {}; nothing was run", mistakes.found().len());
            Err(Failure::usage(text).into())
        }
    }
}

/// What counts of a plan whose people are those of the scenario: its pace and its seed.
pub(super) fn plan(plan: Plan) -> Plan {
    let (unrest, crowd) = (Unrest::Calm, Crowd::default());
    Plan { rooms: 1, members: 1, senders: 1, workers: 1, unrest, crowd, ..plan }
}

/// Plays it again and again. Nobody but us may sign tokens of a server of our own.
pub(super) async fn play(
    scenario: Arc<Scenario>,
    plan: &Plan,
    config: &RunConfig,
    profile: Option<&Profile>,
    context: &Context,
    out: &mut Out,
) -> Result<Document, RunError> {
    let mut play = PlayConfig::new(Target::Url(config.target.url().clone()));
    play.dialect = config.target.dialect;
    play.token_secret = profile.is_none().then(|| token_secret().to_owned());
    play.plain_http = context.global.plain_http;
    if let Some(profile) = profile {
        play.capabilities = Some(profile.capabilities);
        play.accounts.clone_from(&profile.accounts);
        play.plain_http |= profile.plain_http;
    }
    if let Some(why) = lacking_at_all(&scenario, &play) {
        return Err(RunError::CannotRun(why));
    }
    let mut observer = |progress: &Progress| out.say(&show::progress(progress));
    iterate(plan, (scenario, play), config, &context.shutdown, &mut observer).await
}
