//! When a frame may be drawn: at most sixty in any second, and one that answers a key at once.
//!
//! News are drawn as they come, but evenly; a key may overtake them by a few frames, after which
//! news wait until the pace is kept again. Pure: the clock comes in.

use std::time::Duration;

/// Time that a frame costs (18 ms): 55 frames in a second, so that those that keys may overtake by
/// fit into sixty.
const FRAME: Duration = Duration::from_millis(18);
/// Frames that keys may be ahead of the pace (4).
const AHEAD: u32 = 4;

/// Why a frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// Something came.
    News,
    /// Somebody pressed a key and waits for what comes of it.
    Answer,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What the frames so far have cost, as a moment: the pace is kept from then on.
    paid: Duration,
    /// What the next frame is wanted for.
    wanted: Option<Want>,
}

impl Pace {
    /// A frame is wanted.
    pub(super) fn want(&mut self, want: Want) {
        self.wanted = self.wanted.max(Some(want));
    }

    /// When the next frame is due; nothing where none is wanted.
    pub(super) fn due(&self) -> Option<Duration> {
        self.wanted.map(|want| match want {
            Want::News => self.paid,
            Want::Answer => self.paid.saturating_sub(FRAME * AHEAD),
        })
    }

    /// Whether to draw now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due().is_some_and(|due| now >= due)
    }

    /// A frame was drawn.
    pub(super) fn drew(&mut self, now: Duration) {
        self.paid = self.paid.max(now) + FRAME;
        self.wanted = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// News every millisecond for so many seconds and a key at each of these moments: when frames
    /// were drawn, and how late each key's was.
    fn flood(seconds: u64, keys: impl Fn(u64) -> bool) -> (Vec<u64>, Vec<u64>) {
        let (mut pace, mut frames, mut late, mut pressed) =
            (Pace::default(), Vec::new(), Vec::new(), Vec::new());
        for now in 0..seconds * 1_000 {
            pace.want(Want::News);
            if keys(now) {
                pace.want(Want::Answer);
                pressed.push(now);
            }
            if pace.is_due(ms(now)) {
                pace.drew(ms(now));
                frames.push(now);
                late.extend(pressed.drain(..).map(|at| now - at));
            }
        }
        (frames, late)
    }

    fn most_in_a_second(frames: &[u64]) -> usize {
        let from =
            |at: &u64| frames.iter().filter(|frame| (*at..at + 1_000).contains(*frame)).count();
        frames.iter().map(from).max().unwrap_or_default()
    }

    #[test]
    fn a_key_in_a_flood_is_drawn_at_once() {
        // As fast as a keyboard repeats, and faster than anybody types.
        for every in [33, 60, 97, 250] {
            let (frames, late) = flood(10, |now| now % every == 7);
            assert!(late.len() > 30 && late.iter().all(|late| *late == 0), "{every}: {late:?}");
            assert!(most_in_a_second(&frames) <= 60, "{}", most_in_a_second(&frames));
        }
    }

    #[test]
    fn nothing_makes_more_than_sixty_frames_a_second_and_nothing_starves() {
        for keys in [0, 1, 2, 5] {
            let (frames, late) = flood(10, |now| keys > 0 && now % keys == 0);
            let most = most_in_a_second(&frames);
            assert!((50..=60).contains(&most), "{most}");
            assert!(frames.windows(2).all(|two| two[1] - two[0] <= 18 * 5), "a frame is never far");
            assert!(late.iter().all(|late| *late <= 18), "{:?}", late.iter().max());
        }
    }

    #[test]
    fn nothing_is_drawn_where_nothing_changed() {
        let mut pace = Pace::default();
        assert_eq!((pace.due(), pace.is_due(ms(1_000))), (None, false));
        pace.want(Want::News);
        assert!(pace.is_due(ms(1_000)));
        pace.drew(ms(1_000));
        assert_eq!(pace.due(), None);
        pace.want(Want::News);
        assert_eq!(pace.due(), Some(ms(1_018)));
        pace.want(Want::Answer);
        assert!(pace.is_due(ms(1_001)));
    }
}
