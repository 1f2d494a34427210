//! Which scenarios are played, and where.

use std::path::PathBuf;

use regex::Regex;
use trialogue_client::Dialect;
use trialogue_scenarios::file::{self, Profile, Scenario, ServerVerb, Verb};
use trialogue_scenarios::source::{Diagnostics, nearest};
use trialogue_scenarios::{boundaries, bundled, bundled_names};

use super::super::Context;
use crate::exit::{Exit, Failure};
use crate::library::{find, load};
use crate::out::Out;
use crate::target;

/// The name that a file gives to a server of our own.
const OWN: &str = "local";

/// Flags that choose scenarios.
#[derive(clap::Args)]
pub(super) struct ChooseArgs {
    /// Names of bundled scenarios, files, folders with `*.scn.yaml`, or patterns such as
    /// 'chat/**/*.scn.yaml' [default with --tags or --filter: all bundled ones]
    #[arg(required_unless_present_any = ["list", "tags", "filter"], value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// List the bundled scenarios with their tags, or those of --tags and --filter, and play nothing
    #[arg(long)]
    pub(super) list: bool,
    /// Only scenarios with one of these tags; with !TAG only those without it
    #[arg(long, value_name = "TAG", value_delimiter = ',', allow_hyphen_values = true)]
    tags: Vec<String>,
    /// Only scenarios whose name matches
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Be content with no scenario at all
    #[arg(long)]
    allow_empty: bool,
}

/// A scenario, and where it is to be played: on a server of our own when there is no profile.
pub(super) struct Chosen {
    pub(super) scenario: Scenario,
    pub(super) profile: Option<Profile>,
    /// What its own files begin with: its name, where nothing else of the run has that.
    file_name: String,
}

impl Chosen {
    /// Whether nothing else may be played at its server meanwhile: it is started, or tormented, or
    /// what happens to an account there would be seen by whoever else has that account.
    pub(super) fn needs_the_server_alone(&self, crashes: bool) -> bool {
        let mut torments = crashes;
        self.scenario.walk(&mut |step| torments |= matches!(step.verb, Verb::Server(_)));
        self.profile.as_ref().is_some_and(|profile| {
            profile.launch.is_some() || !profile.accounts.is_empty() || torments
        })
    }
}

/// Gives everybody a name of its own for its files, also where files are the same in capitals.
fn name_files(chosen: &mut [Chosen]) {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let names: Vec<String> =
        chosen.iter().map(|one| one.scenario.name.chars().map(safe).collect()).collect();
    for (at, one) in chosen.iter_mut().enumerate() {
        let same = names.iter().filter(|name| name.eq_ignore_ascii_case(&names[at])).count();
        one.file_name = match same {
            1 => names[at].clone(),
            _ => format!("{}@{}", names[at], at + 1),
        };
    }
}

/// One time that a scenario is played.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) of: &'a Chosen,
    /// From 1.
    pub(super) n: u32,
    pub(super) repeat: u32,
    /// Before which step the server crashes, from 0.
    pub(super) crash_at: Option<usize>,
    /// Its place among those that were chosen.
    pub(super) at: usize,
}

impl Round<'_> {
    /// The scenario's name, and which time it is where there are several.
    pub(super) fn name(&self) -> String {
        let name = &self.of.scenario.name;
        let mut name = name.clone();
        if self.repeat > 1 {
            name += &format!(" #{}", self.n);
        }
        if let Some(step) = self.crash_at {
            name += &format!(", crash before step {}", step + 1);
        }
        name
    }

    /// What its own files begin with: no other round of the run has the same.
    pub(super) fn file_name(&self) -> String {
        let mut name = self.of.file_name.clone();
        if self.repeat > 1 {
            name += &format!("-{}", self.n);
        }
        if let Some(step) = self.crash_at {
            name += &format!("-crash-{}", step + 1);
        }
        name
    }
}

/// The bundled scenarios with what they are about.
pub(super) fn list(chosen: &ChooseArgs, out: &mut Out) -> anyhow::Result<Exit> {
    for name in bundled_names() {
        let scenario = bundled(name).map(|source| file::read(&source)).transpose()?;
        let Some(scenario) = scenario.filter(|scenario| chosen.wants(scenario)) else { continue };
        if out.is_json() {
            out.json(&serde_json::json!({
                "name": name, "description": scenario.description, "tags": scenario.tags,
            }))?;
        } else {
            let tags = scenario.tags.join(", ");
            out.data(&format!("{name:<26}{} [{tags}]", scenario.description))?;
        }
    }
    Ok(Exit::DONE)
}

