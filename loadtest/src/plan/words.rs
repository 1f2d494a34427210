//! Rates as people write them.

use super::RATE_MAX;

/// Messages a second: one rate, or two of which a ramp makes use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// At the begin.
    pub from: f64,
    /// At the end, or at the top.
    pub to: f64,
}

/// `200`, `200/s`, `30/min`, or two of them: `100/s..1000/s`.
///
/// # Errors
/// What a rate looks like.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let one = |text: &str| {
        let (number, per) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match per.trim() {
            "s" | "sec" => 1.0,
            "min" | "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let number: f64 = number.trim().parse().ok()?;
        let rate = number / seconds;
        (0.0..=RATE_MAX).contains(&rate).then_some(rate)
    };
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    match (one(from), one(to)) {
        (Some(from), Some(to)) => Ok(Rate { from, to }),
        _ => Err(format!("it is 200/s, 30/min or 100/s..1000/s, up to {RATE_MAX} a second")),
    }
}

/// A part of a whole, `10%` or `0.1`, as 0 to 1.
///
/// # Errors
/// What a part looks like.
pub fn parse_part(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let part = number.trim().parse::<f64>().map(|number| number * scale).ok();
    part.filter(|part| (0.0..=1.0).contains(part))
        .ok_or_else(|| "it is a part of all, as in 10%".to_owned())
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_rate(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        let check = |text: &str, expect: Option<(f64, f64)>| {
            let rate = parse_rate(text).ok().map(|rate| (rate.from, rate.to));
            assert_eq!(rate, expect, "{text}");
        };
        check("200", Some((200.0, 200.0)));
        check("30/min", Some((0.5, 0.5)));
        check("100/s..1000/s", Some((100.0, 1_000.0)));
        check("-1/s", None);
        check("inf", None);
        check("10/day", None);
    }

    #[test]
    fn parts_are_of_a_hundred_or_of_one() {
        assert_eq!((parse_part("10%"), parse_part("0.5")), (Ok(0.1), Ok(0.5)));
        assert!(parse_part("101%").is_err() && parse_part("-1%").is_err());
        assert!(parse_part("NaN").is_err() && parse_part("x").is_err());
    }
}
