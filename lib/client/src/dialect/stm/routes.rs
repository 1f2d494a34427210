//! The routes of the deployed backend (DEPLOYED §2 to §8), in the vocabulary of [`Rest`].

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use trialogue_protocol::{
    ChangePassword, Chat, ChatId, ChatList, CreateJob, Dispute, DisputeId, DisputeOpened,
    DisputeQuery, DisputeStatus, ErrorCode, Job, JobCreated, JobId, JobList, Login, MessagePage,
    NotificationId, NotificationList, OpenDispute, PageQuery, ProviderList, Refresh, Register,
    ResolveDispute, Role, Session, TokenPair, User, route,
};

use super::{json as read_json, lists, offer, read, unsupported};
use crate::error::{Error, Refusal};
use crate::http::Call;
use crate::rest::{Disputes, ListQuery, NotificationQuery, ProviderQuery, Rest};

/// Services looked through for providers (50): each is a request of its own.
const SERVICES_MAX: usize = 50;
/// Rows on a page of disputes and jobs: the server's own limit (DEPLOYED §4.2, §6).
const ROWS_MAX: u32 = 100;
/// Pages of jobs looked through for one (100): ten thousand jobs.
const JOB_PAGES_MAX: usize = 100;
/// Tries of a registration (5): those at the same moment collide with 500 (DEPLOYED §2).
const REGISTER_TRIES: usize = 5;
/// Longest pause (400 ms) before the next one: those that collided must not come in step again.
const REGISTER_PAUSE_MAX_MS: u64 = 400;

async fn get(rest: &Rest, path: impl Into<String>) -> Result<Value, Error> {
    read_json(&rest.signed(Call::get(path)).await?)
}

async fn post(rest: &Rest, path: impl Into<String>, body: &Value) -> Result<Value, Error> {
    read_json(&rest.signed(Call::post(path).json(body)?).await?)
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|e| Error::Garbled(e.to_string()))
}

fn not_found(what: &str) -> Error {
    Error::Refused(Refusal::new(ErrorCode::NotFound, format!("there is no such {what}")))
}

fn garbled(what: &str) -> Error {
    Error::Garbled(format!("there is no {what} in it"))
}

pub(crate) async fn register(rest: &Rest, body: &Register) -> Result<Session, Error> {
    let role = match body.role {
        Role::Customer => "CUSTOMER",
        Role::Provider => "PROVIDER",
        Role::Lsm => "LSM",
    };
    let mut fields = json!({
        "email": body.email, "password": body.password,
        "firstName": body.first_name, "lastName": body.last_name, "role": role,
        // Needed there and not known here: a number that is set aside for fiction.
        "phoneNumber": "555-555-0100",
        "businessName": body.business_name, "acceptedTerms": true,
    });
    offer::add(rest, body, &mut fields).await;
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = rest.bare(Call::post(route::REGISTER).json(&fields)?, None).await?;
        match read_json(&answer) {
            Err(Error::Refused(refusal))
                if refusal.code == ErrorCode::Internal && tries < REGISTER_TRIES =>
            {
                let pause = rand::random_range(0..=REGISTER_PAUSE_MAX_MS);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            other => return typed(other?),
        }
    }
}

pub(crate) async fn login(rest: &Rest, body: &Login) -> Result<Session, Error> {
    typed(read_json(&rest.bare(Call::post(route::LOGIN).json(body)?, None).await?)?)
}

pub(crate) async fn refresh(rest: &Rest, tokens: &TokenPair) -> Result<TokenPair, Error> {
    let body = Refresh { refresh_token: tokens.refresh_token.clone() };
    typed(read_json(&rest.bare(Call::post(route::REFRESH).json(&body)?, None).await?)?)
}

pub(crate) async fn logout(rest: &Rest, tokens: &TokenPair) -> Result<(), Error> {
    let call = Call::post(route::LOGOUT);
    read_json(&rest.bare(call, Some(&tokens.access_token)).await?).map(drop)
}

pub(crate) async fn change_password(_: &Rest, _: &ChangePassword) -> Result<(), Error> {
    Err(unsupported("change a password while one is signed in"))
}

pub(crate) async fn me(rest: &Rest) -> Result<User, Error> {
    typed(get(rest, route::ME).await?)
}

