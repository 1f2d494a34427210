//! Our own server: CONTRACT §1, word by word.

use serde::de::DeserializeOwned;
use trialogue_protocol::{
    ChangePassword, Chat, ChatId, ChatList, CreateJob, Dispute, DisputeId, DisputeJoined,
    DisputeList, DisputeOpened, DisputeQuery, ErrorBody, ErrorCode, Job, JobCreated, JobId,
    JobList, Login, Me, MessagePage, NotificationId, NotificationList, OpenDispute, PageQuery,
    ProviderList, Refresh, Register, ResolveDispute, Session, TokenPair, User, UserId, route,
};

use super::Capabilities;
use crate::error::{Error, Refusal};
use crate::http::{Answer, Call};
use crate::rest::{Disputes, ListQuery, NotificationQuery, ProviderQuery, Rest};

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    acks: true,
    own_echo: true,
    client_message_ids: true,
    seq: true,
    order: true,
    resume: true,
    pages: true,
    presence: true,
    typing_stops: true,
    members: true,
    stored_reads: true,
    unread_counts: true,
    dispute_push: true,
    quiet_rooms: true,
    dispute_by_provider: true,
    dispute_any_time: true,
    lsm_joins_by_socket: true,
    error_codes: true,
    refresh_auth: true,
    change_password: true,
};

/// Turns an answer into the typed body or into the refusal that it is.
pub(crate) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    accept(answer)?;
    serde_json::from_slice(&answer.body).map_err(|e| Error::Garbled(e.to_string()))
}

/// The same for an answer whose body does not matter.
pub(crate) fn accept(answer: &Answer) -> Result<(), Error> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let mut refusal = match serde_json::from_slice::<ErrorBody>(&answer.body) {
        Ok(body) => Refusal::from(body),
        // Not our server spoke, but something in front of it.
        Err(_) => Refusal::new(code_of(status.as_u16()), format!("the server said {status}")),
    };
    refusal.status = Some(status.as_u16());
    refusal.retry_after = answer.retry_after.or(refusal.retry_after);
    Err(Error::Refused(refusal))
}

/// The word that comes nearest to a bare status.
pub(super) fn code_of(status: u16) -> ErrorCode {
    match status {
        401 => ErrorCode::Unauthenticated,
        403 => ErrorCode::Denied,
        404 => ErrorCode::NotFound,
        405 => ErrorCode::MethodNotAllowed,
        409 => ErrorCode::Conflict,
        413 => ErrorCode::TooLarge,
        415 => ErrorCode::UnsupportedMediaType,
        429 => ErrorCode::RateLimited,
        502..=504 => ErrorCode::Unavailable,
        500.. => ErrorCode::Internal,
        _ => ErrorCode::BadRequest,
    }
}

pub(crate) async fn register(rest: &Rest, body: &Register) -> Result<Session, Error> {
    read(&rest.bare(Call::post(route::REGISTER).json(body)?, None).await?)
}

pub(crate) async fn login(rest: &Rest, body: &Login) -> Result<Session, Error> {
    read(&rest.bare(Call::post(route::LOGIN).json(body)?, None).await?)
}

pub(crate) async fn refresh(rest: &Rest, tokens: &TokenPair) -> Result<TokenPair, Error> {
    let body = Refresh { refresh_token: tokens.refresh_token.clone() };
    read(&rest.bare(Call::post(route::REFRESH).json(&body)?, None).await?)
}

pub(crate) async fn logout(rest: &Rest, tokens: &TokenPair) -> Result<(), Error> {
    accept(&rest.bare(Call::post(route::LOGOUT), Some(&tokens.access_token)).await?)
}

pub(crate) async fn change_password(rest: &Rest, body: &ChangePassword) -> Result<(), Error> {
    accept(&rest.signed(Call::post(route::PASSWORD).json(body)?).await?)
}

pub(crate) async fn me(rest: &Rest) -> Result<User, Error> {
    read(&rest.signed(Call::get(route::ME)).await?).map(|me: Me| me.user)
}

/// A user is one person here, whoever books.
pub(crate) async fn bookable(rest: &Rest) -> Result<UserId, Error> {
    me(rest).await.map(|me| me.id)
}

/// A job that is booked is going on here.
pub(crate) async fn begin_job(_: &Rest, _: JobId) -> Result<(), Error> {
    Ok(())
}

/// Whoever registers can be booked here.
pub(crate) async fn accept_provider(_: &Rest, _: UserId) -> Result<(), Error> {
    Ok(())
}

pub(crate) async fn providers(rest: &Rest, query: &ProviderQuery) -> Result<ProviderList, Error> {
    let call = Call::get(route::PROVIDERS)
        .query("q", query.q.as_ref())
        .query("region", query.region.as_ref());
    read(&rest.signed(paged(call, &query.page)).await?)
}

