//! Who speaks, to which server: from the global flags and what the profile remembers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap_complete::ArgValueCompleter;
use trialogue_client::journal::{self, FileJournal, OpenError};
use trialogue_client::profile::{Profile, Profiles, Saved};
use trialogue_client::rest::ListQuery;
use trialogue_client::session::{Session, SessionConfig, SessionHandle, Update};
use trialogue_client::{Credentials, Error, Http, HttpConfig, Rest};
use trialogue_protocol::{ChatId, DisputeQuery, TokenPair, User};
use trialogue_socketio::client::RootCertificates;
use url::Url;

use crate::args::Global;
use crate::complete;
use crate::exit::Failure;
use crate::paging::{self, Most, Page};
use crate::password;
use crate::settings::Setting;

/// Where `trialogue serve` listens when nobody says otherwise.
const SERVER: &str = "http://127.0.0.1:3000";

/// A token from the environment instead of the profile's: for scripts, never kept.
const TOKEN_VARIABLE: &str = "TRIALOGUE_TOKEN";

/// Replaces the user's data folder, of which the profiles are a part.
const DATA_VARIABLE: &str = "TRIALOGUE_DATA_DIR";

/// Chats looked through for a shortened id.
const CHATS_MAX: u32 = 10_000;

/// Longest wait (2 s) for the answers that tell a wrong dialect: the error is known already.
const DIALECT_WAIT: Duration = Duration::from_secs(2);

/// Between two looks at an outbox that another process has open.
const OUTBOX_RETRY: Duration = Duration::from_millis(50);

/// Longest PEM file in bytes: every authority of the world fits.
const CACERT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One account at one server.
pub(crate) struct Account {
    /// Its voice.
    pub(crate) rest: Rest,
    /// As flags, environment or profile name it.
    server: Url,
    profile: Profile,
    /// Who signed in last with this profile at this server.
    user: Option<User>,
}

impl Account {
    /// The profile's account, signed in or not.
    pub(crate) fn open(global: &Global) -> anyhow::Result<Self> {
        let profile = profiles()?.profile(global.profile.clone());
        let saved = profile.load()?;
        let remembered = saved.as_ref().map(|saved| &saved.server);
        let server = global.server.as_ref().or(remembered).or(global.usual_server.as_ref());
        let server = server.map_or_else(|| Url::parse(SERVER), |server| Ok(server.clone()))?;
        let saved = saved.filter(|saved| saved.server == server);
        let remembered = saved.as_ref().map(|saved| saved.dialect);
        let dialect = global.dialect.or(remembered).unwrap_or_default();
        let credentials = Credentials::kept(profile.tokens_at(server.clone()));
        let rest = Rest::new(http(global, &server)?, dialect, credentials);
        Ok(Self { rest, server, profile, user: saved.and_then(|saved| saved.user) })
    }

    /// The profile's account, or that of `TRIALOGUE_TOKEN`; fails without any token.
    pub(crate) fn signed_in(global: &Global) -> anyhow::Result<Self> {
        let account = Self::open(global)?;
        if let Some(token) = token_of_environment()? {
            let tokens = TokenPair { access_token: token, refresh_token: String::new() };
            let credentials = Credentials::in_memory(Some(tokens));
            let rest = Rest::new(account.rest.http().clone(), account.rest.dialect(), credentials);
            // Whose token that is, only the server knows.
            return Ok(Self { rest, user: None, ..account });
        }
        if account.rest.credentials().tokens().is_none() {
            let (profile, server) = (account.profile_name(), account.server());
            let what = format!("profile {profile} is not signed in at {server}: trialogue login");
            return Err(Failure::not_signed_in(what).into());
        }
        Ok(account)
    }

    /// Starts a live connection that keeps what it sees, if no other process does. What is not read
    /// holds it up, so both ends are needed.
    pub(crate) fn session(
        &self,
    ) -> anyhow::Result<(SessionHandle, tokio::sync::mpsc::Receiver<Update>)> {
        let backup = self.open_recent();
        let config = SessionConfig { backup, ..SessionConfig::new(self.rest.clone()) };
        Ok(Session::start(config)?)
    }

    /// Whose outbox and whose recent chats; nothing for a token without a profile.
    pub(crate) fn owner(&self) -> Option<String> {
        self.user.as_ref().map(|user| owner(&self.server, user))
    }

