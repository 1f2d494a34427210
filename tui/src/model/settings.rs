//! What the user chose, with the commented file that shows every choice.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use crate::keys::{Keys, Preset};
use crate::theme::{Marks, Theme};

/// The configuration file with every setting, commented out at its default.
pub const DEFAULT_FILE: &str = include_str!("../../chat.toml");

/// How the user is told of what comes while looking elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alerts {
    /// Not at all.
    None,
    /// By the terminal's bell.
    #[default]
    Bell,
    /// By the bell and the desktop (OSC 9).
    Desktop,
}

/// What the view and the update look at.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Colours.
    pub theme: Theme,
    /// Glyphs.
    pub marks: Marks,
    /// Nothing but ASCII can be shown.
    pub ascii: bool,
    /// Keys.
    pub keys: Keys,
    /// Alerts.
    pub alerts: Alerts,
    /// A moment on the wall clocks of this place.
    pub local: fn(DateTime<Utc>) -> NaiveDateTime,
}

impl Settings {
    /// The defaults; `local` tells the time of this place.
    pub fn new(colors: bool, ascii: bool, local: fn(DateTime<Utc>) -> NaiveDateTime) -> Self {
        Self {
            theme: Theme::new(colors),
            marks: if ascii { Marks::ASCII } else { Marks::UNICODE },
            ascii,
            keys: Keys::new(Preset::Usual),
            alerts: Alerts::default(),
            local,
        }
    }

    /// What the file says on top of that; one sentence for every word in it that means nothing,
    /// which is left out.
    pub fn read(&mut self, file: &str, colors: bool) -> Vec<String> {
        let file: File = match toml::from_str(file) {
            Ok(file) => file,
            Err(error) => return vec![format!("chat.toml: {}", error.message())],
        };
        let mut complaints = Vec::new();
        match file.preset.as_deref() {
            None | Some("usual") => {}
            Some("vim") => self.keys = Keys::new(Preset::Vim),
            Some(other) => complaints.push(format!("preset: `{other}` is no preset")),
        }
        for (place, keys) in &file.keys {
            for (chord, action) in keys {
                complaints.extend(self.keys.bind(place, chord, action).err());
            }
        }
        complaints.extend(self.paint(&file.theme, colors));
        self.alerts = file.alerts;
        if file.ascii == Some(true) {
            (self.ascii, self.marks) = (true, Marks::ASCII);
        }
        complaints
    }

    /// What `theme.toml` says: the roles of `[theme]` in a file of their own.
    pub fn read_theme(&mut self, file: &str, colors: bool) -> Vec<String> {
        match toml::from_str(file) {
            Ok(roles) => self.paint(&roles, colors),
            Err(error) => vec![format!("theme.toml: {}", error.message())],
        }
    }

    fn paint(&mut self, roles: &BTreeMap<String, String>, colors: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        for (tone, words) in roles {
            let mut theme = self.theme.clone();
            match theme.set(tone, words) {
                Ok(()) if colors => self.theme = theme,
                Ok(()) => {}
                Err(complaint) => complaints.push(complaint),
            }
        }
        complaints
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct File {
    preset: Option<String>,
    alerts: Alerts,
    ascii: Option<bool>,
    keys: BTreeMap<String, BTreeMap<String, String>>,
    theme: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Action, Place};

    fn settings() -> Settings {
        Settings::new(true, false, |at| at.naive_utc())
    }

    #[test]
    fn the_commented_file_says_nothing_and_uncommented_it_is_right() {
        assert_eq!(settings().read(DEFAULT_FILE, true), Vec::<String>::new());
        let uncommented: String = DEFAULT_FILE
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(line))
            .map(|line| line.strip_prefix("# [").map_or(line.to_owned(), |l| format!("[{l}")))
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(settings().read(&uncommented, true), Vec::<String>::new());
        assert!(uncommented.lines().filter(|l| l.contains(" = ")).count() >= 10);
    }

    #[test]
    fn a_theme_file_changes_single_roles() {
        use crate::theme::Tone;
        let (mut changed, usual) = (settings(), settings());
        assert_eq!(changed.read_theme("me = \"red\"", true), Vec::<String>::new());
        assert_ne!(changed.theme.style(Tone::Me), usual.theme.style(Tone::Me));
        assert_eq!(changed.theme.style(Tone::Bad), usual.theme.style(Tone::Bad));
        assert_eq!(changed.read_theme("sofa = \"red\"", true).len(), 1);
        assert_eq!(changed.read_theme("me = 1", true).len(), 1);
    }

    #[test]
    fn a_word_that_means_nothing_is_one_sentence_and_the_rest_counts() {
        let mut settings = settings();
        let file = "[keys.input]\nctrl-t = \"fly\"\nctrl-o = \"editor\"\n";
        let complaints = settings.read(file, true);
        assert_eq!(complaints, ["keys: `fly` is no action"]);
        let chord = "ctrl-o".parse().unwrap();
        assert_eq!(settings.keys.action(Place::Input, chord), Some(Action::Editor));
        assert_eq!(settings.read("colour = 1", true).len(), 1);
    }
}
