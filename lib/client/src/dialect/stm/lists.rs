//! Rows of the deployed lists (DEPLOYED §4 to §6) -> chats, jobs, disputes.

use serde_json::Value;
use trialogue_protocol::{
    Chat, ChatId, ChatJob, Dispute, DisputeId, DisputeStatus, Job, JobId, LsmRef, Member, Message,
    Provider, Role, User, UserId,
};

use super::NOT_TOLD;
use super::read::{self, field};

/// A list that stands bare, or in `data` beside a `pagination`.
pub(super) fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    let rows = value.as_array().or_else(|| value.get("data")?.as_array());
    rows.into_iter().flatten()
}

/// The page after this one, as a cursor: the lists that have pages number them.
pub(super) fn next_page(value: &Value) -> Option<String> {
    let pagination = value.get("pagination")?;
    let page = read::number(pagination, &["page"])?;
    let last = read::number(pagination, &["totalPages"])?;
    (page < last).then(|| (page + 1).to_string())
}

/// A row of a role's list of chats. Of members whose user id the server does not tell there is the
/// name alone ([`NOT_TOLD`]): their ids are told since 2026-01-30, that of a customer to an LSM never.
/// That an LSM is in the chat is told to nobody else.
pub(super) fn chat(row: &Value, me: &User) -> Option<Chat> {
    let id = read::chat(row, &["id"])?;
    let created_at = read::time(row, &["created_at"]).unwrap_or_else(read::epoch);
    let job = row.get("job").unwrap_or(&Value::Null);
    let service = job.get("service").unwrap_or(&Value::Null);
    let member = |user_id, role, name: Option<String>| Member {
        user_id,
        role,
        name: name.unwrap_or_default(),
        status: None,
        last_seen: None,
        last_read_seq: 0,
        joined_at: created_at,
    };
    let mut members =
        vec![member(me.id, me.role, Some(format!("{} {}", me.first_name, me.last_name)))];
    if let Some(provider) = field(row, &["provider"]) {
        let user = provider.get("user").unwrap_or(&Value::Null);
        let id = read::user(provider, &["userId"]).or_else(|| read::user(user, &["id"]));
        let name = read::text(provider, &["businessName"]).or_else(|| read::full_name(user));
        members.push(member(id.unwrap_or(NOT_TOLD), Role::Provider, name));
    }
    if let Some(customer) = field(row, &["customer"]) {
        let name = read::text(customer, &["name"]);
        let id = read::user(customer, &["userId"]);
        members.push(member(id.unwrap_or(NOT_TOLD), Role::Customer, name));
    }
    let last_message = field(row, &["lastMessage"]).and_then(|said| read::message(said, Some(id)));
    // The raw row has no name of who said it, but this list has.
    let last_message = last_message.map(|said| match said.sender_name.is_empty() {
        true => Message { sender_name: name_of(&members, &said), ..said },
        false => said,
    });
    Some(Chat {
        id,
        job: ChatJob {
            id: JobId(read::number(job, &["id"]).unwrap_or_default()),
            title: read::text(service, &["name"]),
            status: read::job_status(job),
        },
        members,
        last_message,
        unread_count: 0,
        last_seq: 0,
        lsm_invited: read::flag(row, "lsm_invited"),
        lsm_joined: read::flag(row, "lsm_joined"),
        lsm_joined_at: read::time(row, &["lsm_joined_at"]),
        // The lists leave out what is not active.
        closed: false,
        created_at,
    })
}

/// Who said it, by the list of members.
fn name_of(members: &[Member], said: &Message) -> String {
    let them = |m: &&Member| m.user_id == said.sender_id && m.user_id != NOT_TOLD;
    let theirs = members.iter().find(them);
    let role = || members.iter().find(|member| member.role == said.sender_type);
    let name = theirs.or_else(role).map(|member| member.name.clone()).filter(|n| !n.is_empty());
    name.unwrap_or_else(|| said.sender_type.short().to_owned())
}

