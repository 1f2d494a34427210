//! A client without a screen, for screen readers and dumb terminals: each change is one line that
//! stays, most important first, time last. The same model; no boxes, no marks, nothing that moves.

mod earlier;

use std::collections::BTreeSet;

use trialogue_client::session::Update;
use trialogue_client::{LinkState, Outcome, Via};
use trialogue_protocol::{ChatId, ClientMessageId, Message, UserId};

use crate::model::Model;
use crate::model::dialog::{Dialog, Input, Kind};
use crate::msg::{Msg, Reply};
use crate::text;
use earlier::{Earlier, indented};

/// Retries that are all told (4); after them the 8th, the 16th, the 32nd and so on.
const RETRIES_TOLD: u32 = 4;
/// Choices that are read out (12); letters find any of them.
const OPTIONS_MAX: usize = 12;

/// What was said last of things that change, so that only changes are said.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    link: String,
    /// Who was said to type in the open chat.
    typing: BTreeSet<UserId>,
    notice: Option<String>,
    problem: Option<String>,
    open: Option<ChatId>,
    asked: Option<String>,
    earlier: Earlier,
}

impl Spoken {
    /// The lines about what a model has just heard.
    pub fn lines(&mut self, model: &mut Model, msg: &Msg) -> Vec<String> {
        let mut lines = Vec::new();
        if model.chats.open != self.open {
            self.open = model.chats.open;
            self.typing.clear();
            let title = self.open.and_then(|chat| model.chats.get(chat));
            lines.extend(
                title.map(|entry| format!("Chat: {}, job {}.", entry.title, entry.chat.job.id)),
            );
        }
        lines.extend(self.earlier.said(model, msg));
        match msg {
            Msg::Update(Update::Message { message, via: via @ (Via::CatchUp | Via::Backup) }) => {
                let line = said(model, message, *via);
                self.earlier.hold(model, message, *via, line);
            }
            Msg::Update(Update::Person { chat, person }) if Some(*chat) == model.chats.open => {
                let begins = person.typing && self.typing.insert(person.user_id);
                if !person.typing {
                    self.typing.remove(&person.user_id);
                }
                let is_me = model.who.id() == Some(person.user_id);
                let name = model.name_in(*chat, person.user_id).filter(|_| begins && !is_me);
                lines.extend(name.map(|name| format!("{name} is typing.")));
            }
            Msg::Update(update) => lines.extend(heard(model, update)),
            _ => {}
        }
        lines.extend(self.earlier.read(model, msg));
        if let Msg::Reply(Reply::Kept(kept)) = msg {
            lines.extend(kept.iter().filter_map(|kept| {
                let why = text::line(&kept.refused.as_ref()?.message);
                refused(model, kept.draft.chat, &kept.draft.id, &why)
            }));
        }
        let (kind, words) = link(model);
        if kind != self.link {
            // That nothing is connected before anything was tried is no news.
            let is_news = !self.link.is_empty() || model.connection.state != LinkState::Offline;
            self.link = kind;
            lines.extend(is_news.then_some(words));
        }
        if model.notice.text != self.notice {
            self.notice.clone_from(&model.notice.text);
            lines.extend(self.notice.as_deref().map(sentence));
        }
        if model.compose.problem != self.problem {
            self.problem.clone_from(&model.compose.problem);
            lines.extend(self.problem.as_deref().map(|why| sentence(&format!("not done: {why}"))));
        }
        lines.extend(self.dialog(model));
        lines
    }

    /// A page is read out and closed; a form asks for one field after the other.
    fn dialog(&mut self, model: &mut Model) -> Vec<String> {
        match &model.dialogs.open {
            Some(Dialog::Page(page)) if page.lines != ["Loading…"] => {
                let mut lines = vec![format!("{}:", page.title)];
                lines.extend(page.lines.iter().filter(|line| !line.is_empty()).cloned());
                model.dialogs.leave();
                lines
            }
            Some(Dialog::Form(form)) if matches!(form.kind, Kind::SignIn | Kind::SignUp) => {
                model.dialogs.done();
                // A line that is typed is seen by whoever looks, and a pipe's may be meant for others.
                let lines = "Nobody types a password here. /quit, then: trialogue login.";
                vec![lines.to_owned()]
            }
            Some(Dialog::Form(form)) => {
                let asked = if form.busy.is_some() {
                    format!("{}: wait.", form.title)
                } else {
                    question(form)
                };
                let mut lines = Vec::new();
                if self.asked.as_ref() != Some(&asked) {
                    lines.extend(form.problem.as_deref().map(sentence));
                    lines.push(asked.clone());
                    self.asked = Some(asked);
                }
                lines
            }
            Some(Dialog::Page(_)) => Vec::new(),
            None => {
                self.asked = None;
                Vec::new()
            }
        }
    }
}

