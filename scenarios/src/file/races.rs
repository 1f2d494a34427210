//! Orders that a file asserts and that nothing makes so: two things on different connections, of
//! which neither waits for the other, come in any order (SCENARIOS §7.2).
//!
//! What is looked for is a way from the one to the other: steps of a list wait for each other, and
//! what comes to somebody is caused by a step that was begun before. Where a cause cannot be known
//! it is believed, so that a warning is worth reading.

use super::{ActorId, Chain, Moment, Part, Scenario, Step, Verb, flow};
use crate::source::Diagnostic;
use crate::yaml::Value;

/// The pairs that race, each with its place.
#[must_use]
pub(super) fn races(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    let mut lists = 0;
    collect(&scenario.steps, &[], &mut lists, &mut all);
    collect(&scenario.always, &[], &mut lists, &mut all);
    let file = File { scenario, all };
    scenario.order.iter().flat_map(|chain| file.chain(chain)).collect()
}

/// A step, and where it stands: of every list on the way to it, the list and the place in it.
struct Placed<'s> {
    step: &'s Step,
    way: Vec<(usize, usize)>,
    /// It is in a list with a barrier.
    meets: bool,
    /// Time was let pass in its list before it.
    waits: bool,
}

fn collect<'s>(
    steps: &'s [Step],
    way: &[(usize, usize)],
    lists: &mut usize,
    all: &mut Vec<Placed<'s>>,
) {
    let list = *lists;
    let mut waits = false;
    let meets = steps.iter().any(|step| matches!(step.verb, Verb::Barrier { .. }));
    *lists += 1;
    for (at, step) in steps.iter().enumerate() {
        let way: Vec<(usize, usize)> = way.iter().copied().chain([(list, at)]).collect();
        for inner in step.verb.inner() {
            collect(inner, &way, lists, all);
        }
        all.push(Placed { step, way, meets, waits });
        waits |= matches!(step.verb, Verb::Wait(_));
    }
}

struct File<'s> {
    scenario: &'s Scenario,
    all: Vec<Placed<'s>>,
}

impl<'s> File<'s> {
    fn chain(&self, chain: &Chain) -> Vec<Diagnostic> {
        let pairs = chain.moments.windows(2).filter_map(|pair| match pair {
            [left, right] if !self.holds(left, right) => Some((left, right)),
            _ => None,
        });
        let told = pairs.map(|(left, right)| {
            let word = |moment| flow::moment(moment, &self.scenario.actors);
            let way_out = match left.part {
                Part::At(_) => "let a `delivered` wait for it first".to_owned(),
                _ => format!("compare with `{}.sent`", left.step),
            };
            let (left, right) = (word(left), word(right));
            let message = format!(
                "nothing makes `{left}` come before `{right}`: they race, and will be swapped one \
                 day; {way_out}"
            );
            Diagnostic { span: chain.span, message }
        });
        told.collect()
    }

    fn find(&self, id: &str) -> Option<&Placed<'s>> {
        self.all.iter().find(|one| one.step.id.as_ref().is_some_and(|own| own.name == id))
    }

    /// Whether the left one comes first by more than chance.
    fn holds(&self, left: &Moment, right: &Moment) -> bool {
        let (Some(l), Some(r)) = (self.find(&left.step), self.find(&right.step)) else {
            return true;
        };
        let voice = voice(left, l.step);
        let is_seen = right.part != Part::Sent;
        if is_seen && voice.is_some() && voice == self::voice(right, r.step) {
            // One connection keeps its order.
            return true;
        }
        if is_fault(l.step) && left.part == Part::Done {
            // What somebody could not do meanwhile follows from its end.
            return true;
        }
        match (right.part, &r.step.verb) {
            (Part::Sent, _) => self.is_before(left, l, r),
            (Part::Done, Verb::Delivered { message, .. }) => {
                self.find(&message.name).is_none_or(|cause| self.is_caused(left, l, cause))
            }
            (Part::Done, Verb::Receive { .. }) => {
                let begun = left.part == Part::Sent && precedes(l, r);
                let cause = |s: &&Placed<'_>| acts(s.step) && precedes(s, r);
                begun || self.all.iter().filter(cause).any(|s| self.is_before(left, l, s))
            }
            // What a link does follows from more than one step.
            (
                Part::Done,
                Verb::State { .. }
                | Verb::Reconnected { .. }
                | Verb::Barrier { .. }
                | Verb::Never { .. },
            ) => true,
            (Part::Done | Part::At(_) | Part::Saved | Part::Wire, _) => self.is_caused(left, l, r),
        }
    }

    /// Whether something has surely happened when a step begins.
    fn is_before(&self, moment: &Moment, of: &Placed<'_>, step: &Placed<'_>) -> bool {
        let Part::At(reader) = moment.part else { return precedes(of, step) };
        if of.step.actors.contains(&reader) && precedes(of, step) {
            // An author is shown its own message by the acknowledgement.
            return true;
        }
        self.all.iter().any(|waiter| {
            let waits = match &waiter.step.verb {
                Verb::Delivered { message, to, .. } => {
                    message.name == moment.step && to.contains(&reader)
                }
                Verb::Receive { event, .. } => {
                    let is_message =
                        matches!(&event.value, Value::Text(text) if text == "new_message");
                    is_message && waiter.step.actors.contains(&reader)
                }
                _ => false,
            };
            waits && precedes(waiter, step)
        })
    }

    /// Whether something has happened before what a step brings about.
    fn is_caused(&self, moment: &Moment, of: &Placed<'_>, cause: &Placed<'_>) -> bool {
        let is_its_begin =
            of.step.number == cause.step.number && matches!(moment.part, Part::Sent | Part::Wire);
        is_its_begin || self.is_before(moment, of, cause)
    }
}

