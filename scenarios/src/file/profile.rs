//! Target profiles: a server as a file. What it says is who the server is, how it speaks, what it
//! cannot do, and that its owner agrees.

use std::sync::Arc;

use serde_json::json;
use trialogue_client::{Capabilities, Dialect, is_loopback};
use url::Url;

use super::fields::{Fields, bool_of, entries_of, text_of, word_of};
use super::launch::{HOOK_FIELDS, SERVER_FIELDS, read_hooks, read_launch};
use super::repeats::repeats;
use crate::runner::{Hooks, Launch};
use crate::scope::{Env, Scope};
use crate::secrets::Secrets;
use crate::source::{Diagnostics, Source, hint};
use crate::yaml::{Node, Value, parse};

/// The one version of the format.
const VERSION: i64 = 1;
const PROFILE_FIELDS: &[&str] = &[
    "target",
    "description",
    "url",
    "dialect",
    "i_own_this",
    "plain_http",
    "capabilities",
    "accounts",
    "server",
    "hooks",
];
const DIALECTS: [(&str, Dialect); 2] = [("trialogue", Dialect::Trialogue), ("stm", Dialect::Stm)];
const ACCOUNT_FIELDS: &[&str] = &["user", "password"];

/// The JSON Schema of target profiles, for editors; the reader itself says more.
#[must_use]
pub fn profile_schema() -> serde_json::Value {
    let text = json!({ "type": "string" });
    let flag = json!({ "type": "boolean" });
    let capabilities: serde_json::Map<_, _> = Dialect::default()
        .capabilities()
        .table()
        .map(|(name, _)| (name.to_owned(), flag.clone()))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trialogue target profile",
        "type": "object",
        "additionalProperties": false,
        "required": ["target", "url"],
        "properties": {
            "target": { "const": VERSION, "description": "Version of the format." },
            "description": text,
            "url": {
                "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://.|\\$\\{",
                "description": "Where the server is; may hold ${env.NAME}.",
            },
            "dialect": { "enum": DIALECTS.map(|(word, _)| word) },
            "i_own_this": {
                "type": "boolean", "description": "Its owner agrees that it is tested.",
            },
            "plain_http": {
                "type": "boolean",
                "description": "Tokens may travel to another machine without TLS.",
            },
            "capabilities": {
                "type": "object", "additionalProperties": false, "properties": capabilities,
            },
            "accounts": {
                "type": "object",
                "description": "Accounts that exist, by the name of an actor or of a role.",
                "additionalProperties": {
                    "type": "object", "additionalProperties": false, "required": ACCOUNT_FIELDS,
                    "properties": { "user": text, "password": text },
                },
            },
            "server": commands(SERVER_FIELDS, &["start"], "How the runner starts and ends it."),
            "hooks": commands(HOOK_FIELDS, &[], "Commands that do something to a deployed one."),
        },
    })
}

/// An object of commands; `ready` may say how long it takes, too.
fn commands(fields: &[&str], required: &[&str], description: &str) -> serde_json::Value {
    let text = json!({ "type": "string" });
    let ready = json!({ "oneOf": [{ "type": "string", "pattern": "^/|\\$\\{" }, {
        "type": "object", "additionalProperties": false, "required": ["get"],
        "properties": {
            "get": { "type": "string", "pattern": "^/|\\$\\{" },
            "within": {
                "type": "string",
                "pattern": "^([0-9]*[1-9][0-9]*(\\.[0-9]+)?|0+\\.[0-9]*[1-9][0-9]*)(us|ms|s|m|h)$",
            },
        },
    }] });
    let mut properties = serde_json::Map::new();
    for name in fields {
        let of = if *name == "ready" { &ready } else { &text };
        properties.insert((*name).to_owned(), of.clone());
    }
    json!({
        "type": "object", "additionalProperties": false, "required": required,
        "properties": properties, "description": description,
    })
}

