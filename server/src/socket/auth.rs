//! Who connects: the token of the CONNECT packet, or of the header behind it (CONTRACT §2).

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest token that is looked at, in bytes (RFC 8725: bound what you parse).
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// The token that came with a CONNECT: `{token}` in its auth, else `Authorization: Bearer`. Never
/// from the URL, which ends up in logs. `None` when there is none, or none of a sane size.
pub(crate) fn token_of(auth: Option<&RawValue>, headers: &HeaderMap) -> Option<String> {
    #[derive(Deserialize)]
    struct Auth {
        token: Option<String>,
    }
    // An array would be read as a struct, field by field.
    let object = auth.map(RawValue::get).filter(|auth| auth.starts_with('{'));
    let sent = object.and_then(|auth| serde_json::from_str::<Auth>(auth).ok()?.token);
    // Browsers' code is often written with the scheme in front.
    let sent = sent.map(|token| token.strip_prefix("Bearer ").map_or(token.clone(), str::to_owned));
    sent.or_else(|| bearer(headers))
        .filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES_MAX)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(auth: Option<&str>, header: Option<&str>, expect: Option<&str>) {
        let auth = auth.map(|text| RawValue::from_string(text.to_owned()).unwrap());
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(token_of(auth.as_deref(), &headers).as_deref(), expect, "{auth:?} {header:?}");
    }

    #[test]
    fn a_token_comes_in_the_packet_or_in_the_header() {
        check(Some(r#"{"token":"abc"}"#), None, Some("abc"));
        check(Some(r#"{"token":"Bearer abc"}"#), None, Some("abc"));
        check(Some(r#"{"token":"abc"}"#), Some("Bearer xyz"), Some("abc"));
        check(None, Some("bearer xyz"), Some("xyz"));
        check(Some("{}"), Some("Bearer xyz"), Some("xyz"));
    }

    #[test]
    fn anything_else_is_no_token() {
        check(None, None, None);
        check(Some(r#"{"token":5}"#), None, None);
        check(Some(r#"["abc"]"#), None, None);
        check(Some(r#"{"token":""}"#), None, None);
        check(None, Some("Basic abc"), None);
        check(Some(&format!(r#"{{"token":"{}"}}"#, "x".repeat(5_000))), None, None);
    }
}
