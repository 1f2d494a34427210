//! What a face can ask over HTTP (CONTRACT §1), in one vocabulary for every dialect.
//!
//! A request that is refused for its token is repeated once with a fresh one. Nothing else is
//! repeated here: only the caller knows whether that is harmless.

use std::sync::Arc;

use trialogue_protocol::{
    ChangePassword, Chat, ChatId, ChatList, CreateJob, Dispute, DisputeId, DisputeList,
    DisputeOpened, DisputeQuery, DisputeStatus, ErrorCode, HISTORY_PAGE_MAX, Job, JobCreated,
    JobId, JobList, LIST_LIMIT_MAX, Login, MessagePage, NotificationId, NotificationList,
    OpenDispute, PageQuery, ProviderList, Register, ResolveDispute, Seq, Session, User, UserId,
};

use crate::credentials::Credentials;
use crate::dialect::{Dialect, stm, trialogue};
use crate::error::Error;
use crate::http::{Answer, Call, Http};

/// A place in a list: how many at most (1 to 1000, the server's default is 100), and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Query of `GET /providers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderQuery {
    /// Part of a name.
    pub q: Option<String>,
    /// Only of this region.
    pub region: Option<String>,
    /// Which page.
    pub page: ListQuery,
}

/// Query of `GET /notifications`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationQuery {
    /// Only those that were not read.
    pub unread: bool,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only those before this one.
    pub before: Option<NotificationId>,
}

/// A page of disputes.
#[derive(Debug, Clone, PartialEq)]
pub struct Disputes {
    /// Those that were told.
    pub disputes: Vec<Dispute>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// Those of which this server did not tell the details, and why: its list alone does not name
    /// their chat.
    pub untold: Vec<(DisputeId, Error)>,
}

impl From<DisputeList> for Disputes {
    fn from(DisputeList { disputes, next }: DisputeList) -> Self {
        Self { disputes, next, untold: Vec::new() }
    }
}

/// Rows of a list that one request may ask for, as its query has them.
const LIST_PAGE_MAX: u32 = LIST_LIMIT_MAX as u32;
/// Pages of pending disputes looked through for one chat (10): ten thousand of them wait for
/// nobody.
const INVITATION_PAGES_MAX: u32 = 10;

/// One account's HTTP voice. Cheap to clone; clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Rest {
    http: Http,
    dialect: Dialect,
    credentials: Credentials,
}

/// One function per request: the documentation, the signature and the dialects that know it.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Rest {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// See [`Error`]: refused, unreachable, unanswered, garbled or not signed in.
                pub async fn $name(&self, $($arg: $type),*) -> Result<$answer, Error> {
                    match self.dialect {
                        Dialect::Trialogue => trialogue::$name(self, $($arg),*).await,
                        Dialect::Stm => stm::$name(self, $($arg),*).await,
                    }
                }
            )*
        }
    };
}

requests! {
    /// `POST /auth/password`: other sessions of the user end.
    change_password(body: &ChangePassword) -> ();
    /// `GET /auth/me`: who the token says this is.
    me() -> User;
    /// `GET /providers`: a page of whom a customer can book.
    providers(query: &ProviderQuery) -> ProviderList;
    /// What a booking calls the provider who is signed in, which need not be the id of the user.
    bookable() -> UserId;
    /// Lets a provider of the region be booked, as its LSM; nothing where nobody has to.
    accept_provider(bookable: UserId) -> ();
    /// `POST /jobs/create`: books a job and opens its chat. With a `key` a repeat is harmless.
    create_job(body: &CreateJob, key: Option<&str>) -> JobCreated;
    /// `GET /jobs`: a page of the user's jobs.
    jobs(page: &ListQuery) -> JobList;
    /// `GET /jobs/:id`.
    job(id: JobId) -> Job;
    /// What has to be said before a job can be completed, by the provider and then by the customer;
    /// nothing where nothing has to.
    begin_job(id: JobId) -> ();
    /// `POST /jobs/:id/complete`: by the provider.
    complete_job(id: JobId) -> ();
    /// `POST /jobs/:id/cancel`: by the customer; closes the chat.
    cancel_job(id: JobId) -> ();
    /// `GET /chat`: a page of the user's chats, most recently active first.
    chats(page: &ListQuery) -> ChatList;
    /// `GET /chat/:id`.
    chat(id: ChatId) -> Chat;
    /// `GET /chat/:id/messages`: a page by key, or, with an empty query, all of them as far as
    /// the bound on answers goes. [`Self::history`] walks through all of them in pages.
    messages(id: ChatId, page: &PageQuery) -> MessagePage;
    /// `POST /disputes`: asks the LSM in.
    open_dispute(body: &OpenDispute) -> DisputeOpened;
    /// `GET /disputes`: a page of the user's disputes; an LSM sees its invitations.
    disputes(query: &DisputeQuery, page: &ListQuery) -> Disputes;
    /// `POST /disputes/:id/join`: by the invited LSM; answers the chat. Idempotent.
    join_dispute(id: DisputeId) -> ChatId;
    /// `POST /disputes/:id/resolve`: by the joined LSM, who leaves the chat.
    resolve_dispute(id: DisputeId, body: &ResolveDispute) -> Dispute;
    /// `GET /notifications`, newest first.
    notifications(query: &NotificationQuery) -> NotificationList;
    /// `POST /notifications/:id/read`.
    read_notification(id: NotificationId) -> ();
    /// `POST /notifications/read-all`.
    read_all_notifications() -> ();
    /// `GET /health/live` and `/health/ready`: without a token.
    health() -> ();
}