/// Whether the one is over when the other begins.
fn precedes(left: &Placed<'_>, right: &Placed<'_>) -> bool {
    // The list of `always` has a higher number than that of `steps`, and is done after it.
    if let (Some((left, _)), Some((right, _))) = (left.way.first(), right.way.first())
        && left != right
    {
        return left < right;
    }
    match left.way.iter().zip(&right.way).find(|(left, right)| left != right) {
        Some(((list, left), (same, right))) if list == same => left < right,
        // In two branches, where a barrier or time may be what orders them.
        Some(_) => right.waits || (left.meets && right.meets),
        None => false,
    }
}

/// Whether a step breaks or mends something.
fn is_fault(step: &Step) -> bool {
    matches!(step.verb, Verb::Server(_) | Verb::Database(_) | Verb::Network(_) | Verb::Token(_))
}

/// Whether a step makes something happen, and does not only look.
fn acts(step: &Step) -> bool {
    !matches!(
        step.verb,
        Verb::Act { .. }
            | Verb::Receive { .. }
            | Verb::Never { .. }
            | Verb::Delivered { .. }
            | Verb::State { .. }
            | Verb::Reconnected { .. }
            | Verb::Barrier { .. }
            | Verb::Wait(_)
    ) && !step.verb.holds_steps()
}

/// The one actor on whose connection a moment is recorded.
fn voice(moment: &Moment, step: &Step) -> Option<ActorId> {
    let only = |all: &[ActorId]| match all {
        [one] => Some(*one),
        _ => None,
    };
    match (moment.part, &step.verb) {
        (Part::At(actor), _) => Some(actor),
        (Part::Done, Verb::Delivered { to, .. }) => only(to),
        (
            Part::Done,
            Verb::Receive { .. }
            | Verb::Emit { .. }
            | Verb::Join(_)
            | Verb::Leave(_)
            | Verb::Connect,
        ) => only(&step.actors),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::read;
    use crate::source::Source;

    /// The pairs that are warned of, as the file writes them.
    fn check(order: &str, expect: &str) {
        let text = format!(
            "scenario: 1
name: t
actors: {{ a: {{ role: customer }}, b: {{ role: provider }} }}
steps:
  - {{ id: asked, as: a, post: /x }}
  - {{ id: told, as: b, receive: \"notification:created\" }}
  - {{ id: m1, as: a, send: {{ chat: x, text: y }} }}
  - {{ id: m1_seen, delivered: {{ message: m1, to: [a, b] }} }}
  - {{ id: m2, as: b, send: {{ chat: x, text: y }} }}
  - {{ id: gone, server: kill }}
  - {{ id: lost, as: [a, b], state: reconnecting }}
  - parallel:
      - [{{ id: c, as: a, get: /x }}]
      - [{{ id: d, as: b, get: /x }}]
  - {{ id: e, as: b, emit: typing }}
  - {{ id: f, as: a, receive: user_typing }}
always:
  - {{ id: z, as: a, get: /x }}
order: [{order}]
"
        );
        let scenario = read(&Source::new("t.yaml", text)).unwrap_or_else(|wrong| panic!("{wrong}"));
        let found = races(&scenario);
        let pairs: Vec<String> = found
            .iter()
            .map(|one| {
                let names: Vec<&str> = one.message.split('`').skip(1).step_by(2).take(2).collect();
                names.join(" < ")
            })
            .collect();
        assert_eq!(pairs.join(", "), expect, "{order}");
    }

    #[test]
    fn a_pair_without_a_cause_is_told() {
        check("asked < told", "asked < told");
        check("asked.sent < told", "");
        check("asked.sent < told < m1.sent < m1_seen", "");
        check(
            "m1.saved < m1@b, m1.sent < m1@b, m1.wire < m1@b, m1.wire < m1.saved",
            "m1.saved < m1@b",
        );
        check("m1 < m1_seen", "m1 < m1_seen");
        check("m1@b < m2.sent, m1@a < m2@a, m1@b < m2@b, m1@a < m2@b", "");
        check("m2@a < gone.sent, m2@b < gone.sent", "m2@a < gone.sent");
        check("m2@a < m2.saved", "m2@a < m2.saved");
        check("gone < lost < e.sent < f, c < e, c.sent < f", "");
        check("c.sent < d, c < d.sent", "c.sent < d, c < d.sent");
        check("e < f, m2 < f", "e < f");
        check("c < z, e.sent < z, told < z.sent", "");
    }
}
