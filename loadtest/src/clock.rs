//! How far a target's clock is from this machine's. No latency needs it, since each is taken on one
//! clock; when a token ends is decided by both.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use trialogue_client::{Error, Http};

use crate::preflight::Check;

/// Exchanges of one look.
const EXCHANGES: u32 = 8;
/// Between two of them: together they see the second change once at least.
const PAUSE: Duration = Duration::from_millis(150);
/// A stamp says nothing below a second.
const STAMP: TimeDelta = TimeDelta::seconds(1);
/// More than that is warned of, in milliseconds.
const OFFSET_MAX: i64 = 2_000;

/// What is known of the offset: it lies between these, in milliseconds; positive: theirs is ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Offset(Option<(i64, i64)>);

impl Offset {
    /// The server said this at some moment between two of ours; each exchange leaves less room.
    fn narrow(&mut self, said: DateTime<Utc>, (before, after): (DateTime<Utc>, DateTime<Utc>)) {
        let low = (said - after).num_milliseconds();
        let high = (said + STAMP - before).num_milliseconds();
        self.0 = Some(self.0.map_or((low, high), |known| (known.0.max(low), known.1.min(high))));
    }

    fn judge(self) -> Check {
        let check = |held, seen: String, fix| Check { name: "clock", held, seen, fix };
        let (low, high) = match self.0 {
            None => return check(None, "the target does not say the time".to_owned(), None),
            Some((low, high)) if low > high => {
                let why = "one of both clocks was set while it was looked at";
                return check(None, why.to_owned(), None);
            }
            Some(known) => known,
        };
        let seconds = |millis: i64| millis as f64 / 1e3;
        let (offset, bound) = ((low + high) / 2, (high - low + 1) / 2);
        let seen = format!(
            "the target's is {:+.2} s from this machine's, ± {:.2} s",
            seconds(offset),
            seconds(bound)
        );
        if low > OFFSET_MAX || high < -OFFSET_MAX {
            let fix = "set both by NTP (timedatectl set-ntp true): when a token ends is judged by \
                       both; latencies are taken on one";
            return check(None, seen, Some(fix.to_owned()));
        }
        check(Some(true), seen, None)
    }
}

/// Asks the target for the time, some eight times within a second. Only told: `held` is never false.
///
/// # Errors
/// No answer.
pub async fn look(http: &Http) -> Result<Check, Error> {
    let mut offset = Offset::default();
    for turn in 0..EXCHANGES {
        if turn > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let before = Utc::now();
        let Some(said) = http.date().await? else { break };
        offset.narrow(said, (before, Utc::now()));
    }
    Ok(offset.judge())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exchanges of 10 ms each, 150 ms apart, at a server that is so many milliseconds ahead.
    fn looked(ahead: i64) -> Check {
        let at = |millis| DateTime::from_timestamp_millis(1_700_000_000_300 + millis).unwrap();
        let mut offset = Offset::default();
        for turn in 0..8 {
            let before = turn * 150;
            let said = at(before + 5 + ahead).timestamp();
            let said = DateTime::from_timestamp(said, 0).unwrap();
            offset.narrow(said, (at(before), at(before + 10)));
        }
        offset.judge()
    }

    #[test]
    fn stamps_of_whole_seconds_tell_an_offset_to_a_fraction_of_one() {
        let check = |ahead: i64, held, words: &str| {
            let check = looked(ahead);
            assert_eq!(check.held, held, "{check:?}");
            assert!(check.seen.contains(words), "{check:?}");
            let numbers = check.seen.split_whitespace().filter_map(|word| word.parse().ok());
            let numbers: Vec<f64> = numbers.collect();
            let (offset, bound) = (numbers[0], numbers[1]);
            assert!((offset - ahead as f64 / 1e3).abs() <= bound && bound <= 0.1, "{check:?}");
            assert_eq!(check.fix.is_some(), held.is_none());
        };
        check(0, Some(true), "± 0.0");
        check(1_700, Some(true), "+1.");
        check(-1_500, Some(true), "-1.");
        check(4_000, None, "+4.");
        check(-90_500, None, "-90.");
    }

    #[test]
    fn what_cannot_be_known_is_not_told() {
        assert_eq!(Offset::default().judge().held, None);
        assert!(Offset(Some((5, 4))).judge().seen.contains("was set"));
    }
}
