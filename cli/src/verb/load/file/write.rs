//! Writes what was given as a plan file.

use std::fmt::Write as _;

use super::{Given, VERSION};
use crate::verb::load::phase::Phase;

/// The text of a file that says the same; `seed` is there even when nobody has named one.
pub(crate) fn write(given: &Given, seed: u64) -> String {
    let mut text = format!("load: {VERSION}\n");
    let is_list = |name: &str, values: &[String]| {
        values.len() > 1 || ["slo", "targets", "phases", "reports"].contains(&name)
    };
    for (name, values) in given {
        match values.as_slice() {
            [one] if !is_list(name, values) => _ = writeln!(text, "{name}: {}", scalar(one)),
            all => {
                _ = writeln!(text, "{name}:");
                for one in all {
                    _ = writeln!(text, "  - {}", item(name, one));
                }
            }
        }
    }
    if !given.iter().any(|(name, _)| name == "seed") {
        _ = writeln!(text, "seed: {seed}");
    }
    text
}

fn item(name: &str, value: &str) -> String {
    if name != "phases" || value.parse::<Phase>().is_err() {
        return scalar(value);
    }
    let mut parts = value.split(':').map(str::trim);
    let mut next = || scalar(parts.next().unwrap_or_default());
    let (called, length, rate) = (next(), next(), next());
    let measured = if parts.next().is_some() { ", measured: false" } else { "" };
    format!("{{ name: {called}, for: {length}, rate: {rate}{measured} }}")
}

/// Plain where YAML cannot take it for anything else, in quotes as JSON has them otherwise.
fn scalar(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let begins = value.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_number = value.parse::<f64>().is_ok();
    let fine = begins && (value.bytes().all(plain) || is_number);
    // What is a time with its unit begins with a digit and is no number.
    if fine && !["null", "yes", "no", "on", "off"].contains(&value) {
        return value.to_owned();
    }
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_becomes_a_file() {
        let given = |name: &str, values: &[&str]| {
            (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        };
        let text = write(
            &vec![
                given("workload", &["broadcast"]),
                given("rate", &["10/s..50/s"]),
                given("size", &["80%:100,20%:1000..2000"]),
                given("slo", &["reach==1"]),
                given("phases", &["warm-up:5s:10/s:unmeasured", "climb:60s:10/s..90/s"]),
            ],
            7,
        );
        insta::assert_snapshot!(text, @r#"
        load: 1
        workload: broadcast
        rate: 10/s..50/s
        size: "80%:100,20%:1000..2000"
        slo:
          - "reach==1"
        phases:
          - { name: warm-up, for: 5s, rate: 10/s, measured: false }
          - { name: climb, for: 60s, rate: 10/s..90/s }
        seed: 7
        "#);
    }
}
