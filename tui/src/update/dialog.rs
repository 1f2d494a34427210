//! Forms: what is asked, what keys do in them, what follows from the answers.

use trialogue_protocol::{OpenDispute, Provider, Role};

use super::{check, command, input, quit};
use crate::command::flag;
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;
use crate::model::dialog::{Dialog, Field, Form, Input, Kind};
use crate::msg::Now;
use crate::text;

/// Above the page of those that can be booked.
pub(super) const PROVIDERS: &str = "Providers";
/// Reasons for a dispute.
pub const REASONS: [&str; 5] = ["not done", "poor work", "price", "no show", "other"];

/// The form that asks who the user is.
pub fn sign_in_form(model: &mut Model) -> Form {
    let server = model.who.server.clone();
    let email = model.who.user.as_ref().and_then(|user| user.email.clone()).unwrap_or_default();
    let fields = vec![
        Field::line("Server", &server, "the address of a Trialogue server"),
        Field::line("Email", &text::line(&email), "as registered"),
        Field::secret("Password", "is not shown"),
    ];
    let mut form = Form::new(Kind::SignIn, "Sign in", fields, String::new());
    form.at = if email.is_empty() { 1 } else { 2 };
    form
}

/// Opens it.
pub(super) fn sign_in(model: &mut Model) {
    let form = sign_in_form(model);
    model.dialogs.fill(form);
}

/// The same for somebody in particular.
pub(super) fn sign_in_as(model: &mut Model, email: &str) {
    sign_in(model);
    let Some(form) = model.dialogs.form_of(Kind::SignIn).filter(|_| !email.is_empty()) else {
        return;
    };
    if let Some(editor) = form.fields.get_mut(1).and_then(Field::editor) {
        editor.set(email);
        form.at = 2;
    }
}

/// The form that makes an account.
fn sign_up(model: &mut Model) {
    let server = model.who.server.clone();
    let fields = vec![
        Field::line("Server", &server, "the address of a Trialogue server"),
        Field::line("Email", "", "your address"),
        Field::secret("Password", "8 characters at least"),
        Field::line("Name", "", "what others call you"),
        Field::line("Surname", "", ""),
        Field::choice("Role", &["customer", "provider"]),
        Field::line("Region", "", "where a provider works"),
    ];
    let mut form = Form::new(Kind::SignUp, "Make an account", fields, String::new());
    form.at = 1;
    model.dialogs.fill(form);
}

/// The form that books a job.
pub(super) fn book(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    if model.who.role().is_some_and(|role| role != Role::Customer) {
        return model.notice.complain("only customers book jobs", now.at);
    }
    let fields = vec![
        Field::list("Provider", "asking who can be booked…", "letters find"),
        Field::line("Title", "", "needed, at most 200 characters"),
        Field::block("Details", "what is to be done"),
        Field::line("When", "", "such as 2026-03-04 16:00, or nothing"),
    ];
    let key = model.ids.fresh().to_string();
    model.dialogs.fill(Form::new(Kind::Book, "Book a job", fields, key));
    out.push(Effect::LoadProviders);
}

/// The same with what the command says already.
pub(super) fn book_with(model: &mut Model, args: &str, now: Now, out: &mut Vec<Effect>) {
    book(model, now, out);
    let Some(form) = model.dialogs.form_of(Kind::Book) else { return };
    for field in &mut form.fields {
        let name = field.label.to_lowercase();
        let Some(value) = flag(args, &name) else { continue };
        match &mut field.input {
            Input::Text(editor) | Input::Secret(editor) => editor.set(value),
            Input::Choice { typed, .. } => value.clone_into(typed),
        }
    }
}

/// Providers are here: they can be chosen, or read.
pub(super) fn offer_providers(model: &mut Model, providers: Vec<Provider>) {
    let words: Vec<String> = providers
        .iter()
        .map(|provider| {
            let parts =
                [Some(&provider.name), provider.business_name.as_ref(), provider.region.as_ref()];
            let parts: Vec<String> =
                parts.into_iter().flatten().map(|part| text::line(part)).collect();
            parts.join(" · ")
        })
        .collect();
    if let Some(form) = model.dialogs.form_of(Kind::Book) {
        form.providers = providers;
        if let Some(Field { input: Input::Choice { options, at, typed, none }, .. }) =
            form.fields.first_mut()
        {
            *none = "nobody can be booked yet";
            *at = words.iter().position(|word| text::fuzzy(word, typed).is_some()).unwrap_or(0);
            *options = words;
        }
    } else if let Some(Dialog::Page(page)) = &mut model.dialogs.open
        && page.title == PROVIDERS
    {
        let fits = |word: &String| text::fuzzy(word, &page.only).is_some();
        page.lines = words.into_iter().filter(fits).collect();
        if page.lines.is_empty() {
            page.lines.push("Nobody can be booked yet.".to_owned());
        }
    }
}