/// Providers of all services, each once, with what one needs to book them.
async fn offers(rest: &Rest) -> Result<Vec<(i64, Value)>, Error> {
    let services = get(rest, "/services").await?;
    let services = services.get("services").unwrap_or(&services);
    let ids = lists::rows(services).filter_map(|service| read::number(service, &["id"]));
    let mut offers = Vec::new();
    for service in ids.take(SERVICES_MAX) {
        let found = get(rest, format!("/services/{service}/providers")).await?;
        let found = found.get("providers").unwrap_or(&found);
        offers.extend(lists::rows(found).map(|provider| (service, provider.clone())));
    }
    Ok(offers)
}

pub(crate) async fn providers(rest: &Rest, query: &ProviderQuery) -> Result<ProviderList, Error> {
    let has = |text: &str, part: &Option<String>| {
        part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
    };
    let offers = offers(rest).await?;
    let mut providers = Vec::new();
    for provider in offers.iter().filter_map(|(_, row)| lists::provider(row)) {
        let names =
            format!("{} {}", provider.name, provider.business_name.as_deref().unwrap_or(""));
        let wanted =
            has(&names, &query.q) && has(provider.region.as_deref().unwrap_or(""), &query.region);
        let is_new =
            providers.iter().all(|known: &trialogue_protocol::Provider| known.id != provider.id);
        if wanted && is_new {
            providers.push(provider);
        }
    }
    Ok(ProviderList { providers, next: None })
}

/// `providerId` is the provider's profile id, as [`providers`] lists it; the service and the ZIP
/// code that the server wants besides are the first that this provider offers and serves.
pub(crate) async fn create_job(
    rest: &Rest,
    body: &CreateJob,
    _: Option<&str>,
) -> Result<JobCreated, Error> {
    let offers = offers(rest).await?;
    let offered =
        offers.iter().find(|(_, row)| read::number(row, &["id"]) == Some(body.provider_id.0));
    let (service, provider) = offered.ok_or_else(|| not_found("provider of any service"))?;
    let mut fields = json!({
        "serviceId": service, "providerId": body.provider_id,
        "zipcode": lists::zip_code(provider).unwrap_or_default(),
        // Its column takes no null: leaving it out would be 500 (DEPLOYED §4.1).
        "location": body.location.as_deref().unwrap_or("not given"),
        "answers": {"title": body.title, "description": body.description},
    });
    if let Some(at) = body.scheduled_at {
        fields["preferredDate"] = json!(at);
    }
    if let Some(budget) = body.budget {
        fields["customerBudget"] = json!(budget);
    }
    let made = post(rest, route::CREATE_JOB, &fields).await?;
    let part = |name: &str| made.get(name).unwrap_or(&Value::Null);
    // Flat is what the flow says; nested is what every version answers.
    let job = read::number(part("job"), &["id"]).or_else(|| read::number(&made, &["jobId"]));
    let chat = read::chat(part("chat"), &["id"]).or_else(|| read::chat(&made, &["chatId"]));
    Ok(JobCreated {
        job_id: JobId(job.ok_or_else(|| garbled("job"))?),
        chat_id: chat.ok_or_else(|| garbled("chat"))?,
        job: None,
        chat: None,
    })
}

async fn chats_of(rest: &Rest, me: &User) -> Result<Vec<Chat>, Error> {
    // As the paths of its lists spell it.
    let role = me.role.short();
    let found = match get(rest, format!("/chat/{role}/chats")).await {
        // Versions before 2026-01-29 have them elsewhere.
        Err(Error::Refused(refusal)) if refusal.status == Some(404) => {
            get(rest, format!("/{role}/chats")).await
        }
        found => found,
    }?;
    let mut chats: Vec<Chat> = lists::rows(&found).filter_map(|row| lists::chat(row, me)).collect();
    let active = |chat: &Chat| chat.last_message.as_ref().map_or(chat.created_at, |m| m.created_at);
    // The server's order is that of their beginnings.
    chats.sort_by_key(|chat| std::cmp::Reverse(active(chat)));
    Ok(chats)
}

/// All of them on one page, most recently active first: the server has no pages.
pub(crate) async fn chats(rest: &Rest, _: &ListQuery) -> Result<ChatList, Error> {
    let me = me(rest).await?;
    Ok(ChatList { chats: chats_of(rest, &me).await?, next: None })
}

pub(crate) async fn chat(rest: &Rest, id: ChatId) -> Result<Chat, Error> {
    let chats = chats(rest, &ListQuery::default()).await?.chats;
    chats.into_iter().find(|chat| chat.id == id).ok_or_else(|| not_found("chat in the list"))
}