impl ChooseArgs {
    /// Every file, before anything is started: a mistake in the last one is told first.
    pub(super) fn choose(
        &self,
        args: &super::Args,
        context: &Context,
        out: &mut Out,
    ) -> anyhow::Result<Vec<Chosen>> {
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut wrong = 0;
        let env = |name: &str| std::env::var(name).ok();
        let places = match find(&self.words()) {
            Err(_) if self.allow_empty && !self.names_a_file() => Vec::new(),
            found => found?,
        };
        for place in places {
            let scenario = file::read(&load(&place)?).and_then(|scenario| {
                // What the environment lacks would be told only after the server has started.
                let mut lacking = Diagnostics::new(scenario.source.clone());
                let unset =
                    file::unset(&scenario, env).into_iter().filter(|_| self.wants(&scenario));
                unset.for_each(|unset| lacking.error(unset.span, unset.message));
                if args.dry_run { Ok(()) } else { lacking.verdict() }.map(|()| scenario)
            });
            match scenario {
                Ok(scenario) if !self.wants(&scenario) => {}
                Ok(scenario) => {
                    let target = args.target.as_deref();
                    let profile = profile_of(&scenario, target, context.global.dialect)?;
                    may_be_played(&scenario, profile.as_ref(), args)?;
                    chosen.push(Chosen { scenario, profile, file_name: String::new() });
                }
                Err(mistakes) => {
                    wrong += mistakes.found().len();
                    out.complain(&mistakes.to_string());
                }
            }
        }
        if wrong > 0 {
            return Err(Failure::usage(format!("mistakes: {wrong}; nothing was run")).into());
        }
        if chosen.is_empty() && !self.allow_empty {
            return Err(Failure::usage("no scenario matches (--allow-empty is content)").into());
        }
        name_files(&mut chosen);
        Ok(chosen)
    }

    /// What is to be played; without a word, everything bundled that has the tags and the name.
    pub(super) fn words(&self) -> Vec<String> {
        match self.scenarios.is_empty() {
            true => bundled_names().map(ToOwned::to_owned).collect(),
            false => self.scenarios.clone(),
        }
    }

    /// Whether a word can only be a file, so that its absence is a mistake.
    fn names_a_file(&self) -> bool {
        self.scenarios.iter().any(|word| {
            let is_pattern = word.contains(['*', '?', '[']);
            !is_pattern && !PathBuf::from(word).is_dir()
        })
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        let has = |tag: &str| scenario.tags.iter().any(|own| own == tag);
        let (without, with): (Vec<&str>, Vec<&str>) =
            self.tags.iter().map(String::as_str).partition(|tag| tag.starts_with('!'));
        let named = self.filter.as_ref().is_none_or(|filter| filter.is_match(&scenario.name));
        named
            && (with.is_empty() || with.iter().any(|tag| has(tag)))
            && !without.iter().any(|tag| has(&tag[1..]))
    }
}

/// What the arguments ask of the scenario is possible.
fn may_be_played(
    scenario: &Scenario,
    profile: Option<&Profile>,
    args: &super::Args,
) -> Result<(), Failure> {
    let name = &scenario.name;
    if scenario.runs_programs() && !args.allow_exec && !args.dry_run {
        return Err(Failure::usage(format!(
            "{name} runs programs of its own (`exec`): if you trust the file, say --allow-exec"
        )));
    }
    let commands =
        profile.is_some_and(|profile| profile.launch.is_some() || !profile.hooks.is_empty());
    if commands && args.target.is_none() && !args.allow_exec && !args.dry_run {
        return Err(Failure::usage(format!(
            "{name} names a target whose profile runs programs: if you trust both, give the \
             profile with --target, or say --allow-exec"
        )));
    }
    if let Some(id) = &args.until {
        let mut ids: Vec<String> = Vec::new();
        scenario.walk(&mut |step| ids.extend(step.id.as_ref().map(|id| id.name.clone())));
        if !ids.contains(id) {
            let hint = nearest(id, ids.iter().map(String::as_str));
            let hint = hint.map(|id| format!("; did you mean `{id}`?")).unwrap_or_default();
            return Err(Failure::usage(format!("no step of {name} has the id `{id}`{hint}")));
        }
    }
    let killable = profile.is_none_or(|profile| {
        let can = |verb| profile.hooks.can(verb);
        profile.launch.is_some() || (can(ServerVerb::Kill) && can(ServerVerb::Start))
    });
    if args.crash_at.is_some() && !killable {
        let why = "--crash-at needs a server that the runner may kill and start";
        return Err(Failure::usage(why));
    }
    let of = boundaries(scenario);
    if let Some(super::CrashAt::Step(at)) = args.crash_at
        && at >= of
    {
        let why = format!("{name} has no step {}: {of} steps do something", at + 1);
        return Err(Failure::usage(why));
    }
    Ok(())
}

/// What the command line names, else what the file does, else a server of our own.
fn profile_of(
    scenario: &Scenario,
    target: Option<&str>,
    dialect: Option<Dialect>,
) -> anyhow::Result<Option<Profile>> {
    let word = target.or(scenario.target.as_deref().filter(|word| *word != OWN));
    word.filter(|word| *word != OWN).map(|word| target::find(word, dialect)).transpose()
}
