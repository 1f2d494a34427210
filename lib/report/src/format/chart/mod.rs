//! Charts as SVG: lines and heat maps, in colours that the page around them decides.
//!
//! A chart is text without a script or a font of its own. Its classes `s0` to `s5` are the series,
//! `axis` what frames it: [`STYLE`] has them for light and for dark pages.

use std::fmt::Write as _;

use super::harmless::html;

/// Pixels of a chart.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
/// Room for labels, and for the names of series above.
const LEFT: f64 = 84.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 36.0;
/// Labels of an axis, about.
const TICKS: f64 = 6.0;
/// Pixels of a letter, about.
const LETTER: f64 = 7.6;
/// Steps of heat.
const HEATS: f64 = 9.0;
/// Strips of a chart that tell their values: more are narrower than a pointer.
const STRIPS_MAX: usize = 400;
/// Moments that are marked: more have no room for their names.
const MARKS_MAX: usize = 12;

/// Colours of charts, for light and for dark pages.
pub const STYLE: &str = "\
:root{color-scheme:light dark;--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#bf3989;\
--s5:#57606a;--heat:9,105,218;--frame:#8c959f;--ink:#1f2328;--page:#fff;--card:#f6f8fa;\
--good:#1a7f37;--bad:#cf222e;--open:#9a6700}\
@media(prefers-color-scheme:dark){:root{--s0:#58a6ff;--s1:#f0883e;--s2:#56d364;--s3:#bc8cff;\
--s4:#ff7bce;--s5:#8b949e;--heat:88,166,255;--frame:#6e7681;--ink:#e6edf3;--page:#0d1117;\
--card:#161b22;--good:#56d364;--bad:#ff7b72;--open:#e3b341}}\
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:14px sans-serif}\
.axis{stroke:var(--frame);stroke-width:1;fill:none}.grid{stroke:var(--frame);stroke-opacity:.25}\
.mark{stroke:var(--frame);stroke-dasharray:3 3}svg .mark-name{fill:var(--s5)}\
polyline{fill:none;stroke-width:1.7;stroke-linejoin:round}\
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}\
.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.k{stroke-width:3}\
.strip{fill:transparent}.strip:hover{fill:var(--frame);fill-opacity:.18}";

/// How an axis goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0 if all is above.
    Linear,
    /// By powers of ten.
    Log,
}

/// An axis: its scale, and how its values are written.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// See [`Scale`].
    pub scale: Scale,
    /// The label of a value.
    pub label: fn(f64) -> String,
}

/// What lines and heat have in common.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// What it shows, for who does not see it.
    pub title: &'a str,
    /// From left to right, and upwards.
    pub axes: (Axis, Axis),
    /// Places on the first axis with a name, such as the begin of a phase.
    pub marks: &'a [(f64, String)],
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A number in three digits, without noise: `0.001`, `12.3`, `1200`.
#[must_use]
pub fn short(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return "0".to_owned();
    }
    let whole = value.abs().log10().floor() as i32;
    let digits = usize::try_from(2 - whole).unwrap_or(0).min(9);
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Where a value lies between 0 and 1.
#[derive(Debug, Clone, Copy)]
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
}

/// The round number at or above: 1, 2 or 5 and zeros.
fn round_up(value: f64) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|one| one * ten)
        .find(|one| *one >= value * 0.999)
        .unwrap_or(value)
}

impl Span {
    /// `whole` goes on to the next label.
    fn of(scale: Scale, whole: bool, values: impl Iterator<Item = f64>) -> Self {
        let fine = values.filter(|v| v.is_finite() && (scale == Scale::Linear || *v > 0.0));
        let (mut low, mut high) =
            fine.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (1.0, 2.0);
        }
        match scale {
            Scale::Linear => low = low.min(0.0),
            Scale::Log => {
                // A hair beyond a power of ten is still that power.
                low = 10_f64.powf((low.log10() + 1e-9).floor());
                if whole {
                    high = 10_f64.powf((high.log10() - 1e-9).ceil());
                }
            }
        }
        if high <= low {
            high = if scale == Scale::Log { low * 10.0 } else { low + 1.0 };
        }
        let span = Self { scale, low, high };
        match scale {
            Scale::Linear if whole => {
                let step = span.step();
                Self { high: (high / step - 1e-9).ceil() * step, ..span }
            }
            Scale::Linear | Scale::Log => span,
        }
    }

    /// Between two labels of a linear axis.
    fn step(self) -> f64 {
        round_up((self.high - self.low) / TICKS)
    }

    fn part(self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                let value = value.max(self.low).log10() - self.low.log10();
                value / (self.high.log10() - self.low.log10()).max(1e-9)
            }
        };
        part.clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = self.step();
                let first = (self.low / step - 1e-9).ceil() as i64;
                let last = (self.high / step + 1e-9).floor() as i64;
                (first..=last).map(|n| n as f64 * step).collect()
            }
            Scale::Log => {
                let exponent = |value: f64| (value.log10() + 1e-9).floor() as i32;
                let (first, last) = (exponent(self.low), exponent(self.high));
                let every = ((last - first) / 8 + 1).max(1) as usize;
                (first..=last).step_by(every).map(|n| 10_f64.powi(n)).collect()
            }
        }
    }
}

fn x(part: f64) -> f64 {
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn y(part: f64) -> f64 {
    HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)
}

fn begin(title: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", html(title))
}

