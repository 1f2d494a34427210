//! What the commands do.

use trialogue_client::LinkState;
use trialogue_client::people::Presence;
use trialogue_client::profile::ProfileName;
use trialogue_protocol::{ChatId, Role, UserId};

use super::{dialog, looking, quit, rooms, sending};
use crate::command::{self, COMMANDS, Verb};
use crate::effect::Effect;
use crate::keys::Place;
use crate::model::dialog::Dialog;
use crate::model::log::State;
use crate::model::{Listing, Model};
use crate::msg::Now;
use crate::text;

/// Above the list of those who have asked for an LSM.
const INVITES: &str = "Invites";

/// Runs a line that begins with a slash; a line that cannot be run stays in the input.
pub(super) fn run(model: &mut Model, line: &str, now: Now, out: &mut Vec<Effect>) {
    let (verb, args) = match command::parse(line) {
        Ok((verb, args)) => (verb, args.to_owned()),
        Err(why) => {
            model.compose.problem = Some(why);
            return;
        }
    };
    model.compose.remember(line.to_owned());
    model.compose.put_back();
    model.compose.problem = None;
    let asked = std::mem::take(&mut model.window.asked);
    let number = args.parse().ok();
    match verb {
        Verb::Book => dialog::book_with(model, &args, now, out),
        Verb::Chat => jump(model, &args, now, out),
        Verb::Chats => chats(model, args == "--unread"),
        Verb::Discard => sending::give_up(model, number, false, now, out),
        Verb::Dispute if args.is_empty() => dialog::dispute(model, now),
        Verb::Dispute => dialog::dispute_with(model, &args, now, out),
        Verb::Edit => sending::give_up(model, number, true, now, out),
        Verb::Help => help(model),
        Verb::History => sending::history(model, now, out),
        Verb::Invites => show_invites(model, out),
        Verb::Jobs => job(model, &args, now, out),
        Verb::Join => join(model, &args, now, out),
        Verb::Leave => rooms::leave(model, now, out),
        Verb::Login => dialog::sign_in_as(model, &args),
        Verb::Logout => out.push(Effect::SignOut),
        Verb::Members => members(model),
        Verb::Mute => mute(model, model.chats.open, now),
        Verb::Notifications if args == "--all" => out.push(Effect::ReadNotifications),
        Verb::Notifications => {
            out.push(Effect::LoadNotifications { unread: args == "--unread" });
        }
        Verb::Outbox if args == "--flush" => out.push(Effect::RetryNow),
        Verb::Outbox => outbox(model),
        Verb::Profile => profile(model, &args, now, out),
        Verb::Providers => {
            model.dialogs.read(dialog::PROVIDERS, vec!["Loading…".to_owned()]);
            if let Some(Dialog::Page(page)) = &mut model.dialogs.open {
                page.only = args;
            }
            out.push(Effect::LoadProviders);
        }
        Verb::Quit => quit::by_word(model, asked, now, out),
        Verb::Read => sending::mark_read(model, now, out),
        Verb::Resolve => dialog::resolve(model, &args, now, out),
        Verb::Retry => sending::retry(model, number, now, out),
        Verb::Search if args.is_empty() => {
            model.compose.problem = Some("search for what? /search TEXT".to_owned());
        }
        Verb::Search => looking::search(model, &args, now),
        Verb::Send => {
            if !sending::send(model, &args, now, out) {
                model.compose.begin(&args);
            }
        }
        Verb::Status => status(model, now),
        Verb::Whoami => whoami(model, now),
    }
}

/// First names of the others in the open chat, for completion.
pub(super) fn names(model: &Model) -> Vec<String> {
    let Some(chat) = model.chats.open else { return Vec::new() };
    let others = model.chats.others(chat, model.who.id());
    others.into_iter().filter_map(|user| model.name_in(chat, user)).collect()
}

fn jump(model: &mut Model, letters: &str, now: Now, out: &mut Vec<Effect>) {
    let scored = model.chats.list.iter().filter_map(|entry| {
        let names = entry.chat.members.iter().map(|member| text::line(&member.name));
        let line = format!(
            "{} {} {}",
            entry.title,
            entry.chat.job.id,
            names.collect::<Vec<_>>().join(" ")
        );
        text::fuzzy(&line, letters).map(|score| (score, entry.chat.id))
    });
    match scored.min_by_key(|(score, _)| *score) {
        Some((_, chat)) => rooms::open_chat(model, chat, out),
        None => model.notice.complain(format!("no chat has the letters {letters}"), now.at),
    }
}

