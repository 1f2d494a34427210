//! Draws the screen: 80 x 24 and any other size.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::heat::Heat;
use super::{Model, Phase};
use crate::plan::Pace;
use crate::recorder::Metric;
use crate::result::Window;
use crate::rig::{CPU_MAX, SLIP_P99_MAX};
use crate::verdict::Fault;

/// Columns of the rates, and of the percentiles.
const RATES: u16 = 20;
const PERCENTILES: u16 = 27;
/// Objectives that are shown.
const SLOS_MAX: usize = 5;

const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const OPEN: Style = Style::new().fg(Color::Yellow);
const SOFT: Style = Style::new().fg(Color::DarkGray);

/// The whole screen.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let slos = model.slos.len().min(SLOS_MAX) as u16;
    let rows = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(4),
        Constraint::Length(slos),
        Constraint::Length(3),
    ]);
    let [head, middle, objectives, foot] = rows.areas(area);
    frame.render_widget(Paragraph::new(title(model)), head);
    match model.phase {
        Phase::Rooms(..) | Phase::Sockets(..) => {
            frame.render_widget(Paragraph::new(setting_up(model)), middle);
        }
        Phase::Running | Phase::Draining => figures(model, frame, middle),
    }
    frame.render_widget(Paragraph::new(slo_lines(model)), objectives);
    frame.render_widget(Paragraph::new(vec![verdict(model), rig(model), keys(model)]), foot);
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3_600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// The name of the stage that goes on, and which one it is.
fn stage(model: &Model) -> String {
    match (model.phase, &model.plan.pace) {
        (Phase::Rooms(..), _) => "setting the stage".to_owned(),
        (Phase::Sockets(..), _) => "connecting".to_owned(),
        (Phase::Draining, _) => "draining".to_owned(),
        (Phase::Running, Pace::Open { stages, .. }) => {
            let mut end = 0;
            let elapsed = model.elapsed.as_micros() as u64;
            let at = stages.iter().position(|stage| {
                end += stage.length;
                elapsed < end
            });
            let at = at.unwrap_or(stages.len().saturating_sub(1));
            let name = stages.get(at).map_or("", |stage| stage.name.as_str());
            match stages.len() {
                0 | 1 => name.to_owned(),
                all => format!("{name} {}/{all}", at + 1),
            }
        }
        (Phase::Running, Pace::Closed { window, .. }) => format!("closed loop of {window}"),
        (Phase::Running, Pace::Silent { .. }) => "silent".to_owned(),
    }
}

fn title(model: &Model) -> Vec<Line<'static>> {
    let length = Duration::from_micros(model.plan.length());
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let mut spans = vec![
        Span::styled("trialogue load  ", strong),
        Span::styled(stage(model), Style::new().fg(Color::Cyan)),
        Span::raw(format!("  {} / {}", clock(model.elapsed), clock(length))),
    ];
    if model.paused {
        spans.push(Span::styled("  PAUSED", OPEN));
    } else if (model.speed - 1.0).abs() > 0.001 {
        spans.push(Span::styled(format!("  rate x{:.2}", model.speed), OPEN));
    }
    // Last, because it may be long.
    spans.push(Span::raw(format!("  {} ({})", model.head.target, model.head.dialect)));
    let plan = &model.plan;
    let (rooms, members, sockets) = (plan.rooms, plan.members, plan.sockets());
    let second = format!(
        "{rooms} rooms x {members} = {sockets} sockets, {} speak in each, seed {}",
        plan.senders, plan.seed
    );
    vec![Line::from(spans), Line::styled(second, SOFT)]
}

fn setting_up(model: &Model) -> Vec<Line<'static>> {
    let (what, done, all) = match model.phase {
        Phase::Rooms(done, all) => ("rooms made", done, all),
        Phase::Sockets(done, all) => ("sockets in their rooms", done, all),
        Phase::Running | Phase::Draining => return Vec::new(),
    };
    let part = (done as f64 / all.max(1) as f64).clamp(0.0, 1.0);
    let full = (part * 40.0).round() as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(40 - full));
    vec![Line::default(), Line::raw(format!("  {bar}  {done} of {all} {what}"))]
}

fn figures(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = Layout::horizontal([
        Constraint::Length(RATES),
        Constraint::Min(8),
        Constraint::Length(PERCENTILES),
    ]);
    let [left, middle, right] = columns.areas(area);
    let block = |name: &'static str| Block::bordered().title(name).border_style(SOFT);
    frame.render_widget(Paragraph::new(rates(model)).block(block("a second")), left);
    let heat = block("deliveries by latency");
    let inside = heat.inner(middle);
    frame.render_widget(heat, middle);
    frame.render_widget(Heat { windows: &model.windows }, inside);
    let table = Paragraph::new(percentiles(model)).block(block("ms, corrected | not"));
    frame.render_widget(table, right);
}

/// How long the last window was, in seconds.
fn over(model: &Model) -> f64 {
    let mut ends = model.windows.iter().rev().map(|window| window.at);
    let (last, before) = (ends.next().unwrap_or(1_000_000), ends.next().unwrap_or(0));
    (last.saturating_sub(before) as f64 / 1e6).max(0.001)
}

