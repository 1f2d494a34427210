//! Schemas of the words whose form a derive cannot see: ids, times, roles, and the forms of text.
//!
//! A form says exactly what the server takes: whatever matches is not refused for its looks, and
//! whatever does not match is `bad_request`. Generated tests rest on that.

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{ArrayBuilder, OneOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::ids::{ChatId, ClientMessageId, DisputeId, JobId, MessageId, NotificationId, UserId};
use crate::limits::{
    BUDGET_MAX, CLIENT_MESSAGE_ID_CHARS_MAX, EMAIL_CHARS_MAX, LINE_CHARS_MAX, NAME_CHARS_MAX,
    PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PROSE_CHARS_MAX,
};
use crate::model::Role;
use crate::rest::OpenDispute;
use crate::text::Timestamp;

/// Characters that no line of text may have: controls, what turns the reading direction, what ends
/// a line.
const UNWELCOME: &str = concat!(
    r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029",
    r"\u202a-\u202e\u2066-\u2069\ufeff"
);
/// Blanks among the others.
const BLANK: &str = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000";
/// What takes no place on a screen: a name of nothing else is none.
const UNSEEN: &str = concat!(
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u2800",
    r"\u3164\ufe00-\ufe0f\uffa0",
    // Beyond four hexadecimal digits the dialects of patterns differ.
    "\u{e0000}-\u{e0fff}"
);
/// All blanks, line ends included.
const WHITE: &str =
    concat!(r"\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a", r"\u2028\u2029\u202f\u205f\u3000");

/// Largest integer that every reader of JSON keeps exactly.
const INTEGER_MAX: i64 = (1 << 53) - 1;

fn text(chars_max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(chars_max))
}

fn number_id(what: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(INTEGER_MAX))
        .description(Some(what))
}

fn uuid_id(what: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .description(Some(what))
}

/// One line with something to see in it.
fn line(chars_max: usize) -> ObjectBuilder {
    let any = format!("[^{UNWELCOME}]*");
    let some = format!("[^{UNWELCOME}{BLANK}{UNSEEN}]");
    text(chars_max).min_length(Some(1)).pattern(Some(format!("^{any}{some}{any}$")))
}

/// One line or nothing.
fn line_if_any(chars_max: usize) -> ObjectBuilder {
    text(chars_max).pattern(Some(format!("^[^{UNWELCOME}]*$")))
}

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident $schema:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        schemas!($name $schema;);
    )*};
}

macro_rules! schemas {
    ($($name:ident $schema:expr;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::from($schema))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

forms! {
    /// A name of somebody.
    Name line(NAME_CHARS_MAX);
    /// A region or a business, if any.
    NameGiven line_if_any(NAME_CHARS_MAX);
    /// A title or a location, if any.
    Line line_if_any(LINE_CHARS_MAX);
    /// Text of several lines.
    Prose text(PROSE_CHARS_MAX)
        .min_length(Some(1))
        .pattern(Some(format!(r"^[^\u0000]*[^\u0000{WHITE}][^\u0000]*$")));
    /// Text of several lines, if any.
    ProseGiven text(PROSE_CHARS_MAX).pattern(Some(r"^[^\u0000]*$"));
    /// An address that could exist.
    Email {
        let part = format!("[^@{UNWELCOME}{BLANK}]+");
        text(EMAIL_CHARS_MAX).pattern(Some(format!("^[{BLANK}]*{part}@{part}[{BLANK}]*$")))
    };
    /// A password to begin with.
    Password text(PASSWORD_CHARS_MAX)
        .min_length(Some(PASSWORD_CHARS_MIN))
        .pattern(Some(r"^[^\u0000]*$"));
    /// A password as typed.
    PasswordGiven text(PASSWORD_CHARS_MAX);
    /// A sum of money.
    Budget ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(BUDGET_MAX));
    /// A role in any spelling that the contract reads.
    RoleGiven text(LINE_CHARS_MAX).pattern(Some(role_pattern()));
    /// What an error says of the request.
    ErrorDetails ObjectBuilder::new()
        .property("fields", ArrayBuilder::new().items(Object::with_type(Type::String)))
        .required("fields");
}

schemas! {
    UserId number_id("A user, of any role.");
    JobId number_id("A booked job.");
    DisputeId number_id("A dispute about a chat.");
    ChatId uuid_id("A chat: the conversation that belongs to one job.");
    MessageId uuid_id("A stored message.");
    NotificationId uuid_id("A stored notification.");
    ClientMessageId text(CLIENT_MESSAGE_ID_CHARS_MAX)
        .min_length(Some(1))
        .pattern(Some("^[A-Za-z0-9._:-]+$"))
        .description(Some("The sender's own name for a message."));
    Timestamp ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("RFC 3339; answers are in UTC with milliseconds."));
    Role ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Role::ALL.map(Role::as_str)))
        .description(Some("Who somebody is."));
}

/// Any case of the long and the short names.
fn role_pattern() -> String {
    let names = Role::ALL.iter().flat_map(|role| [role.as_str(), role.short()]);
    let mut words: Vec<String> = names.map(any_case).collect();
    words.sort();
    words.dedup();
    format!("^({})$", words.join("|"))
}

fn any_case(word: &str) -> String {
    let letter = |c: char| match c {
        'a'..='z' => format!("[{c}{}]", c.to_ascii_uppercase()),
        other => other.to_string(),
    };
    word.chars().map(letter).collect()
}

/// A chat or a job, never both: what a derive cannot say.
impl PartialSchema for OpenDispute {
    fn schema() -> RefOr<Schema> {
        let of = |field: &str, id: RefOr<Schema>, other: &str| {
            ObjectBuilder::new()
                .property("description", Prose::schema())
                .property(field, id)
                .property(other, Object::with_type(Type::Null))
                .required("description")
                .required(field)
                .build()
        };
        RefOr::T(Schema::OneOf(
            OneOfBuilder::new()
                .item(of("chatId", ChatId::schema(), "jobId"))
                .item(of("jobId", JobId::schema(), "chatId"))
                .description(Some("A chat or its job, and why."))
                .build(),
        ))
    }
}

impl ToSchema for OpenDispute {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("OpenDispute")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_described_in_any_case_and_once() {
        let pattern = role_pattern();
        assert!(pattern.starts_with("^([cC][uU][sS][tT][oO][mM][eE][rR]|"), "{pattern}");
        assert!(pattern.contains("[lL][oO][cC][aA][lL]_[sS]"), "{pattern}");
        assert_eq!(pattern.matches('|').count(), 4, "customer once, the others twice: {pattern}");
    }
}
