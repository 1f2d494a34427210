//! Frames of the screen, and what keys do.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::plan::Ramp;
use crate::plan::tests::plan;
use crate::recorder::{Metric, Recording, encode, measured};

fn window(second: u64, slow: u64) -> Window {
    let mut recording = Recording::default();
    for n in 0..300_u64 {
        let micros = 400 + n * 7 % 1_300 + if n % 50 == 0 { slow } else { 0 };
        recording.record(Metric::Delivery, micros);
        recording.record(Metric::Uncorrected, micros / 2);
        recording.record(Metric::Last, micros + 90);
    }
    (0..100_u64).for_each(|n| recording.record(Metric::Ack, 900 + n));
    (0..100_u64).for_each(|n| recording.record(Metric::Slip, 40 + n));
    Window {
        at: second * 1_000_000,
        sent: 100,
        acked: 99,
        refused: 1,
        delivered: 300,
        delivery: recording.figures(Metric::Delivery),
        histogram: encode(recording.of(Metric::Delivery)),
        others: measured(&recording, |metric| metric != Metric::Delivery),
        cpu: 0.31,
    }
}

fn second(number: u64, slow: u64, faults: [u64; 7]) -> Msg {
    let counts = Counts {
        sent: 100 * number,
        acked: 99 * number,
        refused: number,
        delivered: 300 * number,
        owed: 300 * number + 6,
        reached: 300 * number,
        faults,
        ..Counts::default()
    };
    Msg::Progress(Progress::Second(Box::new(Second {
        elapsed: Duration::from_secs(number),
        length: Duration::from_secs(65),
        counts,
        window: window(number, slow),
    })))
}

fn model() -> Model {
    let (length, warm_up) = (Duration::from_secs(60), Duration::from_secs(5));
    let stages = Ramp::Line.stages((50.0, 150.0), length, warm_up);
    let arrivals = crate::plan::Arrivals::Uniform;
    let plan = Plan { pace: Pace::Open { stages, arrivals }, ..plan() };
    let head = Head { target: "http://127.0.0.1:3000".to_owned(), dialect: "trialogue".to_owned() };
    let slos = ["delivery.p99<50ms && reach==1", "duplicated==0", "ack.p50<500us"];
    Model::new(head, plan, slos.map(|slo| slo.parse().unwrap()).into())
}

fn frame(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let rows = (0..height).map(|y| row(y).trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

fn running() -> Model {
    let mut model = model();
    for number in 1..=30 {
        let slow = if number % 10 == 0 { 100_000 } else { 0 };
        update(&mut model, second(number, slow, [0; 7]));
    }
    model
}

#[test]
fn the_screen_says_what_is_set_up() {
    let mut model = model();
    update(&mut model, Msg::Progress(Progress::Sockets(12, 30)));
    insta::assert_snapshot!(frame(&model, 80, 24));
}

#[test]
fn the_screen_shows_rates_heat_percentiles_objectives_and_the_rig() {
    insta::assert_snapshot!(frame(&running(), 80, 24));
    insta::assert_snapshot!(frame(&running(), 120, 30));
}

#[test]
fn what_is_wrong_and_what_was_pressed_stand_on_the_screen() {
    let mut model = running();
    update(&mut model, second(31, 0, [2, 0, 1, 0, 0, 0, 0]));
    assert_eq!(update(&mut model, Msg::Key(Key::Faster)), Some(Effect::Speed(1.25)));
    insta::assert_snapshot!(frame(&model, 80, 24));
    assert_eq!(update(&mut model, Msg::Key(Key::Quit)), Some(Effect::Stop));
    update(&mut model, Msg::Progress(Progress::Draining));
    let shown = frame(&model, 80, 24);
    assert!(shown.contains("draining") && shown.contains("then comes the report"), "{shown}");
}

#[test]
fn any_size_is_drawn_without_a_panic() {
    for (width, height) in [(1, 1), (10, 3), (40, 10), (60, 16), (300, 90)] {
        frame(&running(), width, height);
        frame(&model(), width, height);
    }
}

#[test]
fn a_pause_ends_where_the_rate_was() {
    let mut model = running();
    let mut press = |key| update(&mut model, Msg::Key(key));
    assert_eq!(press(Key::Slower), Some(Effect::Speed(0.8)));
    assert_eq!(press(Key::Pause), Some(Effect::Speed(0.0)));
    assert_eq!(press(Key::Pause), Some(Effect::Speed(0.8)));
    assert_eq!(press(Key::Faster), Some(Effect::Speed(1.0)));
    assert_eq!(press(Key::Snapshot), Some(Effect::Snapshot));
    let mut silent = Model { plan: Plan { pace: Pace::Silent { length: 1 }, ..plan() }, ..model };
    assert_eq!(update(&mut silent, Msg::Key(Key::Pause)), None);
    assert!(frame(&silent, 80, 24).contains("only a planned rate"));
    assert_eq!(Key::of('x'), None);
}

#[test]
fn what_is_under_way_is_neither_a_loss_nor_a_reach() {
    let held = |model: &Model| -> Vec<Option<bool>> {
        model.objectives().into_iter().map(|one| one.held).collect()
    };
    let mut model = running();
    assert_eq!(held(&model), [None, Some(true), Some(false)]);
    update(&mut model, second(31, 0, [1, 0, 0, 0, 0, 0, 0]));
    assert_eq!(held(&model)[0], Some(false));
}
