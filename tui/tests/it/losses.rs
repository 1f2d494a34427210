//! What may not be lost, moved or told too early: stories that once ended badly.

use serde_json::json;
use trialogue_client::link::Trouble;
use trialogue_client::session::Update;
use trialogue_client::timeline::Ask;
use trialogue_client::{Error, LinkState, Via};
use trialogue_protocol::MessagePage;
use trialogue_tui::model::log::{BYTES_ASIDE_MAX, BYTES_MAX, Joined, Scroll, Spot};
use trialogue_tui::msg::{Msg, Reply};

use crate::stage::{LENA, RAVI, Stage, ack, chat_id};

/// The story ends with this draft, and the desk has it too.
#[track_caller]
fn check(story: &str, draft: &str) -> Stage {
    let mut stage = Stage::new();
    stage.play(story);
    assert_eq!(stage.model.compose.editor.text(), draft);
    stage
}

#[track_caller]
fn kept(stage: &Stage, number: u128) -> String {
    let drafts = stage.model.compose.drafts(stage.model.chats.open);
    drafts.get(&chat_id(number)).cloned().unwrap_or_default()
}

#[test]
fn a_thought_outlives_a_look_at_what_was_said_before() {
    let thought = "sends old; types a thought; presses up";
    assert_eq!(kept(&check(thought, "old"), 0), "a thought");
    check(&format!("{thought}; types x; presses ctrl-u up"), "a thought");
    check(&format!("{thought}; presses enter up"), "a thought");
    check(&format!("{thought}; presses alt-down alt-up"), "a thought");
    let mut stage = check(thought, "old");
    stage.tell(Msg::Reply(Reply::Edited(Ok("edited".to_owned()))));
    stage.play("presses up");
    assert_eq!(stage.model.compose.editor.text(), "a thought");
}

#[test]
fn a_command_waits_beside_the_draft_and_never_takes_its_place() {
    for (keys, line) in [("ctrl-k", "/chat "), ("ctrl-f", "/search "), ("esc /", "/search ")] {
        let mut stage = check(&format!("types half a word; presses {keys}"), line);
        assert_eq!(kept(&stage, 0), "half a word", "{keys}");
        stage.play("presses ctrl-q").shows("a draft is not sent");
        stage.play("presses ctrl-u");
        assert_eq!(stage.model.compose.editor.text(), "half a word", "{keys}");
    }
    let mut stage = check("types half; presses ctrl-k; types gdg; presses enter", "");
    assert_eq!(kept(&stage, 0), "half");
    stage.play("presses ctrl-k; types kitchen; presses enter").shows("> half");
    check("types half; presses ctrl-k; types gdg; presses alt-down alt-up", "half");
    // Where lines are typed the draft of another day stays one.
    let mut stage = check("types half", "half");
    stage.tell(Msg::Line("a line".to_owned()));
    assert_eq!(stage.model.compose.editor.text(), "half");
}

#[test]
fn what_nothing_keeps_is_not_called_kept() {
    let mut stage = Stage::new();
    stage.play("sends hello");
    let id = stage.model.open_log().unwrap().1.pending[0].id.clone();
    let error = Error::Full("the outbox is full".to_owned());
    stage.tell(Msg::Reply(Reply::NotQueued { id, chat: chat_id(0), error }));
    stage.play("presses ctrl-q").shows("1 message is not sent and will be lost: once more");
    stage.play("lost 1 1; sends one").play("presses ctrl-q");
    stage.shows("and will be lost, 1 kept");
    let mut stage = Stage::new();
    stage.tell(Msg::Reply(Reply::Unkept("the outbox is kept in memory".to_owned())));
    stage.play("lost 1 1; sends one; sends two; presses ctrl-q");
    stage.shows("2 messages are not sent and will be lost");
}

#[test]
fn a_window_without_room_for_messages_reads_none() {
    let mut stage = Stage::new();
    stage.play("sized 20x4; ravi says hello");
    assert!(!stage.effects.contains(&"read 1".to_owned()), "{:?}", stage.effects);
    stage.effects.clear();
    stage.play("sized 80x24").wants(&["read 1"]);
    // The list beside it covers nothing, where there is room for both.
    stage.play("waited 1000; presses alt-l; ravi says more").wants(&["read 2"]);
}

