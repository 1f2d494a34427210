//! Whether a "no" is one: what does not come while the server refuses for a moment, does not answer
//! or has hung up says nothing of what it can do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use trialogue_protocol::ErrorCode;
use trialogue_scenarios::file::{Profile, Scenario, Verb};
use trialogue_scenarios::probes::{BY_DISPUTE, FENCES};
use trialogue_scenarios::trace::Trace;
use trialogue_scenarios::{Came, FailureKind, Report, StepDone, yaml};

/// Most troubles that are remembered: the first of a step says enough.
const TROUBLES_MAX: usize = 1_000;

/// What trying one capability came to.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// It was seen to work.
    Yes,
    /// The server was there, and did not do it.
    No,
    /// Nothing follows, and why.
    Unknown(String),
}

/// Everything that went wrong for a moment, as it is told by the journal.
#[derive(Clone, Default)]
pub(super) struct Troubles(Arc<Mutex<Vec<Trouble>>>);

struct Trouble {
    at_ms: f64,
    actor: String,
    what: String,
}

impl Troubles {
    /// A journal that remembers nothing else.
    pub(super) fn trace(&self) -> Trace {
        let all = Arc::clone(&self.0);
        Trace::new(move |line| {
            let Some(what) = trouble_of(line) else { return };
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() < TROUBLES_MAX {
                let at_ms = line["atMs"].as_f64().unwrap_or_default();
                let actor = line["actor"].as_str().unwrap_or_default().to_owned();
                all.push(Trouble { at_ms, actor, what });
            }
        })
    }

    /// The first that one of these actors had while the step was tried.
    fn during(&self, step: &StepDone, actors: &[String]) -> Option<String> {
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let span = millis(step.began)..=millis(step.began + step.took);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut here = all.iter().filter(|trouble| actors.contains(&trouble.actor));
        here.find(|trouble| span.contains(&trouble.at_ms)).map(|trouble| trouble.what.clone())
    }
}

/// What a line of the journal tells of a server that cannot just now, in a few words.
fn trouble_of(line: &Value) -> Option<String> {
    let of = |name: &str| line[name].as_str().unwrap_or_default();
    match of("type") {
        "http" => match line["status"].as_u64() {
            Some(status) if status == 429 || status >= 500 => {
                Some(format!("{} {} was answered {status}", of("method"), of("path")))
            }
            Some(_) => None,
            None => Some(format!("{} {} was not answered", of("method"), of("path"))),
        },
        "link" => {
            let state = of("state");
            let lost = state.starts_with("Reconnecting") || state.starts_with("Login needed");
            lost.then(|| format!("the connection of {} was lost: {state}", of("actor")))
        }
        "packet" if of("way") == "in" => {
            let error = match (of("kind"), of("name")) {
                ("event", "error") => line["data"].get(0)?,
                ("ack", _) => line["data"].get(0)?.get("error")?,
                _ => return None,
            };
            let code = error.get("code")?.as_str()?;
            let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code)?;
            let passes = known.is_retryable() || *known == ErrorCode::Internal;
            passes.then(|| format!("the server answered {code}"))
        }
        _ => None,
    }
}

/// One scenario of probes that was played.
pub(super) struct Tried<'a> {
    pub(super) report: &'a Report,
    pub(super) troubles: &'a Troubles,
    pub(super) profile: &'a Profile,
    steps: BTreeMap<String, Attempt>,
}

/// How a step tries something.
struct Attempt {
    actors: Vec<String>,
    over_http: bool,
    /// Servers of this dialect have no such route.
    has_no_route: bool,
}

impl<'a> Tried<'a> {
    pub(super) fn new(
        scenario: &Scenario,
        report: &'a Report,
        troubles: &'a Troubles,
        profile: &'a Profile,
    ) -> Self {
        let mut steps = BTreeMap::new();
        scenario.walk(&mut |step| {
            let Some(id) = &step.id else { return };
            let names = step.actors.iter().map(|of| scenario.actors[of.0].name.name.clone());
            let has_no_route = match &step.verb {
                Verb::Http { method, path, .. } => match &path.value {
                    yaml::Value::Text(path) => profile.dialect.lacks_route(method.as_str(), path),
                    _ => false,
                },
                _ => false,
            };
            let over_http = matches!(step.verb, Verb::Http { .. } | Verb::Do { .. });
            let attempt = Attempt { actors: names.collect(), over_http, has_no_route };
            steps.insert(id.name.clone(), attempt);
        });
        Self { report, troubles, profile, steps }
    }

    fn step(&self, id: &str) -> Option<&StepDone> {
        self.report.steps.iter().find(|step| step.id.as_deref() == Some(id))
    }

