//! What the protocol's things look like to eyes, when no `--json` is asked for.
//!
//! Everything that a person typed elsewhere goes through `sanitize` here and nowhere later: what
//! this room returns may be printed.

pub(crate) mod happening;
pub(crate) mod live;
mod table;

use std::time::Duration;

use chrono::{Local, NaiveDate};
use trialogue_client::sanitize;
use trialogue_protocol::{
    Chat, ChatId, Dispute, Job, Member, Message, Notification, PresenceStatus, Provider, Timestamp,
    User,
};
use trialogue_server::operator::Account;

pub(crate) use table::table;

use crate::settings::Setting;

/// Cells that a message may take in a list, where only its beginning matters.
const PREVIEW_CHARS_MAX: usize = 50;

/// Fewest characters of an id that a list shows: six hex digits tell 16 million chats apart.
const SHORT_ID_CHARS_MIN: usize = 6;

/// Foreign text as one harmless line.
pub(crate) fn line(text: &str) -> String {
    sanitize::line(text).into_owned()
}

/// `Amna Khan (customer)`.
pub(crate) fn user(user: &User) -> String {
    let name = format!("{} {}", user.first_name, user.last_name);
    format!("{} ({})", line(name.trim()), user.role.short())
}

/// A moment in local time: the time of today, else the date too.
pub(crate) fn time(at: Timestamp, today: NaiveDate) -> String {
    let local = at.as_datetime().with_timezone(&Local);
    let format = if local.date_naive() == today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    local.format(format).to_string()
}

/// How long something took: `3.2 ms`, `1.4 s`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1_000.0) } else { format!("{seconds:.1} s") }
}

/// The date that [`time`] leaves out.
pub(crate) fn today() -> NaiveDate {
    Local::now().date_naive()
}

/// `14:05 Amna Khan: text`. Further lines are indented: no message can forge another's first
/// line (RELIABILITY §3.8, H5).
pub(crate) fn message(message: &Message, today: NaiveDate) -> String {
    let name = line(&message.sender_name);
    let text = sanitize::text(&message.message).replace('\n', "\n      ");
    format!("{} {name}: {text}", time(message.created_at, today))
}

/// Accounts as operators see them.
pub(crate) fn accounts(accounts: &[Account]) -> String {
    let today = today();
    let rows: Vec<[String; 6]> = accounts
        .iter()
        .map(|Account { user, last_seen, disabled_at, .. }| {
            let name = format!("{} {}", user.first_name, user.last_name);
            let seen = last_seen.map_or("-".to_owned(), |at| time(at, today));
            let state = if disabled_at.is_some() { "disabled" } else { "" };
            [
                user.id.to_string(),
                line(user.email.as_deref().unwrap_or_default()),
                line(name.trim()),
                user.role.short().to_owned(),
                seen,
                state.to_owned(),
            ]
        })
        .collect();
    table(["ID", "EMAIL", "NAME", "ROLE", "LAST SEEN", ""], &rows)
}

/// How many characters of the end of each id tell these chats apart.
///
/// The end, because ids of one minute begin alike: they start with their time.
pub(crate) fn short_id_chars(ids: &[ChatId]) -> usize {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let whole = ids.iter().map(String::len).max().unwrap_or(SHORT_ID_CHARS_MIN);
    (SHORT_ID_CHARS_MIN..whole)
        .find(|&chars| {
            let mut ends: Vec<&str> = ids.iter().map(|id| &id[id.len() - chars..]).collect();
            ends.sort_unstable();
            ends.windows(2).all(|pair| pair[0] != pair[1])
        })
        .unwrap_or(whole)
}

/// The chats of one account, as a table.
pub(crate) fn chats(chats: &[Chat], me: &User) -> String {
    let today = today();
    let ids: Vec<ChatId> = chats.iter().map(|chat| chat.id).collect();
    let chars = short_id_chars(&ids);
    let rows: Vec<[String; 6]> = chats
        .iter()
        .map(|chat| {
            let id = chat.id.to_string();
            let others = chat.members.iter().filter(|member| member.user_id != me.id);
            let others: Vec<String> = others.map(|member| line(&member.name)).collect();
            let unread =
                if chat.unread_count == 0 { String::new() } else { chat.unread_count.to_string() };
            [
                id[id.len() - chars..].to_owned(),
                unread,
                chat.job.id.to_string(),
                line(chat.job.title.as_deref().unwrap_or_default()),
                others.join(", "),
                chat.last_message.as_ref().map(|last| preview(last, today)).unwrap_or_default(),
            ]
        })
        .collect();
    table(["CHAT", "NEW", "JOB", "TITLE", "WITH", "LAST"], &rows)
}

