//! `--dry-run`: what would be played, in the words of the file. Nothing is started or asked.

use serde_json::{Value, json};
use trialogue_scenarios::boundaries;
use trialogue_scenarios::file::{Scenario, Step, Verb, flow};

use super::Args;
use super::choose::Chosen;
use super::judged::count;
use crate::exit::Exit;
use crate::out::Out;

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
}

impl Plan {
    fn of(chosen: &Chosen, args: &Args) -> Self {
        let scenario = &chosen.scenario;
        let mut plan = Self {
            target: target(chosen),
            users: users(scenario),
            chats: 0,
            messages: 0,
            steps: 0,
            faults: Vec::new(),
            programs: 0,
            times: super::crashes(args.crash_at, scenario).len()
                * usize::try_from(args.repeat.unwrap_or(1)).unwrap_or(usize::MAX),
        };
        plan.count(&scenario.steps, scenario, 1);
        plan.count(&scenario.always, scenario, 1);
        plan
    }

    /// Steps with those that they hold, as often as they are done.
    fn count(&mut self, steps: &[Step], scenario: &Scenario, times: usize) {
        for step in steps {
            let actors = step.actors.len().max(1);
            match &step.verb {
                Verb::Act { .. } => continue,
                Verb::Repeat { times: again, steps } => {
                    let again = usize::try_from(*again).unwrap_or(usize::MAX);
                    self.count(steps, scenario, times.saturating_mul(again));
                    continue;
                }
                verb if verb.holds_steps() => {
                    let inner = verb.inner().into_iter();
                    inner.for_each(|steps| self.count(steps, scenario, times));
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
        }
    }

    fn json(&self, scenario: &Scenario) -> Value {
        json!({
            "type": "plan", "scenario": scenario.name, "file": scenario.source.name(),
            "target": self.target, "users": self.users, "chats": self.chats,
            "messages": self.messages, "steps": self.steps, "faults": self.faults,
            "programs": self.programs, "checks": scenario.check.words(),
            "orders": scenario.order.len(), "times": self.times,
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

fn target(chosen: &Chosen) -> String {
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
fn users(scenario: &Scenario) -> Vec<String> {
    let of = |actor: &trialogue_scenarios::file::Actor| {
        let name = &actor.name.name;
        let account = match (actor.device_of, &actor.user) {
            (Some(of), _) => format!("a device of {}", scenario.actors[of.0].name.name),
            (None, Some(user)) => format!("as {}", flow::json(user).as_str().unwrap_or_default()),
            (None, None) => "a fresh account".to_owned(),
        };
        format!("{name} ({}, {account})", actor.role.short())
    };
    scenario.actors.iter().map(of).collect()
}

/// All plans, one after the other.
pub(super) fn show(args: &Args, chosen: &[Chosen], out: &mut Out) -> anyhow::Result<Exit> {
    for one in chosen {
        let plan = Plan::of(one, args);
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