fn top(stage: &mut Stage) -> String {
    let frame = stage.frame(80, 24);
    frame.lines().nth(1).unwrap_or_default().split('│').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_flood_below_takes_nothing_from_whoever_reads_above() {
    let mut stage = Stage::new();
    for n in 0..40 {
        stage.says(RAVI, &format!("line {n}"), Via::CatchUp);
    }
    stage.play("presses pageup");
    let seen = top(&mut stage);
    let big = "x".repeat(16 * 1024);
    for _ in 0..1_100 {
        stage.says(RAVI, &big, Via::Live);
    }
    assert_eq!(top(&mut stage), seen);
    let bytes = |stage: &Stage| {
        let rows = stage.model.open_log().unwrap().1.rows();
        rows.iter().filter_map(|row| Some(row.said()?.text.len())).sum::<usize>()
    };
    assert!(bytes(&stage) > BYTES_MAX, "what is looked at is worth more than the bound");
    for _ in 0..1_100 {
        stage.says(RAVI, &big, Via::Live);
    }
    stage.says(RAVI, "the very end", Via::Live);
    // What cannot be kept any more goes from above: the eye rests on the oldest that is left.
    assert!(bytes(&stage) <= 2 * BYTES_MAX, "{}", bytes(&stage));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("2201 new below") && !frame.contains("the very end"), "{frame}");
    stage.play("presses pagedown").shows("new below");
}

