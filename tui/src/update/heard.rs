//! What the session tells.

use trialogue_client::session::Update;
use trialogue_client::{LinkState, Outcome, Via};
use trialogue_protocol::{
    Chat, ChatId, ChatUpdated, ClientMessageId, Connected, Message, Notification, NotificationType,
    PROTOCOL_VERSION, Role, event,
};

use super::{looking, rooms};
use crate::effect::Effect;
use crate::model::Model;
use crate::model::chats::Asked;
use crate::model::log::{Fault, Joined, Older, Row, Said, Scroll, State};
use crate::msg::Now;
use crate::text;

/// How long the line about a catch-up is shown (5 s).
const CAUGHT_UP_SHOWN: std::time::Duration = std::time::Duration::from_secs(5);

/// Hears one update.
pub(super) fn heard(model: &mut Model, update: Update, now: Now, out: &mut Vec<Effect>) {
    match update {
        Update::Link(state) => link(model, state, now),
        Update::Ready(connected) => ready(model, &connected, now, out),
        Update::Joined { ack, again } => {
            model.log(ack.chat_id).joined = Joined::Yes;
            if model.invites.accepting.take_if(|chat| *chat == ack.chat_id).is_some() {
                model.notice.say("joined", now.at);
            }
            if !again {
                rooms::follow(model, ack.chat_id, out);
            }
        }
        Update::JoinFailed { chat, error } => {
            model.invites.accepting.take_if(|accepting| *accepting == chat);
            model.chats.rooms.retain(|room| *room != chat);
            model.log(chat).joined = Joined::Refused(text::line(&error.sentence()));
        }
        Update::Invited { chat, .. } => {
            model.chats.rooms.retain(|room| *room != chat);
            model.log(chat).joined = Joined::Invited;
        }
        Update::Event { name, args } if name == event::CHAT_UPDATED => {
            if let Ok(updated) = args.get::<ChatUpdated>(0) {
                chat_updated(model, updated, now);
            }
        }
        Update::Event { .. } => {}
        Update::CaughtUp { chat } => {
            let log = model.log(chat);
            if log.rows().is_empty() || log.first_seq() == Some(1) {
                log.older = Older::None;
            }
            if model.chats.open == Some(chat) {
                looking::seek(model, out);
            }
        }
        Update::Message { message, via } => said(model, &message, via, now, out),
        Update::Older { chat, messages, more } => older(model, chat, &messages, more, out),
        Update::Outcome { client_message_id, chat, outcome } => {
            became(model, &client_message_id, chat, outcome, now);
        }
        Update::Missing { chat, from, to } => {
            model.log(chat).push(Row::Missing { from, to, loading: false });
        }
        Update::Reset { chat, .. } => model.log(chat).reset(),
        Update::Person { chat, person } => {
            model.log(chat).people.insert(person.user_id, person);
        }
        Update::PersonGone { chat, user } => {
            model.log(chat).people.remove(&user);
        }
        Update::Unread { chat, count } => {
            if let Some(entry) = model.chats.get_mut(chat) {
                entry.count(count, now.wall);
            }
        }
        Update::Notification { notification, .. } => notified(model, &notification, now, out),
        Update::Journal { sentence } | Update::Backup { sentence } => {
            model.notice.complain(text::line(&sentence), now.at);
        }
    }
}

/// Older messages are here, of a server that has no pages.
fn older(model: &mut Model, chat: ChatId, messages: &[Message], more: bool, out: &mut Vec<Effect>) {
    let rows = messages.iter().map(|message| Row::Said(Said::from(message))).collect();
    let me = model.who.id();
    let log = model.log(chat);
    log.prepend(rows);
    rooms::divide(log, me);
    log.older = if more { Older::More } else { Older::None };
    if model.chats.open == Some(chat) {
        if model.is_spoken() {
            super::sending::read_up(model, out);
        }
        looking::seek(model, out);
    }
}

