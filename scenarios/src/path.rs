//! Where a value stands in a JSON document: `$.user.id`, `$.messages[0].seq`.

use serde_json::Value;

/// A path that was read and can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field(String),
    Index(usize),
}

impl JsonPath {
    /// Reads `$`, `$.name.name` and `$.list[0]`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no path; write `$.name`, `$.list[0].name` or `$`");
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            if let Some(field) = rest.strip_prefix('.') {
                let end = field.find(['.', '[']).unwrap_or(field.len());
                if end == 0 {
                    return Err(wrong());
                }
                parts.push(Part::Field(field[..end].to_owned()));
                rest = &field[end..];
            } else {
                let index = rest.strip_prefix('[').ok_or_else(wrong)?;
                let (index, after) = index.split_once(']').ok_or_else(wrong)?;
                parts.push(Part::Index(index.parse().map_err(|_| wrong())?));
                rest = after;
            }
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The value there, if there is one.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.parts.iter().try_fold(document, |value, part| match part {
            Part::Field(name) => value.get(name),
            Part::Index(index) => value.get(index),
        })
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_value() {
        let document = serde_json::json!({"user": {"id": 7}, "list": [{"a": 1}, {"a": 2}]});
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&document).cloned();
        assert_eq!(find("$"), Some(document.clone()));
        assert_eq!(find("$.user.id"), Some(7.into()));
        assert_eq!(find("$.list[1].a"), Some(2.into()));
        assert_eq!(find("$.list[2].a"), None);
        assert_eq!(find("$.user.name"), None);
        for wrong in ["", "user", "$user", "$.", "$..a", "$.a[x]", "$.a[0", "$.a[0]b"] {
            assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
        }
    }
}
