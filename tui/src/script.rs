//! A script at the table: somebody else plays the three, step by step, and this says when.
//!
//! What a step means is none of our business here: it is a line of words that waits for a key.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::text;

/// How long a step stands on the screen before the next one begins by itself (900 ms): long enough
/// to see what came of it in three panes.
const BEAT: Duration = Duration::from_millis(900);

/// What is told of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A step waits to be begun.
    Waits {
        /// Where it stands in the file: the same step again is the same place.
        place: String,
        /// What it is.
        words: String,
        /// It is a heading, in which nothing happens.
        is_heading: bool,
    },
    /// Something about a step that must be said: it was left out, or did not hold.
    Odd(String),
    /// Everything is judged, or nothing could be played.
    Over {
        /// What came of it.
        words: String,
        /// Whether all of it held.
        passed: bool,
    },
}

/// A step that waits.
#[derive(Debug, Clone)]
struct Step {
    place: String,
    words: String,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it is called.
    name: String,
    /// Steps of the file.
    of: usize,
    /// Places of those that were begun.
    begun: BTreeSet<String>,
    /// Those that wait, the first first.
    waiting: VecDeque<Step>,
    /// They begin by themselves.
    playing: bool,
    /// When the first one does.
    due: Option<Duration>,
    /// What must be said of a step.
    odd: Option<String>,
    /// How it ended.
    over: Option<(String, bool)>,
}

impl Script {
    /// Nothing of it has begun.
    pub fn new(name: &str, of: usize) -> Self {
        Self {
            name: text::line(name),
            of,
            begun: BTreeSet::new(),
            waiting: VecDeque::new(),
            playing: false,
            due: None,
            odd: None,
            over: None,
        }
    }

    /// Whether it goes on by itself.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Whether everything is judged.
    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether something is wrong.
    pub fn is_bad(&self) -> bool {
        self.over.as_ref().map_or(self.odd.is_some(), |(_, passed)| !passed)
    }

    /// Something is told; answers how many of those that wait begin now.
    pub fn hear(&mut self, told: Told, now: Duration) -> usize {
        match told {
            // In front of nobody: what waits already waits for a key.
            Told::Waits { is_heading: true, .. } if self.waiting.is_empty() => {
                self.waiting.push_back(Step { place: String::new(), words: String::new() });
                return self.begin();
            }
            Told::Waits { place, words, .. } => {
                self.waiting.push_back(Step { place, words: text::line(&words) });
                if self.playing {
                    self.due.get_or_insert(now + BEAT);
                }
            }
            Told::Odd(words) => self.odd = Some(text::line(&words)),
            Told::Over { words, passed } => {
                self.over = Some((text::line(&words), passed));
                self.waiting.clear();
                (self.playing, self.due) = (false, None);
            }
        }
        0
    }

    /// Begins the first that waits, by hand; answers how many begin.
    pub fn step(&mut self) -> usize {
        self.due = None;
        self.begin()
    }

    fn begin(&mut self) -> usize {
        let Some(step) = self.waiting.pop_front() else { return 0 };
        if !step.place.is_empty() {
            self.odd = None;
            self.begun.insert(step.place);
        }
        1
    }

    /// Plays on, or no longer.
    pub fn play(&mut self, now: Duration) -> usize {
        self.playing = !self.playing && self.over.is_none();
        self.due = None;
        if self.playing { self.next(now) } else { 0 }
    }

    /// Time has passed: what is due begins.
    pub fn tick(&mut self, now: Duration) -> usize {
        if self.due.is_some_and(|due| now >= due) { self.next(now) } else { 0 }
    }

    fn next(&mut self, now: Duration) -> usize {
        let begun = self.begin();
        self.due = (!self.waiting.is_empty()).then(|| now + BEAT);
        begun
    }

    /// When [`Self::tick`] is due.
    pub fn next_wake(&self) -> Option<Duration> {
        self.due
    }

    /// Where it is, for the status line.
    pub fn place(&self) -> String {
        match &self.over {
            Some(_) => self.name.clone(),
            None => format!("{} step {} of {}", self.name, self.begun.len(), self.of),
        }
    }

    /// What is to be said besides: how it ended, what went wrong, or which step is next.
    pub fn words(&self) -> String {
        match (&self.over, &self.odd, self.waiting.front()) {
            (Some((words, _)), ..) => words.clone(),
            (None, Some(odd), _) => odd.clone(),
            (None, None, Some(step)) => format!("next: {}", step.words),
            (None, None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(10);

    fn waits(place: &str, words: &str) -> Told {
        Told::Waits { place: place.to_owned(), words: words.to_owned(), is_heading: false }
    }

    #[test]
    fn every_step_waits_for_its_key_and_headings_for_none() {
        let mut script = Script::new("dispute-join", 14);
        let heading =
            Told::Waits { place: "1".to_owned(), words: "TWO CHATS".to_owned(), is_heading: true };
        assert_eq!(script.hear(heading, NOW), 1);
        assert_eq!(script.hear(waits("2", "all login"), NOW), 0);
        assert_eq!(script.place(), "dispute-join step 0 of 14");
        assert_eq!(script.words(), "next: all login");
        assert_eq!((script.step(), script.step()), (1, 0));
        assert_eq!(script.place(), "dispute-join step 1 of 14");
        // The same step again is no other step.
        script.hear(waits("2", "all login"), NOW);
        script.step();
        assert_eq!(script.place(), "dispute-join step 1 of 14");
    }

    #[test]
    fn played_it_goes_on_by_itself_with_a_beat_between() {
        let mut script = Script::new("x", 3);
        script.hear(waits("1", "a"), NOW);
        assert_eq!(script.play(NOW), 1);
        assert_eq!(script.next_wake(), None, "nothing waits");
        script.hear(waits("2", "b"), NOW);
        assert_eq!(script.next_wake(), Some(NOW + BEAT));
        assert_eq!(script.tick(NOW), 0);
        assert_eq!(script.tick(NOW + BEAT), 1);
        script.hear(waits("3", "c"), NOW);
        assert_eq!(script.play(NOW), 0, "paused");
        assert_eq!((script.next_wake(), script.is_playing()), (None, false));
    }

    #[test]
    fn what_is_odd_is_said_until_the_next_step_and_the_end_for_ever() {
        let mut script = Script::new("x", 3);
        script.hear(Told::Odd("left out: no database here".to_owned()), NOW);
        assert!(script.is_bad());
        assert_eq!(script.words(), "left out: no database here");
        script.hear(waits("1", "a"), NOW);
        script.step();
        assert!(!script.is_bad());
        let words = "5 of 5 steps and checks held".to_owned();
        script.hear(Told::Over { words, passed: true }, NOW);
        assert_eq!(script.words(), "5 of 5 steps and checks held");
        assert_eq!((script.play(NOW), script.step()), (0, 0));
    }
}
