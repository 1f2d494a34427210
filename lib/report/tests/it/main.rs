//! What a diagram looks like: rows in, text out.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod formats;

use std::time::Duration;

use trialogue_report::diagram::{Arrow, Direction, Lane, LaneId, Row, Tone, Wire};
use trialogue_report::terminal::{Renderer, Style, facts};

const CUSTOMER: LaneId = LaneId(0);
const SERVER: LaneId = LaneId(1);
const PROVIDER: LaneId = LaneId(2);
const LSM: LaneId = LaneId(3);
const DATABASE: LaneId = LaneId(4);

fn cast() -> Vec<Lane> {
    vec![
        Lane::new("Customer", "Browser"),
        Lane::new("Backend", "Server"),
        Lane::new("Provider", "Browser"),
        Lane::new("LSM", "Browser"),
        Lane::new("Database", "(PostgreSQL)"),
    ]
}

/// Builds a story with a clock that ticks 12 ms a row.
struct Story {
    rows: Vec<Row>,
    now: Duration,
}

impl Story {
    fn act(title: &str, lanes: &[LaneId]) -> Self {
        let act = Row::Act { title: title.to_owned(), lanes: lanes.to_vec() };
        Self { rows: vec![act], now: Duration::ZERO }
    }

    fn tick(&mut self) -> Duration {
        self.now += Duration::from_millis(12);
        self.now
    }

    fn arrow(self, hub: LaneId, spokes: &[LaneId], direction: Direction, label: &str) -> Self {
        self.wire(Wire::Http, hub, spokes, direction, label, "")
    }

    fn wire(
        mut self,
        wire: Wire,
        hub: LaneId,
        spokes: &[LaneId],
        direction: Direction,
        label: &str,
        detail: &str,
    ) -> Self {
        let at = self.tick();
        self.rows.push(Row::Arrow(Arrow {
            at,
            hub,
            spokes: spokes.to_vec(),
            direction,
            wire,
            label: label.to_owned(),
            detail: detail.to_owned(),
            failed: false,
        }));
        self
    }

    fn failed(mut self) -> Self {
        if let Some(Row::Arrow(arrow)) = self.rows.last_mut() {
            arrow.failed = true;
        }
        self
    }

    fn note(mut self, lane: LaneId, text: &str, tone: Tone) -> Self {
        let at = self.tick();
        self.rows.push(Row::Note { at, lane, text: text.to_owned(), tone });
        self
    }

    fn band(mut self, text: &str, tone: Tone) -> Self {
        let at = self.tick();
        self.rows.push(Row::Band { at, text: text.to_owned(), tone });
        self
    }

    fn alive(mut self, lane: LaneId, alive: bool) -> Self {
        self.rows.push(Row::Alive { lane, alive });
        self
    }

    fn gap(mut self) -> Self {
        self.rows.push(Row::Gap);
        self
    }

    fn draw(&self, style: Style) -> String {
        let mut renderer = Renderer::new(style, cast());
        self.rows.iter().map(|row| renderer.row(row)).collect()
    }

    /// As it is without colours.
    fn plain(&self, style: Style) -> String {
        let mut plain = String::new();
        let drawn = self.draw(style);
        let mut chars = drawn.chars();
        while let Some(c) = chars.next() {
            if c == '\u{1b}' {
                chars.find(|c| *c == 'm').unwrap_or('m');
            } else {
                plain.push(c);
            }
        }
        plain
    }
}

fn booking() -> Story {
    use Direction::{In, Out};
    Story::act("CREATING A CHAT (Job Booking)", &[CUSTOMER, SERVER, DATABASE])
        .arrow(SERVER, &[CUSTOMER], In, "POST /jobs/create")
        .wire(Wire::Store, DATABASE, &[SERVER], In, "job, chat, members: one commit", "")
        .wire(Wire::Store, DATABASE, &[SERVER], Out, "", "jobId 1, chatId 0198f3ab…")
        .wire(Wire::Http, SERVER, &[CUSTOMER], Out, "201 (8 ms)", "{jobId, chatId}")
        .gap()
        .wire(Wire::Socket, SERVER, &[CUSTOMER], In, "join_chat", "")
        .note(SERVER, "access verified", Tone::Plain)
        .wire(Wire::Socket, SERVER, &[CUSTOMER], Out, "joined_chat", "")
}

