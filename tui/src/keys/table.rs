//! The actions and the keys that do them: the only place to change either.

use super::Place;

/// The table: action, name in the configuration file, and what the help says.
macro_rules! actions {
    ($($action:ident $name:literal $help:literal,)*) => {
        /// What a key does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $help] $action,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// The name in the configuration file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            /// What the help says.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$action => $help,)* }
            }
        }
    };
}

actions! {
    Help "help" "help for this place",
    Book "book" "book a job",
    Dispute "dispute" "file a dispute; LSM: invites",
    NextPane "next-pane" "next pane; completes first if there is a word to complete",
    PreviousPane "previous-pane" "previous pane",
    PreviousChat "previous-chat" "previous chat",
    NextChat "next-chat" "next chat",
    OldestUnread "oldest-unread" "to the oldest unread message elsewhere",
    JumpChat "jump-chat" "types /chat: jump to a chat by some of its letters",
    Search "search" "types /search: find in this chat",
    RetryNow "retry-now" "retry the connection now",
    SwapPanes "swap-panes" "list or chat, where there is room for one",
    Mouse "mouse" "mouse on or off; off leaves selecting to the terminal",
    Redraw "redraw" "draw everything anew",
    Suspend "suspend" "to the background; fg comes back",
    Quit "quit" "quit",
    Send "send" "send, or run a /command",
    NewLine "new-line" "new line",
    Left "left" "left",
    Right "right" "right",
    WordLeft "word-left" "word left",
    WordRight "word-right" "word right",
    LineStart "line-start" "beginning of the line",
    LineEnd "line-end" "end of the line",
    Backspace "backspace" "delete to the left",
    Delete "delete" "delete to the right",
    KillToStart "kill-to-start" "cut to the beginning of the line",
    KillWordBack "kill-word-back" "cut the word to the left",
    KillWord "kill-word" "cut the word to the right",
    Yank "yank" "put back what was cut",
    Clear "clear" "clear; when empty, asks to quit",
    Editor "editor" "write in $EDITOR",
    Up "up" "up; in the input, earlier drafts after the first line",
    Down "down" "down",
    PageUp "page-up" "page up; at the top loads earlier messages",
    PageDown "page-down" "page down",
    First "first" "first",
    Last "last" "last",
    Open "open" "open; LSM: join",
    Retry "retry" "retry a message that was not sent",
    Edit "edit" "edit a message that was not sent",
    Discard "discard" "discard a message that was not sent",
    Copy "copy" "copy the text",
    Filter "filter" "filter this list",
    Mute "mute" "mute or unmute: counts, but stays silent",
    Preview "preview" "look at the last messages of an invite",
    ToInput "to-input" "back to the input",
    ToMessages "to-messages" "to the messages",
    Back "back" "one step back; never quits",
    Submit "submit" "do it",
    NextField "next-field" "next field",
    PreviousField "previous-field" "previous field",
    CutLine "cut-line" "cut or heal this line",
    FocusFirst "focus-first" "focus the customer",
    FocusSecond "focus-second" "focus the provider",
    FocusThird "focus-third" "focus the LSM",
    StepScript "step-script" "begin the script's next step",
    PlayScript "play-script" "play the script, or pause it",
}

