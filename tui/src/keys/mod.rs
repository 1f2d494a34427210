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

/// Keys with a name: as the configuration file has it, as it is shown, which it is.
const NAMED: [(&str, &str, KeyCode); 15] = [
    ("enter", "Enter", KeyCode::Enter),
    ("esc", "Esc", KeyCode::Esc),
    ("tab", "Tab", KeyCode::Tab),
    ("backtab", "Shift-Tab", KeyCode::BackTab),
    ("backspace", "Backspace", KeyCode::Backspace),
    ("delete", "Del", KeyCode::Delete),
    ("up", "Up", KeyCode::Up),
    ("down", "Down", KeyCode::Down),
    ("left", "Left", KeyCode::Left),
    ("right", "Right", KeyCode::Right),
    ("home", "Home", KeyCode::Home),
    ("end", "End", KeyCode::End),
    ("pageup", "PgUp", KeyCode::PageUp),
    ("pagedown", "PgDn", KeyCode::PageDown),
    ("space", "Space", KeyCode::Char(' ')),
];

const HELD: [(&str, KeyModifiers); 3] = [
    ("Ctrl-", KeyModifiers::CONTROL),
    ("Alt-", KeyModifiers::ALT),
    ("Shift-", KeyModifiers::SHIFT),
];

/// As the configuration file has it or as it is shown; only a letter alone has a case.
impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let same = |known: &str, word: &str| known.eq_ignore_ascii_case(word);
        let name = |word: &str| {
            let found = NAMED.iter().find(|key| same(key.0, word) || same(key.1, word));
            found.map(|key| key.2)
        };
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while name(rest).is_none()
            && let Some((word, modifier)) = HELD
                .iter()
                .find(|(word, _)| rest.get(..word.len()).is_some_and(|begun| same(word, begun)))
        {
            modifiers |= *modifier;
            rest = &rest[word.len()..];
        }
        let function = rest.strip_prefix(['f', 'F']).and_then(|n| n.parse().ok()).map(KeyCode::F);
        let mut letters = rest.chars();
        let letter = letters.next().filter(|_| letters.as_str().is_empty());
        let letter = letter.map(|c| if modifiers.is_empty() { c } else { c.to_ascii_lowercase() });
        let code = name(rest).or(function).or(letter.map(KeyCode::Char));
        let code = code.ok_or_else(|| format!("`{text}` is no key"))?;
        Ok(Self { code, modifiers })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, modifier) in HELD {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        let named = NAMED.iter().find(|key| key.2 == self.code);
        match (named, self.code) {
            (Some((_, shown, _)), _) => f.write_str(shown),
            (None, KeyCode::Char(c)) if !self.modifiers.is_empty() => {
                write!(f, "{}", c.to_uppercase())
            }
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "F{n}"),
            (None, code) => write!(f, "{code}"),
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

    /// A key of the user's own, `place` and `action` by their names; the action `none` takes what
    /// the key did in that place away.
    ///
    /// # Errors
    /// One sentence about the word that names nothing.
    pub fn bind(&mut self, place: &str, chord: &str, action: &str) -> Result<(), String> {
        let known = Place::ALL.into_iter().find(|known| known.as_str() == place);
        let place = known.ok_or_else(|| format!("keys: `{place}` is no place"))?;
        let chord = chord.parse().map_err(|error| format!("keys: {error}"))?;
        if action == "none" {
            self.rows.retain(|row| row.0 != place || row.1 != chord);
            return Ok(());
        }
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

    /// What to press for an action there, as it is shown: the first key of the place, or of
    /// anywhere, that still means it. Every key in a hint, a status line or a sentence comes from
    /// here.
    pub fn key_for(&self, place: Place, action: Action) -> Option<String> {
        let means = |row: &&(Place, Chord, Action)| {
            row.2 == action && self.action(place, row.1) == Some(action)
        };
        let of = |at: Place| self.rows.iter().filter(|row| row.0 == at).find(means);
        of(place).or_else(|| of(Place::Anywhere)).map(|row| row.1.to_string())
    }

    /// `Ctrl-S book  Esc back`: keys there with what they do; what no key does is left out.
    pub fn hints(&self, place: Place, shown: &[(Action, &str)], between: &str) -> String {
        let words = shown.iter().filter_map(|(action, word)| {
            self.key_for(place, *action).map(|key| format!("{key} {word}"))
        });
        words.collect::<Vec<_>>().join(between)
    }

    /// Actions of a place with all the keys that mean them there, in the order of the table.
    pub fn help(&self, place: Place) -> Vec<(String, Action)> {
        let mut lines: Vec<(String, Action)> = Vec::new();
        let means = |row: &&(Place, Chord, Action)| {
            row.0 == place && self.action(place, row.1) == Some(row.2)
        };
        for (_, chord, action) in self.rows.iter().filter(means) {
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
    fn a_key_is_read_as_it_is_shown() {
        for (_, chords, _) in TABLE.iter().chain(VIM) {
            for chord in chords.split(' ').map(|chord| chord.parse::<Chord>().unwrap()) {
                assert_eq!(chord.to_string().parse(), Ok(chord), "{chord}");
            }
        }
        assert_ne!("g".parse::<Chord>(), "G".parse::<Chord>());
        assert_eq!("Ctrl-T".parse::<Chord>(), "ctrl-t".parse::<Chord>());
    }

    #[test]
    fn what_is_told_is_what_still_works() {
        let mut keys = Keys::new(Preset::Usual);
        let shown = |keys: &Keys| keys.key_for(Place::Input, Action::Help);
        assert_eq!(shown(&keys).as_deref(), Some("F1"));
        keys.bind("anywhere", "ctrl-t", "help").unwrap();
        assert_eq!(shown(&keys).as_deref(), Some("Ctrl-T"));
        // Taken by the place, the other one is left; then none is.
        keys.bind("input", "ctrl-t", "editor").unwrap();
        assert_eq!(shown(&keys).as_deref(), Some("F1"));
        keys.bind("anywhere", "F1", "none").unwrap();
        assert_eq!(shown(&keys), None);
        assert_eq!(keys.key_for(Place::List, Action::Help).as_deref(), Some("Ctrl-T"));
        let hints = keys.hints(Place::Input, &[(Action::Help, "help"), (Action::Send, "go")], "  ");
        assert_eq!(hints, "Enter go");
        keys.bind("list", "j", "mute").unwrap();
        let help = keys.help(Place::List);
        let of = |action| help.iter().find(|line| line.1 == action).unwrap().0.as_str();
        assert_eq!((of(Action::Down), of(Action::Mute)), ("Down", "j m"));
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
