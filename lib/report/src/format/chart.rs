//! Charts as SVG: lines and heat maps, in colours that the page around them decides.
//!
//! A chart is text without a script or a font of its own. Its classes `s0` to `s5` are the series,
//! `axis` what frames it, `h0` to `h9` the heat: [`STYLE`] has them for light and for dark pages.

use std::fmt::Write as _;

use super::harmless::html;

/// Pixels of a chart.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for labels.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;
/// Labels of an axis.
const TICKS: usize = 5;
/// Steps of heat.
const HEATS: f64 = 9.0;

/// Colours of charts, for light and for dark pages.
pub const STYLE: &str = "\
:root{--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#bf3989;--s5:#57606a;\
--heat:9,105,218;--frame:#8c959f;--ink:#1f2328;--page:#fff;--good:#1a7f37;--bad:#cf222e;--open:#9a6700}\
@media(prefers-color-scheme:dark){:root{--s0:#58a6ff;--s1:#f0883e;--s2:#56d364;--s3:#bc8cff;\
--s4:#ff7bce;--s5:#8b949e;--heat:88,166,255;--frame:#6e7681;--ink:#e6edf3;--page:#0d1117;\
--good:#56d364;--bad:#ff7b72;--open:#e3b341}}\
svg{width:100%;max-width:720px;height:auto;display:block}svg text{fill:var(--ink);font:11px sans-serif}\
.axis{stroke:var(--frame);stroke-width:1;fill:none}.grid{stroke:var(--frame);stroke-opacity:.25}\
polyline{fill:none;stroke-width:1.5}\
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}\
.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.k{stroke-width:3}";

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

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Where a value lies between 0 and 1.
#[derive(Debug, Clone, Copy)]
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Span {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let fine = values.filter(|v| v.is_finite() && (scale == Scale::Linear || *v > 0.0));
        let (mut low, mut high) =
            fine.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (1.0, 2.0);
        }
        match scale {
            Scale::Linear => low = low.min(0.0),
            Scale::Log => {
                low = 10_f64.powf(low.log10().floor());
                high = 10_f64.powf(high.log10().ceil());
            }
        }
        if high <= low {
            high = low + 1.0;
        }
        Self { scale, low, high }
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
        let steps = match self.scale {
            Scale::Linear => TICKS,
            Scale::Log => ((self.high / self.low).log10().round() as usize).clamp(1, 8),
        };
        (0..=steps)
            .map(|n| n as f64 / steps as f64)
            .map(|part| match self.scale {
                Scale::Linear => self.low + part * (self.high - self.low),
                Scale::Log => self.low * (self.high / self.low).powf(part),
            })
            .collect()
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

fn frame(out: &mut String, (across, up): (Axis, Axis), (wide, high): (Span, Span)) {
    for value in high.ticks() {
        let at = y(high.part(value));
        let (left, right) = (x(0.0), x(1.0));
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
            HEIGHT - 10.0,
            html(&(across.label)(value))
        );
    }
    let (left, right, top, bottom) = (x(0.0), x(1.0), y(1.0), y(0.0));
    _ = write!(out, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
}

/// Lines over one another, with their names.
#[must_use]
pub fn lines(title: &str, axes: (Axis, Axis), series: &[Series]) -> String {
    let all = || series.iter().flat_map(|one| &one.points);
    let wide = Span::of(axes.0.scale, all().map(|point| point.0));
    let high = Span::of(axes.1.scale, all().map(|point| point.1));
    let mut out = begin(title);
    frame(&mut out, axes, (wide, high));
    for (n, one) in series.iter().enumerate() {
        let class = n % 6;
        _ = write!(out, "<polyline class=\"s{class}\" points=\"");
        for (across, up) in &one.points {
            _ = write!(out, "{:.1},{:.1} ", x(wide.part(*across)), y(high.part(*up)));
        }
        let at = x(0.0) + 8.0 + 150.0 * n as f64;
        _ = write!(
            out,
            "\"/><line class=\"s{class} k\" x1=\"{at}\" x2=\"{}\" y1=\"6\" y2=\"6\"/>\
             <text x=\"{}\" y=\"10\">{}</text>",
            at + 14.0,
            at + 18.0,
            html(&one.name)
        );
    }
    out.push_str("</svg>");
    out
}

/// Columns of cells: how many there are at each value, over time. A cell is `(value, count)`.
#[must_use]
pub fn heat(title: &str, axes: (Axis, Axis), columns: &[(f64, Vec<(f64, u64)>)]) -> String {
    let cells = || columns.iter().flat_map(|(_, cells)| cells);
    let wide = Span::of(axes.0.scale, columns.iter().map(|(at, _)| *at));
    let high = Span::of(axes.1.scale, cells().map(|(value, _)| *value));
    let most = cells().map(|(_, count)| *count).max().unwrap_or(1).max(1) as f64;
    let mut out = begin(title);
    frame(&mut out, axes, (wide, high));
    let width = (x(1.0) - x(0.0)) / (columns.len().max(1) as f64);
    for (n, (_, cells)) in columns.iter().enumerate() {
        for (value, count) in cells.iter().filter(|(_, count)| *count > 0) {
            // By its logarithm: one slow delivery among thousands must be seen.
            let heat = ((*count as f64).ln_1p() / most.ln_1p() * HEATS).ceil() / HEATS;
            _ = write!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"5\" \
                 fill=\"rgba(var(--heat),{heat:.2})\"><title>{}: {count}</title></rect>",
                x(0.0) + width * n as f64,
                y(high.part(*value)) - 5.0,
                width.max(1.0),
                html(&(axes.1.label)(*value))
            );
        }
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Axis = Axis { scale: Scale::Linear, label: |value| format!("{value:.0}") };
    const LOG: Axis = Axis { scale: Scale::Log, label: |value| format!("{value:.0}<") };

    #[test]
    fn a_chart_is_well_formed_whatever_it_shows() {
        let check = |svg: String, tags: &str| {
            let parsed = roxmltree::Document::parse(&svg).expect("XML");
            assert!(parsed.descendants().any(|node| node.has_tag_name(tags)), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        };
        let series =
            |points: &[(f64, f64)]| Series { name: "a<b".to_owned(), points: points.into() };
        check(lines("<t>", (PLAIN, LOG), &[series(&[(0.0, 1.0), (1.0, 5_000.0)])]), "polyline");
        check(lines("none", (PLAIN, PLAIN), &[series(&[])]), "polyline");
        check(lines("one", (LOG, LOG), &[series(&[(1.0, 0.0)])]), "polyline");
        check(heat("h", (PLAIN, LOG), &[(0.0, vec![(10.0, 3), (20.0, 0)])]), "rect");
        check(heat("h", (PLAIN, LOG), &[]), "svg");
    }

    #[test]
    fn values_lie_where_their_axis_says() {
        let line = Span::of(Scale::Linear, [5.0, 10.0].into_iter());
        assert_eq!((line.part(0.0), line.part(5.0), line.part(10.0)), (0.0, 0.5, 1.0));
        let log = Span::of(Scale::Log, [2.0, 500.0].into_iter());
        assert_eq!((log.low, log.high), (1.0, 1_000.0));
        assert!((log.part(10.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(log.ticks().len(), 4);
    }
}
