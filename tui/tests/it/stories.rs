//! Stories of the update: what is done, what follows.

use trialogue_client::Error;
use trialogue_client::session::Update;
use trialogue_client::timeline::Ask;
use trialogue_protocol::MessagePage;
use trialogue_tui::msg::{Msg, Reply};

use crate::stage::{RAVI, Stage, chat_id};
use trialogue_client::Via;

#[test]
fn a_message_is_queued_sent_and_read_and_each_state_has_its_mark() {
    let mut stage = Stage::new();
    stage.play("types hi").wants(&["typing true"]);
    stage.play("presses enter").wants(&["typing false", "send 0: hi"]).shows("·  14:00 Amna   hi");
    stage.play("sending").shows("~  14:00 Amna   hi");
    stage.play("stored").shows("✓  14:00 Amna   hi");
    stage.play("ravi reads 1").shows("✓✓ 14:00 Amna   hi");
}

#[test]
fn what_was_typed_offline_waits_and_leaves_in_order() {
    let mut stage = Stage::new();
    stage.play("lost 3 4; sends one; sends two");
    stage.shows("2 queued, sent in order when back").shows("Reconnecting · retry 3 · next in 4 s");
    stage.play("waited 1000").shows("next in 3 s · 2 queued");
    stage.play("waited 3000").shows("retry 3 · trying now");
    stage.play("rejoining").shows("Connected · rejoining 2 of 3 chats");
    stage.play("connected; sending; stored; stored").shows("✓  14:00 Amna   one").hides("queued");
}

#[test]
fn a_refused_message_keeps_its_text_its_reason_and_three_keys() {
    let mut stage = Stage::new();
    stage.play("sends park in the yard; refused server error; sends 4711");
    stage.shows("✗  14:00 Amna   park in the yard").shows("not sent: server error");
    stage.shows("r retry  e edit  d discard").shows("·  14:00 Amna   4711");
    stage.effects.clear();
    stage.play("presses esc up r").wants(&["again"]);
    stage.hides("not sent");
    stage.play("refused once more; presses esc esc up up up e").wants(&["discard"]);
    stage.shows("> 4711").hides("once more");
}

#[test]
fn discarding_is_a_key_of_its_own_and_can_be_undone_by_arrow_up() {
    let mut stage = Stage::new();
    stage.play("sends oops; refused no; presses esc up d").hides("not sent");
    stage.effects.clear();
    stage.play("presses i up").shows("> oops");
}

#[test]
fn a_message_that_was_never_taken_is_sent_under_its_own_name_again() {
    let mut stage = Stage::new();
    stage.play("sends hello");
    let (chat, id) = {
        let (chat, log) = stage.model.open_log().unwrap();
        (chat, log.pending[0].id.clone())
    };
    let error = Error::Full("the outbox is full: 1000 messages wait".to_owned());
    stage.tell(Msg::Reply(Reply::NotQueued { id, chat, error }));
    stage.shows("not sent: the outbox is full: 1000");
    stage.effects.clear();
    stage.play("presses esc up r").wants(&["send 0: hello"]);
}

#[test]
fn too_long_a_text_stays_in_the_input_with_the_limit() {
    let mut stage = Stage::new();
    let long = "x".repeat(100_000);
    stage.tell(Msg::Paste(long.clone()));
    stage.play("presses enter").shows("too long: 100000 of at most 4000 characters");
    assert_eq!(stage.model.compose.editor.text(), long);
    stage.play("presses ctrl-u; sends short").shows("·  14:00 Amna   short");
}

#[test]
fn a_limit_of_the_server_is_waited_for_with_the_seconds() {
    let mut stage = Stage::new();
    stage.play("sends hi; waits 4").shows("1 queued, next try in 4 s: too many messages");
    stage.play("waited 1500").shows("next try in 3 s");
}

#[test]
fn typing_is_said_renewed_and_taken_back() {
    let mut stage = Stage::new();
    stage.play("types he; waited 2000; types l").wants(&["typing true"]);
    stage.play("waited 1500; types l").wants(&["typing true"]);
    stage.play("waited 5000").wants(&["typing false"]);
    stage.play("types o; presses ctrl-c").wants(&["typing true", "typing false"]);
    stage.play("types /book").wants(&[]);
}

#[test]
fn receipts_follow_the_eyes() {
    let mut stage = Stage::new();
    stage.play("ravi says one").wants(&["read 1"]);
    stage.play("looks away; ravi says two").wants(&["Bell"]);
    stage.play("waited 1000; looks back").wants(&["read 2"]);
    stage.play("waited 1000; waited 2000; presses f1; ravi says three").wants(&["Bell"]);
    stage.play("presses esc").wants(&["read 3"]);
}

#[test]
fn a_flood_is_not_answered_by_a_flood_of_receipts() {
    let mut stage = Stage::new();
    for _ in 0..100 {
        stage.play("ravi says again");
    }
    stage.wants(&["read 1"]);
    stage.play("waited 400").wants(&["read 100"]);
    assert_eq!(trialogue_tui::update::next_wake(&stage.model), None, "idle costs nothing");
}

