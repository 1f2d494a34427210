//! One table of keys: help, hint line, documentation and the names in the configuration file all
//! come from it.

mod table;

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub use table::Action;
use table::{Row, TABLE, VIM};

/// Where a key is pressed. A key that a place does not know means what it means anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Wherever the user is.
    Anywhere,
    /// The line where text is typed.
    Input,
    /// The list of chats, or an LSM's invites.
    List,
    /// The messages of the open chat.
    Messages,
    /// A form or a page over everything else.
    Dialog,
    /// Three accounts side by side.
    Trio,
}

impl Place {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 6] =
        [Self::Anywhere, Self::Input, Self::List, Self::Messages, Self::Dialog, Self::Trio];

    /// The name in the configuration file and above the help.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Input => "input",
            Self::List => "list",
            Self::Messages => "messages",
            Self::Dialog => "dialog",
            Self::Trio => "trio",
        }
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name).ok_or(())
    }
}

/// A key with what is held down beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl From<KeyEvent> for Chord {
    fn from(key: KeyEvent) -> Self {
        let mut modifiers =
            key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        // The letter or the key says it already.
        if matches!(key.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers -= KeyModifiers::SHIFT;
        }
        let code = match key.code {
            KeyCode::Char(c) if !modifiers.is_empty() => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Self { code, modifiers }
    }
}

impl From<Chord> for KeyEvent {
    fn from(chord: Chord) -> Self {
        Self::new(chord.code, chord.modifiers)
    }
}

const NAMED: [(&str, KeyCode); 14] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        let held = [
            ("ctrl-", KeyModifiers::CONTROL),
            ("alt-", KeyModifiers::ALT),
            ("shift-", KeyModifiers::SHIFT),
        ];
        while let Some((word, modifier)) = held.iter().find(|(word, _)| rest.starts_with(word)) {
            modifiers |= *modifier;
            rest = &rest[word.len()..];
        }
        let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
        let function = rest.strip_prefix('f').and_then(|n| n.parse().ok()).map(KeyCode::F);
        let mut letters = rest.chars();
        let letter = letters.next().filter(|_| letters.as_str().is_empty()).map(KeyCode::Char);
        let space = (rest == "space").then_some(KeyCode::Char(' '));
        let code = named.or(function).or(letter).or(space);
        let code = code.ok_or_else(|| format!("`{text}` is no key"))?;
        Ok(Self { code, modifiers })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = [
            ("Ctrl-", KeyModifiers::CONTROL),
            ("Alt-", KeyModifiers::ALT),
            ("Shift-", KeyModifiers::SHIFT),
        ];
        for (word, modifier) in held {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if !self.modifiers.is_empty() => write!(f, "{}", c.to_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            code => write!(f, "{code}"),
        }
    }
}

/// The keys as they are now.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The first that fits counts.
    rows: Vec<(Place, Chord, Action)>,
}

/// Which table to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// The table of TUI.md §3.
    #[default]
    Usual,
    /// The same with vim's letters.
    Vim,
}

impl Keys {
    /// The keys of a preset.
    pub fn new(preset: Preset) -> Self {
        let more: &[Row] = match preset {
            Preset::Usual => &[],
            Preset::Vim => VIM,
        };
        let rows = more.iter().chain(TABLE).flat_map(|(place, chords, action)| {
            let chords = chords.split(' ').filter_map(|chord| chord.parse().ok());
            chords.map(|chord| (*place, chord, *action))
        });
        Self { rows: rows.collect() }
    }

    /// A key of the user's own, `place` and `action` by their names.
    ///
    /// # Errors
    /// One sentence about the word that names nothing.
    pub fn bind(&mut self, place: &str, chord: &str, action: &str) -> Result<(), String> {
        let known = Place::ALL.into_iter().find(|known| known.as_str() == place);
        let place = known.ok_or_else(|| format!("keys: `{place}` is no place"))?;
        let chord = chord.parse().map_err(|error| format!("keys: {error}"))?;
        let action = action.parse().map_err(|()| format!("keys: `{action}` is no action"))?;
        self.rows.insert(0, (place, chord, action));
        Ok(())
    }

    /// What a key means there, or anywhere.
    pub fn action(&self, place: Place, chord: Chord) -> Option<Action> {
        let at = |place: Place| {
            self.rows.iter().find(|row| row.0 == place && row.1 == chord).map(|row| row.2)
        };
        at(place).or_else(|| at(Place::Anywhere))
    }

    /// The key to tell of for an action, the first of its place.
    pub fn chord_of(&self, place: Place, action: Action) -> Option<Chord> {
        self.rows.iter().find(|row| row.0 == place && row.2 == action).map(|row| row.1)
    }

    /// Actions of a place with all their keys, in the order of the table.
    pub fn help(&self, place: Place) -> Vec<(String, Action)> {
        let mut lines: Vec<(String, Action)> = Vec::new();
        for (_, chord, action) in self.rows.iter().filter(|row| row.0 == place) {
            match lines.iter_mut().find(|line| line.1 == *action) {
                Some((chords, _)) => *chords = format!("{chords} {chord}"),
                None => lines.push((chord.to_string(), *action)),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_names_keys() {
        for (_, chords, action) in TABLE.iter().chain(VIM) {
            for chord in chords.split(' ') {
                assert!(chord.parse::<Chord>().is_ok(), "{chord} for {action:?}");
            }
        }
        for action in Action::ALL {
            let used = TABLE.iter().any(|row| row.2 == *action);
            assert!(used, "{action:?} has no key");
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
    }

    #[test]
    fn a_key_means_one_thing_per_place() {
        let mut seen = std::collections::HashSet::new();
        for (place, chords, _) in TABLE {
            for chord in chords.split(' ') {
                assert!(seen.insert((*place, chord)), "{chord} twice in {place:?}");
            }
        }
    }

    #[test]
    fn escape_never_quits_and_ctrl_q_quits_everywhere() {
        let keys = Keys::new(Preset::Usual);
        let esc = "esc".parse().unwrap();
        let quit = "ctrl-q".parse().unwrap();
        for place in Place::ALL {
            assert_ne!(keys.action(place, esc), Some(Action::Quit));
            assert_eq!(keys.action(place, quit), Some(Action::Quit));
        }
    }

    #[test]
    fn the_users_own_keys_come_first_and_nonsense_is_one_sentence() {
        let mut keys = Keys::new(Preset::Usual);
        keys.bind("input", "ctrl-t", "editor").unwrap();
        let chord = "ctrl-t".parse().unwrap();
        assert_eq!(keys.action(Place::Input, chord), Some(Action::Editor));
        assert_eq!(keys.action(Place::List, chord), None);
        assert!(keys.bind("input", "ctrl-t", "fly").unwrap_err().contains("`fly`"));
        assert!(keys.bind("sofa", "ctrl-t", "editor").unwrap_err().contains("`sofa`"));
        assert!(keys.bind("input", "ctrl-", "editor").is_err());
    }
}