/// The whole history; a limit keeps the newest.
pub(crate) async fn messages(
    rest: &Rest,
    id: ChatId,
    page: &PageQuery,
) -> Result<MessagePage, Error> {
    if page.before_seq.is_some() || page.after_seq.is_some_and(|seq| seq > 0) {
        return Err(unsupported("find a message by its number"));
    }
    let found = get(rest, route::messages(id)).await?;
    let mut messages = read::history(&found, id);
    let limit = page.limit.and_then(|limit| usize::try_from(limit).ok());
    if let Some(limit) = limit.filter(|_| page.after_seq.is_none()) {
        messages.drain(..messages.len().saturating_sub(limit));
    }
    let (first_seq, last_seq, epoch) = (None, None, None);
    Ok(MessagePage { chat_id: id, messages, first_seq, last_seq, has_more: Some(false), epoch })
}

pub(crate) async fn jobs(rest: &Rest, page: &ListQuery) -> Result<JobList, Error> {
    let me = me(rest).await?;
    let call = match me.role {
        Role::Customer => Call::get("/customer/jobs"),
        Role::Provider => Call::get("/provider/jobs")
            .query("limit", Some(page.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX)))
            .query("page", page.cursor.as_ref()),
        // An LSM has disputes.
        Role::Lsm => return Ok(JobList { jobs: Vec::new(), next: None }),
    };
    let found = read_json(&rest.signed(call).await?)?;
    let chats = chats_of(rest, &me).await?;
    let jobs = lists::rows(&found).filter_map(|row| lists::job(row, &me, &chats)).collect();
    Ok(JobList { jobs, next: lists::next_page(&found) })
}

/// Looked for page by page: details have another shape for each role.
pub(crate) async fn job(rest: &Rest, id: JobId) -> Result<Job, Error> {
    let mut page = ListQuery::default();
    for _ in 0..JOB_PAGES_MAX {
        let list = jobs(rest, &page).await?;
        if let Some(found) = list.jobs.into_iter().find(|job| job.id == id) {
            return Ok(found);
        }
        page.cursor = list.next;
        if page.cursor.is_none() {
            break;
        }
    }
    Err(not_found("job"))
}

pub(crate) async fn complete_job(rest: &Rest, id: JobId) -> Result<(), Error> {
    let body = json!({"action": "mark_complete"});
    post(rest, format!("/provider/jobs/{id}/update-status"), &body).await.map(drop)
}

pub(crate) async fn cancel_job(rest: &Rest, id: JobId) -> Result<(), Error> {
    let body = json!({"action": "cancel", "cancellationReason": "no longer needed"});
    post(rest, format!("/customers/jobs/{id}/action"), &body).await.map(drop)
}

/// Only by the customer, and only once the job is completed: else the server says no.
pub(crate) async fn open_dispute(rest: &Rest, body: &OpenDispute) -> Result<DisputeOpened, Error> {
    let me = me(rest).await?;
    let chats = chats_of(rest, &me).await?;
    let listed = chats
        .iter()
        .find(|chat| body.chat_id.map_or(Some(chat.job.id) == body.job_id, |id| chat.id == id));
    let job = body.job_id.or(listed.map(|chat| chat.job.id)).filter(|job| job.0 != 0);
    let job = job.ok_or_else(|| not_found("job of that chat"))?;
    let fields = json!({"jobId": job, "description": body.description});
    let opened = post(rest, "/customers/disputes", &fields).await?;
    let id = read::number(&opened, &["disputeId"]).ok_or_else(|| garbled("dispute"))?;
    let chat_id = body.chat_id.or(listed.map(|chat| chat.id)).ok_or_else(|| garbled("chat"))?;
    let lsm = lists::lsm(&me);
    Ok(DisputeOpened { dispute_id: DisputeId(id), chat_id, lsm, lsm_invited: true })
}