    /// Who signed in last with this profile at this server.
    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Opens the outbox on disk; nothing for a token without a profile, whose owner is unknown.
    /// Waits for another process that has it open, at most this long.
    pub(crate) async fn outbox(&self, wait: Duration) -> anyhow::Result<Option<journal::Opened>> {
        let Some(owner) = self.owner() else { return Ok(None) };
        let folder = self.profile.folder().join("outbox");
        let end = Instant::now() + wait;
        loop {
            let (folder, owner) = (folder.clone(), owner.clone());
            let open = move || FileJournal::open(&folder, &owner);
            match tokio::task::spawn_blocking(open).await? {
                Err(OpenError::Busy) if Instant::now() < end => {
                    // A lock on a file tells nobody when it is free.
                    tokio::time::sleep(OUTBOX_RETRY).await;
                }
                opened => return Ok(Some(opened?)),
            }
        }
    }

    /// [`Self::session`] with an outbox that outlives it; offline unless it starts by itself.
    pub(crate) fn session_with(
        &self,
        journal: Option<journal::Opened>,
        autostart: bool,
    ) -> anyhow::Result<(SessionHandle, tokio::sync::mpsc::Receiver<Update>)> {
        let config = SessionConfig::new(self.rest.clone());
        Ok(Session::start(SessionConfig { journal, autostart, ..config })?)
    }

    /// Says of these settings what a login remembered, and adds those that only variables change.
    pub(crate) fn describe(
        &self,
        global: &Global,
        settings: &mut Vec<Setting>,
    ) -> anyhow::Result<()> {
        let saved = self.profile.load()?;
        let is_here = saved.as_ref().is_some_and(|saved| saved.server == self.server);
        let remembered = [
            ("server", self.server(), global.server.is_some(), saved.is_some()),
            ("dialect", self.rest.dialect().as_str(), global.dialect.is_some(), is_here),
        ];
        for (name, value, is_said, is_remembered) in remembered {
            for setting in settings.iter_mut().filter(|setting| setting.name == name) {
                if !is_said && is_remembered {
                    setting.source = "profile";
                    setting.from = Some(self.profile.folder().display().to_string());
                }
                setting.value = Some(value.to_owned());
            }
        }
        let folder = profiles_folder()?.parent().map(|folder| folder.display().to_string());
        let hide = |_| "***".to_owned();
        settings.push(Setting::of_variable("data-dir", DATA_VARIABLE, folder, |folder| folder));
        settings.push(Setting::of_variable("token", TOKEN_VARIABLE, None, hide));
        settings.push(Setting::of_variable("password", password::VARIABLE, None, hide));
        Ok(())
    }

    /// The profile's name.
    pub(crate) fn profile_name(&self) -> &str {
        self.profile.name().as_str()
    }

    /// Where everything of the account is.
    pub(crate) fn profile_folder(&self) -> &Path {
        self.profile.folder()
    }

    /// The server as people write it.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Remembers who has just signed in.
    pub(crate) fn remember(&self, user: &User) -> anyhow::Result<()> {
        let tokens = self.rest.credentials().tokens().map(|tokens| TokenPair::clone(&tokens));
        let (server, dialect) = (self.server.clone(), self.rest.dialect());
        let saved = Saved { server, dialect, user: Some(user.clone()), tokens };
        Ok(self.profile.keep(&saved)?)
    }

