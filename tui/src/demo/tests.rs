//! The day is played against the client, without a screen and without a server.

use std::collections::VecDeque;

use super::*;
use crate::model::{Model, Settings};
use crate::msg::Now;
use crate::update::update;

fn drawn(model: &Model) -> String {
    let (width, height) = model.window.size;
    let backend = ratatui::backend::TestBackend::new(width, height);
    let mut terminal = ratatui::Terminal::new(backend).unwrap();
    terminal.draw(|frame| crate::view(model, frame)).unwrap();
    let cells = terminal.backend().buffer().content().chunks(usize::from(width));
    let rows = cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect());
    rows.collect::<Vec<String>>().join("\n")
}

/// Plays what is due until then, with what the client answers in between.
fn play(demo: &mut Demo, model: &mut Model, acts: Acts, until: Duration) -> Vec<String> {
    let mut queue: VecDeque<(Duration, Msg)> = acts.into();
    let mut seen = Vec::new();
    while let Some((at, msg)) = queue.pop_front() {
        if at > until {
            break;
        }
        let wall = DateTime::UNIX_EPOCH + TimeDelta::from_std(at).unwrap();
        for effect in update(model, msg, Now { at, wall }) {
            let acts = demo.answer(&effect, wall);
            queue.extend(acts.into_iter().map(|(after, msg)| (at + after, msg)));
        }
        queue.make_contiguous().sort_by_key(|(at, _)| *at);
        seen.push(drawn(model));
    }
    seen
}

#[test]
fn the_day_shows_every_state_and_answers_what_is_done() {
    let mut demo = Demo::default();
    let settings = Settings::new(false, false, |at| at.naive_utc());
    let mut model = Model::new(Demo::who(), settings, 7);
    model.window.size = (80, 24);
    let opening = demo.opening(DateTime::UNIX_EPOCH);
    let seen = play(&mut demo, &mut model, opening, Duration::from_secs(60)).join("\n");
    let words = [
        "Kitchen sink leak · job 1042 · Ravi online",
        "Boiler service",
        "✗  00:00 Amna   Park in the yard, the second bay.",
        "not sent: server error",
        "Ravi is typing…",
        "What is the door code?",
        "Reconnecting · retry 1 · next in 3 s",
        "Connected · amna (customer)",
    ];
    for words in words {
        assert!(seen.contains(words), "{words}");
    }
    let now = Now { at: Duration::from_secs(70), wall: DateTime::UNIX_EPOCH };
    let mut acts = Vec::new();
    let enter = crossterm::event::KeyCode::Enter.into();
    for msg in [Msg::Paste("4711 then hash".into()), Msg::Key(enter)] {
        for effect in update(&mut model, msg, now) {
            acts.extend(demo.answer(&effect, DateTime::UNIX_EPOCH));
        }
    }
    let seen = play(&mut demo, &mut model, acts, Duration::from_secs(60)).join("\n");
    for words in ["✓✓", "Thank you, I am coming up."] {
        assert!(seen.contains(words), "{words}");
    }
}
