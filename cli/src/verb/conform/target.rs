//! Which server is checked, as whom, and whether it is ours to check.

use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use trialogue_socketio::conform::{Secrets, Target};
use url::Url;

use crate::account::{self, Account};
use crate::args::Global;
use crate::exit::Failure;
use crate::owned::shown;
use crate::verb::Context;

/// Longest auth object in bytes: a token and a few fields.
const AUTH_BYTES_MAX: u64 = 64 * 1024;

/// Flags that say what is checked.
#[derive(clap::Args)]
pub(super) struct TargetArgs {
    /// The server to check, such as http://127.0.0.1:3000; again for more, one after the other
    #[arg(long = "target", value_name = "URL", required_unless_present = "list")]
    targets: Vec<Place>,
    /// Permit a target on another machine: some cases are rude, and only its owner may want that
    #[arg(long)]
    i_own_this_target: bool,
    /// Where Socket.IO answers
    #[arg(long, value_name = "PATH", default_value = "/socket.io/")]
    path: String,
    /// Where plain Engine.IO answers, and echoes if it can
    #[arg(long, value_name = "PATH", default_value = "/engine.io/")]
    engine_path: String,
    /// The namespace to connect
    #[arg(long, value_name = "PATH", default_value = "/")]
    namespace: String,
    /// The JSON object to connect it with: in a file, - for standard input, or env:NAME
    #[arg(long, value_name = "WHERE", conflicts_with = "signed_in")]
    auth: Option<Secret>,
    /// Connect it with the token of --profile at the target, or with TRIALOGUE_TOKEN
    #[arg(long)]
    signed_in: bool,
}

/// A target as it was typed. What is no URL may hold a password too, and clap would repeat it.
#[derive(Debug, Clone)]
struct Place(Result<Url, url::ParseError>);

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()))
    }
}

impl Place {
    /// The URL, if it can be a target and may be one.
    fn check(&self, owned: bool) -> Result<&Url, Failure> {
        let url = self.0.as_ref().map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                Failure::usage("--target: it begins with http://, as in http://127.0.0.1:3000")
            }
            error => Failure::usage(format!("--target: {error}")),
        })?;
        check(url, owned).map(|()| url)
    }
}