    /// The chat that is meant.
    pub(crate) async fn chat(&self, given: &ChatGiven) -> anyhow::Result<ChatId> {
        if let Ok(id) = given.0.parse() {
            return Ok(id);
        }
        let chats = async |page: ListQuery| {
            let list = self.rest.chats(&page).await?;
            let items = list.chats.into_iter().map(|chat| chat.id).collect();
            Ok(Page { items, next: list.next })
        };
        let mut ids = paging::collect(Most::of(CHATS_MAX), chats).await?.items;
        ids.retain(|id| given.matches(*id));
        if ids.is_empty() {
            // An LSM's invitation names a chat that is not in the list yet.
            let disputes = async |page: ListQuery| {
                let list = self.rest.disputes(&DisputeQuery::default(), &page).await?;
                let items = list.disputes.into_iter().map(|dispute| dispute.chat_id).collect();
                Ok(Page { items, next: list.next })
            };
            ids = paging::collect(Most::of(CHATS_MAX), disputes).await?.items;
            ids.retain(|id| given.matches(*id));
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(given.only(&ids, "no chat of yours")?)
    }
}

/// A chat as a person names it: the id, or enough of its beginning or its end to be unique.
#[derive(Debug, Clone)]
pub(crate) struct ChatGiven(String);

impl ChatGiven {
    /// Whether it may be this one.
    pub(crate) fn matches(&self, id: ChatId) -> bool {
        let id = id.to_string();
        id.starts_with(&self.0) || id.ends_with(&self.0)
    }
}

impl ChatGiven {
    /// The one of these that fit; `none` names them when nothing does.
    pub(crate) fn only(&self, fit: &[ChatId], none: &str) -> Result<ChatId, Failure> {
        match fit {
            [id] => Ok(*id),
            [] => Err(Failure::not_found(format!("{none} is {self}"))),
            [one, two, ..] => {
                let text = format!("{self} could be {one} or {two}: give more of it");
                Err(Failure::usage(text))
            }
        }
    }
}

impl fmt::Display for ChatGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChatGiven {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_hexdigit() || b == b'-';
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err("a chat is named by its id, or by the beginning or end of its id");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The argument CHAT of a verb.
#[derive(clap::Args)]
pub(crate) struct ChatArg {
    /// The chat: its id, or enough of the id's beginning or end to be unique
    #[arg(value_name = "CHAT", add = ArgValueCompleter::new(complete::chats))]
    pub(crate) chat: ChatGiven,
}

/// Where the profiles of this user are.
pub(crate) fn profiles() -> anyhow::Result<Profiles> {
    profiles_folder().map(Profiles::at)
}

/// Where everything of this user is.
pub(crate) fn data_folder() -> anyhow::Result<PathBuf> {
    let mut folder = profiles_folder()?;
    folder.pop();
    Ok(folder)
}

fn profiles_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os(DATA_VARIABLE).filter(|folder| !folder.is_empty());
    let folder = own.map(|folder| PathBuf::from(folder).join("profiles"));
    let folder = folder.or_else(Profiles::usual_folder);
    let nowhere = || Failure::usage(format!("there is no home folder: set {DATA_VARIABLE}"));
    Ok(folder.ok_or_else(nowhere)?)
}

/// An account's name: who, and where.
pub(crate) fn owner(server: &Url, user: &User) -> String {
    format!("{server} {}", user.id)
}

/// An error that a wrong dialect may have caused, with the word that it did if the server's own
/// answers say so.
pub(crate) async fn explained(error: anyhow::Error, global: &Global) -> anyhow::Error {
    let strange = error.chain().any(|cause| {
        cause.downcast_ref::<Error>().is_some_and(|error| match error {
            Error::Garbled(_) => true,
            Error::Refused(no) => matches!(no.status, Some(404 | 405)),
            _ => false,
        })
    });
    let Some(account) = Account::open(global).ok().filter(|_| strange) else { return error };
    let asked = tokio::time::timeout(DIALECT_WAIT, account.rest.other_dialect()).await;
    match asked {
        Ok(Some(other)) => error.context(other.answers_instead_of(account.rest.dialect())),
        Ok(None) | Err(_) => error,
    }
}

/// Whom a connection without an account trusts over TLS.
pub(crate) fn roots(global: &Global) -> anyhow::Result<RootCertificates> {
    // No token goes anywhere here.
    let global = Global { plain_http: true, ..global.clone() };
    Ok(http(&global, &Url::parse(SERVER)?)?.roots())
}

fn http(global: &Global, server: &Url) -> anyhow::Result<Http> {
    let mut config = HttpConfig::new(server.clone());
    config.answer_timeout = global.timeout;
    config.connect_timeout = config.connect_timeout.min(global.timeout);
    config.allow_plain_http = global.plain_http;
    for path in &global.cacert {
        let pem = read_bounded(path).with_context(|| format!("cannot read {}", path.display()))?;
        config.root_certificates.push(pem);
    }
    Ok(Http::new(config)?)
}

fn read_bounded(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(CACERT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn token_of_environment() -> anyhow::Result<Option<String>> {
    match std::env::var(TOKEN_VARIABLE) {
        Ok(token) => Ok(Some(token).filter(|token| !token.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        // The error's own text would show the token.
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{TOKEN_VARIABLE} is not text")).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_named_by_either_end_of_its_id() {
        let id: ChatId = "0190f3a2-1b2c-7def-8123-456789abcdef".parse().unwrap();
        let check = |text: &str, expect| {
            let given: ChatGiven = text.parse().unwrap();
            assert_eq!(given.matches(id), expect, "{text}");
        };
        check("0190", true);
        check("0190F3A2-1", true);
        check("abcdef", true);
        check("ABCDEF", true);
        check("1b2c", false);
        for wrong in ["", "../etc", "kitchen", "0190 "] {
            assert!(wrong.parse::<ChatGiven>().is_err(), "{wrong}");
        }
    }
}
