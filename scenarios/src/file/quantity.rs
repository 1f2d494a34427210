//! Durations, sizes and rates: a number and a unit, `500ms`, `16KiB`, `64KB/s`.

use std::time::Duration;

/// Longest duration of a file (1 h): a scenario is a test, not a soak.
const DURATION_MAX: Duration = Duration::from_secs(3_600);

/// Largest size of a file (1 GiB): more than any line here carries.
const SIZE_MAX: u64 = 1 << 30;

/// Reads `250us`, `500ms`, `1.5s`, `2m` or `1h`. The error is a sentence.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
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

/// Reads `3B`, `64KB`, `16KiB`, `1MB` or `1MiB`, in bytes. The error is a sentence.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("`{text}` is no size; write `3B`, `64KB` or `16KiB`");
    let bytes = match unit {
        "B" => 1,
        "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "" if !number.is_empty() => {
            return Err(format!("size without a unit; write `{number}B` or `{number}KiB`"));
        }
        _ => return Err(wrong()),
    };
    let size = number.parse::<u64>().map_err(|_| wrong())?.checked_mul(bytes);
    match size {
        Some(0) => Err(format!("`{text}` is nothing at all")),
        Some(size) if size <= SIZE_MAX => Ok(size),
        Some(_) | None => Err(format!("`{text}` is more than 1024MiB")),
    }
}

/// Reads a size each second: `64KB/s`. The error is a sentence.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    match text.strip_suffix("/s") {
        Some(text) => size(text),
        None => Err(format!("`{text}` is no rate; write `64KB/s`")),
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
        let check = |text, millis| assert_eq!(duration(text), Ok(Duration::from_micros(millis)));
        check("250us", 250);
        check("500ms", 500_000);
        check("1.5s", 1_500_000);
        check("2m", 120_000_000);
        check("1h", 3_600_000_000);
        for wrong in ["5", "s", "", "5 s", "-1s", "1.2.3s", "5sec", ".5s", "5.s", "2h", "1e3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(duration("5").unwrap_err().contains("without a unit"));
    }

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        let check = |text, bytes| assert_eq!(size(text), Ok(bytes));
        check("3B", 3);
        check("64KB", 64_000);
        check("16KiB", 16_384);
        check("2MB", 2_000_000);
        check("1MiB", 1_048_576);
        for wrong in ["3", "B", "", "3 B", "0B", "-1B", "1.5KB", "3b", "3bytes", "2000MiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(size("3").unwrap_err().contains("without a unit"));
        assert_eq!(rate("64KB/s"), Ok(64_000));
        assert!(rate("64KB").is_err());
    }
}
