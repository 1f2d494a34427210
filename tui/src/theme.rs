//! Roles of colour and the marks of states.
//!
//! Only the terminal's own sixteen colours and attributes, so that light and dark backgrounds both
//! work (complaint 8); never white, black or grey. Colour only repeats what a word or mark says.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Text,
    /// Of less importance.
    Dim,
    /// The user's own.
    Me,
    /// A customer's name.
    Customer,
    /// A provider's name.
    Provider,
    /// An LSM's name.
    Lsm,
    /// Needs attention.
    Warn,
    /// Went wrong.
    Bad,
}

impl Tone {
    /// All of them with their names in the configuration file.
    pub const ALL: [(&'static str, Self); 8] = [
        ("text", Self::Text),
        ("dim", Self::Dim),
        ("me", Self::Me),
        ("customer", Self::Customer),
        ("provider", Self::Provider),
        ("lsm", Self::Lsm),
        ("warn", Self::Warn),
        ("bad", Self::Bad),
    ];
}

/// How each tone looks.
#[derive(Debug, Clone)]
pub struct Theme {
    styles: [Style; 8],
}

impl Theme {
    /// With colours, or with attributes alone.
    pub fn new(colors: bool) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        let colored = |color| if colors { plain.fg(color) } else { plain };
        let styles = [
            plain,
            dim,
            bold,
            colored(Color::Cyan),
            colored(Color::Green),
            colored(Color::Magenta),
            if colors { plain.fg(Color::Yellow) } else { bold },
            if colors { plain.fg(Color::Red) } else { bold },
        ];
        Self { styles }
    }

    /// The look of a tone.
    pub fn style(&self, tone: Tone) -> Style {
        self.styles[tone as usize]
    }

    /// What is selected.
    pub fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Another look for a tone: words of colours (`red`, `light-blue`, `default`) and attributes
    /// (`bold`, `dim`, `underlined`).
    ///
    /// # Errors
    /// One sentence about the word that names nothing.
    pub fn set(&mut self, tone: &str, words: &str) -> Result<(), String> {
        let found = Tone::ALL.iter().find(|(name, _)| *name == tone);
        let (_, tone) = found.ok_or_else(|| format!("theme: `{tone}` is no role"))?;
        let mut style = Style::new();
        for word in words.split_whitespace() {
            style = match word {
                "default" => style.fg(Color::Reset),
                "bold" => style.add_modifier(Modifier::BOLD),
                "dim" => style.add_modifier(Modifier::DIM),
                "underlined" => style.add_modifier(Modifier::UNDERLINED),
                word => style.fg(named(word)?),
            };
        }
        self.styles[*tone as usize] = style;
        Ok(())
    }
}

fn named(word: &str) -> Result<Color, String> {
    let color = Color::from_str(word).map_err(|_| format!("theme: `{word}` is no colour"))?;
    match color {
        // These are the colour of somebody's background.
        Color::White | Color::Black | Color::Gray | Color::DarkGray => {
            Err(format!("theme: `{word}` cannot be read on every background"))
        }
        Color::Rgb(..) | Color::Indexed(_) => {
            Err(format!("theme: `{word}` is not one of the terminal's own colours"))
        }
        color => Ok(color),
    }
}

/// The glyphs, each one column wide in every font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Waits to be sent.
    pub queued: &'static str,
    /// Is on its way.
    pub sending: &'static str,
    /// Is stored.
    pub sent: &'static str,
    /// Was read.
    pub read: &'static str,
    /// Was refused.
    pub failed: &'static str,
    /// Between columns.
    pub vertical: &'static str,
    /// Above the input.
    pub horizontal: &'static str,
    /// Corners of a dialog: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// In place of what was cut off.
    pub cut: &'static str,
    /// Between facts.
    pub dot: &'static str,
}

impl Marks {
    /// For terminals with Unicode.
    pub const UNICODE: Self = Self {
        queued: "·",
        sending: "~",
        sent: "✓",
        read: "✓✓",
        failed: "✗",
        vertical: "│",
        horizontal: "─",
        corners: ["┌", "┐", "└", "┘"],
        cut: "…",
        dot: "·",
    };
    /// For all others.
    pub const ASCII: Self = Self {
        queued: "-",
        sending: "~",
        sent: "v",
        read: "vv",
        failed: "x",
        vertical: "|",
        horizontal: "-",
        corners: ["+", "+", "+", "+"],
        cut: "~",
        dot: "-",
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_are_only_attributes() {
        let theme = Theme::new(false);
        assert!(theme.styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
    }

    #[test]
    fn a_colour_of_the_users_own_must_be_readable_everywhere() {
        let mut theme = Theme::new(true);
        theme.set("bad", "light-red bold").unwrap();
        assert_eq!(theme.style(Tone::Bad).fg, Some(Color::LightRed));
        for (role, words) in [("bad", "white"), ("bad", "#ff0000"), ("sky", "red"), ("bad", "xx")] {
            assert!(theme.set(role, words).is_err(), "{role} {words}");
        }
    }
}
