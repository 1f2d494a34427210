//! `server` and `hooks` of a target profile: what starts a server, and what torments it.

use std::time::Duration;

use trialogue_faults::Signal;

use super::fields::Fields;
use super::profile::filled;
use crate::runner::{Ending, Hooks, Launch};
use crate::scope::Scope;
use crate::source::{Diagnostics, hint};
use crate::yaml::{Node, Value};

pub(super) const SERVER_FIELDS: &[&str] = &["start", "ready", "stop", "kill"];
pub(super) const HOOK_FIELDS: &[&str] =
    &["start", "stop", "kill", "restart", "pause", "resume", "ready"];
/// What is asked of a server whose profile does not say when it serves.
const READY_DEFAULT: &str = "/";

pub(super) fn read_launch(node: &Node, scope: &Scope, diag: &mut Diagnostics) -> Option<Launch> {
    let mut fields = Fields::open(node, "`server`", diag)?;
    let start = fields.required("start", diag);
    let start = start.and_then(|node| filled(&node, "start", scope, diag));
    let (ready, within) = read_ready(fields.node("ready"), scope, diag);
    let ready = ready.unwrap_or_else(|| READY_DEFAULT.to_owned());
    let mut ending = |name: &str, usual| {
        let node = fields.node(name);
        node.map_or(Some(Ending::Signal(usual)), |node| read_ending(&node, name, scope, diag))
    };
    let (stop, kill) = (ending("stop", Signal::Stop), ending("kill", Signal::Kill));
    fields.finish(SERVER_FIELDS, diag);
    Some(Launch { start: start?, ready, within, stop: stop?, kill: kill? })
}

/// A signal by its name, or a command.
fn read_ending(node: &Node, name: &str, scope: &Scope, diag: &mut Diagnostics) -> Option<Ending> {
    let text = filled(node, name, scope, diag)?;
    if !text.starts_with("SIG") {
        return Some(Ending::Command(text));
    }
    let signals = [
        ("SIGTERM", Signal::Stop),
        ("SIGINT", Signal::Interrupt),
        ("SIGQUIT", Signal::Quit),
        ("SIGKILL", Signal::Kill),
    ];
    let signal = signals.iter().find(|(word, _)| *word == text).map(|(_, signal)| *signal);
    if signal.is_none() {
        let words = signals.map(|(word, _)| word);
        let (list, hint) = (words.join(", "), hint(&text, words));
        let why = format!("`{name}` is none of {list}{hint}; what is no signal is a command");
        diag.error(node.span, why);
    }
    signal.map(Ending::Signal)
}

/// A path, or `{ get: /health/ready, within: 10s }`.
fn read_ready(
    node: Option<Node>,
    scope: &Scope,
    diag: &mut Diagnostics,
) -> (Option<String>, Option<Duration>) {
    let Some(node) = node else { return (None, None) };
    let mut within = None;
    let path = match &node.value {
        Value::Text(_) => Some(node.clone()),
        _ => Fields::open(&node, "`ready`", diag).and_then(|mut fields| {
            let path = fields.required("get", diag);
            within = fields.time("within", diag);
            fields.finish(&["get", "within"], diag);
            path
        }),
    };
    let path = path.and_then(|node| {
        let path = filled(&node, "get", scope, diag)?;
        if !path.starts_with('/') {
            diag.error(node.span, format!("`{path}` is no path: it begins with /"));
        }
        Some(path)
    });
    (path, within)
}

pub(super) fn read_hooks(node: &Node, scope: &Scope, diag: &mut Diagnostics) -> Option<Hooks> {
    let mut fields = Fields::open(node, "`hooks`", diag)?;
    let (ready, within) = read_ready(fields.node("ready"), scope, diag);
    let mut hook = |name: &str| fields.node(name).and_then(|node| filled(&node, name, scope, diag));
    let hooks = Hooks {
        start: hook("start"),
        stop: hook("stop"),
        kill: hook("kill"),
        restart: hook("restart"),
        pause: hook("pause"),
        resume: hook("resume"),
        ready,
        within,
    };
    fields.finish(HOOK_FIELDS, diag);
    Some(hooks)
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, read_profile};
    use super::*;
    use crate::source::Source;

    fn read(text: &str) -> Result<Profile, String> {
        let env = |name: &str| (name == "SECRET").then(|| "s3cret".to_owned());
        read_profile(&Source::new("t.yaml", text), env).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_server_may_be_started_by_a_command_or_tormented_by_hooks() {
        let head = "target: 1\nurl: http://127.0.0.1:8000\n";
        let profile = read(&format!(
            "{head}server:\n  start: serve --key ${{env.SECRET}}\n  \
             ready: {{ get: /health/ready, within: 10s }}\n  stop: SIGINT\n  kill: docker kill x\n"
        ));
        let profile = profile.unwrap();
        assert_eq!(
            profile.launch,
            Some(Launch {
                start: "serve --key s3cret".to_owned(),
                ready: "/health/ready".to_owned(),
                within: Some(Duration::from_secs(10)),
                stop: Ending::Signal(Signal::Interrupt),
                kill: Ending::Command("docker kill x".to_owned()),
            })
        );
        assert_eq!(profile.secrets.hide("it said s3cret"), "it said ***");
        let launch = read(&format!("{head}server: {{ start: serve }}\n")).unwrap().launch.unwrap();
        assert_eq!((launch.ready.as_str(), launch.within), ("/", None));
        assert_eq!(launch.kill, Ending::Signal(Signal::Kill));
        let hooks = "hooks: { restart: docker restart x, ready: /health/ready }\n";
        let hooks = read(&format!("{head}{hooks}")).unwrap().hooks;
        assert_eq!(hooks.restart.as_deref(), Some("docker restart x"));
        assert_eq!((hooks.kill, hooks.ready.as_deref()), (None, Some("/health/ready")));
        let wrong = read(&format!(
            "{head}server: {{ strat: x, kill: SIGKIL, ready: {{ get: health }} }}\n\
             hooks: {{ restrat: y }}\n"
        ));
        let wrong = wrong.unwrap_err();
        for words in [
            "unknown field `strat` in `server`; did you mean `start`?",
            "`kill` is none of SIGTERM, SIGINT, SIGQUIT, SIGKILL; did you mean `SIGKILL`?",
            "`health` is no path: it begins with /",
            "a server is started by the runner (`server`) or by others (`hooks`)",
            "unknown field `restrat` in `hooks`; did you mean `restart`?",
        ] {
            assert!(wrong.contains(words), "{words} is not in:\n{wrong}");
        }
    }
}
