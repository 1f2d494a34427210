//! Charts as XML, and their labels.

use super::*;

const PLAIN: Axis = Axis { scale: Scale::Linear, label: |value| format!("{value:.0}") };
const LOG: Axis = Axis { scale: Scale::Log, label: |value| format!("{value:.0}<") };

fn plot(axes: (Axis, Axis)) -> Plot<'static> {
    Plot { title: "<t>", axes, marks: &[] }
}

#[test]
fn a_chart_is_well_formed_whatever_it_shows() {
    let check = |svg: String, tags: &str| {
        let parsed = roxmltree::Document::parse(&svg).expect("XML");
        assert!(parsed.descendants().any(|node| node.has_tag_name(tags)), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    };
    let series = |points: &[(f64, f64)]| Series { name: "a<b".to_owned(), points: points.into() };
    let marks = [(0.5, "<m>".to_owned())];
    let marked = Plot { marks: &marks, ..plot((PLAIN, LOG)) };
    check(lines(&marked, &[series(&[(0.0, 1.0), (1.0, 5_000.0)])]), "polyline");
    check(lines(&plot((PLAIN, PLAIN)), &[]), "svg");
    check(lines(&plot((LOG, LOG)), &[series(&[(1.0, 0.0)])]), "polyline");
    check(heat(&plot((PLAIN, LOG)), 1.2, &[(0.0, vec![(10.0, 3), (20.0, 0)])]), "rect");
    check(heat(&plot((PLAIN, LOG)), 1.2, &[]), "svg");
}

#[test]
fn a_pointer_is_told_every_value_in_a_line_of_its_own() {
    let series = |name: &str| Series { name: name.to_owned(), points: vec![(1.0, 5.0)] };
    let svg = lines(&plot((PLAIN, LOG)), &[series("a<b"), series("two\nlines")]);
    let parsed = roxmltree::Document::parse(&svg).expect("XML");
    let strip = parsed.descendants().find(|node| node.has_tag_name("title"));
    let told = strip.and_then(|node| node.text()).expect("a tooltip");
    assert_eq!(told, "1\na<b: 5<\ntwo\\nlines: 5<");
}

#[test]
fn values_lie_where_their_axis_says() {
    let line = Span::of(Scale::Linear, false, [5.0, 10.0].into_iter());
    assert_eq!((line.part(0.0), line.part(5.0), line.part(10.0)), (0.0, 0.5, 1.0));
    let log = Span::of(Scale::Log, true, [2.0, 500.0].into_iter());
    assert_eq!((log.low.round(), log.high.round()), (1.0, 1_000.0));
    assert!((log.part(10.0) - 1.0 / 3.0).abs() < 1e-9);
}

#[test]
fn labels_are_round_numbers() {
    let ticks = |scale, values: &[f64]| -> Vec<String> {
        let span = Span::of(scale, true, values.iter().copied());
        span.ticks().into_iter().map(short).collect()
    };
    assert_eq!(ticks(Scale::Log, &[0.2, 900.0]), ["0.1", "1", "10", "100", "1000"]);
    assert_eq!(ticks(Scale::Linear, &[17.0]), ["0", "5", "10", "15", "20"]);
    assert_eq!(ticks(Scale::Linear, &[0.8]), ["0", "0.2", "0.4", "0.6", "0.8"]);
    let check = |value, expect| assert_eq!(short(value), expect);
    check(0.100_000_000_6, "0.1");
    check(9.999_999_98, "10");
    check(0.012_34, "0.0123");
}
