//! `--dry-run`: what would be played, in the words of the file. Nothing is started or asked.

use serde_json::{Value, json};
use trialogue_scenarios::file::{Profile, Scenario, Step, Verb, flow};
use trialogue_scenarios::{boundaries, known_of, lacking_at_all};

use super::Args;
use super::choose::Chosen;
use super::verdict::count;
use crate::exit::Exit;
use crate::out::Out;
use crate::target;

/// What one scenario comes to.
struct Plan {
    /// What would be started, or where it would be played.
    target: String,
    users: Vec<String>,
    chats: usize,
    messages: usize,
    steps: usize,
    faults: Vec<String>,
    programs: usize,
    times: usize,
    /// The step after which it ends.
    until: Option<String>,
    /// Before which steps the server crashes, a round each.
    crashes: Vec<String>,
    /// What the target lacks, so that nothing would be played.
    lacks: Option<String>,
}

impl Plan {
    fn of(chosen: &Chosen, args: &Args) -> anyhow::Result<Self> {
        let scenario = &chosen.scenario;
        let crashes = super::crashes(args.crash_at, scenario);
        let leaves = leaves(&scenario.steps);
        let place = |step: &&Step| {
            let line = flow::line(step, &scenario.actors);
            format!("{}  {line}", scenario.source.place(step.span))
        };
        let crashing = crashes.iter().flatten().filter_map(|at| leaves.get(*at));
        let config = chosen.profile.as_ref().map(target::config).transpose()?;
        let mut plan = Self {
            target: starts(chosen),
            users: users(scenario, chosen.profile.as_ref()),
            chats: 0,
            messages: 0,
            steps: 0,
            faults: Vec::new(),
            programs: 0,
            times: crashes.len() * usize::try_from(args.repeat.unwrap_or(1)).unwrap_or(usize::MAX),
            until: args.until.clone(),
            crashes: crashing.map(place).collect(),
            lacks: config.and_then(|config| lacking_at_all(scenario, &config)),
        };
        plan.count(&scenario.steps, scenario, 1);
        // What stands under `always` is done wherever it ends.
        plan.until = None;
        plan.count(&scenario.always, scenario, 1);
        plan.until.clone_from(&args.until);
        Ok(plan)
    }

    /// Steps with those that they hold, as often as they are done; answers whether it ends there.
    fn count(&mut self, steps: &[Step], scenario: &Scenario, times: usize) -> bool {
        for step in steps {
            let actors = step.actors.len().max(1);
            match &step.verb {
                Verb::Act { .. } => continue,
                Verb::Repeat { times: again, steps } => {
                    let again = usize::try_from(*again).unwrap_or(usize::MAX);
                    if self.count(steps, scenario, times.saturating_mul(again)) {
                        return true;
                    }
                    continue;
                }
                verb if verb.holds_steps() => {
                    // Branches go on to their end while one of them is at its last step.
                    let ends = |steps| self.count(steps, scenario, times);
                    if verb.inner().into_iter().map(ends).fold(false, |all, ends| all | ends) {
                        return true;
                    }
                    continue;
                }
                Verb::Do { name, .. } if name.name == "book" => self.chats += times * actors,
                Verb::Send { .. } => self.messages += times * actors,
                Verb::Exec { .. } => self.programs += times * actors,
                Verb::Server(_) | Verb::Database(_) | Verb::Token(_) | Verb::Network(_) => {
                    let place = scenario.source.place(step.span);
                    self.faults.push(format!("{place}  {}", flow::line(step, &scenario.actors)));
                }
                _ => {}
            }
            self.steps += times;
            if step.id.as_ref().is_some_and(|id| self.until.as_ref() == Some(&id.name)) {
                return true;
            }
        }
        false
    }

    fn json(&self, scenario: &Scenario) -> Value {
        json!({
            "type": "plan", "scenario": scenario.name, "file": scenario.source.name(),
            "target": self.target, "users": self.users, "chats": self.chats,
            "messages": self.messages, "steps": self.steps, "faults": self.faults,
            "programs": self.programs, "checks": scenario.check.words(),
            "orders": scenario.order.len(), "times": self.times, "until": self.until,
            "crashes": self.crashes, "lacks": self.lacks,
            "timeoutMs": scenario.timeout.as_secs_f64() * 1e3,
        })
    }

