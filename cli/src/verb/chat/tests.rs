//! The files of the client, and its words beside those of the shell.

use super::*;

#[test]
fn the_settings_file_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, "preset = \"vim\"\n").unwrap();
    let mut settings = Settings::new(true, false, shell::local);
    assert_eq!(read_settings(&path, Settings::read, &mut settings, true), Vec::<String>::new());
    std::fs::write(&path, [0xFF]).unwrap();
    assert_eq!(read_settings(&path, Settings::read, &mut settings, true).len(), 1);
}

/// What only the shell has of a verb that both have, and why.
const ONLY_IN_THE_SHELL: [(&str, &[&str], &str); 11] = [
    ("book", &["location", "budget", "key"], "the form has no field for them"),
    ("send", &["each-line", "id"], "for scripts"),
    ("history", &["limit", "before", "after", "all", "offline"], "the screen pages by itself"),
    ("notifications", &["limit", "before", "ack"], "a page that scrolls"),
    ("read", &["upto"], "for scripts: what is seen is read"),
    ("chats", &["offline", "limit"], "a list that scrolls, with what was kept in it"),
    ("invites", &["limit"], "a list that scrolls"),
    ("jobs", &["limit"], "about the open chat's job"),
    ("providers", &["region", "limit"], "a page that scrolls"),
    ("login", &["password-stdin", "password-file"], "the form asks"),
    ("outbox", &["discard", "discard-all"], "/discard gives one up"),
];

/// Verbs that both have.
const CHAT_VERBS: [&str; 19] = [
    "book",
    "send",
    "join",
    "leave",
    "dispute",
    "resolve",
    "history",
    "notifications",
    "read",
    "members",
    "invites",
    "chats",
    "providers",
    "jobs",
    "outbox",
    "login",
    "logout",
    "whoami",
    "status",
];

#[test]
fn every_chat_verb_is_a_command_of_the_screen_with_the_same_words() {
    use clap::CommandFactory as _;
    use trialogue_tui::command::COMMANDS;
    let shell = crate::args::Cli::command();
    for verb in CHAT_VERBS {
        let of_shell = shell.find_subcommand(verb).expect(verb);
        let command = COMMANDS.iter().find(|command| command.word == verb);
        let command = command.unwrap_or_else(|| panic!("/{verb} is no command"));
        let only = ONLY_IN_THE_SHELL.iter().find(|row| row.0 == verb);
        let mut only = only.map_or(Vec::new(), |row| row.1.to_vec());
        for arg in of_shell.get_arguments().filter(|arg| arg.get_id() != "help") {
            let word = match arg.get_long() {
                Some(long) if only.contains(&long) => {
                    only.retain(|known| *known != long);
                    continue;
                }
                Some(long) => format!("--{long}"),
                // The open chat is meant.
                None if arg.get_id() == "chat" => continue,
                None => arg.get_id().to_string().to_uppercase(),
            };
            assert!(command.args.contains(&word), "/{verb} has no {word}");
        }
        assert_eq!(only, Vec::<&str>::new(), "{verb} has none of these in the shell");
    }
}