pub(super) type Row = (Place, &'static str, Action);

pub(super) const TABLE: &[Row] = &[
    (Place::Anywhere, "f1", Action::Help),
    (Place::Anywhere, "f2", Action::Book),
    (Place::Anywhere, "f3", Action::Dispute),
    (Place::Anywhere, "tab", Action::NextPane),
    (Place::Anywhere, "backtab", Action::PreviousPane),
    (Place::Anywhere, "alt-up ctrl-p", Action::PreviousChat),
    (Place::Anywhere, "alt-down ctrl-n", Action::NextChat),
    (Place::Anywhere, "alt-a", Action::OldestUnread),
    (Place::Anywhere, "ctrl-k", Action::JumpChat),
    (Place::Anywhere, "ctrl-f", Action::Search),
    (Place::Anywhere, "ctrl-r", Action::RetryNow),
    (Place::Anywhere, "alt-l", Action::SwapPanes),
    (Place::Anywhere, "pageup", Action::PageUp),
    (Place::Anywhere, "pagedown", Action::PageDown),
    (Place::Anywhere, "f12", Action::Mouse),
    (Place::Anywhere, "ctrl-l", Action::Redraw),
    (Place::Anywhere, "ctrl-z", Action::Suspend),
    (Place::Anywhere, "ctrl-q", Action::Quit),
    (Place::Anywhere, "esc", Action::Back),
    (Place::Input, "enter", Action::Send),
    (Place::Input, "alt-enter ctrl-j shift-enter", Action::NewLine),
    (Place::Input, "up", Action::Up),
    (Place::Input, "down", Action::Down),
    (Place::Input, "left ctrl-b", Action::Left),
    (Place::Input, "right", Action::Right),
    (Place::Input, "alt-b ctrl-left alt-left", Action::WordLeft),
    (Place::Input, "alt-f ctrl-right alt-right", Action::WordRight),
    (Place::Input, "ctrl-a home", Action::LineStart),
    (Place::Input, "ctrl-e end", Action::LineEnd),
    (Place::Input, "backspace ctrl-h", Action::Backspace),
    (Place::Input, "delete ctrl-d", Action::Delete),
    (Place::Input, "ctrl-u", Action::KillToStart),
    (Place::Input, "ctrl-w alt-backspace", Action::KillWordBack),
    (Place::Input, "alt-d", Action::KillWord),
    (Place::Input, "ctrl-y", Action::Yank),
    (Place::Input, "ctrl-c", Action::Clear),
    (Place::Input, "ctrl-g", Action::Editor),
    (Place::Input, "esc", Action::ToMessages),
    (Place::List, "up k", Action::Up),
    (Place::List, "down j", Action::Down),
    (Place::List, "home g", Action::First),
    (Place::List, "end G", Action::Last),
    (Place::List, "enter", Action::Open),
    (Place::List, "/", Action::Filter),
    (Place::List, "m", Action::Mute),
    (Place::List, "space", Action::Preview),
    (Place::List, "i esc", Action::ToInput),
    (Place::List, "ctrl-c", Action::Clear),
    (Place::Messages, "up k", Action::Up),
    (Place::Messages, "down j", Action::Down),
    (Place::Messages, "home g", Action::First),
    (Place::Messages, "end G", Action::Last),
    (Place::Messages, "enter", Action::Open),
    (Place::Messages, "r", Action::Retry),
    (Place::Messages, "e", Action::Edit),
    (Place::Messages, "d", Action::Discard),
    (Place::Messages, "y", Action::Copy),
    (Place::Messages, "m", Action::Mute),
    (Place::Messages, "/", Action::Search),
    (Place::Messages, "i esc", Action::ToInput),
    (Place::Messages, "ctrl-c", Action::Clear),
    (Place::Dialog, "tab", Action::NextField),
    (Place::Dialog, "backtab", Action::PreviousField),
    (Place::Dialog, "up", Action::Up),
    (Place::Dialog, "down", Action::Down),
    (Place::Dialog, "left ctrl-b", Action::Left),
    (Place::Dialog, "right", Action::Right),
    (Place::Dialog, "ctrl-s", Action::Submit),
    (Place::Dialog, "enter", Action::Send),
    (Place::Dialog, "alt-enter ctrl-j shift-enter", Action::NewLine),
    (Place::Dialog, "ctrl-a home", Action::LineStart),
    (Place::Dialog, "ctrl-e end", Action::LineEnd),
    (Place::Dialog, "backspace ctrl-h", Action::Backspace),
    (Place::Dialog, "delete ctrl-d", Action::Delete),
    (Place::Dialog, "ctrl-u", Action::KillToStart),
    (Place::Dialog, "ctrl-w", Action::KillWordBack),
    (Place::Dialog, "ctrl-y", Action::Yank),
    (Place::Dialog, "esc ctrl-c", Action::Back),
    (Place::Trio, "f4", Action::CutLine),
    (Place::Trio, "f5", Action::FocusFirst),
    (Place::Trio, "f6", Action::FocusSecond),
    (Place::Trio, "f7", Action::FocusThird),
    (Place::Trio, "f8", Action::StepScript),
    (Place::Trio, "f9", Action::PlayScript),
];

/// What the vim preset adds or means otherwise.
pub(super) const VIM: &[Row] = &[
    (Place::Messages, "ctrl-u", Action::PageUp),
    (Place::Messages, "ctrl-d", Action::PageDown),
    (Place::Messages, "a o", Action::ToInput),
    (Place::Messages, "h", Action::PreviousPane),
    (Place::Messages, "l", Action::NextPane),
    (Place::Messages, "J", Action::NextChat),
    (Place::Messages, "K", Action::PreviousChat),
    (Place::List, "ctrl-u", Action::PageUp),
    (Place::List, "ctrl-d", Action::PageDown),
    (Place::List, "l", Action::Open),
    (Place::List, "a o", Action::ToInput),
];