/// Where a secret is: never in an argument, which every process of the machine sees.
#[derive(Debug, Clone, PartialEq)]
enum Secret {
    Stdin,
    File(PathBuf),
    Variable(String),
    /// It stands in the argument itself, which is refused without repeating it.
    Shown,
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("env:") {
            _ if text.trim_start().starts_with('{') => Ok(Self::Shown),
            _ if text == "-" => Ok(Self::Stdin),
            Some(name) => Ok(Self::Variable(name.to_owned())),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl Secret {
    fn read(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        match self {
            Self::Stdin => {
                std::io::stdin().take(AUTH_BYTES_MAX).read_to_string(&mut text)?;
            }
            Self::File(path) => {
                let opened = std::fs::File::open(path);
                let read =
                    opened.and_then(|file| file.take(AUTH_BYTES_MAX).read_to_string(&mut text));
                read.with_context(|| format!("cannot read {}", path.display()))?;
            }
            Self::Variable(name) => match std::env::var(name) {
                Ok(value) => text = value,
                // The error's own text would show the secret.
                Err(_) => anyhow::bail!("the variable {name} is not set, or not text"),
            },
            Self::Shown => anyhow::bail!("a secret is no argument: name where it is"),
        }
        Ok(text)
    }

    /// The auth object, as compact as the server will send it back.
    fn auth(&self) -> anyhow::Result<String> {
        let text = self.read().map_err(|error| Failure::usage(format!("--auth: {error:#}")))?;
        match serde_json::from_str::<Value>(text.trim()) {
            Ok(object @ Value::Object(_)) => Ok(object.to_string()),
            _ => Err(Failure::usage("--auth: what is there is not a JSON object").into()),
        }
    }
}

impl TargetArgs {
    /// The targets, once it is sure that all of them can and may be checked; not signed in yet.
    pub(super) fn targets(
        &self,
        patience: Duration,
        context: &Context,
    ) -> anyhow::Result<Vec<Target>> {
        let urls = self.targets.iter().map(|place| place.check(self.i_own_this_target));
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let paths = [&self.path, &self.engine_path, &self.namespace];
        for (flag, path) in ["--path", "--engine-path", "--namespace"].into_iter().zip(paths) {
            if !path.starts_with('/') || path.contains([',', '?', '#', ' ']) {
                let what = format!("{flag}: a path begins with / and has no query");
                return Err(Failure::usage(what).into());
            }
        }
        let auth = self.auth.as_ref().map(Secret::auth).transpose()?;
        let mut targets = Vec::new();
        for url in urls {
            let mut target = Target::new(url.clone());
            target.socket_path.clone_from(&self.path);
            target.engine_path.clone_from(&self.engine_path);
            target.namespace.clone_from(&self.namespace);
            target.auth.clone_from(&auth);
            target.root_certificates = account::roots(&context.global)?;
            target.patience = patience;
            targets.push(target);
        }
        Ok(targets)
    }

    /// With `--signed-in`, gives the target the token of the account there. Why that cannot be is a
    /// sentence: whatever it is, the target cannot be checked.
    pub(super) async fn sign_in(
        &self,
        target: &mut Target,
        context: &Context,
    ) -> Result<(), String> {
        if self.signed_in {
            target.auth = Some(signed_in(&target.url, context).await?);
        }
        Ok(())
    }
}

/// Whether a URL can be a target, and may be one.
fn check(url: &Url, owned: bool) -> Result<(), Failure> {
    crate::owned::check(url, owned)?;
    if url.path() != "/" {
        let what = format!("the target {} has a path: say --path {}", shown(url), url.path());
        return Err(Failure::usage(what));
    }
    Ok(())
}

/// The auth object of the account at that server, with a token that lives.
async fn signed_in(url: &Url, context: &Context) -> Result<String, String> {
    let global = Global { server: Some(url.clone()), ..context.global.clone() };
    let account = Account::signed_in(&global).map_err(|error| format!("{error:#}"))?;
    let token = || {
        let tokens = account.rest.credentials().tokens();
        tokens.map(|tokens| tokens.access_token.clone()).unwrap_or_default()
    };
    let before = token();
    let me = context.within(async { Ok(account.rest.me().await?) });
    if let Err(error) = me.await {
        // A refusal is the server's own text, which may repeat what it was sent.
        let secrets = Secrets::new(&json!([before, token()]).to_string());
        let why = secrets.hide(&format!("{error:#}"));
        return Err(format!("the account of --signed-in does not work: {why}"));
    }
    Ok(json!({ "token": token() }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_server_that_is_ours_to_check() {
        let fault = |text: &str| match check(&text.parse().unwrap(), false) {
            Ok(()) => String::new(),
            Err(failure) => failure.to_string(),
        };
        for ours in ["http://127.0.0.1:1", "https://localhost", "ws://[::1]:3", "wss://a.localhost"]
        {
            assert_eq!(fault(ours), "");
        }
        assert!(fault("http://example.org").contains("--i-own-this-target"));
        assert!(check(&"http://example.org".parse().unwrap(), true).is_ok());
        assert!(fault("http://localhost/chat/").contains("--path /chat/"));
        let secret = fault("http://ann:hunter2@localhost");
        assert!(secret.contains("has a password") && !secret.contains("hunter2"), "{secret}");
        assert!(fault("localhost:3000").contains("begins with http://"));
        let both = ["ftp://ann:hunter2@localhost/?token=hunter2", "ann:hunter2@localhost"];
        let query = ["http://localhost/?token=hunter2", "http://localhost/chat#hunter2"];
        for text in [both, query].concat() {
            let said = fault(text);
            assert!(!said.is_empty() && !said.contains("hunter2"), "{said}");
        }
        assert!(fault(query[0]).contains("has a query"));
        let said = |text: &str| {
            let place: Place = text.parse().unwrap();
            place.check(true).unwrap_err().to_string()
        };
        assert!(!said("http://ann:hunter2@:x").contains("hunter2"));
        assert!(said("127.0.0.1:3000").contains("begins with http://"));
    }

    #[test]
    fn a_secret_is_where_it_is_said_to_be_and_never_an_argument() {
        assert_eq!("env:A".parse(), Ok(Secret::Variable("A".to_owned())));
        assert_eq!("-".parse(), Ok(Secret::Stdin));
        assert_eq!("a.json".parse(), Ok(Secret::File("a.json".into())));
        let shown: Secret = "{\"token\":\"hunter2\"}".parse().unwrap();
        assert!(!shown.auth().unwrap_err().to_string().contains("hunter2"));
    }
}
