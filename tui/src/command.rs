//! The words after a slash: the same verbs as in the shell, and what completes them.

/// One command: its word, its arguments, what the help says.
pub struct Command {
    /// The word.
    pub word: &'static str,
    /// Its arguments.
    pub args: &'static str,
    /// What the help says.
    pub help: &'static str,
    /// What it does.
    pub does: Verb,
}

/// The table: verb, word, arguments and help.
macro_rules! verbs {
    ($($verb:ident $word:literal $args:literal $help:literal,)*) => {
        /// What a command does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Verb {
            $(#[doc = $help] $verb,)*
        }

        /// All commands, in order of their words.
        pub const COMMANDS: &[Command] = &[
            $(Command { word: $word, args: $args, help: $help, does: Verb::$verb },)*
        ];
    };
}

verbs! {
    Book "book" "[--provider NAME --title T --details TEXT --when TIME]" "book a job",
    Chat "chat" "LETTERS" "jump to a chat by some of its letters",
    Chats "chats" "[--unread]" "list the chats",
    Discard "discard" "[N]" "give up message N of those that were not sent",
    Dispute "dispute" "[TEXT]" "open a dispute: call the local service manager in",
    Edit "edit" "[N]" "edit message N of those that were not sent",
    Help "help" "" "show keys and commands",
    History "history" "" "load earlier messages",
    Invites "invites" "" "list the disputes that I am invited into",
    Jobs "jobs" "[complete|cancel]" "show, complete or cancel this chat's job",
    Join "join" "[LETTERS]" "accept the invitation into a dispute",
    Leave "leave" "" "leave this chat's room",
    Login "login" "[EMAIL]" "sign in",
    Logout "logout" "" "sign out",
    Members "members" "" "list who is in this chat",
    Mute "mute" "" "mute or unmute this chat",
    Notifications "notifications" "[--unread|--all]" "what happened while I was away; --all marks it as read",
    Outbox "outbox" "[--flush]" "list what is not stored yet, or try it now",
    Profile "profile" "NAME" "go on as another account of this machine",
    Providers "providers" "[NAME]" "list the providers that can be booked",
    Quit "quit" "" "quit",
    Read "read" "" "mark this chat as read",
    Resolve "resolve" "[TEXT]" "end a dispute and leave its chat",
    Retry "retry" "[N]" "try message N of those that were not sent again",
    Search "search" "TEXT" "find in this chat",
    Send "send" "TEXT" "say something",
    Status "status" "" "show the server and the connection",
    Whoami "whoami" "" "show who is signed in",
}

/// What a line with a slash says.
///
/// # Errors
/// One sentence about a word that is no command.
pub fn parse(line: &str) -> Result<(Verb, &str), String> {
    let line = line.strip_prefix('/').unwrap_or(line);
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let exact = COMMANDS.iter().find(|command| command.word == word);
    let begun: Vec<&Command> = COMMANDS.iter().filter(|c| c.word.starts_with(word)).collect();
    match (exact, begun.as_slice()) {
        (Some(command), _) => Ok((command.does, rest.trim())),
        (None, [command]) => Ok((command.does, rest.trim())),
        (None, []) => Err(format!("/{word} is no command; // sends a text with a slash")),
        (None, several) => {
            let words: Vec<String> = several.iter().map(|c| format!("/{}", c.word)).collect();
            Err(format!("/{word} could be {}", words.join(", ")))
        }
    }
}

/// What a value of `--NAME value…` is; it goes on to the next `--`.
pub fn flag<'a>(args: &'a str, name: &str) -> Option<&'a str> {
    let at = args.find(&format!("--{name} "))?;
    let value = &args[at + name.len() + 3..];
    let end = value.find(" --").unwrap_or(value.len());
    Some(value[..end].trim().trim_matches('"')).filter(|value| !value.is_empty())
}

/// Words that the one being typed may become: commands after a slash, names after an at sign.
pub fn completions(line: &str, word: &str, names: &[String]) -> Vec<String> {
    if let Some(begun) = word.strip_prefix('/').filter(|_| line.starts_with('/') && line == word) {
        let fits = COMMANDS.iter().filter(|command| command.word.starts_with(begun));
        return fits.map(|command| format!("/{} ", command.word)).collect();
    }
    if let Some(begun) = word.strip_prefix('@') {
        let begun = begun.to_lowercase();
        let fits = names.iter().filter(|name| name.to_lowercase().starts_with(&begun));
        return fits.map(|name| format!("@{name} ")).collect();
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_its_word_or_enough_of_it() {
        let check = |line, expect: Result<(Verb, &str), &str>| {
            let parsed = parse(line);
            assert_eq!(parsed.as_ref().map_err(String::as_str).copied(), expect, "{line}");
        };
        check("/book", Ok((Verb::Book, "")));
        check("/dispute  it leaks ", Ok((Verb::Dispute, "it leaks")));
        check("/res all well", Ok((Verb::Resolve, "all well")));
        check("/chat kitchen", Ok((Verb::Chat, "kitchen")));
        check("/ret", Ok((Verb::Retry, "")));
        assert!(parse("/fly").unwrap_err().contains("no command"));
        assert!(parse("/re").unwrap_err().contains("/resolve"));
    }

    #[test]
    fn words_are_in_order_and_complete_each_other() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.word));
        assert_eq!(completions("/bo", "/bo", &[]), ["/book "]);
        assert_eq!(completions("see /bo", "/bo", &[]), Vec::<String>::new());
        assert_eq!(completions("hi @r", "@r", &["Ravi".into(), "Amna".into()]), ["@Ravi "]);
    }

    #[test]
    fn flags_are_those_of_the_shell() {
        let args = "--provider ravi kumar --title Sink leak";
        assert_eq!(flag(args, "provider"), Some("ravi kumar"));
        assert_eq!(flag(args, "title"), Some("Sink leak"));
        assert_eq!(flag(args, "when"), None);
    }
}