fn rates(model: &Model) -> Vec<Line<'static>> {
    let row = |name: &str, value: String| {
        let width = usize::from(RATES) - 2 - 10;
        Line::raw(format!("{name:<10}{value:>width$}"))
    };
    let over = over(model);
    let last = model.windows.back();
    let rate = |count: fn(&Window) -> u64| {
        let count = last.map_or(0, count);
        format!("{:.0}", count as f64 / over)
    };
    let counts = &model.counts;
    let under_way = counts.owed.saturating_sub(counts.reached + counts.of(Fault::Lost));
    vec![
        row("sent", rate(|one| one.sent)),
        row("stored", rate(|one| one.acked)),
        row("refused", rate(|one| one.refused)),
        row("delivered", rate(|one| one.delivered)),
        Line::default(),
        Line::styled("in all", SOFT),
        row("sent", counts.sent.to_string()),
        row("delivered", counts.delivered.to_string()),
        row("under way", under_way.to_string()),
        row("reach", format!("{:.2} %", counts.reach() * 100.0)),
    ]
}

fn percentiles(model: &Model) -> Vec<Line<'static>> {
    let millis = |micros: Option<u64>| match micros {
        None => "-".to_owned(),
        Some(micros) if micros >= 100_000 => format!("{:.0}", micros as f64 / 1e3),
        Some(micros) => format!("{:.2}", micros as f64 / 1e3),
    };
    let (corrected, not) =
        (model.figures(Metric::Delivery.name()), model.figures(Metric::Uncorrected.name()));
    type Of = fn(crate::recorder::Figures) -> u64;
    let rows: [(&str, Of); 5] = [
        ("p50", |one| one.p50),
        ("p90", |one| one.p90),
        ("p99", |one| one.p99),
        ("p99.9", |one| one.p999),
        ("max", |one| one.max),
    ];
    let mut lines: Vec<Line<'static>> = rows
        .into_iter()
        .map(|(name, of)| {
            let (left, right) = (millis(corrected.map(of)), millis(not.map(of)));
            Line::raw(format!("{name:<6}{left:>8} |{right:>8}"))
        })
        .collect();
    lines.push(Line::default());
    lines.push(Line::styled("p99 of the others", SOFT));
    for metric in [Metric::Ack, Metric::Last, Metric::Spread, Metric::SendLag] {
        let p99 = millis(model.figures(metric.name()).map(|one| one.p99));
        lines.push(Line::raw(format!("{:<14}{p99:>10}", metric.name())));
    }
    lines
}

fn slo_lines(model: &Model) -> Vec<Line<'static>> {
    let line = |slo: &crate::slo::Judged| {
        let (sign, style) = match slo.held {
            Some(true) => ("✓ ", GOOD),
            Some(false) => ("✗ ", BAD),
            None => ("… ", OPEN),
        };
        Line::from(vec![Span::styled(sign, style), Span::raw(slo.to_string())])
    };
    model.objectives().iter().take(SLOS_MAX).map(line).collect()
}

fn verdict(model: &Model) -> Line<'static> {
    let mut spans = vec![Span::styled("wrong  ", SOFT)];
    for fault in Fault::ALL {
        let count = model.counts.of(fault);
        let style = if count == 0 { GOOD } else { BAD };
        // All of them have to stand in 80 columns.
        let name = match fault {
            Fault::Duplicated => "dup",
            Fault::Reordered => "order",
            Fault::Lost | Fault::Misrouted | Fault::Phantom | Fault::Late | Fault::Mutated => {
                fault.name()
            }
        };
        spans.push(Span::styled(format!("{name} {count}  "), style));
    }
    Line::from(spans)
}

fn rig(model: &Model) -> Line<'static> {
    let mut spans = vec![Span::styled("rig    ", SOFT)];
    let Some(last) = model.windows.back() else { return Line::from(spans) };
    let of = |bad: bool| if bad { OPEN } else { GOOD };
    spans.push(Span::styled(
        format!("{:.0} % of a core  ", last.cpu * 100.0),
        of(last.cpu > CPU_MAX),
    ));
    if let Some(slip) = model.figures(Metric::Slip.name()) {
        let text = format!("slip p99 {:.2} ms  ", slip.p99 as f64 / 1e3);
        spans.push(Span::styled(text, of(slip.p99 > SLIP_P99_MAX)));
    }
    spans.push(Span::raw(format!("{} sockets  ", model.plan.sockets())));
    let late = model.figures(Metric::Slip.name()).is_some_and(|slip| slip.p99 > SLIP_P99_MAX);
    if last.cpu > CPU_MAX || late {
        spans.push(Span::styled("the rig is the limit", OPEN));
    }
    Line::from(spans)
}

fn keys(model: &Model) -> Line<'static> {
    if let Some((note, _)) = &model.note {
        return Line::styled(note.clone(), OPEN);
    }
    if model.stopping {
        return Line::styled("stopping", OPEN);
    }
    let pause = if model.paused { "go on" } else { "pause" };
    Line::styled(format!("p {pause}  +/- rate  s snapshot  q stop with a report"), SOFT)
}
