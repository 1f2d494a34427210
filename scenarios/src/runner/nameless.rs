//! Refusals of a server that gives them no code (`error_codes: false`): what can be compared all the
//! same is the status over HTTP and the words. What cannot is counted as unimplemented.

use serde_json::Value;
use trialogue_protocol::ErrorCode;

use crate::actor::{Reply, Wrong};
use crate::matching::quote;

/// Why a part of a step is not compared.
const NO_CODE: &str = "it was refused, but not by a code that can be compared (error_codes)";

/// Leaves of an expected refusal what can be compared, and compares its code by the status. A
/// failure of the server and a limit are no refusals, unless the step names that very status.
pub(super) fn refusal(
    pattern: &mut Value,
    status: Option<u16>,
    reply: &Reply,
) -> Result<Option<&'static str>, Wrong> {
    let fails = |got: u16| (got >= 500 || got == 429) && status != Some(got);
    if let Some(got) = reply.status.filter(|got| fails(*got)) {
        let expected = format!("a refusal with {}", quote(pattern));
        return Err(Wrong::new(expected, format!("status {got} {}", quote(&reply.json))));
    }
    let Value::Object(fields) = pattern else { return Ok(Some(NO_CODE)) };
    let is_compared = match fields.get("code") {
        Some(code) => is_by_status(code, reply)?,
        None => true,
    };
    let before = fields.len();
    fields.retain(|name, _| name == "message" || name == "code");
    let is_whole = fields.len() == before;
    fields.remove("code");
    Ok((!is_compared || !is_whole).then_some(NO_CODE))
}

/// The same of a body, whose `error` is the code at a server that has one.
pub(super) fn body(pattern: &mut Value, reply: &Reply) -> Result<Option<&'static str>, Wrong> {
    let Value::Object(fields) = pattern else { return Ok(None) };
    let Some(code) = fields.get("error").filter(|code| code_of(code).is_some()) else {
        return Ok(None);
    };
    let is_compared = is_by_status(code, reply)?;
    fields.remove("error");
    Ok((!is_compared).then_some(NO_CODE))
}

/// Whether the code has been compared by the status of the answer, with which it agrees.
fn is_by_status(code: &Value, reply: &Reply) -> Result<bool, Wrong> {
    let (Some(code), Some(got)) = (code_of(code), reply.status) else { return Ok(false) };
    // Our own `denied` says neither that there is such a thing nor that there is not.
    let agrees = got == code.http_status() || (code == ErrorCode::Denied && got == 404);
    if agrees {
        return Ok(true);
    }
    let expected = format!("a refusal as `{}`: status {}", quote_code(code), code.http_status());
    Err(Wrong::new(expected, format!("status {got} {}", quote(&reply.json))))
}

fn code_of(code: &Value) -> Option<ErrorCode> {
    serde_json::from_value(code.clone()).ok()
}

fn quote_code(code: ErrorCode) -> String {
    serde_json::to_value(code)
        .ok()
        .and_then(|code| code.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16) -> Reply {
        let json = json!({"statusCode": status, "message": "Forbidden resource"});
        Reply { status: Some(status).filter(|status| *status > 0), json, ..Reply::default() }
    }

    /// What is left to compare, and whether all of it is; or that it does not hold.
    fn left(mut pattern: Value, status: Option<u16>, got: u16) -> Option<(Value, bool)> {
        let left = refusal(&mut pattern, status, &reply(got)).ok()?;
        Some((pattern, left.is_none()))
    }

    #[test]
    fn a_code_is_compared_by_its_status_and_words_as_they_are() {
        let words = json!({"code": "denied", "message": "Forbidden resource"});
        let expect = json!({"message": "Forbidden resource"});
        assert_eq!(left(words.clone(), None, 403), Some((expect.clone(), true)));
        assert_eq!(left(words.clone(), None, 0), Some((expect, false)), "an event has no status");
        assert_eq!(left(words.clone(), None, 401), None);
        assert_eq!(left(json!({"code": "chat_closed"}), None, 404), None);
        assert_eq!(
            left(json!({"code": "denied", "retryable": false}), None, 403),
            Some((json!({}), false))
        );
    }

    #[test]
    fn a_server_that_fails_or_has_a_limit_refuses_nothing() {
        for got in [429, 500, 503] {
            assert_eq!(left(json!({}), None, got), None, "{got}");
            assert_eq!(left(json!({}), Some(got), got), Some((json!({}), true)), "it is asked for");
        }
    }

    #[test]
    fn of_a_body_all_is_compared_but_the_code() {
        let mut pattern = json!({"error": "denied", "message": "no"});
        assert_eq!(body(&mut pattern, &reply(403)), Ok(None));
        assert_eq!(pattern, json!({"message": "no"}));
        assert!(body(&mut json!({"error": "denied"}), &reply(400)).is_err());
        let mut words = json!({"error": "Forbidden"});
        assert_eq!(body(&mut words, &reply(403)), Ok(None));
        assert_eq!(words, json!({"error": "Forbidden"}), "its own word");
    }
}
