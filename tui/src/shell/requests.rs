//! What is asked of the server over HTTP, one answer each.

use trialogue_client::rest::{ListQuery, NotificationQuery, ProviderQuery};
use trialogue_client::session::SessionHandle;
use trialogue_client::timeline::Ask;
use trialogue_client::{Error, Rest};
use trialogue_protocol::{Chat, Dispute, DisputeQuery, PageQuery, Provider, ResolveDispute, Seq};

use super::effects::OLDER;
use crate::effect::Effect;
use crate::model::chats::CHATS_MAX;
use crate::msg::Reply;

/// Rows of one page of a list.
const PAGE: u32 = 200;
/// Messages shown of an invitation.
const PREVIEW: i64 = 20;
/// Providers offered at most.
const PROVIDERS_MAX: usize = 1_000;
/// Disputes looked at, at most.
const DISPUTES_MAX: usize = 1_000;
/// A place after every message that leaves room for arithmetic.
const BEYOND: Seq = i64::MAX / 4;

/// Asks the server.
pub(super) async fn answer(effect: Effect, rest: &Rest, handle: &SessionHandle) -> Option<Reply> {
    Some(match effect {
        Effect::LoadChats => Reply::Chats(chats(rest, handle).await),
        Effect::LoadProviders => Reply::Providers(providers(rest).await),
        Effect::LoadInvites => Reply::Invites(disputes(rest).await),
        Effect::LoadPreview(chat) => {
            let query =
                PageQuery { limit: Some(PREVIEW), before_seq: Some(BEYOND), after_seq: None };
            Reply::Preview { chat, page: rest.messages(chat, &query).await }
        }
        Effect::LoadNotifications { unread } => {
            let query = NotificationQuery { unread, ..NotificationQuery::default() };
            Reply::Notifications(rest.notifications(&query).await)
        }
        Effect::ReadNotifications => match rest.read_all_notifications().await {
            Ok(()) => Reply::Said("all notifications are read".to_owned()),
            Err(error) => Reply::Failed(error),
        },
        Effect::LoadKept => match handle.kept().await {
            Ok(kept) => Reply::Kept(kept),
            Err(error) => Reply::Failed(error),
        },
        Effect::Page { chat, ask } => {
            let limit = Some(i64::from(OLDER));
            let query = match ask {
                Ask::Before(seq) => PageQuery { limit, before_seq: Some(seq), after_seq: None },
                Ask::After(seq) => PageQuery { limit, before_seq: None, after_seq: Some(seq) },
            };
            Reply::Page { chat, ask, page: rest.messages(chat, &query).await }
        }
        Effect::Book { body, key } => Reply::Booked(rest.create_job(&body, Some(&key)).await),
        Effect::OpenDispute(body) => Reply::Disputed(rest.open_dispute(&body).await),
        Effect::Resolve { dispute, text } => {
            let body = ResolveDispute { resolution: text };
            Reply::Resolved(rest.resolve_dispute(dispute, &body).await)
        }
        Effect::CompleteJob(job) => {
            Reply::JobChanged("the job is completed", rest.complete_job(job).await)
        }
        Effect::CancelJob(job) => {
            Reply::JobChanged("the job is cancelled", rest.cancel_job(job).await)
        }
        _ => return None,
    })
}

/// All chats, as far as the list goes; the session is told too, for its counts and its backup.
async fn chats(rest: &Rest, handle: &SessionHandle) -> Result<(Vec<Chat>, bool), Error> {
    let mut chats = Vec::new();
    let mut page = ListQuery { limit: Some(PAGE), cursor: None };
    let whole = loop {
        let list = rest.chats(&page).await?;
        chats.extend(list.chats);
        page.cursor = list.next;
        if page.cursor.is_none() {
            break true;
        }
        if chats.len() >= CHATS_MAX {
            break false;
        }
    };
    chats.truncate(CHATS_MAX);
    handle.list(chats.clone(), whole).await?;
    Ok((chats, whole))
}

async fn providers(rest: &Rest) -> Result<Vec<Provider>, Error> {
    let mut providers = Vec::new();
    let mut query = ProviderQuery::default();
    query.page.limit = Some(PAGE);
    loop {
        let list = rest.providers(&query).await?;
        providers.extend(list.providers);
        query.page.cursor = list.next;
        if query.page.cursor.is_none() || providers.len() >= PROVIDERS_MAX {
            return Ok(providers);
        }
    }
}

async fn disputes(rest: &Rest) -> Result<Vec<Dispute>, Error> {
    let mut disputes = Vec::new();
    let mut page = ListQuery { limit: Some(PAGE), cursor: None };
    loop {
        let list = rest.disputes(&DisputeQuery::default(), &page).await?;
        disputes.extend(list.disputes);
        page.cursor = list.next;
        if page.cursor.is_none() || disputes.len() >= DISPUTES_MAX {
            return Ok(disputes);
        }
    }
}
