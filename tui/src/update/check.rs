//! What stands in a form, checked before it leaves.

use chrono::{Datelike as _, NaiveDateTime, TimeDelta};
use trialogue_client::Error;
use trialogue_protocol::{
    CreateJob, LINE_CHARS_MAX, Login, OpenDispute, PASSWORD_CHARS_MIN, PROSE_CHARS_MAX, Register,
    ResolveDispute, Role, Timestamp,
};

use crate::effect::Effect;
use crate::model::dialog::{Form, Input, Kind};

/// What to do, or the field at fault and why.
type Checked = Result<Effect, (&'static str, String)>;

fn needed(
    form: &Form,
    label: &'static str,
    chars_max: usize,
) -> Result<String, (&'static str, String)> {
    let text = form.text(label);
    if text.is_empty() {
        return Err((label, "needed".to_owned()));
    }
    at_most(form, label, chars_max)
}

fn at_most(
    form: &Form,
    label: &'static str,
    chars_max: usize,
) -> Result<String, (&'static str, String)> {
    let text = form.text(label);
    if text.chars().count() > chars_max {
        return Err((label, format!("at most {chars_max} characters")));
    }
    Ok(text.to_owned())
}

/// The field of a form that the server has refused, by the names that it gives in its answer.
pub(super) fn at_fault(kind: Kind, error: &Error) -> Option<&'static str> {
    let Error::Refused(refusal) = error else { return None };
    let named = refusal.details.as_ref()?.get("fields")?.as_array()?;
    let label = |name: &str| {
        Some(match (kind, name) {
            (Kind::Book, "providerId") => "Provider",
            (Kind::Book, "title") => "Title",
            (Kind::Book, "description") => "Details",
            (Kind::Book, "scheduledAt") => "When",
            (Kind::Dispute, "description") => "What",
            (Kind::Resolve, "resolution") => "Outcome",
            (Kind::SignIn | Kind::SignUp, "email") => "Email",
            (Kind::SignIn | Kind::SignUp, "password") => "Password",
            (Kind::SignUp, "firstName") => "Name",
            (Kind::SignUp, "lastName") => "Surname",
            (Kind::SignUp, "region") => "Region",
            (Kind::SignUp, "role") => "Role",
            _ => return None,
        })
    };
    named.iter().filter_map(|name| name.as_str()).find_map(label)
}

/// Signing in.
pub(super) fn sign_in(form: &Form) -> Checked {
    let server = needed(form, "Server", LINE_CHARS_MAX)?;
    let email = needed(form, "Email", trialogue_protocol::EMAIL_CHARS_MAX)?;
    let password = needed(form, "Password", trialogue_protocol::PASSWORD_CHARS_MAX)?;
    Ok(Effect::SignIn { server, login: Login { email, password } })
}

/// A new account.
pub(super) fn sign_up(form: &Form) -> Checked {
    let server = needed(form, "Server", LINE_CHARS_MAX)?;
    let names = trialogue_protocol::NAME_CHARS_MAX;
    let email = needed(form, "Email", trialogue_protocol::EMAIL_CHARS_MAX)?;
    let password = needed(form, "Password", trialogue_protocol::PASSWORD_CHARS_MAX)?;
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(("Password", format!("at least {PASSWORD_CHARS_MIN} characters")));
    }
    let role = if form.text("Role") == "provider" { Role::Provider } else { Role::Customer };
    let region = at_most(form, "Region", names)?;
    let register = Register {
        email,
        password,
        first_name: needed(form, "Name", names)?,
        last_name: needed(form, "Surname", names)?,
        role,
        region: Some(region).filter(|region| !region.is_empty()),
        business_name: None,
    };
    Ok(Effect::SignUp { server, register: Box::new(register) })
}

/// A job.
pub(super) fn booking(
    form: &Form,
    local: fn(chrono::DateTime<chrono::Utc>) -> NaiveDateTime,
) -> Checked {
    let chosen = match form.fields.first().map(|field| &field.input) {
        Some(Input::Choice { at, .. }) => form.providers.get(*at),
        _ => None,
    };
    let provider = chosen.ok_or(("Provider", "nobody to choose yet".to_owned()))?;
    let title = needed(form, "Title", LINE_CHARS_MAX)?;
    let details = at_most(form, "Details", PROSE_CHARS_MAX)?;
    let when = form.text("When");
    let scheduled_at = if when.is_empty() {
        None
    } else {
        let wall = NaiveDateTime::parse_from_str(when, "%Y-%m-%d %H:%M").ok();
        // Far from the ends of the calendar, where no other place has a date for it.
        let wall = wall.filter(|wall| (1..=9_999).contains(&wall.year()));
        let wall = wall.ok_or(("When", "such as 2026-03-04 16:00".to_owned()))?;
        // How far the clocks here are from UTC at about that time.
        let ahead: TimeDelta = local(wall.and_utc()) - wall;
        Some(Timestamp::from((wall - ahead).and_utc()))
    };
    let body = CreateJob {
        provider_id: provider.id,
        title: Some(title),
        description: Some(details).filter(|details| !details.is_empty()),
        location: None,
        scheduled_at,
        budget: None,
    };
    Ok(Effect::Book { body, key: form.key.clone() })
}

/// A dispute.
pub(super) fn dispute(form: &Form) -> Checked {
    let what = needed(form, "What", PROSE_CHARS_MAX - 20)?;
    let description = format!("{}: {what}", form.text("Reason"));
    Ok(Effect::OpenDispute(OpenDispute { chat_id: form.chat, job_id: None, description }))
}

/// How a dispute ended.
pub(super) fn resolution(form: &Form) -> Checked {
    let ResolveDispute { resolution } =
        ResolveDispute { resolution: needed(form, "Outcome", PROSE_CHARS_MAX)? };
    let dispute = form.dispute.ok_or(("Outcome", "no dispute is open".to_owned()))?;
    Ok(Effect::Resolve { dispute, text: resolution })
}
