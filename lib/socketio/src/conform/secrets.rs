//! What a reason may not repeat: a server that sends our auth object back is quoted in reports.

use serde_json::Value;

/// Shorter strings are no secrets, and would be found in every second word.
const SECRET_CHARS_MIN: usize = 6;
/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// The string values of an auth object, however deep, in the ways in which a quotation has them.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Those of this JSON; what is not JSON is one secret as a whole.
    #[must_use]
    pub fn new(auth: &str) -> Self {
        let mut values = Vec::new();
        collect(serde_json::from_str(auth).unwrap_or_else(|_| auth.into()), &mut values);
        let mut forms = Vec::new();
        for value in values {
            let json = inside(&Value::from(value.as_str()).to_string());
            let (debug, json_debug) = (inside(&format!("{value:?}")), inside(&format!("{json:?}")));
            forms.extend([value, json, debug, json_debug]);
        }
        // A secret may be a part of a longer one.
        forms.sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
        forms.dedup();
        Self(forms)
    }

    /// The text with `***` for each of them.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

fn collect(value: Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() >= SECRET_CHARS_MIN => found.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What stands between the quotes.
fn inside(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_however_it_is_quoted() {
        let value = "back\\slash \"quoted\" é";
        let auth = serde_json::json!({ "a": [{ "deep": value }], "role": "short", "b": "deeper" });
        let secrets = Secrets::new(&auth.to_string());
        let json = auth.to_string();
        for text in [value, &json, &format!("{value:?}"), &format!("{json:?}")] {
            let hidden = secrets.hide(&format!("came: {text}"));
            assert!(hidden.contains("***") && !hidden.contains("slash"), "{hidden}");
        }
        assert_eq!(secrets.hide("deeper than short"), "*** than short");
        assert_eq!(Secrets::new("not JSON").hide("a not JSON b"), "a *** b");
        let parts = Secrets::new(r#"["secret","secret-and-more"]"#);
        assert_eq!(parts.hide("secret-and-more"), "***");
        assert_eq!(Secrets::default().hide("nothing"), "nothing");
        assert!(!format!("{secrets:?}").contains("deep"));
    }
}
