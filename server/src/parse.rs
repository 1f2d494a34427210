//! Reads the JSON that clients send, over REST and over sockets alike, and says which field is
//! wrong. What stands in a field is never repeated: it may be a password, or somebody else's text.

use serde::de::DeserializeOwned;
use trialogue_protocol::ErrorCode;

use crate::error::Error;

/// Reads an object. `what` is its name in the sentence of a refusal: the body, the argument.
///
/// # Errors
///
/// `bad_request`: no object, no JSON, or a field that is missing or of the wrong form, by name.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Error> {
    let bad = |message: String| Error::new(ErrorCode::BadRequest, message);
    // Serde would fill a struct from an array too, by position.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad(format!("the {what} is not a JSON object")));
    }
    let no_json = || bad(format!("the {what} is not JSON"));
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return no_json();
        }
        let text = inner.to_string();
        if let Some(field) = text.strip_prefix("missing field `").and_then(|t| t.split('`').next())
        {
            return Error::field(field.to_owned(), format!("{field} is missing"));
        }
        let field = if path == "." { what.to_owned() } else { path };
        let sentence = wrong_value(&field, &text);
        Error::field(field, sentence)
    })?;
    json.end().map_err(|_| no_json())?;
    Ok(value)
}

/// The protocol's own sentences are kept; those of serde repeat the value and are not.
fn wrong_value(field: &str, text: &str) -> String {
    let sentence = text.split(" at line ").next().unwrap_or_default();
    let ours = ["not a", "role is"].iter().any(|begin| sentence.starts_with(begin));
    if ours { format!("{field}: {sentence}") } else { format!("{field} has the wrong type") }
}

#[cfg(test)]
mod tests {
    use trialogue_protocol::{CreateJob, MarkRead, Register, SendMessage, Typing};

    use super::*;

    fn fields<T: DeserializeOwned>(body: &str) -> (ErrorCode, String) {
        let error = object::<T>(body.as_bytes(), "body").err().unwrap();
        let details = error.body().details.map(|details| details["fields"][0].to_string());
        (error.code(), details.unwrap_or_default() + " " + error.message())
    }

    #[test]
    fn a_wrong_body_is_told_which_field() {
        let check = |body: &str, expect: &str| {
            let (code, text) = fields::<CreateJob>(body);
            assert_eq!(code, ErrorCode::BadRequest);
            assert_eq!(text, expect, "{body}");
        };
        check("{}", "\"providerId\" providerId is missing");
        check(r#"{"providerId":"7"}"#, "\"providerId\" providerId has the wrong type");
        check(r#"{"providerId":7,"title":["<script>"]}"#, "\"title\" title has the wrong type");
        check(
            r#"{"providerId":7,"scheduledAt":"soon"}"#,
            "\"scheduledAt\" scheduledAt: not an RFC 3339 time",
        );
        check("[7]", " the body is not a JSON object");
        check("", " the body is not a JSON object");
        check("{", " the body is not JSON");
        check(r#"{"providerId":7} x"#, " the body is not JSON");
        check(r#"{"providerId":1e400}"#, " the body is not JSON");
        let deep = format!(r#"{{"providerId":7,"x":{}"#, "[".repeat(100_000));
        assert_eq!(fields::<CreateJob>(&deep).1, " the body is not JSON");
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let (_, text) = fields::<Register>(
            r#"{"email":"a","password":4711471147,"firstName":"a","lastName":"b","role":"x"}"#,
        );
        assert!(!text.contains("4711"), "{text}");
        let (_, text) = fields::<Register>(
            r#"{"email":"a","password":"p","firstName":"a","lastName":"b","role":"<b>"}"#,
        );
        assert_eq!(text, "\"role\" role: role is none of customer, provider, lsm");
    }

    #[test]
    fn the_argument_of_a_socket_is_told_the_same_and_not_repeated() {
        fn check<T: DeserializeOwned>(argument: &str, expect: &str) {
            let error = object::<T>(argument.as_bytes(), "argument").err().unwrap();
            assert_eq!(error.ack().message, expect, "{argument}");
        }
        let chat = "\"chatId\":\"018f0000-0000-7000-8000-000000000001\"";
        check::<Typing>(&format!("{{{chat},\"isTyping\":\"yes\"}}"), "isTyping has the wrong type");
        check::<SendMessage>(&format!("{{{chat},\"message\":4711}}"), "message has the wrong type");
        check::<SendMessage>(r#"{"chatId":"4711"}"#, "chatId: not a valid ChatId");
        check::<MarkRead>("{}", "chatId is missing");
        check::<Typing>("[1]", "the argument is not a JSON object");
        check::<Typing>("{\"a\":", "the argument is not JSON");
    }
}