/// Nobody can be chosen, and this is why.
pub(super) fn no_providers(model: &mut Model, why: &'static str) {
    let Some(form) = model.dialogs.form_of(Kind::Book) else { return };
    if let Some(Field { input: Input::Choice { options, none, .. }, .. }) = form.fields.first_mut()
        && options.is_empty()
    {
        *none = why;
    }
}

/// The form that files a dispute about the open chat.
pub(super) fn dispute(model: &mut Model, now: Now) {
    let Some(chat) = model.chats.open else {
        return model.notice.complain("a dispute is about a chat: open one first", now.at);
    };
    if model.who.role() == Some(Role::Provider) && !model.who.can.dispute_by_provider {
        return model.notice.complain("on this server only customers open disputes", now.at);
    }
    let job = model.chats.get(chat).map(|entry| entry.chat.job.id.to_string()).unwrap_or_default();
    let fields = vec![Field::choice("Reason", &REASONS), Field::block("What", "what went wrong")];
    let mut form =
        Form::new(Kind::Dispute, format!("File a dispute · job {job}"), fields, String::new());
    form.chat = Some(chat);
    model.dialogs.fill(form);
}

/// The same in one line.
pub(super) fn dispute_with(model: &mut Model, text: &str, now: Now, out: &mut Vec<Effect>) {
    let Some(chat) = model.chats.open else {
        return model.notice.complain("a dispute is about a chat: open one first", now.at);
    };
    let description = text.to_owned();
    out.push(Effect::OpenDispute(OpenDispute { chat_id: Some(chat), job_id: None, description }));
}

/// Ends the dispute of the open chat, in one line or by a form.
pub(super) fn resolve(model: &mut Model, text: &str, now: Now, out: &mut Vec<Effect>) {
    let open = model.chats.open;
    let found = model.invites.joined.iter().find(|dispute| Some(dispute.chat_id) == open);
    let Some((dispute, job)) = found.map(|dispute| (dispute.id, dispute.job_id)) else {
        return model.notice.complain("no dispute that you have joined is open here", now.at);
    };
    if !text.is_empty() {
        return out.push(Effect::Resolve { dispute, text: text.to_owned() });
    }
    let fields = vec![Field::block("Outcome", "how it ended: both will read it")];
    let mut form =
        Form::new(Kind::Resolve, format!("Resolve the dispute · job {job}"), fields, String::new());
    (form.chat, form.dispute) = (open, Some(dispute));
    model.dialogs.fill(form);
}

/// Text goes into the field with the cursor.
pub(super) fn typed(model: &mut Model, text: &str) {
    let Some(form) = model.dialogs.form().filter(|form| form.busy.is_none()) else { return };
    form.problem = None;
    let Some(field) = form.field() else { return };
    let one_line = field.rows == 1;
    match &mut field.input {
        Input::Text(editor) | Input::Secret(editor) => {
            let text = if one_line { text.replace(['\n', '\r'], " ") } else { text.to_owned() };
            editor.insert(&text);
        }
        Input::Choice { options, at, typed, .. } => {
            typed.push_str(text);
            let fits = |needle: &str| options.iter().position(|o| text::fuzzy(o, needle).is_some());
            match fits(typed) {
                Some(found) => *at = found,
                None => {
                    text.clone_into(typed);
                    *at = fits(typed).unwrap_or(*at);
                }
            }
        }
    }
}