/// Leaves this account for another one of this machine.
fn profile(model: &mut Model, name: &str, now: Now, out: &mut Vec<Effect>) {
    match name.parse::<ProfileName>() {
        Ok(_) if name == model.who.profile => {
            model.notice.say(format!("this is profile {name}"), now.at);
        }
        Ok(_) => out.push(Effect::Profile(name.to_owned())),
        Err(why) => model.compose.problem = Some(format!("which account? /profile NAME: {why}")),
    }
}

fn chats(model: &mut Model, only_unread: bool) {
    let list = model.chats.list.iter().filter(|entry| !only_unread || entry.unread > 0);
    let lines = list.map(|entry| {
        let dispute = if entry.is_disputed() { ", dispute" } else { "" };
        format!("{:>4} new  {} (job {}{dispute})", entry.unread, entry.title, entry.chat.job.id)
    });
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        lines.push(if only_unread { "Nothing unread." } else { "No jobs yet." }.to_owned());
    }
    model.dialogs.read("Chats", lines);
}

/// Keys and commands, from their tables.
pub(super) fn help(model: &mut Model) {
    let here = model.place;
    let mut lines = Vec::new();
    if model.is_spoken() {
        // There are no keys, and columns mean nothing to whoever listens.
        let said = |command: &command::Command| {
            let word = format!("/{} {}", command.word, command.args);
            format!("{}: {}", word.trim_end(), command.help)
        };
        return model.dialogs.read("Commands", COMMANDS.iter().map(said).collect());
    }
    let others = [Place::Input, Place::List, Place::Messages, Place::Dialog, Place::Trio];
    let places = [here, Place::Anywhere].into_iter();
    for place in places.chain(others.into_iter().filter(|place| *place != here)) {
        lines.push(format!("In: {}", place.as_str()));
        for (chords, action) in model.settings.keys.help(place) {
            lines.push(format!("  {:<22} {}", chords, action.help()));
        }
        lines.push(String::new());
    }
    lines.push("Commands".to_owned());
    for command in COMMANDS {
        let word = format!("/{} {}", command.word, command.args);
        lines.push(format!("  {:<22} {}", word.trim_end(), command.help));
    }
    model.dialogs.read("Help", lines);
}

/// The LSM's queue instead of a chat; where lines are read out, a list.
pub(super) fn show_invites(model: &mut Model, out: &mut Vec<Effect>) {
    if model.is_spoken() {
        model.dialogs.read(INVITES, vec!["Loading…".to_owned()]);
        return out.push(Effect::LoadInvites);
    }
    model.invites.shown = true;
    model.invites.filter.set("");
    model.chats.filtering = false;
    model.invites.listing = Listing::Loading(model.window.now);
    model.place = Place::List;
    model.window.shows_list = false;
    out.push(Effect::LoadInvites);
}

/// The queue is here: where it was asked for as a list, this is it.
pub(super) fn list_invites(model: &mut Model, failed: Option<String>) {
    let line = |dispute: &trialogue_protocol::Dispute| {
        let job = dispute.job_id;
        let why = text::line(&dispute.description);
        format!("Job {job}: {}. /join {job} accepts.", why.trim_end_matches('.'))
    };
    let mut lines: Vec<String> = match failed {
        Some(why) => vec![format!("Could not load invites: {why}")],
        None => model.invites.list.iter().map(line).collect(),
    };
    if let Some(Dialog::Page(page)) = &mut model.dialogs.open
        && page.title == INVITES
    {
        if lines.is_empty() {
            lines.push("No open disputes. Invites appear here by themselves.".to_owned());
        }
        page.lines = lines;
    }
}

/// Accepts the invitation under the cursor.
pub(super) fn join_selected(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let Some(chat) = model.invites.selected().map(|dispute| dispute.chat_id) else { return };
    accept(model, chat, now, out);
}

fn accept(model: &mut Model, chat: ChatId, now: Now, out: &mut Vec<Effect>) {
    out.push(Effect::Accept(chat));
    // It is entered by accepting, not once more by opening.
    model.chats.rooms.retain(|room| *room != chat);
    model.chats.rooms.push_back(chat);
    rooms::open_chat(model, chat, out);
    model.log(chat).joined = crate::model::log::Joined::Joining;
    model.invites.accepting = Some(chat);
    model.notice.say("joining…", now.at);
    out.extend([Effect::LoadChats, Effect::LoadInvites]);
}

