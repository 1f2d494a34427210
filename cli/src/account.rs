//! Who speaks, to which server: from the global flags and what the profile remembers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use trialogue_client::journal::{self, FileJournal, OpenError};
use trialogue_client::profile::{Profile, ProfileError, Profiles, Saved};
use trialogue_client::rest::ListQuery;
use trialogue_client::session::{Session, SessionConfig, SessionHandle, Update};
use trialogue_client::{Credentials, Error, Http, HttpConfig, Rest};
use trialogue_protocol::{ChatId, ClientMessageId, DisputeQuery, TokenPair, User};
use trialogue_socketio::client::RootCertificates;
use url::Url;

use crate::args::Global;
use crate::chat::ChatGiven;
use crate::exit::Failure;
use crate::paging::{self, Most, Page};
use crate::password;
use crate::settings::{Setting, server};

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

/// The folder of the outbox inside a profile's.
pub(crate) const OUTBOX: &str = "outbox";

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
    /// Where the account is that was here before, and was damaged.
    put_aside: Option<PathBuf>,
}

impl Account {
    /// The profile's account, signed in or not.
    pub(crate) fn open(global: &Global) -> anyhow::Result<Self> {
        let profile = profiles()?.profile(global.profile.clone());
        let saved = profile.load()?;
        let remembered = saved.as_ref().map(|saved| &saved.server);
        let server = global.server.as_ref().or(remembered).or(global.usual_server.as_ref());
        let server = server.map_or_else(|| Url::parse(SERVER), |server| Ok(server.clone()))?;
        // The others were looked at where they were read.
        server::check(&server).map_err(|why| {
            let profile = profile.name();
            Failure::usage(format!("profile {profile} remembers a server of no use: {why}"))
        })?;
        let saved = saved.filter(|saved| saved.server == server);
        let remembered = saved.as_ref().map(|saved| saved.dialect);
        let dialect = global.dialect.or(remembered).unwrap_or_default();
        let credentials = Credentials::kept(profile.tokens_at(server.clone()));
        let rest = Rest::new(http(global, &server)?, dialect, credentials);
        let user = saved.and_then(|saved| saved.user);
        Ok(Self { rest, server, profile, user, put_aside: None })
    }

    /// The profile's account for somebody who signs in: a file that makes no sense is put aside.
    pub(crate) fn open_anew(global: &Global) -> anyhow::Result<Self> {
        let profile = profiles()?.profile(global.profile.clone());
        let Err(ProfileError::Garbled { path }) = profile.load() else { return Self::open(global) };
        if global.server.is_none() && global.usual_server.is_none() {
            // Not to any server: a password goes there.
            let path = path.display();
            let what = format!("{path} is damaged, so nobody knows its server: say --server");
            return Err(Failure::usage(what).into());
        }
        let put_aside = Some(profile.put_aside()?);
        Ok(Self { put_aside, ..Self::open(global)? })
    }

    /// Where the account is that was here before, if it was damaged.
    pub(crate) fn put_aside(&self) -> Option<&Path> {
        self.put_aside.as_deref()
    }

    /// The profile's account, signed in or not, for what only a profile has.
    pub(crate) fn of_profile(global: &Global) -> anyhow::Result<Self> {
        if token_of_environment()?.is_some() {
            return Err(Failure::usage("a token of the environment has no outbox").into());
        }
        Self::open(global)
    }

    /// The profile's account, or that of `TRIALOGUE_TOKEN`; fails without any token.
    pub(crate) fn signed_in(global: &Global) -> anyhow::Result<Self> {
        let account = Self::in_or_out(global)?;
        if account.rest.credentials().tokens().is_none() {
            let (profile, server) = (account.profile_name(), account.server());
            let what = format!("profile {profile} is not signed in at {server}: trialogue login");
            return Err(Failure::not_signed_in(what).into());
        }
        Ok(account)
    }

    /// The same, signed in or not.
    pub(crate) fn in_or_out(global: &Global) -> anyhow::Result<Self> {
        let account = Self::open(global)?;
        if let Some(token) = token_of_environment()? {
            let tokens = TokenPair { access_token: token, refresh_token: String::new() };
            let credentials = Credentials::in_memory(Some(tokens));
            let rest = Rest::new(account.rest.http().clone(), account.rest.dialect(), credentials);
            // Whose token that is, only the server knows.
            return Ok(Self { rest, user: None, ..account });
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
        let folder = self.outbox_folder();
        once_free(wait, move || FileJournal::open(&folder, &owner)).await.map(Some)
    }

    /// What waits in the outbox, whoever else has it open; nothing where [`Self::outbox`] is none.
    pub(crate) fn look_at_outbox(&self) -> anyhow::Result<Option<journal::Looked>> {
        let Some(owner) = self.owner() else { return Ok(None) };
        Ok(Some(journal::look(&self.outbox_folder(), &owner)?))
    }

    /// Gives up what is meant and waits in the outbox, as [`Self::outbox`] does.
    pub(crate) async fn discard(
        &self,
        wait: Duration,
        is_meant: impl Fn(&ClientMessageId) -> bool + Clone + Send + 'static,
    ) -> anyhow::Result<Option<journal::Discarded>> {
        let Some(owner) = self.owner() else { return Ok(None) };
        let folder = self.outbox_folder();
        let discard = move || journal::discard(&folder, &owner, |draft| is_meant(&draft.id));
        once_free(wait, discard).await.map(Some)
    }

    /// Where the outbox is.
    pub(crate) fn outbox_folder(&self) -> PathBuf {
        self.profile.folder().join(OUTBOX)
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

    /// Its place on disk.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
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
        if let Some(id) = given.whole() {
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

/// Does something with an outbox as soon as no other process has it open, waiting at most this long.
async fn once_free<T: Send + 'static>(
    wait: Duration,
    work: impl Fn() -> Result<T, OpenError> + Clone + Send + 'static,
) -> anyhow::Result<T> {
    let end = Instant::now() + wait;
    loop {
        match tokio::task::spawn_blocking(work.clone()).await? {
            Err(OpenError::Busy) if Instant::now() < end => {
                // A lock on a file tells nobody when it is free.
                tokio::time::sleep(OUTBOX_RETRY).await;
            }
            done => return Ok(done?),
        }
    }
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

/// The REST routes of a server, as the flags say.
pub(crate) fn http(global: &Global, server: &Url) -> anyhow::Result<Http> {
    let mut config = HttpConfig::new(server.clone());
    config.answer_timeout = global.timeout;
    config.connect_timeout = config.connect_timeout.min(global.timeout);
    config.allow_plain_http = global.plain_http;
    for path in &global.cacert {
        let unread = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
        let pem = read_bounded(path).map_err(unread)?;
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