pub(crate) async fn create_job(
    rest: &Rest,
    body: &CreateJob,
    key: Option<&str>,
) -> Result<JobCreated, Error> {
    let call = Call::post(route::CREATE_JOB).json(body)?.idempotency_key(key);
    read(&rest.signed(call).await?)
}

pub(crate) async fn jobs(rest: &Rest, page: &ListQuery) -> Result<JobList, Error> {
    read(&rest.signed(paged(Call::get(route::JOBS), page)).await?)
}

pub(crate) async fn job(rest: &Rest, id: JobId) -> Result<Job, Error> {
    read(&rest.signed(Call::get(route::job(id))).await?)
}

pub(crate) async fn complete_job(rest: &Rest, id: JobId) -> Result<(), Error> {
    accept(&rest.signed(Call::post(route::complete_job(id))).await?)
}

pub(crate) async fn cancel_job(rest: &Rest, id: JobId) -> Result<(), Error> {
    accept(&rest.signed(Call::post(route::cancel_job(id))).await?)
}

pub(crate) async fn chats(rest: &Rest, page: &ListQuery) -> Result<ChatList, Error> {
    read(&rest.signed(paged(Call::get(route::CHATS), page)).await?)
}

pub(crate) async fn chat(rest: &Rest, id: ChatId) -> Result<Chat, Error> {
    read(&rest.signed(Call::get(route::chat(id))).await?)
}

pub(crate) async fn messages(
    rest: &Rest,
    id: ChatId,
    page: &PageQuery,
) -> Result<MessagePage, Error> {
    let call = Call::get(route::messages(id))
        .query("limit", page.limit)
        .query("beforeSeq", page.before_seq)
        .query("afterSeq", page.after_seq);
    read(&rest.signed(call).await?)
}

pub(crate) async fn open_dispute(rest: &Rest, body: &OpenDispute) -> Result<DisputeOpened, Error> {
    read(&rest.signed(Call::post(route::DISPUTES).json(body)?).await?)
}

pub(crate) async fn disputes(
    rest: &Rest,
    query: &DisputeQuery,
    page: &ListQuery,
) -> Result<Disputes, Error> {
    let call = Call::get(route::DISPUTES).query("status", query.status);
    read(&rest.signed(paged(call, page)).await?).map(|list: DisputeList| list.into())
}

pub(crate) async fn join_dispute(rest: &Rest, id: DisputeId) -> Result<ChatId, Error> {
    read(&rest.signed(Call::post(route::join_dispute(id))).await?)
        .map(|joined: DisputeJoined| joined.chat_id)
}

pub(crate) async fn resolve_dispute(
    rest: &Rest,
    id: DisputeId,
    body: &ResolveDispute,
) -> Result<Dispute, Error> {
    read(&rest.signed(Call::post(route::resolve_dispute(id)).json(body)?).await?)
}

pub(crate) async fn notifications(
    rest: &Rest,
    query: &NotificationQuery,
) -> Result<NotificationList, Error> {
    let call = Call::get(route::NOTIFICATIONS)
        .query("unread", query.unread.then_some(true))
        .query("limit", query.limit)
        .query("before", query.before);
    read(&rest.signed(call).await?)
}

pub(crate) async fn read_notification(rest: &Rest, id: NotificationId) -> Result<(), Error> {
    accept(&rest.signed(Call::post(route::read_notification(id))).await?)
}

pub(crate) async fn read_all_notifications(rest: &Rest) -> Result<(), Error> {
    accept(&rest.signed(Call::post(route::READ_ALL)).await?)
}

/// Whether the server runs, and whether it can do its work.
pub(crate) async fn health(rest: &Rest) -> Result<(), Error> {
    accept(&rest.bare(Call::get(route::LIVE), None).await?)?;
    accept(&rest.bare(Call::get(route::READY), None).await?)
}

fn paged(call: Call, page: &ListQuery) -> Call {
    call.query("limit", page.limit).query("cursor", page.cursor.as_ref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(status: u16, body: &str, expect: (ErrorCode, &str)) {
        let answer = Answer {
            status: status.try_into().unwrap(),
            body: body.into(),
            retry_after: Some(Duration::from_secs(3)),
        };
        let Err(Error::Refused(refusal)) = accept(&answer) else { panic!("{status} {body}") };
        assert_eq!((refusal.code, refusal.message.as_str()), expect, "{status} {body}");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_refusal_is_read_and_a_proxy_in_between_is_not_mistaken_for_the_server() {
        check(
            403,
            r#"{"statusCode":403,"error":"denied","message":"no"}"#,
            (ErrorCode::Denied, "no"),
        );
        check(
            502,
            "<html>Bad Gateway</html>",
            (ErrorCode::Unavailable, "the server said 502 Bad Gateway"),
        );
        check(
            403,
            r#"{"statusCode":403,"error":"Forbidden","message":["a"]}"#,
            (ErrorCode::Denied, "the server said 403 Forbidden"),
        );
    }
}
