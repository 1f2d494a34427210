//! Lines of `order`: moments of steps, and whether they can come in that order at all.

use std::collections::{BTreeMap, BTreeSet};

use super::actors::Cast;
use super::fields::text_of;
use super::{Chain, Moment, Part};
use crate::source::{Diagnostics, Span, hint};
use crate::yaml::Node;

/// Where a step stands: of every list of steps on the way to it, the list's number and the place
/// in it.
pub(super) type Way = Vec<(usize, usize)>;

pub(super) fn read_chain(
    node: &Node,
    cast: &Cast,
    ids: &BTreeMap<String, Way>,
    sends: &BTreeSet<String>,
    diag: &mut Diagnostics,
) -> Option<Chain> {
    let text = text_of(node, "a line of order", diag)?;
    if !text.contains('<') {
        diag.error(node.span, "a line of `order` is `a < b`, with at least two moments");
        return None;
    }
    let mut moments = Vec::new();
    let mut places = places(node.span, &diag.source().slice(node.span), &text).into_iter();
    for (n, word) in text.split('<').map(str::trim).enumerate() {
        let span = places.next().unwrap_or(node.span);
        match read_moment(word, cast, ids, sends) {
            Ok(moment) => moments.push((n, word, span, moment)),
            Err(message) => diag.error(span, message),
        }
    }
    for pair in moments.windows(2) {
        let [(n, left, from, before), (next, right, to, after)] = pair else { continue };
        // Around a moment that is wrong nothing is known.
        if n + 1 == *next && !may_precede(before, after, ids) {
            let why = format!("`{left}` cannot come before `{right}`: the file has it later");
            diag.error(Span { start: from.start, end: to.end }, why);
        }
    }
    let moments = moments.into_iter().map(|(.., moment)| moment).collect();
    Some(Chain { span: node.span, moments })
}

/// Where each moment stands in the line, where the line is written as it reads.
fn places(span: Span, written: &str, text: &str) -> Vec<Span> {
    let Some(mut at) = written.find(text).map(|at| span.start + at) else { return Vec::new() };
    let mut places = Vec::new();
    for part in text.split('<') {
        let start = at + part.len() - part.trim_start().len();
        places.push(Span { start, end: start + part.trim().len().max(1) });
        at += part.len() + 1;
    }
    places
}

fn read_moment(
    word: &str,
    cast: &Cast,
    ids: &BTreeMap<String, Way>,
    sends: &BTreeSet<String>,
) -> Result<Moment, String> {
    let (step, part) = if let Some((step, name)) = word.split_once('@') {
        let part = match cast.find(name).as_deref() {
            Some([id]) => Part::At(*id),
            Some(_) => return Err(format!("`{name}` in `{word}` is several actors; name one")),
            None => {
                let hint = hint(name, cast.names());
                return Err(format!("unknown actor `{name}` in `{word}`{hint}"));
            }
        };
        (step, part)
    } else if let Some((step, part)) = word.split_once('.') {
        let part = match part {
            "sent" => Part::Sent,
            "wire" => Part::Wire,
            "saved" => Part::Saved,
            _ => {
                return Err(format!("`{word}`: a moment ends in `.sent`, `.wire` or `.saved`"));
            }
        };
        (step, part)
    } else {
        (word, Part::Done)
    };
    if word.is_empty() {
        return Err("a moment is missing here".to_owned());
    }
    if !ids.contains_key(step) {
        let hint = hint(step, ids.keys().map(String::as_str));
        return Err(format!("no step has the id `{step}`{hint}"));
    }
    if matches!(part, Part::Wire | Part::Saved | Part::At(_)) && !sends.contains(step) {
        return Err(format!("`{word}`: step `{step}` sends no message"));
    }
    Ok(Moment { step: step.to_owned(), part })
}

/// Whether `left` can come before `right`: not when the step on the right is over before the one
/// on the left begins.
fn may_precede(left: &Moment, right: &Moment, ids: &BTreeMap<String, Way>) -> bool {
    // A delivery and an acknowledgement may come long after their step.
    if matches!(right.part, Part::At(_) | Part::Saved | Part::Wire) {
        return true;
    }
    if left.step == right.step {
        return left.part == Part::Sent && right.part == Part::Done;
    }
    let (Some(left), Some(right)) = (ids.get(&left.step), ids.get(&right.step)) else {
        return true;
    };
    comes_before(left, right)
}

/// Whether a step that stands there may be over when the one on the right begins.
pub(super) fn comes_before(left: &Way, right: &Way) -> bool {
    // The list of `always` is read after that of `steps`, and done after it.
    if let (Some((left, _)), Some((right, _))) = (left.first(), right.first())
        && left != right
    {
        return left < right;
    }
    let fork = left.iter().zip(right).find(|(left, right)| left != right);
    match fork {
        // Steps of one list come one after the other, those of two branches at any time.
        Some(((list, left), (same, right))) if list == same => left < right,
        Some(_) | None => true,
    }
}
