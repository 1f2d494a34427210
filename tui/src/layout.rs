//! Which panes there are, and where: width decides columns, height decides rows (TUI.md §2).

use ratatui::layout::Rect;

/// Narrower than this, or lower than [`HEIGHT_MIN`], there is only a word.
pub const WIDTH_MIN: u16 = 24;
/// See [`WIDTH_MIN`].
pub const HEIGHT_MIN: u16 = 6;
/// From here on the list stands beside the chat.
const LIST_FROM: u16 = 60;
/// From here on the members stand beside it too.
const SIDE_FROM: u16 = 100;
/// From this height on the status bar tells of keys.
const HINTS_FROM: u16 = 12;
/// Panes narrower than this give the name a line of its own.
pub const NARROW_BELOW: u16 = 44;

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes {
    /// The list of chats.
    pub list: Option<Rect>,
    /// The chat.
    pub chat: Option<Rect>,
    /// Members and job.
    pub side: Option<Rect>,
    /// The status bar.
    pub bar: Rect,
    /// Whether the bar tells of keys.
    pub hints: bool,
}

/// The panes of a screen; nothing where it is too small. Where there is room for one pane,
/// `shows_list` says which.
pub fn panes(area: Rect, shows_list: bool) -> Option<Panes> {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        return None;
    }
    let body = Rect { height: area.height - 1, ..area };
    let bar = Rect { y: area.y + body.height, height: 1, ..area };
    let hints = area.height >= HINTS_FROM;
    if area.width < LIST_FROM {
        let (list, chat) = if shows_list { (Some(body), None) } else { (None, Some(body)) };
        return Some(Panes { list, chat, side: None, bar, hints });
    }
    let (list, side) = if area.width < SIDE_FROM { (22, 0) } else { (26, 24) };
    // A rule stands between two panes.
    let side_and_rule = if side == 0 { 0 } else { side + 1 };
    let chat = area.width - list - 1 - side_and_rule;
    let at = |x: u16, width: u16| Rect { x: area.x + x, width, ..body };
    Some(Panes {
        list: Some(at(0, list)),
        chat: Some(at(list + 1, chat)),
        side: (side > 0).then(|| at(list + 1 + chat + 1, side)),
        bar,
        hints,
    })
}

/// The parts of a chat pane, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatParts {
    /// What the chat is.
    pub title: Rect,
    /// What was said.
    pub messages: Rect,
    /// The rule above the input.
    pub rule: Rect,
    /// What is typed.
    pub input: Rect,
}

/// The parts of a chat pane whose draft has so many rows.
pub fn chat_parts(pane: Rect, draft_rows: usize, screen_height: u16) -> ChatParts {
    let most = if screen_height >= HINTS_FROM { 6 } else { 1 };
    let wanted = u16::try_from(draft_rows).unwrap_or(u16::MAX).clamp(1, most);
    let input = wanted.min(pane.height.saturating_sub(3).max(1)).min(pane.height);
    let rule = u16::from(pane.height > input);
    let title = u16::from(pane.height > input + rule);
    let messages = pane.height - input - rule - title;
    let row = |y: u16, height: u16| Rect { y: pane.y + y, height, ..pane };
    ChatParts {
        title: row(0, title),
        messages: row(title, messages),
        rule: row(title + messages, rule),
        input: row(title + messages + rule, input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(width: u16, height: u16) -> Rect {
        Rect { x: 0, y: 0, width, height }
    }

    #[test]
    fn width_decides_columns() {
        let widths = |width| {
            panes(area(width, 24), false).map(|panes| {
                let of = |pane: Option<Rect>| pane.map_or(0, |pane| pane.width);
                (of(panes.list), of(panes.chat), of(panes.side))
            })
        };
        assert_eq!(widths(23), None);
        assert_eq!(widths(24), Some((0, 24, 0)));
        assert_eq!(widths(59), Some((0, 59, 0)));
        assert_eq!(widths(60), Some((22, 37, 0)));
        assert_eq!(widths(80), Some((22, 57, 0)));
        assert_eq!(widths(100), Some((26, 48, 24)));
        assert_eq!(widths(120), Some((26, 68, 24)));
    }

    #[test]
    fn the_parts_of_a_chat_are_its_height() {
        for height in 0..40 {
            for rows in [0, 1, 3, 1_000] {
                let parts = chat_parts(area(50, height), rows, 24);
                let sum = [parts.title, parts.messages, parts.rule, parts.input];
                let sum: u16 = sum.iter().map(|part| part.height).sum();
                assert_eq!(sum, height, "{rows} rows");
            }
        }
    }
}