/// A server, as its file describes it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Where it is.
    pub url: Url,
    /// How it speaks.
    pub dialect: Dialect,
    /// Its owner agrees that it is tested.
    pub is_own: bool,
    /// Tokens may travel without TLS.
    pub plain_http: bool,
    /// What it can do: its dialect's, but for what the file says otherwise.
    pub capabilities: Capabilities,
    /// Accounts that exist there.
    pub accounts: Vec<crate::runner::KnownAccount>,
    /// How the runner starts and ends it, where it is the runner's to start.
    pub launch: Option<Launch>,
    /// What does something to one that somebody else has started.
    pub hooks: Hooks,
    /// What no report may show: passwords, and secrets of the environment.
    pub secrets: Secrets,
}

impl Profile {
    /// A server of which nothing is known but where it is.
    #[must_use]
    pub fn of_url(url: Url, dialect: Dialect) -> Self {
        let capabilities = dialect.capabilities();
        Self {
            url,
            dialect,
            is_own: false,
            plain_http: false,
            capabilities,
            accounts: Vec::new(),
            launch: None,
            hooks: Hooks::default(),
            secrets: Secrets::default(),
        }
    }

    /// Why the server must not be tested: it is on another machine, and nobody says that its
    /// owner agrees.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        if self.is_own || is_loopback(&self.url) {
            return None;
        }
        let host = self.url.host_str().unwrap_or_default();
        Some(format!(
            "{host} is another machine: only its owner may test it. If that is you, give the \
             server a profile (`--target FILE`) with `i_own_this: true`"
        ))
    }
}

/// Reads a profile. Everything that is wrong in it is reported at once.
///
/// # Errors
/// All mistakes, each with its place.
pub fn read_profile(source: &Arc<Source>, env: Env) -> Result<Profile, Diagnostics> {
    let root = parse(source)?;
    let mut diag = Diagnostics::new(Arc::clone(source));
    repeats(&root).into_iter().for_each(|twice| diag.error(twice.span, twice.message));
    let secrets = Secrets::default();
    let profile = read_root(&root, &Scope::new(env, secrets.clone()), &mut diag);
    let profile = profile.map(|profile| Profile { secrets, ..profile });
    diag.verdict()?;
    // Whatever is missing was reported, so this cannot be reached without a profile.
    profile.ok_or_else(|| {
        let mut diag = Diagnostics::new(Arc::clone(source));
        diag.error(root.span, "this is no target profile");
        diag
    })
}

fn read_root(root: &Node, scope: &Scope, diag: &mut Diagnostics) -> Option<Profile> {
    let mut fields = Fields::open(root, "a target profile", diag)?;
    let version = fields.required("target", diag);
    if let Some(version) = version.filter(|version| version.value != Value::Int(VERSION)) {
        diag.error(version.span, format!("`target` must be {VERSION}, the format's version"));
    }
    let _only_for_people = fields.text("description", diag);
    let url = fields.required("url", diag).and_then(|node| {
        let text = filled(&node, "url", scope, diag)?;
        let url = text.parse::<Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        if url.is_none() {
            diag.error(node.span, format!("`{text}` is no URL such as http://127.0.0.1:3000"));
        }
        url
    });
    let dialect = fields.node("dialect").map(|node| word_of(&node, "dialect", &DIALECTS, diag));
    let dialect = dialect.map_or(Some(Dialect::default()), |dialect| dialect);
    let is_own = fields.bool("i_own_this", diag).unwrap_or(false);
    let plain_http = fields.bool("plain_http", diag).unwrap_or(false);
    let base = dialect.unwrap_or_default().capabilities();
    let capabilities = match fields.node("capabilities") {
        Some(node) => read_capabilities(&node, base, diag),
        None => base,
    };
    let accounts = fields.node("accounts").map(|node| read_accounts(&node, scope, diag));
    let launch = fields.entry("server");
    let hooks = fields.entry("hooks");
    if let (Some((key, _)), Some(_)) = (&hooks, &launch) {
        diag.error(key.span, "a server is started by the runner (`server`) or by others (`hooks`)");
    }
    let launch = launch.map(|(_, node)| read_launch(&node, scope, diag));
    let hooks = hooks.and_then(|(_, node)| read_hooks(&node, scope, diag));
    fields.finish(PROFILE_FIELDS, diag);
    let accounts = accounts.unwrap_or_default();
    let profile = Profile::of_url(url?, dialect?);
    let (launch, hooks) = (launch.flatten(), hooks.unwrap_or_default());
    Some(Profile { is_own, plain_http, capabilities, accounts, launch, hooks, ..profile })
}

