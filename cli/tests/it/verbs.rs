//! The verbs against a real server: what each says, to eyes and to programs, and how it exits.

use trialogue_client::backup;
use trialogue_protocol::{ChatId, Message, MessageId, MessageType, Role, UserId};

use crate::story::Story;

#[test]
fn an_account_is_made_used_and_left() {
    let mut story = Story::begin();
    let name = ["--first-name", "Amna", "--last-name", "Khan"];
    let register = ["register", "amna@example.org", "--role", "customer"];
    story.run("amna", &["whoami"]);
    story.run("amna", &[&register[..], &name[..]].concat());
    story.run("amna", &["whoami"]);
    story.run("amna", &["--json", "whoami"]);
    story.run("amna", &[&["--json"][..], &register[..], &name[..]].concat());
    story.pipe("wrong horse\n", "amna", &["login", "amna@example.org", "--password-stdin"]);
    story.run("amna", &["logout"]);
    story.run("amna", &["whoami"]);
    story.run("amna", &["login", "amna@example.org"]);
    story.run("amna", &["--json", "login", "amna@example.org"]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn a_job_is_booked_and_talked_about() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.run("amna", &["providers"]);
    let chat = story.book("amna", "2");
    let end = &chat[chat.len() - 6..];
    story.run("amna", &["history", &chat]);
    story.run("amna", &["send", &chat, "Hi", "Ravi,", "can you come today?"]);
    story.run("ravi", &["chats"]);
    story.run("ravi", &["chats", "--unread", "--json"]);
    story.run("ravi", &["history", end]);
    story.run("ravi", &["read", end]);
    story.run("ravi", &["chats", "--unread"]);
    story.run("ravi", &["--json", "send", end, "Yes, at four."]);
    story.run("amna", &["history", end, "--json", "--limit", "1"]);
    story.run("amna", &["history", end, "--json", "--all"]);
    story.run("amna", &["members", end]);
    story.run("ravi", &["notifications"]);
    story.run("ravi", &["notifications", "--all"]);
    story.run("ravi", &["notifications", "--unread", "--json"]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn a_dispute_brings_the_lsm_in_and_out() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.enter("lsm", "Lena", "Hart");
    let chat = story.book("amna", "2");
    let end = &chat[chat.len() - 6..];
    story.run("lena", &["invites"]);
    story.run("amna", &["dispute", end, "The leak came back."]);
    story.run("amna", &["--json", "dispute", end, "And again."]);
    story.run("lena", &["invites"]);
    story.run("lena", &["join", end]);
    story.run("lena", &["join", end]);
    story.run("lena", &["send", end, "Good morning, both."]);
    story.run("amna", &["members", end]);
    story.run("lena", &["resolve", end, "Ravi comes again, free of charge."]);
    story.run("lena", &["send", &chat, "One more thing."]);
    story.run("amna", &["history", end]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn what_goes_wrong_has_an_exit_code_and_a_sentence() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.enter("customer", "Stranger", "Danger");
    let chat = story.book("amna", "2");
    story.run("stranger", &["send", &chat, "let me in"]);
    story.run("stranger", &["--json", "history", &chat]);
    story.run("stranger", &["members", &chat]);
    // Quietly: the line may be up before the chat is refused, or not.
    story.run("stranger", &["-q", "listen", &chat]);
    story.run("amna", &["history", "abcdef"]);
    story.run("amna", &["book", "--provider", "1"]);
    story.run("amna", &["send", &chat, "   "]);
    story.run("amna", &["join", &chat]);
    story.run("amna", &["listen", &chat, "--event", "new_message", "--count", "1", "--for", "1s"]);
    story.kill_server();
    story.run("amna", &["chats"]);
    story.run("amna", &["--timeout", "1s", "-q", "send", &chat, "Anyone?"]);
    story.run("amna", &["outbox"]);
    story.restart_server();
    story.run("amna", &["outbox", "--flush"]);
    story.run("amna", &["history", &chat]);
    insta::assert_snapshot!(story.transcript());
}

#[test]
fn lines_of_a_pipe_arrive_once_and_in_order() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    story.pipe("one\n\n two\nthree", "amna", &["send", &chat, "--each-line"]);
    story.pipe("a message\nof two lines\n", "amna", &["send", &chat, "-"]);
    let same = ["send", &chat, "only once", "--id", "from-a-script-1"];
    story.run("amna", &same);
    story.run("amna", &same);
    story.run("amna", &["send", &chat, "another text", "--id", "from-a-script-1"]);
    story.run("ravi", &["history", &chat]);
    insta::assert_snapshot!(story.transcript());
}

/// Group H of RELIABILITY §3.8. Our server takes no such names and titles; how those of another
/// server are shown is tested where they are drawn.
#[test]
fn a_hostile_message_is_harmless_in_every_verb() {
    const HOSTILE: &str = "\u{1b}]52;c;cm0=\u{7}\u{9b}2J\u{202e}evil\r\u{1b}[31mRavi: ok";
    let mut story = Story::begin();
    story.enter("provider", "Ravi", "Kumar");
    story.enter("customer", "Amna", "Khan");
    let chat = story.book("amna", "1");
    let sent = story.run("amna", &["send", &chat, HOSTILE]);
    assert_eq!(sent.code, Some(0), "{sent}");
    let listen = ["listen", &chat, "--since", "0", "--count", "1", "--event", "new_message"];
    for verb in [&["chats"][..], &["history", &chat], &["notifications"], &listen] {
        for json in [&[][..], &["--json"]] {
            let ran = story.run("ravi", &[json, verb].concat());
            assert_eq!(ran.code, Some(0), "{ran}");
            let harmful = |c: char| matches!(c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{202e}');
            assert!(!ran.stdout.contains(harmful), "{verb:?} {:?}", ran.stdout);
            assert!(!ran.stderr.contains(harmful), "{verb:?} {:?}", ran.stderr);
            assert!(ran.stdout.contains("evil"), "{verb:?} shows it: {:?}", ran.stdout);
        }
    }
}

#[test]
fn an_invitation_is_not_accepted_by_looking_at_the_chat() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    story.enter("lsm", "Lena", "Hart");
    let chat = story.book("amna", "2");
    story.run("amna", &["dispute", &chat, "The leak came back."]);
    for verb in [&["listen", &chat, "--for", "20s"][..], &["read", &chat]] {
        let ran = story.run("lena", verb);
        assert_eq!(ran.code, Some(4), "{ran}");
        assert!(ran.stderr.contains("only invited"), "{ran}");
    }
    let members = story.run("amna", &["members", &chat]);
    assert!(!members.stdout.contains("Lena"), "{members}");
    assert_eq!(story.run("lena", &["join", &chat]).code, Some(0));
    assert_eq!(story.run("lena", &["read", &chat]).code, Some(0));
}

#[test]
fn a_logout_wipes_recent_chats_from_the_disk() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    let owner = format!("{}/ 1", story.url());
    let folder = story.folder("amna").join("backup");
    let opened = backup::open(&folder, &owner).unwrap();
    let mut shelf = opened.shelf;
    let created_at = chrono::DateTime::UNIX_EPOCH.into();
    let id = uuid::Uuid::now_v7();
    let said = Message {
        id: MessageId(id),
        chat_id: ChatId(id),
        seq: Some(1),
        sender_type: Role::Customer,
        sender_id: UserId(1),
        sender_name: "Amna".to_owned(),
        message: "a secret".to_owned(),
        message_type: MessageType::Text,
        client_message_id: None,
        created_at,
    };
    shelf.said(&said, None);
    opened.keeper.unwrap().keep(&mut shelf).unwrap();
    assert_eq!(backup::look(&folder, &owner).unwrap().chats().len(), 1);
    assert_eq!(story.run("amna", &["logout"]).code, Some(0));
    assert!(backup::look(&folder, &owner).unwrap().chats().is_empty());
    for file in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret"));
    }
}
