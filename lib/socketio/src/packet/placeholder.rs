//! Checks that every placeholder of a binary packet points at one of its attachments.
//!
//! A placeholder is an object whose `_placeholder` is `true`; its `num` must be the index of an
//! attachment. Peers that resolve placeholders by index have been crashed by `num` being a name
//! (CVE-2022-2421), so a wrong one ends the connection before anybody resolves it.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Whether all placeholders in `json` have a `num` below `attachments`.
pub(super) fn all_within(json: &[u8], attachments: usize) -> bool {
    if memchr::memmem::find(json, b"_placeholder").is_none() && !json.contains(&b'\\') {
        return true;
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Walk { attachments }.deserialize(&mut deserializer).is_ok()
}

/// Visits a value and everything in it; fails at the first wrong placeholder.
#[derive(Clone, Copy)]
struct Walk {
    attachments: usize,
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut placeholder = false;
        let mut number_fits = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "_placeholder" => {
                    // The last of repeated keys wins, as in the parsers of peers.
                    placeholder = map.next_value::<&RawValue>()?.get() == "true";
                }
                "num" => number_fits = self.fits(map.next_value::<&RawValue>()?.get()),
                _ => map.next_value_seed(self)?,
            }
        }
        if placeholder && !number_fits {
            return Err(A::Error::custom("a placeholder points at no attachment"));
        }
        Ok(())
    }
}

impl Walk {
    fn fits(self, number: &str) -> bool {
        number.parse::<usize>().is_ok_and(|number| number < self.attachments)
    }
}

#[cfg(test)]
mod tests {
    use super::all_within;

    #[test]
    fn a_placeholder_must_name_an_attachment_by_index() {
        let check = |json: &str, attachments| all_within(json.as_bytes(), attachments);
        assert!(check(r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#, 2));
        assert!(check(r#"[{"_placeholder":false,"num":9}]"#, 1));
        assert!(check(r#"["_placeholder",{"num":"x"}]"#, 1));
        for json in [
            r#"[{"_placeholder":true,"num":1}]"#,
            r#"[{"_placeholder":true,"num":-1}]"#,
            r#"[{"_placeholder":true,"num":1e3}]"#,
            r#"[{"_placeholder":true,"num":"constructor"}]"#,
            r#"[{"num":0,"_placeholder":true,"num":99}]"#,
            r#"[{"_placeholder":true}]"#,
            r#"[{"a":[{"b":{"_placeholder":true,"num":1}}]}]"#,
            r#"[{"\u005fplaceholder":true,"num":99}]"#,
        ] {
            assert!(!check(json, 1), "{json}");
        }
    }
}