fn frame(out: &mut String, plot: &Plot<'_>, (wide, high): (Span, Span)) {
    let (across, up) = plot.axes;
    let (left, right, top, bottom) = (x(0.0), x(1.0), y(1.0), y(0.0));
    for value in high.ticks() {
        let at = y(high.part(value));
        _ = write!(
            out,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            html(&(up.label)(value))
        );
    }
    for value in wide.ticks() {
        _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(wide.part(value)),
            HEIGHT - 12.0,
            html(&(across.label)(value))
        );
    }
    for (value, name) in plot.marks.iter().take(MARKS_MAX) {
        let at = x(wide.part(*value));
        _ = write!(
            out,
            "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text class=\"mark-name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            at + 3.0,
            top + 14.0,
            html(name)
        );
    }
    _ = write!(out, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
}

/// Lines over one another, with their names above.
#[must_use]
pub fn lines(plot: &Plot<'_>, series: &[Series]) -> String {
    let all = || series.iter().flat_map(|one| &one.points);
    let wide = Span::of(plot.axes.0.scale, false, all().map(|point| point.0));
    let high = Span::of(plot.axes.1.scale, true, all().map(|point| point.1));
    let mut out = begin(plot.title);
    frame(&mut out, plot, (wide, high));
    let mut at = x(0.0);
    for (n, one) in series.iter().enumerate() {
        let class = n % 6;
        _ = write!(out, "<polyline class=\"s{class}\" points=\"");
        for (across, up) in &one.points {
            _ = write!(out, "{:.1},{:.1} ", x(wide.part(*across)), y(high.part(*up)));
        }
        _ = write!(
            out,
            "\"/><line class=\"s{class} k\" x1=\"{at:.0}\" x2=\"{:.0}\" y1=\"14\" y2=\"14\"/>\
             <text x=\"{:.0}\" y=\"18\">{}</text>",
            at + 14.0,
            at + 19.0,
            html(&one.name)
        );
        at += 40.0 + LETTER * one.name.chars().count() as f64;
    }
    strips(&mut out, plot, wide, series);
    out.push_str("</svg>");
    out
}

/// What a pointer is told: the values of all series at a place.
fn strips(out: &mut String, plot: &Plot<'_>, wide: Span, series: &[Series]) {
    let Some(longest) = series.iter().max_by_key(|one| one.points.len()) else { return };
    let places: Vec<f64> = longest.points.iter().map(|point| point.0).collect();
    if places.len() > STRIPS_MAX {
        return;
    }
    let (across, up) = plot.axes;
    let middle = |one: f64, other: f64| (x(wide.part(one)) + x(wide.part(other))) / 2.0;
    for (n, place) in places.iter().enumerate() {
        let here = x(wide.part(*place));
        let left = n.checked_sub(1).map_or(here - 4.0, |n| middle(places[n], *place));
        let right = places.get(n + 1).map_or(here + 4.0, |next| middle(*place, *next));
        // Each value in a line of its own: what makes text harmless would take the breaks out.
        let mut text = html(&(across.label)(*place));
        for one in series {
            let near = one.points.iter().find(|point| (point.0 - place).abs() < 1e-9);
            if let Some((_, value)) = near {
                _ = write!(text, "\n{}: {}", html(&one.name), html(&(up.label)(*value)));
            }
        }
        _ = write!(
            out,
            "<rect class=\"strip\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>{text}</title></rect>",
            y(1.0),
            (right - left).max(1.0),
            y(0.0) - y(1.0)
        );
    }
}

/// Columns of cells: how many there are at each value, until a moment. A cell is `(value, count)`;
/// each is as high as the next value is farther, `ratio` times on.
#[must_use]
pub fn heat(plot: &Plot<'_>, ratio: f64, columns: &[(f64, Vec<(f64, u64)>)]) -> String {
    let cells = || columns.iter().flat_map(|(_, cells)| cells);
    let wide = Span::of(plot.axes.0.scale, false, columns.iter().map(|(at, _)| *at));
    let both = cells().flat_map(|(value, _)| [*value, value * ratio]);
    let high = Span::of(plot.axes.1.scale, true, both);
    let most = cells().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let mut out = begin(plot.title);
    frame(&mut out, plot, (wide, high));
    let mut before = wide.low;
    for (at, cells) in columns {
        let (left, right) = (x(wide.part(before)), x(wide.part(*at)));
        for (value, count) in cells.iter().filter(|(_, count)| *count > 0) {
            let (low, top) = (y(high.part(*value)), y(high.part(value * ratio)));
            _ = write!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                 fill=\"rgba(var(--heat),{:.2})\"><title>{}, {}: {count}</title></rect>",
                (right - left).max(1.0),
                (low - top).max(1.0),
                heat_of(*count, most),
                html(&(plot.axes.0.label)(*at)),
                html(&(plot.axes.1.label)(*value))
            );
        }
        before = *at;
    }
    key(&mut out, most);
    out.push_str("</svg>");
    out
}

/// By its logarithm: one slow delivery among thousands must be seen.
fn heat_of(count: u64, most: u64) -> f64 {
    ((count as f64).ln_1p() / (most as f64).ln_1p() * HEATS).ceil() / HEATS
}

/// What colours mean.
fn key(out: &mut String, most: u64) {
    let left = x(0.0);
    _ = write!(out, "<text x=\"{left}\" y=\"18\">1</text>");
    for n in 1..=HEATS as u32 {
        let at = left + 12.0 + 16.0 * f64::from(n - 1);
        let heat = f64::from(n) / HEATS;
        _ = write!(
            out,
            "<rect x=\"{at}\" y=\"9\" width=\"16\" height=\"10\" \
             fill=\"rgba(var(--heat),{heat:.2})\"/>"
        );
    }
    _ = write!(out, "<text x=\"{}\" y=\"18\">{most}</text>", left + 18.0 + 16.0 * HEATS);
}

#[cfg(test)]
mod tests;
