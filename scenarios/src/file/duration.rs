//! Durations: a number and a unit, `500ms`.

use std::time::Duration;

/// Longest duration of a file (1 h): a scenario is a test, not a soak.
const DURATION_MAX: Duration = Duration::from_secs(3_600);

/// Reads `250us`, `500ms`, `1.5s`, `2m` or `1h`. The error is a sentence.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" => 0.000_001,
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "" if !number.is_empty() => {
            return Err(format!("duration without a unit; write `{number}s` or `{number}ms`"));
        }
        _ => return Err(format!("`{text}` is no duration; write `500ms`, `2s` or `1m`")),
    };
    let number: f64 = match number.parse() {
        Ok(number) if !number_is_odd(text) => number,
        _ => return Err(format!("`{text}` is no duration; write `500ms`, `2s` or `1m`")),
    };
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        _ => Err(format!("`{text}` is longer than an hour")),
    }
}

/// `.5s` and `5.s` are typos more often than numbers.
fn number_is_odd(text: &str) -> bool {
    text.starts_with('.') || text.contains(".s") || text.contains(".m") || text.contains(".u")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        let check = |text, millis| assert_eq!(parse(text), Ok(Duration::from_micros(millis)));
        check("250us", 250);
        check("500ms", 500_000);
        check("1.5s", 1_500_000);
        check("2m", 120_000_000);
        check("1h", 3_600_000_000);
        for wrong in ["5", "s", "", "5 s", "-1s", "1.2.3s", "5sec", ".5s", "5.s", "2h", "1e3s"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("5").unwrap_err().contains("without a unit"));
    }
}
