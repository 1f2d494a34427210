//! `--target`: a server by its URL, or by a profile that says more of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use trialogue_client::{Credentials, Error, Http, HttpConfig, Rest};

use trialogue_client::Dialect;
use trialogue_scenarios::file::{Profile, read_profile};
use trialogue_scenarios::source::Source;
use trialogue_scenarios::{RunConfig, Target};
use url::Url;

use crate::exit::{Failure, Mistakes};

/// Where profiles are looked for by name, besides the folder itself.
const FOLDER: &str = "targets";
/// Longest wait for a server to answer at all: a free hosting plan may have to wake it.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The profile that a word stands for: a URL, a file, or the name of a file in `targets/`.
pub(crate) fn find(word: &str, dialect: Option<Dialect>) -> anyhow::Result<Profile> {
    let profile = if word.contains("://") {
        let url: Url =
            word.parse().map_err(|_| Failure::usage(format!("{word} is no URL of a server")))?;
        Profile::of_url(url, dialect.unwrap_or_default())
    } else {
        let path = path_of(word)?;
        let text = crate::library::text_at(&path)?;
        let source = Source::new(path.to_string_lossy(), text);
        let env = |name: &str| std::env::var(name).ok();
        let mut profile = read_profile(&source, env).map_err(Mistakes)?;
        if let Some(dialect) = dialect.filter(|dialect| *dialect != profile.dialect) {
            profile.dialect = dialect;
            profile.capabilities = dialect.capabilities();
        }
        profile
    };
    match profile.refusal() {
        Some(why) => Err(Failure::usage(why).into()),
        None => Ok(profile),
    }
}

/// Whether the server of a profile is there and works; the error says why not.
pub(crate) async fn answers(profile: &Profile) -> anyhow::Result<()> {
    let mut config = HttpConfig::new(profile.url.clone());
    config.allow_plain_http = profile.plain_http;
    config.answer_timeout = ANSWER_WITHIN;
    let rest = Rest::new(Http::new(config)?, profile.dialect, Credentials::default());
    match rest.health().await {
        // A server without such a route is there too.
        Ok(()) | Err(Error::Refused(_) | Error::Garbled(_)) => Ok(()),
        Err(error) => Err(anyhow!("{} cannot be reached: {error}", profile.url)),
    }
}

/// How scenarios are played at the server of a profile: at one that they start, or at one that is
/// there.
pub(crate) fn config(profile: &Profile) -> anyhow::Result<RunConfig> {
    let mut config = RunConfig::new(place(profile)?);
    config.dialect = profile.dialect;
    config.capabilities = Some(profile.capabilities);
    config.accounts.clone_from(&profile.accounts);
    config.plain_http = profile.plain_http;
    config.hooks = profile.hooks.clone();
    config.secrets = profile.secrets.apart();
    Ok(config)
}

fn place(profile: &Profile) -> anyhow::Result<Target> {
    match &profile.launch {
        None => Ok(Target::Url(profile.url.clone())),
        #[cfg(unix)]
        Some(launch) => Ok(Target::Shell { url: profile.url.clone(), launch: launch.clone() }),
        #[cfg(not(unix))]
        Some(_) => Err(anyhow!("a command line of a profile needs a shell")),
    }
}

fn path_of(word: &str) -> Result<PathBuf, Failure> {
    let tries = [
        PathBuf::from(word),
        Path::new(FOLDER).join(word),
        Path::new(FOLDER).join(format!("{word}.yaml")),
    ];
    let found = tries.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        Failure::usage(format!(
            "no target is called {word}: it is a URL, a profile, or the name of one in {FOLDER}/"
        ))
    })
}