#[test]
fn drafts_belong_to_their_chats() {
    let mut stage = Stage::new();
    stage.play("types for the sink; presses alt-down").hides("for the sink");
    stage.play("types boiler; presses alt-up").shows("> for the sink");
    stage.play("presses alt-down").shows("> boiler");
}

#[test]
fn earlier_messages_come_by_pages_and_nothing_moves() {
    let mut stage = Stage::new();
    for n in 51..=90 {
        stage.says(RAVI, &format!("line {n}"), Via::CatchUp);
    }
    // The numbers of the chat go on from its 51st message.
    stage.effects.clear();
    stage.play("presses pageup pageup pageup");
    stage.wants(&[]);
    let before = stage.frame(80, 24);
    stage.play("ravi says below").shows("1 new below");
    assert_eq!(before.lines().next(), stage.frame(80, 24).lines().next());
    let top = |frame: &str| frame.lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!(top(&before), top(&stage.frame(80, 24)));
    stage.play("presses end").shows("1 new below");
    stage.play("presses pagedown pagedown pagedown").hides("new below").shows("below");
}

#[test]
fn at_the_top_more_is_asked_for_and_shown_above() {
    let mut stage = Stage::new();
    // The first fifty are not here.
    for _ in 0..50 {
        stage.message(RAVI, "skipped");
    }
    for n in 51..=53 {
        stage.says(RAVI, &format!("line {n}"), Via::CatchUp);
    }
    stage.effects.clear();
    stage.play("presses pageup").wants(&["page Before(51)"]);
    stage.play("presses pageup").wants(&[]);
    stage.play("waited 200").shows("Loading earlier messages…");
    let mut older = Stage::new();
    let messages: Vec<_> = (1..=50).map(|n| older.message(RAVI, &format!("line {n}"))).collect();
    let page = MessagePage {
        chat_id: chat_id(0),
        messages,
        first_seq: Some(1),
        last_seq: Some(50),
        has_more: Some(false),
        epoch: None,
    };
    let ask = Ask::Before(51);
    stage.tell(Msg::Reply(Reply::Page { chat: chat_id(0), ask, page: Ok(page) }));
    stage.hides("Loading").shows("line 53");
    stage.play("presses pageup pageup pageup").shows("Job 1042 booked. Chat opened.");
    stage.wants(&[]);
}

#[test]
fn a_page_that_did_not_come_can_be_asked_for_again() {
    let mut stage = Stage::new();
    stage.message(RAVI, "not here");
    stage.play("ravi says here");
    stage.effects.clear();
    stage.play("presses pageup").wants(&["page Before(2)"]);
    let page = Err(Error::NotConnected);
    stage.tell(Msg::Reply(Reply::Page { chat: chat_id(0), ask: Ask::Before(2), page }));
    stage.shows("Earlier messages did not load. PgUp to retry");
    stage.play("presses pageup").wants(&["page Before(2)"]);
}

#[test]
fn commands_complete_and_wrong_ones_stay_in_the_input() {
    let mut stage = Stage::new();
    stage.play("types /bo; presses tab");
    assert_eq!(stage.model.compose.editor.text(), "/book ");
    stage.play("presses ctrl-u; types /fly; presses enter").shows("> /fly").shows("is no command");
    stage.play("presses ctrl-u; types hi @ra; presses tab").shows("> hi @Ravi");
    stage.effects.clear();
    stage.play("presses ctrl-u; sends //shrug").shows("Amna   /shrug");
}

#[test]
fn letters_find_a_chat() {
    let mut stage = Stage::new();
    stage.play("presses ctrl-k; types gdg; presses enter").shows("Garden gate · job 1044");
    stage.play("presses alt-a").shows("Boiler service · job 1043");
}

#[test]
fn quitting_asks_once_where_something_is_unsent() {
    let mut stage = Stage::new();
    stage.play("presses ctrl-q").wants(&["Quit"]);
    stage.play("lost 1 1; sends hi");
    stage.effects.clear();
    stage.play("presses ctrl-q").wants(&[]).shows("1 message is not sent yet; it is kept");
    stage.play("types x; presses ctrl-q").wants(&["typing true"]);
    stage.play("presses ctrl-q").wants(&["Quit"]);
}

#[test]
fn a_login_that_is_over_asks_and_keeps_the_draft() {
    let mut stage = Stage::new();
    stage.play("types unsent; expired").shows("Signed out · press Enter to sign in");
    stage.shows("> unsent");
    stage.play("presses ctrl-c enter").shows("┌ Sign in");
    stage.play("types secret; presses enter");
    assert!(stage.effects.iter().any(|effect| effect.starts_with("SignIn")), "{:?}", stage.effects);
    stage.shows("******");
    let user = crate::stage::user(crate::stage::AMNA);
    stage.tell(Msg::Reply(Reply::SignedIn(Ok(user))));
    stage.play("connected; presses up").shows("> unsent");
}