/// Those of an LSM; others have no list of them.
pub(crate) async fn disputes(
    rest: &Rest,
    query: &DisputeQuery,
    page: &ListQuery,
) -> Result<Disputes, Error> {
    let me = me(rest).await?;
    let (mut disputes, mut untold) = (Vec::new(), Vec::new());
    if me.role != Role::Lsm {
        return Ok(Disputes { disputes, next: None, untold });
    }
    // A dispute that its LSM has joined is still pending there.
    let status = query.status.map(|status| match status {
        DisputeStatus::Resolved => "resolved",
        DisputeStatus::Pending | DisputeStatus::Joined => "pending",
    });
    let call = Call::get("/lsm/disputes")
        .query("status", status)
        .query("limit", Some(page.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX)))
        .query("page", page.cursor.as_ref());
    let found = read_json(&rest.signed(call).await?)?;
    for row in lists::rows(&found) {
        let state = lists::dispute_status(row, row.get("chatStatus").unwrap_or(&Value::Null));
        if query.status.is_some_and(|wanted| wanted != state) {
            continue;
        }
        let Some(id) = read::number(row, &["id"]) else { continue };
        // Only the details name the chat.
        let details = get(rest, format!("/lsm/disputes/{id}")).await;
        let told = details.and_then(|details| {
            let told = lists::dispute(row, &details, &me).filter(|told| !told.chat_id.0.is_nil());
            told.ok_or_else(|| garbled("chat"))
        });
        match told {
            Ok(dispute) => disputes.push(dispute),
            // One that is broken hides none of the others.
            Err(error @ (Error::Refused(_) | Error::Garbled(_))) if !error.is_about_the_token() => {
                untold.push((DisputeId(id), error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Disputes { disputes, next: lists::next_page(&found), untold })
}

async fn dispute(rest: &Rest, id: DisputeId) -> Result<Dispute, Error> {
    let me = me(rest).await?;
    let details = get(rest, format!("/lsm/disputes/{id}")).await?;
    lists::dispute(&Value::Null, &details, &me).ok_or_else(|| garbled("dispute"))
}

/// The REST step without which the LSM's socket may not join. Idempotent here, though not there.
pub(crate) async fn join_dispute(rest: &Rest, id: DisputeId) -> Result<ChatId, Error> {
    match post(rest, format!("/lsm/disputes/{id}/join-chat"), &json!({})).await {
        Ok(joined) => read::chat(&joined, &["chatId"]).ok_or_else(|| garbled("chat")),
        Err(Error::Refused(refusal)) if refusal.code == ErrorCode::BadRequest => {
            let known = dispute(rest, id).await?;
            match known.status {
                DisputeStatus::Joined => Ok(known.chat_id),
                DisputeStatus::Pending | DisputeStatus::Resolved => Err(Error::Refused(refusal)),
            }
        }
        Err(error) => Err(error),
    }
}

/// The LSM's socket stays in the room there (DEPLOYED §6): whoever calls this leaves it.
pub(crate) async fn resolve_dispute(
    rest: &Rest,
    id: DisputeId,
    body: &ResolveDispute,
) -> Result<Dispute, Error> {
    let fields = json!({"resolutionNotes": body.resolution});
    post(rest, format!("/lsm/disputes/{id}/resolve"), &fields).await?;
    let resolved = dispute(rest, id).await?;
    Ok(Dispute { resolution: Some(body.resolution.clone()), ..resolved })
}

/// Newest first. What is unread is told apart here: the server takes any value for "read".
pub(crate) async fn notifications(
    rest: &Rest,
    query: &NotificationQuery,
) -> Result<NotificationList, Error> {
    // Its lists are not capped, so one request has what filters leave over.
    let limit = query.limit.unwrap_or(ROWS_MAX).max(ROWS_MAX);
    let call = Call::get(route::NOTIFICATIONS).query("limit", Some(limit));
    let found = read_json(&rest.signed(call).await?)?;
    let rows = found.get("notifications").unwrap_or(&found);
    let mut notifications: Vec<_> = lists::rows(rows).filter_map(read::notification).collect();
    if let Some(before) = query.before {
        let at = notifications.iter().position(|one| one.id == before);
        notifications.drain(..at.map_or(notifications.len(), |at| at + 1));
    }
    notifications.retain(|one| !query.unread || !one.is_read);
    notifications.truncate(usize::try_from(query.limit.unwrap_or(ROWS_MAX)).unwrap_or(usize::MAX));
    let unread_count = read::number(&found, &["unreadCount", "unread_count"]).unwrap_or_default();
    Ok(NotificationList { notifications, unread_count, next: None })
}

pub(crate) async fn read_notification(rest: &Rest, id: NotificationId) -> Result<(), Error> {
    let call = Call::new(Method::PATCH, format!("/notifications/{id}/read"));
    read_json(&rest.signed(call).await?).map(drop)
}

pub(crate) async fn read_all_notifications(rest: &Rest) -> Result<(), Error> {
    let call = Call::new(Method::PATCH, "/notifications/mark-all-read");
    read_json(&rest.signed(call).await?).map(drop)
}

pub(crate) async fn health(rest: &Rest) -> Result<(), Error> {
    read_json(&rest.bare(Call::get("/health"), None).await?).map(drop)
}