impl Rest {
    /// A voice for one account at one server.
    pub fn new(http: Http, dialect: Dialect, credentials: Credentials) -> Self {
        Self { http, dialect, credentials }
    }

    /// The server.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// How the server speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The account's tokens.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// `POST /auth/register`; the new account is signed in.
    ///
    /// # Errors
    /// [`ErrorCode::Conflict`]: the address is taken. [`Error::Storage`]: signed in, but the
    /// tokens could not be kept. Else see [`Error`].
    pub async fn register(&self, body: &Register) -> Result<Session, Error> {
        let session = match self.dialect {
            Dialect::Trialogue => trialogue::register(self, body).await?,
            Dialect::Stm => stm::register(self, body).await?,
        };
        self.credentials.set(Some(&session.tokens))?;
        Ok(session)
    }

    /// `POST /auth/login`; the account is signed in.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthenticated`]: a wrong password or an unknown address.
    /// [`Error::Storage`]: signed in, but the tokens could not be kept. Else see [`Error`].
    pub async fn login(&self, body: &Login) -> Result<Session, Error> {
        let session = match self.dialect {
            Dialect::Trialogue => trialogue::login(self, body).await?,
            Dialect::Stm => stm::login(self, body).await?,
        };
        self.credentials.set(Some(&session.tokens))?;
        Ok(session)
    }

    /// `POST /auth/logout`. The tokens are forgotten here even if the server cannot be reached.
    ///
    /// # Errors
    /// See [`Error`]; an already dead session is no error.
    pub async fn logout(&self) -> Result<(), Error> {
        let Some(tokens) = self.credentials.tokens() else { return Ok(()) };
        let told = match self.dialect {
            Dialect::Trialogue => trialogue::logout(self, &tokens).await,
            Dialect::Stm => stm::logout(self, &tokens).await,
        };
        self.credentials.set(None)?;
        match told {
            Err(error) if error.is_about_the_token() => Ok(()),
            told => told,
        }
    }

    /// `POST /auth/refresh`: gets new tokens, unless somebody did so since `than` was in use.
    /// Callers at the same time share one request.
    ///
    /// # Errors
    /// [`Error::LoginNeeded`]: the refresh token is refused or missing. Else see [`Error`].
    pub async fn refresh(
        &self,
        than: Option<&Arc<trialogue_protocol::TokenPair>>,
    ) -> Result<(), Error> {
        let refresh = |tokens: Arc<trialogue_protocol::TokenPair>| async move {
            let fresh = match self.dialect {
                Dialect::Trialogue => trialogue::refresh(self, &tokens).await,
                Dialect::Stm => stm::refresh(self, &tokens).await,
            };
            fresh.map_err(|error| match error {
                // Whatever word the server chose: this refresh token is over.
                Error::Refused(r) if !r.code.is_retryable() && r.code != ErrorCode::Internal => {
                    Error::LoginNeeded(r.message)
                }
                other => other,
            })
        };
        self.credentials.refreshed(than, refresh).await
    }