#[test]
fn what_cannot_be_sent_here_stays_with_who_has_written_it() {
    let mut stage = Stage::new();
    stage.model.connection.other_version = Some(3);
    stage.shows("── read only ─");
    stage.play("types hello").wants(&["typing true"]);
    stage.play("presses enter").wants(&[]);
    stage.shows("read only: the server speaks v3, this client v1").shows("> hello");
    stage.up();
    stage.effects.clear();
    stage.play("presses enter").wants(&["typing false", "send 0: hello"]);
}

#[test]
fn what_the_terminal_cannot_take_is_not_called_copied() {
    let mut stage = Stage::new();
    stage.says(RAVI, &"ö".repeat(30_000), Via::Live);
    stage.play("presses esc");
    stage.effects.clear();
    stage.play("presses y").shows("only the first 55500 of 60000 bytes are copied");
    assert_eq!(stage.effects, [format!("Copy({:?})", "ö".repeat(27_750))]);
    stage.says(RAVI, "short", Via::Live);
    stage.effects.clear();
    stage.play("presses G y").wants(&["Copy(\"short\")"]).shows("copied: short");
}

#[test]
fn the_chat_that_has_waited_longest_comes_first() {
    let mut stage = Stage::new();
    stage.list(&[0, 0, 0, 0]);
    let unread = |chat, count| Msg::Update(Update::Unread { chat: chat_id(chat), count });
    stage.tell(unread(1, 0));
    stage.tell(unread(2, 1));
    stage.play("waited 5000");
    stage.tell(unread(3, 1));
    stage.tell(unread(2, 2));
    // It came first, and is the most recently active one.
    stage.model.chats.to_top(chat_id(2));
    stage.play("presses alt-a").shows(">  2 Garden gate");
    stage.tell(unread(2, 0));
    stage.play("presses alt-a").shows(">  1 Paint hallway");
    // Read and written to again, it waits since then.
    stage.tell(unread(3, 0));
    stage.play("presses alt-down; waited 1000");
    stage.tell(unread(1, 1));
    stage.play("waited 1000");
    stage.tell(unread(3, 1));
    stage.play("presses alt-a").shows(">  1 Boiler service");
}

#[test]
fn letters_are_a_filter_only_where_it_is_typed() {
    let mut stage = Stage::new();
    stage.play("presses tab; types /g; presses tab tab tab").shows(" / g");
    stage.play("presses m").shows("muted").hides(" / gm");
}

#[test]
fn another_account_is_a_word_away() {
    let mut stage = Stage::new();
    stage.play("sends /profile default").shows("this is profile default").wants(&[]);
    stage.play("sends /profile no/such").shows("which account? /profile NAME");
    stage.effects.clear();
    stage.play("presses ctrl-u; pastes half a thought");
    stage.effects.clear();
    stage.play("presses ctrl-k ctrl-u; presses ctrl-u; sends /profile ravi");
    assert!(stage.effects.contains(&"Profile(\"ravi\")".to_owned()), "{:?}", stage.effects);
}

#[test]
fn the_oldest_unread_message_comes_to_the_top_and_the_rest_is_below() {
    let mut stage = Stage::new();
    let older: Vec<_> = (0..50).map(|n| stage.message(RAVI, &format!("line {n}"))).collect();
    stage.play("presses alt-down");
    for n in 50..100 {
        stage.says(RAVI, &format!("line {n}"), Via::CatchUp);
    }
    stage.tell(Msg::Update(Update::Unread { chat: chat_id(0), count: 80 }));
    // Amna has read up to the twentieth.
    let person = stage.model.logs[&chat_id(0)].people.values().next().unwrap().clone();
    let person = trialogue_client::people::Person { read_seq: 20, ..person };
    stage.tell(Msg::Update(Update::Person { chat: chat_id(0), person }));
    stage.effects.clear();
    stage.play("presses alt-a").wants(&["page Before(51)"]);
    let page = MessagePage {
        chat_id: chat_id(0),
        messages: older,
        first_seq: Some(1),
        last_seq: Some(50),
        has_more: Some(false),
        epoch: None,
    };
    let ask = Ask::Before(51);
    stage.tell(Msg::Reply(Reply::Page { chat: chat_id(0), ask, page: Ok(page) }));
    let frame = stage.frame(80, 24);
    let rows: Vec<&str> = frame.lines().map(|row| row.split('│').next_back().unwrap()).collect();
    assert!(rows[1].starts_with("── 80 new ─") && rows[2].ends_with("line 20"), "{frame}");
    stage.shows("61 new below");
    assert!(!stage.effects.iter().any(|e| e.starts_with("read")), "what is below was not seen");
    // Who goes to the end meanwhile is not brought back.
    stage.play("presses esc G").shows("line 99").hides("new below");
}
