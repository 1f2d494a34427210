//! How long texts are.

use std::str::FromStr;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use trialogue_protocol::MESSAGE_CHARS_MAX;

use super::PlanError;
use crate::stamp::STAMP_BYTES_MAX;

/// Most kinds of texts.
const KINDS_MAX: usize = 100;
/// The longest text in bytes; the filler is one byte a character, and so is counted by servers.
const SIZE_MAX: u32 = MESSAGE_CHARS_MAX as u32;
const SIZE_MIN: u32 = STAMP_BYTES_MAX as u32;

/// A kind of text: its share of all, and the least and most of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kind {
    share: u32,
    least: u32,
    most: u32,
}

/// The profile of sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes(Vec<Kind>);

impl Sizes {
    /// All texts have so many bytes.
    pub fn of(size: u32) -> Self {
        Self(vec![Kind { share: 1, least: size, most: size }])
    }

    pub(super) fn check(&self) -> Result<(), PlanError> {
        let fine = |kind: &Kind| {
            kind.share > 0 && (SIZE_MIN..=SIZE_MAX).contains(&kind.least) && kind.most <= SIZE_MAX
        };
        let all = !self.0.is_empty() && self.0.len() <= KINDS_MAX && self.0.iter().all(fine);
        super::check(all, || format!("size: {SIZE_MIN} to {SIZE_MAX} bytes, the stamp included"))
    }

    /// Bytes of the longest text.
    pub(crate) fn largest(&self) -> u32 {
        self.0.iter().map(|kind| kind.most).max().unwrap_or(SIZE_MIN)
    }

    pub(super) fn draw(&self, rng: &mut StdRng) -> u32 {
        let all: u32 = self.0.iter().map(|kind| kind.share).sum();
        let mut left = if self.0.len() > 1 { rng.random_range(0..all.max(1)) } else { 0 };
        for kind in &self.0 {
            if left < kind.share {
                return match kind.least < kind.most {
                    true => rng.random_range(kind.least..=kind.most),
                    false => kind.least,
                };
            }
            left -= kind.share;
        }
        SIZE_MIN
    }
}

impl FromStr for Sizes {
    type Err = String;

    /// `100`, `50..500`, or several with their shares: `80%:100,20%:1000..2000`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = |text: &str| {
            let (share, sizes) = match text.split_once(':') {
                Some((share, sizes)) => (share.strip_suffix('%').unwrap_or(share), sizes),
                None => ("1", text),
            };
            let (least, most) = sizes.split_once("..").unwrap_or((sizes, sizes));
            let share = share.trim().parse::<u16>().ok()?;
            let (least, most) = (least.trim().parse().ok()?, most.trim().parse().ok()?);
            (least <= most).then_some(Kind { share: share.into(), least, most })
        };
        let kinds: Option<Vec<Kind>> = text.split(',').map(kind).collect();
        let sizes = Self(kinds.ok_or("it is 100, 50..500, or shares as in 80%:100,20%:1000")?);
        sizes.check().map_err(|error| error.0)?;
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn sizes_are_drawn_by_their_shares() {
        let mut rng = StdRng::seed_from_u64(1);
        let sizes: Sizes = "80%:100,20%:1000..2000".parse().unwrap();
        let drawn: Vec<u32> = (0..10_000).map(|_| sizes.draw(&mut rng)).collect();
        let small = drawn.iter().filter(|size| **size == 100).count();
        assert!((7_800..8_200).contains(&small), "{small}");
        assert!(drawn.iter().all(|size| *size == 100 || (1_000..=2_000).contains(size)));
        assert!("5".parse::<Sizes>().is_err() && "9999".parse::<Sizes>().is_err());
        assert!("a".parse::<Sizes>().is_err() && "500..100".parse::<Sizes>().is_err());
    }
}