fn broadcast() -> Story {
    use Direction::{In, Out};
    Story::act("LSM JOINING DISPUTE", &[CUSTOMER, SERVER, PROVIDER, LSM])
        .wire(Wire::Socket, SERVER, &[PROVIDER], In, "send_message", "\"Yes, at 17:00.\"")
        .wire(Wire::Socket, SERVER, &[CUSTOMER, PROVIDER, LSM], Out, "new_message", "seq 2")
        .wire(Wire::Socket, SERVER, &[LSM], Out, "notification:created", "type dispute")
        .wire(Wire::Socket, SERVER, &[CUSTOMER, PROVIDER], Out, "user_joined", "")
        .note(LSM, "opens the chat", Tone::Plain)
        .note(CUSTOMER, "now three users are in the room of this chat", Tone::Good)
        .arrow(SERVER, &[CUSTOMER, PROVIDER, LSM], In, "POST /auth/register, POST /auth/login")
}

fn recovery() -> Story {
    use Direction::{In, Out};
    Story::act("CONNECTION RECOVERY", &[CUSTOMER, SERVER])
        .band("SIGKILL: the backend is gone", Tone::Bad)
        .alive(SERVER, false)
        .note(CUSTOMER, "Status: Reconnecting", Tone::Bad)
        .wire(Wire::Socket, SERVER, &[CUSTOMER], In, "Auto-retry 1", "")
        .failed()
        .note(CUSTOMER, "waits in the outbox: \"typed while offline\"", Tone::Plain)
        .alive(SERVER, true)
        .band("backend back online", Tone::Good)
        .wire(Wire::Socket, SERVER, &[CUSTOMER], In, "Auto-retry 2", "")
        .wire(Wire::Socket, SERVER, &[CUSTOMER], Out, "Connected: userId=1", "")
}

#[test]
fn a_booking() {
    insta::assert_snapshot!(booking().plain(Style::new(80, true)));
}

#[test]
fn a_booking_in_ascii() {
    let drawn = booking().plain(Style::new(80, false));
    assert!(drawn.is_ascii());
    insta::assert_snapshot!(drawn);
}

#[test]
fn a_broadcast_reaches_every_spoke() {
    insta::assert_snapshot!(broadcast().plain(Style::new(80, true)));
}

#[test]
fn a_narrow_terminal_breaks_labels() {
    insta::assert_snapshot!(broadcast().plain(Style::new(60, true)));
}

#[test]
fn a_crash_and_a_recovery() {
    insta::assert_snapshot!(recovery().plain(Style::new(80, true)));
}

#[test]
fn colours_are_ansi_codes() {
    insta::assert_snapshot!(recovery().draw(Style::new(60, true)).replace('\u{1b}', "^"));
}

#[test]
fn an_arrow_to_somebody_who_is_not_in_the_act_is_a_sentence() {
    let story = Story::act("SENDING", &[CUSTOMER, SERVER]).arrow(
        SERVER,
        &[LSM],
        Direction::Out,
        "new_message",
    );
    let drawn = story.plain(Style::new(80, true));
    assert!(drawn.contains("Backend → LSM: new_message"), "{drawn}");
}

#[test]
fn what_a_stranger_typed_cannot_leave_its_place() {
    let text = "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}evil\nline 水水";
    let story = Story::act("SENDING", &[CUSTOMER, SERVER]).wire(
        Wire::Socket,
        SERVER,
        &[CUSTOMER],
        Direction::In,
        text,
        text,
    );
    let drawn = story.draw(Style::new(80, true));
    assert!(!drawn.contains("\u{1b}[2J") && !drawn.contains('\u{7}'), "{drawn:?}");
    assert!(!drawn.contains('\u{202e}'), "{drawn:?}");
    assert!(drawn.lines().all(|line| !line.starts_with("evil") && !line.starts_with("line")));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 72, 80, 100, 120] {
        for story in [booking(), broadcast(), recovery()] {
            for line in story.plain(Style::new(width, true)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn facts_stand_below_each_other() {
    let rows = [
        ("steps", "41 of 41 held".to_owned(), Tone::Good),
        ("messages", "6 sent, 6 stored, 0 twice, 0 lost".to_owned(), Tone::Plain),
        ("lost", "m3 at provider".to_owned(), Tone::Bad),
    ];
    insta::assert_snapshot!(facts(Style::new(80, true), &rows).replace('\u{1b}', "^"));
}