fn join(model: &mut Model, letters: &str, now: Now, out: &mut Vec<Effect>) {
    let fits = |dispute: &&trialogue_protocol::Dispute| {
        let line = format!("{} {}", dispute.job_id, text::line(&dispute.description));
        letters.is_empty() || text::fuzzy(&line, letters).is_some()
    };
    let found = model.invites.list.iter().find(fits).map(|dispute| dispute.chat_id);
    let invited = |log: &crate::model::Log| log.joined == crate::model::log::Joined::Invited;
    let open = model.open_log().filter(|(_, log)| invited(log)).map(|(chat, _)| chat);
    match open.or(found) {
        Some(chat) => accept(model, chat, now, out),
        None => model.notice.complain("no invitation waits", now.at),
    }
}

/// Mutes a chat, or lets it be heard again.
pub(super) fn mute(model: &mut Model, chat: Option<ChatId>, now: Now) {
    let Some(chat) = chat else { return };
    if model.chats.muted.remove(&chat) {
        model.notice.say("heard again", now.at);
    } else {
        model.chats.muted.insert(chat);
        model.notice.say("muted: counts, but stays silent", now.at);
    }
}

/// How somebody's presence reads.
pub fn presence(presence: Presence, typing: bool) -> &'static str {
    match presence {
        _ if typing => "typing",
        Presence::Online => "online",
        Presence::Offline { .. } => "away",
        Presence::Unknown => "unknown",
    }
}

/// Those who are there; before the room is entered those of the list, of whom no more is known.
fn members(model: &mut Model) {
    let Some((chat, log)) = model.open_log() else { return };
    let line = |name: &str, role: Option<Role>, user: UserId, here: &str| {
        let role = role.map_or("", Role::short);
        let here = if Some(user) == model.who.id() { "you" } else { here };
        format!("{}, {role}, {here}", text::line(name))
    };
    let entry = model.chats.get(chat);
    let listed = entry.map(|entry| entry.chat.members.as_slice()).unwrap_or_default();
    let unseen = listed.iter().filter(|member| !log.people.contains_key(&member.user_id));
    let people = log.people.values().map(|person| {
        let name = person.name.as_deref().unwrap_or_default();
        line(name, person.role, person.user_id, presence(person.presence, person.typing))
    });
    let unknown = presence(Presence::Unknown, false);
    let lines = people
        .chain(unseen.map(|member| line(&member.name, Some(member.role), member.user_id, unknown)));
    let lines = lines.collect();
    let title = entry.map(|entry| entry.title.clone()).unwrap_or_default();
    model.dialogs.read(format!("Members · {title}"), lines);
}

fn outbox(model: &mut Model) {
    let mut lines = Vec::new();
    for (chat, log) in &model.logs {
        let title = model.chats.get(*chat).map_or("?", |entry| entry.title.as_str());
        for pending in &log.pending {
            let state = match &pending.state {
                State::Queued => "queued".to_owned(),
                State::Sending => "sending".to_owned(),
                State::Waiting { why, .. } => format!("waits: {why}"),
                State::Sent(_) => "sent".to_owned(),
                State::Failed { why, how } => format!("{}: {why}", how.word()),
            };
            lines.push(format!("{title}: {} ({state})", pending.text.replace('\n', " ")));
        }
    }
    if lines.is_empty() {
        lines.push("Everything is stored.".to_owned());
    }
    model.dialogs.read("Outbox", lines);
}

fn job(model: &mut Model, word: &str, now: Now, out: &mut Vec<Effect>) {
    let Some(entry) = model.chats.open.and_then(|chat| model.chats.get(chat)) else {
        return model.notice.complain("no chat is open", now.at);
    };
    let job = entry.chat.job.id;
    match word {
        "complete" => out.push(Effect::CompleteJob(job)),
        "cancel" => out.push(Effect::CancelJob(job)),
        "" => {
            let text = format!("job {job}: {}, {}", entry.title, entry.chat.job.status);
            model.notice.say(text, now.at);
        }
        other => model.notice.complain(format!("jobs: complete or cancel, not {other}"), now.at),
    }
}

fn status(model: &mut Model, now: Now) {
    let state = match &model.connection.state {
        LinkState::Connected => "connected".to_owned(),
        LinkState::Reconnecting { attempt, why, .. } => {
            format!("reconnecting, retry {attempt}: {}", text::line(&why.sentence))
        }
        other => format!("{other:?}").to_lowercase(),
    };
    let waiting = model.waiting();
    model.notice.say(format!("{state}, {waiting} queued, {}", model.who.server), now.at);
}

fn whoami(model: &mut Model, now: Now) {
    let text = match &model.who.user {
        Some(user) => {
            let name = text::line(&format!("{} {}", user.first_name, user.last_name));
            format!("{name} ({}), profile {}", user.role.short(), model.who.profile)
        }
        None => "nobody is signed in".to_owned(),
    };
    model.notice.say(text, now.at);
}
