//! Programs of the file's own: run only where whoever plays the scenario allows it, for a file may
//! come from anybody.

use serde_json::json;
use tokio::time::Instant;

use super::stage::Stage;
use crate::actor::{Reply, Wrong};
use crate::file::{ActorId, Step, Verb};
use crate::matching::quote;
use crate::yaml::{Key, Node, Value};

impl Stage<'_> {
    /// Runs it until it is over; `json` is `{code, stdout, stderr}`, each output without its last
    /// line end, as `$(…)` of a shell has it.
    pub(super) async fn exec(
        &self,
        id: ActorId,
        command: &str,
        env: &[(Key, Node)],
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        if !self.allow_exec {
            return Err(Wrong::new("leave to run programs (--allow-exec)", "none"));
        }
        let env = self.texts(env, id)?;
        let (sent, within) = (self.now(), deadline.saturating_duration_since(Instant::now()));
        let ran = run(command, &env, within).await;
        let (code, stdout, stderr) = ran.map_err(|why| Wrong::late("the end of a program", why))?;
        let text = |text: String| text.strip_suffix('\n').map_or(text.clone(), ToOwned::to_owned);
        let json = json!({"code": code, "stdout": text(stdout), "stderr": text(stderr)});
        Ok(Reply { sent, at: self.now(), json, ..Reply::default() })
    }

    /// Named values as texts, filled in.
    pub(super) fn texts(
        &self,
        fields: &[(Key, Node)],
        id: ActorId,
    ) -> Result<Vec<(String, String)>, Wrong> {
        let text = |(key, node): &(Key, Node)| Ok((key.name.clone(), self.text(node, id)?));
        fields.iter().map(text).collect()
    }
}

type Came = Result<(Option<i32>, String, String), String>;

#[cfg(unix)]
async fn run(command: &str, env: &[(String, String)], within: std::time::Duration) -> Came {
    let ran = trialogue_faults::run_shell(command, env, within).await?;
    Ok((ran.code, ran.stdout, ran.stderr))
}

#[cfg(not(unix))]
async fn run(_: &str, _: &[(String, String)], _: std::time::Duration) -> Came {
    Err("this system has no `sh`".to_owned())
}

/// A program must end well, where its step says nothing else of its code.
pub(super) fn ended_well(step: &Step, reply: &Reply) -> Result<(), Wrong> {
    let says = |node: &Node| match &node.value {
        Value::Map(fields) => fields.iter().any(|(key, _)| key.name == "code"),
        _ => false,
    };
    let is_asked = step.expect.json.as_ref().is_some_and(says);
    match (&step.verb, &reply.json["code"]) {
        (Verb::Exec { .. }, code) if !is_asked && *code != json!(0) => {
            let code = if code.is_null() { "a signal".to_owned() } else { code.to_string() };
            let got = format!("{code}, {}", quote(&reply.json["stderr"]));
            Err(Wrong::new("exit code 0", got))
        }
        _ => Ok(()),
    }
}