fn link(model: &mut Model, state: LinkState, now: Now) {
    let was_up = model.connection.is_up();
    model.connection.state = state;
    model.connection.told = now.at;
    if !was_up && model.connection.is_up() && model.connection.before.is_some() {
        model.connection.back = Some(now.at);
    }
    if was_up && !model.connection.is_up() {
        model.connection.back = None;
        let counts = model.chats.list.iter().map(|entry| (entry.chat.id, entry.unread));
        model.connection.before = Some(counts.collect());
        model.connection.caught.clear();
        model.compose.typing = None;
        for log in model.logs.values_mut() {
            if matches!(log.older, Older::Loading(_)) {
                log.older = Older::Failed;
            }
        }
    }
    if let LinkState::LoginNeeded { .. } = model.connection.state
        && model.dialogs.open.is_none()
        && model.who.user.is_none()
    {
        super::dialog::sign_in(model);
    }
}

fn ready(model: &mut Model, connected: &Connected, now: Now, out: &mut Vec<Effect>) {
    let version = connected.protocol.filter(|version| *version != PROTOCOL_VERSION);
    model.connection.other_version = version;
    if let (Some(user), Some(role)) = (&mut model.who.user, connected.role) {
        user.role = role;
    }
    model.chats.listing = crate::model::Listing::Loading(now.at);
    // What was asked before there was a line may have no answer.
    (model.chats.asked, model.invites.asked) = (Asked::default(), Asked::default());
    out.push(Effect::LoadChats);
    if model.who.is_lsm() {
        out.push(Effect::LoadInvites);
    }
}

/// The line after a loss is back and the list is here: one line of what came meanwhile.
pub(super) fn caught_up(model: &mut Model, listed: &[(ChatId, u64)], now: Now) {
    let Some(before) = model.connection.before.take() else { return };
    let mut news = std::mem::take(&mut model.connection.caught);
    for (chat, unread) in listed {
        let more = unread.saturating_sub(before.get(chat).copied().unwrap_or_default());
        let known = news.entry(*chat).or_default();
        *known = (*known).max(more);
    }
    news.retain(|_, count| *count > 0);
    let count: u64 = news.values().sum();
    if count > 0 {
        let chats = match news.len() {
            1 => "1 chat".to_owned(),
            chats => format!("{chats} chats"),
        };
        let line = format!("{count} new in {chats}");
        model.connection.caught_up = Some((line, now.at + CAUGHT_UP_SHOWN));
    }
}

fn chat_updated(model: &mut Model, updated: ChatUpdated, now: Now) {
    note_dispute(model, &updated.chat, now);
    model.chats.changed(updated.chat);
}

/// Says in an open chat what a newer state of it tells of its dispute, whichever way it came.
pub(super) fn note_dispute(model: &mut Model, chat: &Chat, now: Now) {
    let known = model.chats.get(chat.id).map(|entry| &entry.chat);
    let known = known.map(|chat| (chat.lsm_invited, chat.lsm_joined));
    let lsm = chat.members.iter().find(|member| member.role == Role::Lsm);
    let lsm = lsm.map_or("The LSM".to_owned(), |member| {
        format!("{} (LSM)", text::first_name(&text::line(&member.name)))
    });
    let text = match (known, (chat.lsm_invited, chat.lsm_joined)) {
        (Some((false, false)), (true, false)) => "Dispute opened: an LSM was asked in.".to_owned(),
        (Some((_, false)), (_, true)) => format!("{lsm} joined."),
        (Some((_, true)), (_, false)) => "Dispute resolved. The LSM has left.".to_owned(),
        _ => return,
    };
    if let Some(log) = model.logs.get_mut(&chat.id) {
        log.push(Row::Note { text, at: now.wall });
    }
}