pub(super) fn filled(
    node: &Node,
    name: &str,
    scope: &Scope,
    diag: &mut Diagnostics,
) -> Option<String> {
    text_of(node, name, diag)?;
    match scope.resolve(node, None) {
        Ok(serde_json::Value::String(text)) => Some(text),
        Ok(other) => Some(other.to_string()),
        Err(wrong) => {
            diag.error(wrong.span, wrong.message);
            None
        }
    }
}

fn read_capabilities(node: &Node, base: Capabilities, diag: &mut Diagnostics) -> Capabilities {
    let mut capabilities = base;
    for (key, node) in entries_of(node, "capabilities", diag) {
        let Some(can) = bool_of(&node, &key.name, diag) else { continue };
        match capabilities.with(&key.name, can) {
            Some(changed) => capabilities = changed,
            None => {
                let hint = hint(&key.name, base.table().map(|(name, _)| name));
                diag.error(key.span, format!("no capability is called `{}`{hint}", key.name));
            }
        }
    }
    capabilities
}

fn read_accounts(
    node: &Node,
    scope: &Scope,
    diag: &mut Diagnostics,
) -> Vec<crate::runner::KnownAccount> {
    let mut accounts = Vec::new();
    for (key, node) in entries_of(node, "accounts", diag) {
        let Some(mut fields) = Fields::open(&node, "an account", diag) else { continue };
        let mut text = |name: &str, diag: &mut Diagnostics| {
            fields.required(name, diag).and_then(|node| filled(&node, name, scope, diag))
        };
        let (email, password) = (text("user", diag), text("password", diag));
        fields.finish(ACCOUNT_FIELDS, diag);
        if let (Some(email), Some(password)) = (email, password) {
            accounts.push(crate::runner::KnownAccount { of: key.name, email, password });
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Profile, String> {
        let env = |name: &str| (name == "SECRET").then(|| "s3cret".to_owned());
        read_profile(&Source::new("t.yaml", text), env).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_profile_says_who_a_server_is_and_what_it_cannot_do() {
        let profile = read(
            "target: 1\nurl: http://127.0.0.1:8000\ndialect: stm\n\
             capabilities: { presence: true }\n\
             accounts: { lsm: { user: l@example.test, password: \"${env.SECRET}\" } }\n",
        );
        let profile = profile.unwrap();
        assert_eq!(profile.dialect, Dialect::Stm);
        assert!(profile.capabilities.presence && !profile.capabilities.acks);
        assert_eq!(profile.accounts[0].password, "s3cret");
        assert!(!format!("{profile:?}").contains("s3cret"), "{profile:?}");
        assert_eq!(profile.refusal(), None);
    }

    #[test]
    fn the_schema_knows_every_field_of_the_reader() {
        let schema = profile_schema();
        let known = schema["properties"].as_object().unwrap().keys().cloned();
        let mut fields: Vec<String> = PROFILE_FIELDS.iter().map(ToString::to_string).collect();
        fields.sort();
        assert_eq!(known.collect::<Vec<_>>(), fields);
    }

    #[test]
    fn another_machine_needs_its_owners_word() {
        let check = |more: &str, refused: bool| {
            let profile = read(&format!("target: 1\nurl: https://chat.example.test\n{more}"));
            assert_eq!(profile.unwrap().refusal().is_some(), refused, "{more}");
        };
        check("", true);
        check("i_own_this: false\n", true);
        check("i_own_this: true\n", false);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = read(
            "target: 2\nurl: ftp://x\ndialct: stm\ncapabilities: { presnce: true }\n\
             accounts: { lsm: { user: a } }\n",
        );
        let wrong = wrong.unwrap_err();
        for words in [
            "t.yaml:1:9: error: `target` must be 1",
            "`ftp://x` is no URL",
            "unknown field `dialct` in a target profile; did you mean `dialect`?",
            "no capability is called `presnce`; did you mean `presence`?",
            "an account needs `password`",
        ] {
            assert!(wrong.contains(words), "{words} is not in:\n{wrong}");
        }
    }
}