#[test]
fn a_chat_aside_keeps_little_whatever_comes() {
    let mut stage = Stage::new();
    stage.play("presses alt-down");
    for _ in 0..100 {
        stage.says(RAVI, &"x".repeat(16 * 1024), Via::CatchUp);
    }
    let rows = stage.model.logs[&chat_id(0)].rows();
    let bytes: usize = rows.iter().filter_map(|row| Some(row.said()?.text.len())).sum();
    assert!((BYTES_ASIDE_MAX / 2..=BYTES_ASIDE_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn what_fills_a_gap_moves_nothing_below_it() {
    let mut stage = Stage::new();
    stage.says(RAVI, "before", Via::CatchUp);
    let missing: Vec<_> = (0..50).map(|n| stage.message(RAVI, &format!("late {n}"))).collect();
    let chat = chat_id(0);
    stage.tell(Msg::Update(Update::Missing { chat, from: 2, to: 51 }));
    for n in 0..60 {
        stage.says(RAVI, &format!("after {n}"), Via::CatchUp);
    }
    stage.play("waited 1000; presses esc pageup");
    let seen = top(&mut stage);
    let read_to = stage.model.open_log().unwrap().1.read_to.unwrap();
    let page = MessagePage {
        chat_id: chat,
        messages: missing,
        first_seq: Some(2),
        last_seq: Some(51),
        has_more: Some(false),
        epoch: None,
    };
    stage.tell(Msg::Reply(Reply::Page { chat, ask: Ask::After(1), page: Ok(page) }));
    assert_eq!(top(&mut stage), seen);
    let (_, log) = stage.model.open_log().unwrap();
    assert_eq!(log.read_to, Some(read_to + 49));
    let at = log.eye.selected.as_ref().and_then(|spot| log.place_of(spot)).unwrap();
    assert!(log.row(at).unwrap().said().unwrap().text.starts_with("after"));
    assert!(matches!(&log.eye.scroll, Scroll::Top { spot: Spot::Row(_), .. }));
}

#[test]
fn a_flood_of_calls_is_not_a_flood_of_bells() {
    let mut stage = Stage::new();
    stage.play("looks away");
    for _ in 0..40 {
        stage.play("waited 100; ravi says @amna now");
    }
    let bells = stage.effects.iter().filter(|effect| *effect == "Bell").count();
    assert_eq!(bells, 2, "in four seconds");
}

#[test]
fn an_invitation_is_not_accepted_by_enter_alone() {
    let mut stage = Stage::of(LENA);
    stage.tell(Msg::Focus(true));
    stage.up();
    stage.list(&[0]);
    stage.model.log(chat_id(0)).joined = Joined::Invited;
    stage.effects.clear();
    stage.play("presses enter").wants(&[]).shows("/join");
    stage.play("types /join; presses enter");
    assert!(stage.effects.iter().any(|effect| effect.starts_with("Accept")), "{:?}", stage.effects);
    stage.tell(Msg::Update(Update::Joined { ack: ack(0), again: false }));
    assert!(stage.model.chats.rooms.contains(&chat_id(0)));
}

#[test]
fn every_way_out_asks_while_something_would_be_left() {
    let mut stage = Stage::new();
    stage.play("types unsent; presses f3 ctrl-q");
    stage.shows("a draft is not sent");
    stage.play("presses tab; types it leaks; presses ctrl-q");
    stage.shows("the text of a form will be lost");
    stage.play("presses esc ctrl-q").shows("the text of a form will be lost");
    assert!(!stage.effects.contains(&"Quit".to_owned()));
    stage.play("presses ctrl-q");
    assert!(stage.effects.contains(&"Quit".to_owned()));
    let mut stage = Stage::new();
    stage.play("lost 1 1; sends one; sends /quit").shows("1 message is not sent yet");
    assert!(!stage.effects.contains(&"Quit".to_owned()));
    stage.play("sends two; sends /quit").shows("2 messages are not sent yet");
    assert!(!stage.effects.contains(&"Quit".to_owned()));
    stage.play("sends /quit");
    assert!(stage.effects.contains(&"Quit".to_owned()));
}

#[test]
fn a_question_that_is_gone_is_not_answered() {
    for story in ["pastes words; presses ctrl-c", "waited 6000; presses ctrl-c"] {
        let mut stage = Stage::new();
        stage.play("presses ctrl-c").shows("quit?");
        stage.play(story);
        assert!(!stage.effects.contains(&"Quit".to_owned()), "{story}");
    }
}

#[test]
fn the_state_of_the_line_is_said_whatever_the_server_speaks() {
    let mut stage = Stage::new();
    stage.model.connection.other_version = Some(3);
    stage.shows("Server speaks v3, this client v1");
    let why = Trouble::new("reset");
    let next_in = std::time::Duration::from_secs(4);
    stage.tell(Msg::Update(Update::Link(LinkState::Reconnecting { attempt: 3, next_in, why })));
    stage.shows("Reconnecting · retry 3 · next in 4 s");
}

fn noticed(number: u128) -> Msg {
    let notification = json!({"id": uuid::Uuid::from_u128(number), "type": "dispute",
        "title": "Dispute", "message": "", "chatId": chat_id(9), "jobId": null, "is_read": false, "recipient_id": LENA,
        "created_at": "2025-03-04T14:01:00.000Z"});
    let notification = serde_json::from_value(notification).unwrap();
    Msg::Update(Update::Notification { notification, unread_count: None })
}

#[test]
fn a_flood_of_news_is_no_flood_of_questions() {
    let mut stage = Stage::of(LENA);
    stage.up();
    stage.list(&[0]);
    stage.tell(Msg::Reply(Reply::Invites(Ok(Vec::new()))));
    stage.effects.clear();
    for number in 0..1_000 {
        stage.tell(noticed(number));
    }
    let asked = |stage: &Stage, what: &str| stage.effects.iter().filter(|e| *e == what).count();
    assert_eq!((asked(&stage, "LoadChats"), asked(&stage, "LoadInvites")), (1, 1));
    stage.list(&[0]);
    stage.tell(Msg::Reply(Reply::Invites(Ok(Vec::new()))));
    assert_eq!((asked(&stage, "LoadChats"), asked(&stage, "LoadInvites")), (2, 2));
    stage.list(&[0]);
    assert_eq!(asked(&stage, "LoadChats"), 2, "nothing came since");
    stage.tell(noticed(1_000));
    stage.up();
    assert_eq!(asked(&stage, "LoadChats"), 4, "a new line asks anew, whatever is on its way");
}

#[test]
fn what_was_missed_rings_nothing_and_what_comes_later_does() {
    let bells = |stage: &Stage| stage.effects.iter().filter(|e| *e == "Bell").count();
    let mut stage = Stage::new();
    stage.play("looks away; waited 3000; lost 1 1; connected; listed 0 0 0 0");
    stage.tell(noticed(1));
    stage.play("waited 3000");
    stage.tell(noticed(2));
    assert_eq!(bells(&stage), 0, "the list has counted them");
    stage.play("waited 3000");
    stage.tell(noticed(3));
    assert_eq!(bells(&stage), 1);
    // A list that never comes silences nobody for ever.
    let mut stage = Stage::new();
    stage.play("looks away; lost 1 1; connected; waited 6000; ravi says hello");
    assert_eq!(bells(&stage), 1);
}

#[test]
fn keys_of_everywhere_work_in_forms_and_pages() {
    let mut stage = Stage::new();
    stage.play("presses f3 tab; types leaks; presses f1").shows("┌ Help");
    let first = stage.frame(80, 24);
    stage.play("presses j");
    assert_ne!(stage.frame(80, 24), first);
    stage.play("presses k");
    assert_eq!(stage.frame(80, 24), first);
    stage.play("presses G g");
    assert_eq!(stage.frame(80, 24), first);
    stage.play("presses end home");
    assert_eq!(stage.frame(80, 24), first);
    stage.play("presses esc").shows("┌ File a dispute").shows("leaks");
    stage.effects.clear();
    stage.play("presses f12 ctrl-r").wants(&["Mouse(true)", "RetryNow"]);
    stage.play("presses esc esc m").shows("muted: counts, but stays silent");
}

#[test]
fn a_paste_over_the_invites_is_a_draft() {
    let mut stage = Stage::of(LENA);
    stage.up();
    stage.list(&[0]);
    stage.play("presses f3; pastes words").shows("> words");
    assert!(!stage.model.invites.shown);
}

#[test]
fn providers_that_come_late_change_no_other_page() {
    let mut stage = Stage::new();
    stage.play("presses f2 esc f1");
    let help = stage.frame(80, 24);
    stage.tell(Msg::Reply(Reply::Providers(Ok(Vec::new()))));
    assert_eq!(stage.frame(80, 24), help);
    stage.play("presses esc; sends /providers");
    stage.tell(Msg::Reply(Reply::Providers(Err(Error::NotConnected))));
    stage.hides("Loading").shows("┌ Providers");
}