    /// The dialect that this server speaks, if it is another one than was said: as far as its routes
    /// of health tell, which need no token.
    pub async fn other_dialect(&self) -> Option<Dialect> {
        let health = async |dialect| Self { dialect, ..self.clone() }.health().await;
        let knows = |answer: &Result<(), Error>| match answer {
            Ok(()) => true,
            Err(error) => error.code() == Some(ErrorCode::Unavailable),
        };
        let answer = health(self.dialect).await;
        let strange = matches!(answer, Err(Error::Refused(_) | Error::Garbled(_)));
        if knows(&answer) || !strange {
            return None;
        }
        for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != self.dialect) {
            if knows(&health(dialect).await) {
                return Some(dialect);
            }
        }
        None
    }

    /// The dispute into which this account is invited in that chat, if there is one and it was not
    /// accepted yet: entering the chat would accept it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn invitation(&self, chat: ChatId) -> Result<Option<Dispute>, Error> {
        let query = DisputeQuery { status: Some(DisputeStatus::Pending) };
        let mut page = ListQuery { limit: Some(LIST_PAGE_MAX), cursor: None };
        for _ in 0..INVITATION_PAGES_MAX {
            let Disputes { disputes, next, .. } = self.disputes(&query, &page).await?;
            if let Some(found) = disputes.into_iter().find(|dispute| dispute.chat_id == chat) {
                return Ok(Some(found));
            }
            page.cursor = next;
            if page.cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Walks through all messages of a chat after `after` (0: all), page by page.
    pub fn history(&self, chat: ChatId, after: Seq) -> HistoryPages<'_> {
        HistoryPages { rest: self, chat, after: Some(after) }
    }

    /// Any request, in the server's own words and with the account's token if there is one:
    /// status and body as they came, whatever they are. An answer that is no JSON is `null`.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no such method. Else only what leaves no answer at all; see [`Error`].
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        json: Option<&serde_json::Value>,
    ) -> Result<(u16, serde_json::Value), Error> {
        self.raw_with(method, path, &[], json).await
    }

    /// The same with headers besides its own; an `Authorization` among them takes the place of the
    /// account's token.
    ///
    /// # Errors
    /// As [`Self::raw`]; [`Error::Invalid`] also for what cannot be a header.
    pub async fn raw_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        json: Option<&serde_json::Value>,
    ) -> Result<(u16, serde_json::Value), Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::Invalid(format!("`{method}` is no HTTP method")))?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut call = Call::new(method, path).raw_query(query).headers(headers);
        if let Some(json) = json {
            call = call.json(json)?;
        }
        // Whoever says who it is wants to be nobody else.
        let own = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let answer = match self.credentials.tokens() {
            Some(_) if !own => self.signed(call).await?,
            Some(_) | None => self.bare(call, None).await?,
        };
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer.status.as_u16(), body))
    }

    /// Sends with this very token, or none.
    pub(crate) async fn bare(&self, call: Call, token: Option<&str>) -> Result<Answer, Error> {
        self.http.send(call, token).await
    }

    /// Sends with the account's token; when that is refused, once more with a fresh one.
    pub(crate) async fn signed(&self, call: Call) -> Result<Answer, Error> {
        let Some(tokens) = self.credentials.tokens() else {
            return Err(Error::LoginNeeded("there is no token".to_owned()));
        };
        let answer = self.http.send(call.clone(), Some(&tokens.access_token)).await?;
        if answer.status != reqwest::StatusCode::UNAUTHORIZED || tokens.refresh_token.is_empty() {
            return Ok(answer);
        }
        self.refresh(Some(&tokens)).await?;
        match self.credentials.tokens() {
            Some(fresh) => self.http.send(call, Some(&fresh.access_token)).await,
            None => Ok(answer),
        }
    }
}

/// All messages of a chat, ascending, in pages of 1,000: memory stays that of one page.
#[derive(Debug)]
pub struct HistoryPages<'a> {
    rest: &'a Rest,
    chat: ChatId,
    /// `None`: the end was reached.
    after: Option<Seq>,
}

impl HistoryPages<'_> {
    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// See [`Error`]. The same page may be asked for again.
    pub async fn next(&mut self) -> Result<Option<MessagePage>, Error> {
        let Some(after) = self.after else { return Ok(None) };
        let query =
            PageQuery { limit: Some(HISTORY_PAGE_MAX), after_seq: Some(after), before_seq: None };
        let page = self.rest.messages(self.chat, &query).await?;
        let last = page.messages.iter().filter_map(|m| m.seq).max();
        // A page that does not lead on would be asked for for ever.
        self.after = last.filter(|last| page.has_more == Some(true) && *last > after);
        Ok((!page.messages.is_empty()).then_some(page))
    }
}