fn said(model: &mut Model, message: &Message, via: Via, now: Now, out: &mut Vec<Effect>) {
    let chat = message.chat_id;
    let me = model.who.id();
    if via == Via::Live || via == Via::Ack {
        rooms::follow(model, chat, out);
    }
    let by_other = me != Some(message.sender_id);
    let is_open = model.chats.open == Some(chat);
    let sees = is_open && rooms::sees_end(model);
    if by_other && is_open && model.window.focus.is_none() {
        // Whoever looked, looked at what was there before.
        model.window.looked = false;
    }
    let is_news = matches!(via, Via::Live | Via::CatchUp);
    // What came while the line was away was not seen either.
    let is_fresh = via == Via::Live || is_news && model.connection.before.is_some();
    let log = model.log(chat);
    log.pending.retain(|pending| {
        let by_name = message.client_message_id.as_ref() == Some(&pending.id);
        !by_name && pending.state != State::Sent(message.id)
    });
    let row = Row::Said(Said::from(message));
    let text = row.said().map(|said| format!("{}: {}", said.name, said.text)).unwrap_or_default();
    let name = log.push(row);
    if !is_open {
        log.shorten();
    }
    if log.eye.scroll != Scroll::Bottom && is_news {
        log.eye.below += 1;
    }
    if by_other && log.new_from.is_none() {
        let after_mark = log.mark.is_some_and(|mark| message.seq.is_some_and(|seq| seq > mark));
        if after_mark || is_fresh && !sees {
            log.new_from = Some(name);
        }
    }
    if let Some(entry) = model.chats.get_mut(chat) {
        entry.chat.last_message = Some(message.clone());
    }
    if via == Via::Live {
        model.chats.to_top(chat);
    }
    if by_other && via == Via::CatchUp && model.connection.before.is_some() {
        *model.connection.caught.entry(chat).or_default() += 1;
    }
    if by_other && via == Via::Live {
        let mention = mentions(model, &message.message);
        let text = if mention { format!("you are meant: {text}") } else { text };
        rooms::alert(model, Some(chat), &text, mention, now, out);
    }
}

/// Whether a text calls the user by an at sign and the first name.
fn mentions(model: &Model, raw: &str) -> bool {
    let Some(user) = model.who.user.as_ref().filter(|_| raw.contains('@')) else { return false };
    let name = format!("@{}", text::first_name(&user.first_name).to_lowercase());
    let raw = raw.to_lowercase();
    let ends = |after: &str| !after.starts_with(char::is_alphanumeric);
    raw.match_indices(&name).any(|(at, found)| ends(&raw[at + found.len()..]))
}

fn became(model: &mut Model, id: &ClientMessageId, chat: ChatId, outcome: Outcome, now: Now) {
    let in_room = model.chats.rooms.contains(&chat);
    let Some(log) = model.logs.get_mut(&chat) else { return };
    let state = match outcome {
        Outcome::Queued => State::Queued,
        Outcome::Sending { .. } => State::Sending,
        Outcome::Retrying { next_in, why, .. } => {
            State::Waiting { why: text::line(&why.sentence), until: now.at + next_in }
        }
        Outcome::Stored { message, .. } => {
            // Its row is here already, or will be; without a room nobody brings it.
            let here = log.rows().iter().rev().take(500).filter_map(Row::said);
            if !in_room || here.into_iter().any(|said| said.id == message.id) {
                log.take_pending(id);
                return;
            }
            State::Sent(message.id)
        }
        Outcome::Refused(refusal) => {
            State::Failed { why: text::line(&refusal.message), how: Fault::Refused }
        }
        Outcome::Conflict(refusal) => {
            State::Failed { why: text::line(&refusal.message), how: Fault::Conflict }
        }
        Outcome::Unknown(refusal) => {
            State::Failed { why: text::line(&refusal.message), how: Fault::Unsure }
        }
        Outcome::Discarded => {
            log.take_pending(id);
            return;
        }
    };
    if let Some(pending) = log.pending_mut(id) {
        pending.state = state;
    }
}

fn notified(model: &mut Model, notification: &Notification, now: Now, out: &mut Vec<Effect>) {
    // The title says the same in fewer words.
    let words = [&notification.message, &notification.title];
    let words = words.into_iter().find(|words| !words.trim().is_empty());
    let words = words.map(|words| text::line(words)).unwrap_or_default();
    let known = notification.chat_id.is_some_and(|chat| model.chats.get(chat).is_some());
    if notification.kind == NotificationType::Message {
        if let Some(chat) = notification.chat_id.filter(|_| known) {
            model.chats.to_top(chat);
        }
    } else {
        model.notice.say(words.clone(), now.at);
        if model.who.is_lsm() {
            out.push(Effect::LoadInvites);
        }
    }
    if !known || notification.kind != NotificationType::Message {
        out.push(Effect::LoadChats);
    }
    let first = notification.kind != NotificationType::Message;
    // What was missed comes after the list too, one by one: the list has counted it.
    if !model.connection.is_returning(now.at) {
        rooms::alert(model, notification.chat_id, &words, first, now, out);
    }
}