fn question(form: &crate::model::dialog::Form) -> String {
    let Some(field) = form.fields.get(form.at) else { return String::new() };
    let now = match &field.input {
        Input::Choice { options, none, .. } if options.is_empty() => format!(" {}", sentence(none)),
        Input::Choice { options, at, .. } => {
            let chosen = options.get(*at).map_or("", String::as_str);
            let more = options.len().saturating_sub(OPTIONS_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let some: Vec<&str> = options.iter().take(OPTIONS_MAX).map(String::as_str).collect();
            format!(" One of: {}{more}. Now: {chosen}.", some.join(", "))
        }
        Input::Text(editor) if !editor.is_empty() => format!(" Now: {}.", editor.text()),
        Input::Text(_) | Input::Secret(_) => String::new(),
    };
    let colon = if field.hint.is_empty() { "" } else { ": " };
    format!(
        "{}. {}{colon}{}.{now} Type it; an empty line keeps it, a dot leaves.",
        form.title, field.label, field.hint
    )
}

/// A capital first, a stop last.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let stop = if words.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

fn heard(model: &Model, update: &Update) -> Option<String> {
    match update {
        Update::Message { message, via } => Some(said(model, message, *via)),
        Update::Outcome { client_message_id, chat, outcome } => {
            let why = match outcome {
                Outcome::Refused(refusal) | Outcome::Conflict(refusal) => &refusal.message,
                Outcome::Unknown(refusal) => &refusal.message,
                Outcome::Retrying { why, .. } => {
                    return Some(sentence(&format!("not yet sent: {}", text::line(&why.sentence))));
                }
                _ => return None,
            };
            refused(model, *chat, client_message_id, &text::line(why))
        }
        Update::Missing { from, to, .. } => {
            Some(format!("Messages {from} to {to} are missing. /history gets there."))
        }
        Update::Invited { .. } => Some("You are invited into this chat. /join accepts.".to_owned()),
        _ => None,
    }
}

/// Which message was not sent, why, and which command tries it again.
fn refused(model: &Model, chat: ChatId, id: &ClientMessageId, why: &str) -> Option<String> {
    let number = model.failed().position(|(_, pending)| pending.id == *id)? + 1;
    let title = model.chats.get(chat).map_or("another chat", |entry| entry.title.as_str());
    let why = sentence(&format!("not sent to {title}: {why}"));
    Some(format!("{why} Type /retry {number}."))
}

/// `Ravi: I am outside. (Kitchen sink leak, 16:20)`
fn said(model: &Model, message: &Message, via: Via) -> String {
    let mine = model.who.id() == Some(message.sender_id);
    let name = text::line(&message.sender_name);
    let name = if mine { "You" } else { text::first_name(&name) };
    let title = model.chats.get(message.chat_id).map_or("?", |entry| entry.title.as_str());
    let time = (model.settings.local)(message.created_at.as_datetime()).format("%H:%M");
    let words = indented(&message.message);
    let earlier = if via == Via::Live || via == Via::Ack { "" } else { "earlier, " };
    format!("{name}: {words} ({earlier}{title}, {time})")
}

/// The state of the line, without what counts down: what makes it another one, and its words. Of many
/// retries fewer and fewer are told.
fn link(model: &Model) -> (String, String) {
    let words = match &model.connection.state {
        LinkState::Offline | LinkState::Closed => "Not connected.".to_owned(),
        LinkState::Connecting { .. } => format!("Connecting to {}.", model.who.host()),
        LinkState::Reconnecting { attempt, .. } => {
            let waiting = model.waiting();
            let queued = if waiting > 0 { format!(", {waiting} queued") } else { String::new() };
            let told = if *attempt <= RETRIES_TOLD { *attempt } else { 1 << attempt.ilog2() };
            let words = format!("Reconnecting, retry {attempt}{queued}.");
            return (format!("retry {told}{queued}"), words);
        }
        LinkState::Syncing { .. } => "Connected, catching up.".to_owned(),
        LinkState::Connected => match &model.connection.caught_up {
            Some((line, _)) => format!("Connected, {line}."),
            None => "Connected.".to_owned(),
        },
        LinkState::LoginNeeded { .. } => "Signed out. Sign in with: trialogue login.".to_owned(),
    };
    (words.clone(), words)
}