/// A line for the field with the cursor, where there is no screen; an empty one keeps what is
/// there. The last field sends the form, `.` leaves it.
pub(super) fn line(model: &mut Model, line: &str, now: Now, out: &mut Vec<Effect>) {
    let Some(form) = model.dialogs.form().filter(|form| form.busy.is_none()) else { return };
    if line == "." {
        return model.dialogs.leave();
    }
    let last = form.at + 1 == form.fields.len();
    if !line.is_empty() {
        if let Some(editor) = form.field().and_then(Field::editor) {
            editor.set("");
        }
        typed(model, line);
    }
    if last {
        submit(model, now, out);
    } else if let Some(form) = model.dialogs.form() {
        form.step(1);
    }
}

/// A key in a form or on a page.
pub(super) fn act(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    match action {
        Action::Quit => return quit::quit(model, action, now, out),
        Action::Redraw => return out.push(Effect::Redraw),
        Action::Suspend => return out.push(Effect::Suspend),
        Action::Back => return model.dialogs.leave(),
        Action::Mouse | Action::RetryNow => return input::act(model, action, now, out),
        _ => {}
    }
    let height = usize::from(model.window.size.1).saturating_sub(6).max(1);
    match &mut model.dialogs.open {
        Some(Dialog::Page(page)) => {
            let last = page.lines.len().saturating_sub(1);
            page.top = match action {
                Action::Up => page.top.saturating_sub(1),
                Action::Down => page.top + 1,
                Action::PageUp => page.top.saturating_sub(height),
                Action::PageDown => page.top + height,
                Action::First | Action::LineStart => 0,
                Action::Last | Action::LineEnd => last,
                Action::Send | Action::Submit => return model.dialogs.leave(),
                _ => page.top,
            }
            .min(last);
        }
        Some(Dialog::Form(form)) if form.busy.is_none() => {
            in_form(model, action, now, out);
        }
        Some(Dialog::Form(_)) | None => {}
    }
}

fn in_form(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    let Some(form) = model.dialogs.form() else { return };
    let kind = form.kind;
    let last = form.at + 1 == form.fields.len();
    let Some(field) = form.field() else { return };
    let many_rows = field.rows > 1;
    match action {
        Action::NextField => form.step(1),
        Action::PreviousField => form.step(-1),
        Action::Submit => submit(model, now, out),
        // Nothing that cannot be undone on a bare Enter: only signing in is sent by it.
        Action::Send if kind == Kind::SignIn && last => submit(model, now, out),
        Action::Send if many_rows => typed(model, "\n"),
        Action::Send => form.step(1),
        Action::NewLine if many_rows => typed(model, "\n"),
        // On the form that signs in these two are the other ways in.
        Action::Help if kind == Kind::SignIn => {}
        Action::Help => command::help(model),
        Action::Book if kind == Kind::SignIn => sign_up(model),
        Action::Dispute if kind == Kind::SignIn => out.push(Effect::Demo),
        Action::Up | Action::Down => {
            let by = if action == Action::Up { -1 } else { 1 };
            let moved = match field.editor().filter(|_| many_rows) {
                Some(editor) if by < 0 => editor.up(52),
                Some(editor) => editor.down(52),
                None => false,
            };
            if !moved {
                form.step(by);
            }
        }
        other => match &mut field.input {
            Input::Text(editor) | Input::Secret(editor) => {
                if input::edit(editor, other) {
                    form.problem = None;
                }
            }
            Input::Choice { options, at, typed, .. } => {
                let last = options.len().saturating_sub(1);
                typed.clear();
                match other {
                    Action::Left => *at = at.saturating_sub(1),
                    Action::Right => *at = (*at + 1).min(last),
                    _ => {}
                }
            }
        },
    }
}

/// Checks a form and sends it; a problem stays in the form.
fn submit(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let local = model.settings.local;
    let Some(form) = model.dialogs.form() else { return };
    let effect = match form.kind {
        Kind::SignIn => check::sign_in(form),
        Kind::SignUp => check::sign_up(form),
        Kind::Book => check::booking(form, local),
        Kind::Dispute => check::dispute(form),
        Kind::Resolve => check::resolution(form),
    };
    match effect {
        Ok(mut effect) => {
            if form.send(now.at)
                && let Effect::Book { key, .. } = &mut effect
            {
                // The old key belongs to what was said then.
                form.key = model.ids.fresh().to_string();
                form.key.clone_into(key);
            }
            out.push(effect);
        }
        Err((label, why)) => form.reject(label, format!("{label}: {why}")),
    }
}