    fn attempt(&self, step: &StepDone) -> Option<&Attempt> {
        self.steps.get(step.id.as_deref()?)
    }

    /// What the step of a capability came to.
    pub(super) fn seen(&self, name: &str) -> Seen {
        let Some(step) = self.step(&format!("probe_{name}")) else {
            return Seen::Unknown("no step tries it".to_owned());
        };
        if let Some(why) = self.accounts_do_not_fit(name) {
            return Seen::Unknown(why);
        }
        match step.came {
            Came::Held => Seen::Yes,
            Came::Broken => match self.doubt(name, step) {
                Some(why) => Seen::Unknown(why),
                None => Seen::No,
            },
            Came::Unimplemented if self.attempt(step).is_some_and(|of| of.has_no_route) => Seen::No,
            Came::Unimplemented | Came::Unknown => Seen::Unknown(step.why.clone()),
            Came::NotReached => Seen::Unknown(self.first_failure()),
        }
    }

    /// Who is asked into a dispute is the LSM of the provider's region, which fresh ones share with
    /// each other and those of the profile with nobody fresh.
    fn accounts_do_not_fit(&self, name: &str) -> Option<String> {
        let known = |of: &str| self.profile.accounts.iter().any(|account| account.of == of);
        let (provider, lsm) = (known("provider"), known("lsm"));
        let (has, lacks) = match (provider, lsm) {
            (true, false) => ("provider", "lsm"),
            (false, true) => ("lsm", "provider"),
            _ => return None,
        };
        BY_DISPUTE.contains(&name).then(|| {
            format!("the profile has an account for `{has}` and none for `{lacks}` of its region")
        })
    }

    /// Why nothing follows from a step that did not hold.
    fn doubt(&self, name: &str, step: &StepDone) -> Option<String> {
        let attempt = self.attempt(step)?;
        if let Some(trouble) = self.troubles.during(step, &attempt.actors) {
            return Some(trouble);
        }
        let failure = self.report.failures.iter().find(|failure| failure.place == step.place);
        if attempt.over_http && failure.is_some_and(|failure| failure.kind == FailureKind::TimedOut)
        {
            return Some("no answer in time".to_owned());
        }
        let fences = FENCES.iter().filter_map(|id| self.step(id));
        if let Some(fence) = fences.into_iter().find(|fence| fence.came != Came::Held) {
            let why = in_a_line(&fence.why);
            return Some(format!("the server was not there for it afterwards: {why}"));
        }
        // An account of people may be connected elsewhere already: then nobody comes.
        let known = self.profile.accounts.iter().any(|account| account.of == "provider");
        let why = "nobody was told that the provider came; its account may be connected elsewhere";
        (name == "presence" && known).then(|| why.to_owned())
    }

    /// What kept the steps from being tried.
    fn first_failure(&self) -> String {
        let first = self.report.failures.first();
        let why = first.map(|failure| format!("{}: {}", failure.what, failure.got));
        why.unwrap_or_else(|| "it was not reached".to_owned())
    }
}