    fn text(&self, scenario: &Scenario) -> String {
        let mut lines = vec![format!("{} ({})", scenario.name, scenario.source.name())];
        let mut line = |name: &str, value: &str| lines.push(format!("  {name:<10}{value}"));
        line("starts", &self.target);
        line("users", &self.users.join(", "));
        let messages = count(self.messages, "message");
        line("books", &format!("{}, {messages}", count(self.chats, "chat")));
        let most = scenario.timeout;
        line(
            "plays",
            &format!("{}, at most {most:?}, {} x", count(self.steps, "step"), self.times),
        );
        if let Some(id) = &self.until {
            line("ends", &format!("after the step `{id}`, then does `always`"));
        }
        for (n, place) in self.crashes.iter().enumerate() {
            line(if n == 0 { "crashes" } else { "" }, &format!("before {place}"));
        }
        if let Some(why) = &self.lacks {
            line("lacks", &format!("{why}: nothing would be played"));
        }
        for (n, fault) in self.faults.iter().enumerate() {
            line(if n == 0 { "faults" } else { "" }, fault);
        }
        if self.programs > 0 {
            line(
                "runs",
                &format!("{} of the file's own (--allow-exec)", count(self.programs, "program")),
            );
        }
        let (checks, orders) = (scenario.check.words(), scenario.order.len());
        line("judges", &format!("{}; {}", count(orders, "order"), checks.join(", ")));
        lines.join("\n")
    }
}

fn starts(chosen: &Chosen) -> String {
    match &chosen.profile {
        None => "a server and a database of its own".to_owned(),
        Some(profile) => match &profile.launch {
            Some(launch) => {
                let start = profile.secrets.hide(&launch.start);
                format!("`{start}`, and plays at {}", profile.url)
            }
            None => format!("nothing, and plays at {}", profile.url),
        },
    }
}

/// Everybody, each with the account that it takes; a device has that of its actor.
fn users(scenario: &Scenario, profile: Option<&Profile>) -> Vec<String> {
    let known = profile.map_or(&[][..], |profile| &profile.accounts);
    let of = |actor: &trialogue_scenarios::file::Actor| {
        let name = &actor.name.name;
        let account = match (actor.device_of, &actor.user) {
            (Some(of), _) => format!("a device of {}", scenario.actors[of.0].name.name),
            (None, Some(user)) => format!("as {}", flow::json(user).as_str().unwrap_or_default()),
            (None, None) => match known_of(known, actor) {
                Some(account) => format!("as {}, of the profile", account.email),
                None => "a fresh account".to_owned(),
            },
        };
        format!("{name} ({}, {account})", actor.role.short())
    };
    scenario.actors.iter().map(of).collect()
}

/// The steps that do something themselves, in the order of the file: before each is a boundary.
fn leaves(steps: &[Step]) -> Vec<&Step> {
    let mut found = Vec::new();
    for step in steps {
        match &step.verb {
            Verb::Act { .. } => {}
            verb if verb.holds_steps() => found.extend(verb.inner().into_iter().flat_map(leaves)),
            _ => found.push(step),
        }
    }
    found
}

/// All plans, one after the other.
pub(super) fn show(args: &Args, chosen: &[Chosen], out: &mut Out) -> anyhow::Result<Exit> {
    for one in chosen {
        let plan = Plan::of(one, args)?;
        if out.is_json() {
            out.json(&plan.json(&one.scenario))?;
        } else {
            out.data(&plan.text(&one.scenario))?;
        }
    }
    let sum = chosen.iter().map(|one| boundaries(&one.scenario)).sum::<usize>();
    let files = count(chosen.len(), "scenario");
    out.say(&format!("{files}, {} of the files; nothing was started", count(sum, "step")));
    Ok(Exit::DONE)
}
