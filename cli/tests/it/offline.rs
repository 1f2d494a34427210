//! What a person sees without a server: the recent chats that this machine has kept.

use crate::story::Story;

#[test]
fn chats_and_their_ends_are_shown_without_a_server_until_the_logout() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    for text in ["one", "two", "three"] {
        assert_eq!(story.run("amna", &["send", &chat, text]).code, Some(0));
    }
    let seen = [&["chats"][..], &["history", &chat], &["--json", "chats"]]
        .map(|args| story.run("amna", args).stdout);
    assert!(seen[1].contains("three"), "{}", seen[1]);
    story.kill_server();

    assert_eq!(story.run("amna", &["chats"]).code, Some(5), "the server is away");
    let offline = [
        &["chats", "--offline"][..],
        &["history", &chat[..8], "--offline"],
        &["--json", "chats", "--offline"],
    ]
    .map(|args| story.run("amna", args).stdout);
    assert_eq!(offline, seen);
    let last = story.run("amna", &["history", &chat, "--offline", "--limit", "1"]).stdout;
    assert!(last.contains("three") && !last.contains("two"), "{last}");
    // Ravi has looked at nothing yet, and sees nothing of Amna's.
    let none = story.run("ravi", &["history", &chat, "--offline"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(4), ""), "{}", none.stderr);

    story.run("amna", &["logout"]);
    let gone = story.run("amna", &["history", &chat, "--offline"]);
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(4), ""), "{}", gone.stderr);
}

#[test]
fn what_was_listened_to_is_kept_too() {
    let mut story = Story::begin();
    story.enter("customer", "Amna", "Khan");
    story.enter("provider", "Ravi", "Kumar");
    let chat = story.book("amna", "2");
    assert_eq!(story.run("amna", &["send", &chat, "on my way"]).code, Some(0));
    let listen = ["listen", &chat, "--since", "0", "--count", "1", "--event", "new_message"];
    assert_eq!(story.run("ravi", &listen).code, Some(0));
    story.kill_server();
    let kept = story.run("ravi", &["history", &chat, "--offline"]).stdout;
    assert!(kept.contains("on my way"), "{kept}");
}
