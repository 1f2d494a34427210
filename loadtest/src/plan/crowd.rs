//! Who is in the rooms besides those who speak, and what they do: how rooms differ in size, who
//! types, who reads, and who stops reading.

use std::str::FromStr;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::{Plan, PlanError, Ways, check};

/// The exponents that make sense.
const ZIPF_MAX: f64 = 4.0;

/// Parts of a whole, 0 to 1, and how rooms differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crowd {
    /// For so many of the messages their sender is seen typing.
    pub typing: f64,
    /// So many of the deliveries are marked as read by their receiver.
    pub read: f64,
    /// So many of the sockets stop reading as soon as they are in their room; they are owed nothing.
    pub slow_readers: f64,
    /// How rooms differ in size.
    pub spread: Spread,
    /// How they travel.
    pub transport: Ways,
}

/// How the sockets are spread over the rooms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Every room has as many.
    #[default]
    Same,
    /// The room of rank n has 1/n^s of the first one's, at least one; the mean stays.
    Zipf(f64),
}

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let exponent = text.strip_prefix("zipf:").and_then(|text| text.parse::<f64>().ok());
        match (text, exponent) {
            ("same", _) => Ok(Self::Same),
            (_, Some(s)) if s > 0.0 && s <= ZIPF_MAX => Ok(Self::Zipf(s)),
            _ => Err(format!("it is same, or zipf:S with S up to {ZIPF_MAX}, as in zipf:1.1")),
        }
    }
}

impl Crowd {
    pub(super) fn check(&self, plan: &Plan) -> Result<(), PlanError> {
        for (name, part) in
            [("typing", self.typing), ("read", self.read), ("slow readers", self.slow_readers)]
        {
            check((0.0..=1.0).contains(&part), || format!("{name}: a part, 0 % to 100 %"))?;
        }
        let mute = plan.members > plan.senders || self.slow_readers == 0.0;
        check(mute, || {
            "slow readers do not speak: there are fewer senders than members".to_owned()
        })?;
        let fits = self.spread == Spread::Same || !plan.unrest.is_of_pages();
        check(fits, || "history: rooms are of the same size".to_owned())
    }
}

impl Plan {
    /// Sockets of each room; their sum is rooms x members.
    pub fn room_sizes(&self) -> Vec<u32> {
        let rooms = self.rooms as usize;
        let Spread::Zipf(s) = self.crowd.spread else { return vec![self.members; rooms] };
        let weights: Vec<f64> = (1..=rooms).map(|rank| (rank as f64).powf(-s)).collect();
        let sum: f64 = weights.iter().sum();
        // One for each, and the others by their weight.
        let others = self.sockets().saturating_sub(u64::from(self.rooms));
        let share = |weight: &f64| 1 + (others as f64 * weight / sum) as u32;
        let mut sizes: Vec<u32> = weights.iter().map(share).collect();
        // What rounding left over goes to the largest ones.
        let given: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
        let left = usize::try_from(self.sockets() - given.min(self.sockets())).unwrap_or(rooms);
        sizes.iter_mut().take(left).for_each(|size| *size += 1);
        // Workers have rooms in a row: the large ones must not be neighbours.
        sizes.shuffle(&mut StdRng::seed_from_u64(self.seed));
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_of_a_zipf_spread_are_few_large_ones_and_many_small_ones() {
        let crowd = Crowd { spread: "zipf:1.1".parse().unwrap(), ..Crowd::default() };
        let plan = Plan { rooms: 100, members: 10, crowd, ..super::super::tests::plan() };
        let mut sizes = plan.room_sizes();
        assert_eq!(sizes, plan.room_sizes());
        assert_ne!(sizes, Plan { seed: 8, ..plan.clone() }.room_sizes());
        assert_eq!(sizes.iter().sum::<u32>(), 1_000);
        sizes.sort_unstable();
        assert!(sizes[0] >= 1 && sizes[50] < 10 && sizes[99] > 150, "{sizes:?}");
        let same = Plan { crowd: Crowd::default(), ..plan };
        assert_eq!(same.room_sizes(), [10; 100]);
        assert!("zipf:0".parse::<Spread>().is_err() && "zipf".parse::<Spread>().is_err());
    }
}
