//! The terminal, and the short results in its status bar.

use std::time::Duration;

use chrono::{DateTime, Utc};
use trialogue_client::time::Now as At;

/// How long a short result stays (5 s).
const NOTICE_SHOWN: Duration = Duration::from_secs(5);

/// The terminal as far as the update must know it.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Columns and rows.
    pub size: (u16, u16),
    /// Whether it has the focus, where it tells.
    pub focus: Option<bool>,
    /// A key was pressed since the last news: where focus is not told, somebody looked.
    pub looked: bool,
    /// The mouse is caught.
    pub mouse: bool,
    /// The list is shown where there is room for one pane.
    pub shows_list: bool,
    /// The next key answers whether to quit.
    pub quitting: bool,
    /// The word was typed and asked back: typed once more it quits.
    pub asked: bool,
    /// When it rang last.
    pub rang: Option<Duration>,
    /// When it rang last for what is meant for the user alone.
    pub called: Option<Duration>,
    /// When it was said last how far the user has read.
    pub marked: Option<Duration>,
    /// The clock of the last message.
    pub now: Duration,
    /// The wall's clock then.
    pub wall: Option<DateTime<Utc>>,
}

/// One short sentence.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// What, harmless.
    pub text: Option<String>,
    /// Something went wrong.
    pub is_bad: bool,
    /// Until when it is shown.
    pub until: Duration,
}

impl Notice {
    /// Says it.
    pub fn say(&mut self, text: impl Into<String>, now: At) {
        *self = Self { text: Some(text.into()), is_bad: false, until: now + NOTICE_SHOWN };
    }

    /// Says what went wrong.
    pub fn complain(&mut self, text: impl Into<String>, now: At) {
        *self = Self { text: Some(text.into()), is_bad: true, until: now + NOTICE_SHOWN };
    }
}