/// A row of a list of jobs. The customer's does not name the chat: then the list of chats does.
pub(super) fn job(row: &Value, me: &User, chats: &[Chat]) -> Option<Job> {
    let id = JobId(read::number(row, &["id"])?);
    let listed = chats.iter().find(|chat| chat.job.id == id);
    let chat_id = read::chat(row, &["chatId"]).or(listed.map(|chat| chat.id))?;
    let who = |role: Role| {
        let mine = (me.role == role).then_some(me.id);
        let members = listed.map(|chat| chat.members.as_slice()).unwrap_or_default();
        mine.or_else(|| members.iter().find(|m| m.role == role).map(|m| m.user_id))
    };
    let service = row.get("service").unwrap_or(&Value::Null);
    Some(Job {
        id,
        chat_id,
        customer_id: who(Role::Customer).unwrap_or(NOT_TOLD),
        provider_id: who(Role::Provider).unwrap_or(NOT_TOLD),
        title: read::text(service, &["name"]).or_else(|| read::text(row, &["service"])),
        description: None,
        location: read::text(row, &["location"]),
        scheduled_at: read::time(row, &["scheduled_at", "scheduledAt"]),
        budget: field(row, &["price"])
            .and_then(|price| price.as_f64().or_else(|| price.as_str()?.parse().ok())),
        status: read::job_status(row),
        created_at: read::time(row, &["created_at", "createdAt"]).unwrap_or_else(read::epoch),
    })
}

/// A dispute: a row of the LSM's list, and its details, which alone name the chat.
pub(super) fn dispute(row: &Value, details: &Value, me: &User) -> Option<Dispute> {
    let own = details.get("dispute").unwrap_or(row);
    let chat = field(details, &["chatStatus"]).or_else(|| field(row, &["chatStatus"]));
    let chat = chat.unwrap_or(&Value::Null);
    let job = field(details, &["job"]).or_else(|| field(row, &["job"])).unwrap_or(&Value::Null);
    Some(Dispute {
        id: DisputeId(read::number(own, &["id"])?),
        chat_id: read::chat(chat, &["chatId"]).unwrap_or(ChatId(uuid::Uuid::nil())),
        job_id: JobId(read::number(job, &["id"]).unwrap_or_default()),
        raised_by: NOT_TOLD,
        // Validated by the server and not stored (DEPLOYED §6).
        description: String::new(),
        status: dispute_status(own, chat),
        lsm: lsm(me),
        resolution: None,
        created_at: read::time(own, &["createdAt"]).unwrap_or_else(read::epoch),
        resolved_at: read::time(own, &["resolvedAt"]),
    })
}

/// A dispute stays `pending` when its LSM has joined: the chat tells that.
pub(super) fn dispute_status(dispute: &Value, chat: &Value) -> DisputeStatus {
    match read::text(dispute, &["status"]).as_deref() {
        Some("resolved") => DisputeStatus::Resolved,
        _ if read::flag(chat, "lsmJoined") => DisputeStatus::Joined,
        _ => DisputeStatus::Pending,
    }
}

/// The LSM of a dispute, which only they themselves are told.
pub(super) fn lsm(me: &User) -> LsmRef {
    match me.role {
        Role::Lsm => LsmRef { id: me.id, name: format!("{} {}", me.first_name, me.last_name) },
        Role::Customer | Role::Provider => LsmRef { id: NOT_TOLD, name: String::new() },
    }
}

/// A provider of a service. Its `id` is the **profile** id: what a booking takes, and no user's id
/// (DEPLOYED §11.6).
pub(super) fn provider(row: &Value) -> Option<Provider> {
    let business_name = read::text(row, &["businessName"]);
    Some(Provider {
        id: UserId(read::number(row, &["id"])?),
        name: read::text(row, &["ownerName"]).or_else(|| business_name.clone())?,
        business_name,
        region: read::text(row, &["location"]),
    })
}

/// A ZIP code that a provider serves; the server compares it letter by letter.
pub(super) fn zip_code(provider: &Value) -> Option<String> {
    let first = provider.get("serviceAreas")?.as_array()?.first()?;
    first.as_str().map(ToOwned::to_owned).or_else(|| read::text(first, &["zipcode", "zipCode"]))
}