fn preview(message: &Message, today: NaiveDate) -> String {
    let text = line(&message.message);
    let mut short: String = text.chars().take(PREVIEW_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{} {}: {short}", time(message.created_at, today), line(&message.sender_name))
}

/// The members of one chat, as a table.
pub(crate) fn members(members: &[Member]) -> String {
    let today = today();
    let rows: Vec<[String; 4]> = members
        .iter()
        .map(|member| {
            let presence = match (member.status, member.last_seen) {
                (Some(PresenceStatus::Online), _) => "online".to_owned(),
                (Some(PresenceStatus::Offline), Some(seen)) => {
                    format!("offline since {}", time(seen, today))
                }
                (Some(PresenceStatus::Offline), None) => "offline".to_owned(),
                // The server cannot tell, so neither can we.
                (None, _) => "unknown".to_owned(),
            };
            let role = member.role.short().to_owned();
            // Some servers tell the name alone.
            let id =
                if member.user_id.0 == 0 { "-".to_owned() } else { member.user_id.to_string() };
            [id, line(&member.name), role, presence]
        })
        .collect();
    table(["USER", "NAME", "ROLE", "PRESENCE"], &rows)
}

/// Providers that can be booked, as a table.
pub(crate) fn providers(providers: &[Provider]) -> String {
    let word = |text: &Option<String>| line(text.as_deref().unwrap_or_default());
    let rows: Vec<[String; 4]> = providers
        .iter()
        .map(|provider| {
            let region = word(&provider.region);
            [provider.id.to_string(), line(&provider.name), word(&provider.business_name), region]
        })
        .collect();
    table(["ID", "NAME", "BUSINESS", "REGION"], &rows)
}

/// An LSM's queue, as a table.
pub(crate) fn disputes(disputes: &[Dispute]) -> String {
    let today = today();
    let rows: Vec<[String; 5]> = disputes
        .iter()
        .map(|dispute| {
            [
                dispute.chat_id.to_string(),
                dispute.job_id.to_string(),
                dispute.status.to_string(),
                time(dispute.created_at, today),
                line(&dispute.description),
            ]
        })
        .collect();
    table(["CHAT", "JOB", "STATUS", "SINCE", "WHY"], &rows)
}

/// Jobs, newest first, as a table.
pub(crate) fn jobs(jobs: &[Job]) -> String {
    let today = today();
    let rows: Vec<[String; 5]> = jobs
        .iter()
        .map(|job| {
            [
                job.id.to_string(),
                job.status.to_string(),
                time(job.created_at, today),
                job.chat_id.to_string(),
                line(job.title.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    table(["JOB", "STATUS", "BOOKED", "CHAT", "TITLE"], &rows)
}

/// All that is known of a job, a line for each thing.
pub(crate) fn job(job: &Job) -> String {
    let today = today();
    let word = |text: &Option<String>| text.as_deref().map(line);
    let facts = [
        ("job", Some(job.id.to_string())),
        ("status", Some(job.status.to_string())),
        ("title", word(&job.title)),
        ("details", word(&job.description)),
        ("where", word(&job.location)),
        ("when", job.scheduled_at.map(|at| time(at, today))),
        ("budget", job.budget.map(|amount| amount.to_string())),
        ("customer", Some(job.customer_id.to_string())),
        ("provider", Some(job.provider_id.to_string())),
        ("booked", Some(time(job.created_at, today))),
        ("chat", Some(job.chat_id.to_string())),
    ];
    let known = facts.into_iter().filter_map(|(name, fact)| Some(format!("{name:<9}{}", fact?)));
    known.collect::<Vec<String>>().join("\n")
}

/// Settings and where each came from, as a table.
pub(crate) fn settings(settings: &[Setting]) -> String {
    let rows: Vec<[String; 3]> = settings
        .iter()
        .map(|setting| {
            let value = setting.value.as_deref().map_or("-".to_owned(), line);
            let from = setting.from.as_deref().map(line).unwrap_or_default();
            let source = format!("{} {from}", setting.source).trim_end().to_owned();
            [setting.name.clone(), value, source]
        })
        .collect();
    table(["SETTING", "VALUE", "FROM"], &rows)
}

/// Notifications, newest first, as a table.
pub(crate) fn notifications(notifications: &[Notification]) -> String {
    let today = today();
    let rows: Vec<[String; 5]> = notifications
        .iter()
        .map(|notification| {
            [
                notification.id.to_string(),
                if notification.is_read { String::new() } else { "new".to_owned() },
                time(notification.created_at, today),
                line(&notification.title),
                line(&notification.message),
            ]
        })
        .collect();
    table(["ID", "", "WHEN", "TITLE", "TEXT"], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Group H of RELIABILITY §3.8: what a foreign server lets people call themselves and jobs.
    #[test]
    fn hostile_names_and_titles_are_harmless_in_every_table() {
        const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}b\nc\rd";
        let id = "0190f3a2-1b2c-7def-8123-456789abcdef";
        let at = "2026-03-04T16:00:00.000Z";
        let message = json!({"id": id, "chatId": id, "seq": 1, "sender_type": "customer",
            "sender_id": 1, "sender_name": HOSTILE, "message": HOSTILE, "message_type": "text",
            "created_at": at});
        let member = json!({"userId": 2, "role": "customer", "name": HOSTILE, "joinedAt": at});
        let chat = json!({"id": id, "job": {"id": 1, "title": HOSTILE, "status": "open"},
            "members": [member], "lastMessage": message, "unreadCount": 1, "lastSeq": 1,
            "lsmInvited": false, "lsmJoined": false, "lsmJoinedAt": null, "closed": false,
            "createdAt": at});
        let me = json!({"id": 1, "firstName": HOSTILE, "lastName": HOSTILE, "role": "customer"});
        let provider =
            json!({"id": 2, "name": HOSTILE, "businessName": HOSTILE, "region": HOSTILE});
        let dispute = json!({"id": 1, "chatId": id, "jobId": 1, "raisedBy": 1,
            "description": HOSTILE, "status": "pending", "lsm": {"id": 3, "name": HOSTILE},
            "resolution": null, "createdAt": at, "resolvedAt": null});
        let notification = json!({"id": id, "recipient_id": 1, "type": "job", "title": HOSTILE,
            "message": HOSTILE, "chatId": id, "jobId": 1, "is_read": false, "created_at": at});
        let me: User = serde_json::from_value(me).unwrap();
        let shown = [
            super::message(&serde_json::from_value(message).unwrap(), today()),
            chats(&[serde_json::from_value(chat).unwrap()], &me),
            members(&[serde_json::from_value(member).unwrap()]),
            providers(&[serde_json::from_value(provider).unwrap()]),
            disputes(&[serde_json::from_value(dispute).unwrap()]),
            notifications(&[serde_json::from_value(notification).unwrap()]),
            user(&me),
        ];
        for text in shown {
            assert!(!text.contains(|c| c != '\n' && sanitize::is_hazard(c)), "{text:?}");
            // Two lines: the table's head and its row, or the two lines that were said.
            assert!(text.lines().count() <= 2, "{text:?}");
        }
    }

    #[test]
    fn a_short_id_is_as_long_as_it_must_be() {
        let check = |ids: &[&str], expect| {
            let ids: Vec<ChatId> = ids.iter().map(|id| id.parse().unwrap()).collect();
            assert_eq!(short_id_chars(&ids), expect);
        };
        check(&[], 6);
        check(&["0190aaaa-0000-7000-8000-000000000001", "0190aaaa-0000-7000-8000-000000000002"], 6);
        check(&["0190aaaa-0000-7000-8000-000010000001", "0190aaaa-0000-7000-8000-000020000001"], 8);
    }
}
