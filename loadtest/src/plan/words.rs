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
}