/// What was got of a reason in lines.
fn in_a_line(why: &str) -> &str {
    let got = why.lines().find_map(|line| line.strip_prefix("got"));
    got.or_else(|| why.lines().next()).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use trialogue_client::Dialect;
    use trialogue_scenarios::{Failure, KnownAccount, file, probes};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn step(id: &str, came: Came) -> StepDone {
        StepDone {
            place: format!("preflight:{id}"),
            id: Some(id.to_owned()),
            words: String::new(),
            signs_in: false,
            came,
            began: SECOND,
            took: SECOND,
            times: 1,
            why: "expected  x\ngot       nothing".to_owned(),
        }
    }

    fn profile(accounts: &[&str]) -> Profile {
        let mut profile =
            Profile::of_url("http://127.0.0.1:1".parse().unwrap(), Dialect::Trialogue);
        let account = |of: &&str| KnownAccount {
            of: (*of).to_owned(),
            email: format!("{of}@example.test"),
            password: "x".to_owned(),
        };
        profile.accounts = accounts.iter().map(account).collect();
        profile
    }

    /// What a capability is seen as after this line of the journal, where its step did not hold and
    /// nothing else was wrong but what `more` says.
    fn seen(name: &str, line: Value, accounts: &[&str], more: &[StepDone]) -> Seen {
        let [together, _] = probes::all();
        let scenario = file::read(&together.source).unwrap();
        let troubles = Troubles::default();
        troubles.trace().line(line);
        let mut steps = vec![step(&format!("probe_{name}"), Came::Broken)];
        steps.extend(more.iter().cloned());
        let report = Report { steps, ..Report::default() };
        Tried::new(&scenario, &report, &troubles, &profile(accounts)).seen(name)
    }

    #[test]
    fn what_does_not_come_in_a_moment_of_trouble_is_no_no() {
        let check = |name: &str, line: Value, why: &str| {
            let expect = match why {
                "" => Seen::No,
                why => Seen::Unknown(why.to_owned()),
            };
            assert_eq!(seen(name, line.clone(), &[], &[]), expect, "{line}");
        };
        let http = |actor, at, status: Value| {
            json!({"type": "http", "atMs": at, "actor": actor, "method": "GET", "path": "/chat",
                "status": status})
        };
        check("unread_counts", http("provider", 1_500.0, json!(200)), "");
        let limited = http("provider", 1_500.0, json!(429));
        check("unread_counts", limited, "GET /chat was answered 429");
        check("unread_counts", http("provider", 1_500.0, json!(503)), "GET /chat was answered 503");
        check(
            "unread_counts",
            http("provider", 1_500.0, Value::Null),
            "GET /chat was not answered",
        );
        // Somebody else's, or long ago: that is no reason.
        check("unread_counts", http("customer", 1_500.0, json!(429)), "");
        check("unread_counts", http("provider", 900.0, json!(429)), "");
        let packet = |kind: &str, data: Value| {
            json!({"type": "packet", "atMs": 1_500.0, "actor": "customer", "way": "in", "kind": kind,
                "name": if kind == "event" { "error" } else { "" }, "data": data})
        };
        let limited = json!([{"code": "rate_limited"}]);
        check("acks", packet("event", limited), "the server answered rate_limited");
        let draining = json!([{"ok": false, "error": {"code": "draining"}}]);
        check("acks", packet("ack", draining), "the server answered draining");
        check("acks", packet("event", json!([{"code": "denied"}])), "");
        let link = |state: &str| json!({"type": "link", "atMs": 1_500.0, "actor": "customer", "state": state});
        check("own_echo", link("Connected"), "");
        let lost = "the connection of customer was lost: Reconnecting (attempt 1)";
        check("own_echo", link("Reconnecting (attempt 1)"), lost);
    }

    #[test]
    fn silence_of_a_server_that_is_gone_or_of_an_account_that_is_elsewhere_is_no_no() {
        let gone = [step("fence", Came::Held), step("fence_seen", Came::Broken)];
        let why = "the server was not there for it afterwards: nothing";
        assert_eq!(seen("own_echo", json!({}), &[], &gone), Seen::Unknown(why.to_owned()));
        assert_eq!(seen("presence", json!({}), &["customer"], &[]), Seen::No);
        let elsewhere = seen("presence", json!({}), &["provider", "lsm"], &[]);
        assert!(matches!(elsewhere, Seen::Unknown(why) if why.contains("elsewhere")));
        assert_eq!(seen("own_echo", json!({}), &["provider", "lsm"], &[]), Seen::No);
        let other = seen("dispute_any_time", json!({}), &["customer", "provider"], &[]);
        assert!(matches!(other, Seen::Unknown(why) if why.contains("none for `lsm`")));
    }

    /// The dialect has none: that is known, whatever the server would say to it.
    #[test]
    fn a_route_that_the_dialect_does_not_have_is_a_no() {
        let [together, _] = probes::all();
        let scenario = file::read(&together.source).unwrap();
        let steps = vec![step("probe_unread_counts", Came::Unimplemented)];
        let (report, troubles) = (Report { steps, ..Report::default() }, Troubles::default());
        let stm = Profile::of_url("http://127.0.0.1:1".parse().unwrap(), Dialect::Stm);
        let seen = |profile: &Profile| {
            Tried::new(&scenario, &report, &troubles, profile).seen("unread_counts")
        };
        assert_eq!(seen(&stm), Seen::No);
        assert!(matches!(seen(&profile(&[])), Seen::Unknown(_)));
    }

    #[test]
    fn what_was_not_reached_says_what_stood_before_it() {
        let [together, _] = probes::all();
        let scenario = file::read(&together.source).unwrap();
        let failure = Failure {
            kind: FailureKind::Refused,
            place: "preflight:1:1".to_owned(),
            excerpt: String::new(),
            what: "login".to_owned(),
            expected: "no refusal".to_owned(),
            got: "lsm: nobody knows you".to_owned(),
            context: Vec::new(),
            who: Vec::new(),
        };
        let steps = vec![step("probe_acks", Came::NotReached)];
        let report = Report { steps, failures: vec![failure], ..Report::default() };
        let (troubles, profile) = (Troubles::default(), profile(&[]));
        let seen = Tried::new(&scenario, &report, &troubles, &profile).seen("acks");
        assert_eq!(seen, Seen::Unknown("login: lsm: nobody knows you".to_owned()));
    }
}
