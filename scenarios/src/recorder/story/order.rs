//! The order of steps that were under way at the same time.
//!
//! Answers come in the order in which a server did things, or nearly. An event may overtake the
//! answer of what caused it, and somebody may have acted on it before that answer came: such steps
//! say what they come after. A `receive` may stand later than its event came, since inboxes are
//! kept; it may not stand before the cause.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trialogue_protocol::Role;

use super::{Came, Story};

/// Steps that are over and that an event may still come from.
const CAUSES_MAX: usize = 8;
/// Steps that nobody is told of.
const LOOKS: &[&str] = &["receive", "login", "get", "history", "#"];
/// Passes over all steps until everything stands after what it comes after.
const PASSES_MAX: usize = 64;
/// Room for steps between two moments.
const BETWEEN: u64 = 1 << 20;

impl Story {
    /// An event came to somebody: it stands after what may have caused it.
    pub(super) fn place(&mut self, who: usize, event: usize, name: &str, data: &Value) {
        let user = data["userId"].as_i64();
        let concerns = |step: &super::Step| match (user, step.who) {
            (Some(user), Some(who)) => self.people.is(who, user),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let acts = |step: &super::Step| !LOOKS.contains(&step.fields[0].0);
        let room = room_told(&self.steps[event], data);
        let of_room = |step: &super::Step| match (&room, room_of(step)) {
            (Some(told), Some(room)) => told.as_ref() == Some(&room),
            _ => true,
        };
        let before = self.steps[..event].iter().enumerate().rev();
        let causes = before.filter(|(_, step)| {
            acts(step) && concerns(step) && of_room(step) && self.makes_news(step, name)
        });
        // What is over stands before it by its time; a cause may be under way for as long as it likes.
        let mut last = CAUSES_MAX;
        let causes = causes.filter(|(_, step)| {
            let is_last = last > 0;
            last = last.saturating_sub(1);
            is_last || step.came == Came::Open
        });
        let causes: Vec<usize> = causes.map(|(index, _)| index).collect();
        if causes.iter().any(|cause| self.steps[*cause].came == Came::Open) {
            self.people.of_mut(who).early.push(event);
        }
        if name == "user_typing" {
            causes.iter().for_each(|cause| self.entered_before(who, *cause));
        }
        self.steps[event].after.extend(causes);
        if let ("user_joined", Some(user)) = (name, user) {
            self.joined_before(who, user, event, room.flatten().as_ref());
        }
    }

    /// Whether a step may have caused an event of this name: of who comes and goes nobody gets a
    /// notice, but that an LSM who enters has accepted.
    fn makes_news(&self, step: &super::Step, name: &str) -> bool {
        let is_lsm = |who: usize| self.people.of(who).role == Role::Lsm;
        match step.fields[0].0 {
            _ if !["notification:created", "chat_updated"].contains(&name) => true,
            "connect" | "disconnect" | "leave" => false,
            "join" => step.who.is_some_and(is_lsm),
            "emit" => step.fields[0].1 != "typing",
            _ => true,
        }
    }

    /// Who is told of what somebody says in a room was in it before.
    pub(super) fn entered_before(&mut self, who: usize, said: usize) {
        let says = |step: &super::Step| ["send", "emit"].contains(&step.fields[0].0);
        let Some(room) = room_of(&self.steps[said]).filter(|_| says(&self.steps[said])) else {
            return;
        };
        let enters = |step: &super::Step| {
            step.who == Some(who)
                && step.came != Came::Gone
                && step.fields[0].0 == "join"
                && step.fields[0].1 == room
        };
        let entered = self.steps[..said].iter().rposition(enters);
        self.steps[said].after.extend(entered);
    }

    /// Who leaves has done and seen everything before, also what stands later than it came.
    pub(super) fn leaves_last(&mut self, who: usize, leaves: usize) {
        let before = self.steps[..leaves].iter().enumerate();
        let concerns = |step: &super::Step| step.who == Some(who) || step.shown_to.contains(&who);
        let before: Vec<usize> =
            before.filter(|(_, step)| concerns(step)).map(|(index, _)| index).collect();
        self.steps[leaves].after.extend(before);
    }

    /// What others were told last, and of this person's end: it may be read on their lines before the
    /// end itself is read on this one, since two lines have no common order.
    pub(super) fn just_told_gone(&self, who: usize) -> Vec<usize> {
        let first = self.people.of(who).device_of.unwrap_or(who);
        let user = json!(format!("${{{}.userId}}", self.people.of(first).name));
        let gone = |step: &super::Step| match &step.fields[..] {
            [("receive", event), ("where", told)] => {
                let gone =
                    event == "user_left" || (event == "presence" && told["status"] == "offline");
                gone && told["userId"] == user && step.came != Came::Gone
            }
            _ => false,
        };
        let last = self.steps.iter().enumerate().rev();
        let last = last.take_while(|(_, step)| step.fields[0].0 == "receive");
        last.filter(|(_, step)| gone(step)).map(|(index, _)| index).collect()
    }

    /// Who is told that somebody enters was in the room before.
    fn joined_before(&mut self, who: usize, user: i64, event: usize, room: Option<&Value>) {
        let Some(room) = room else { return };
        let joins = |of: &dyn Fn(usize) -> bool| {
            self.steps[..event].iter().rposition(|step| {
                let joins = step.fields[0].0 == "join" && step.fields[0].1 == *room;
                joins && step.who.is_some_and(of) && step.came != Came::Gone
            })
        };
        let first = joins(&|one| one == who);
        let second = joins(&|one| one != who && self.people.is(one, user));
        if let (Some(first), Some(second)) = (first, second) {
            self.steps[second].after.push(first);
        }
    }

    /// Somebody does something: it stands after the events that it may answer.
    pub(super) fn follow(&mut self, who: usize, step: usize) {
        let steps = &self.steps;
        let is_early = |event: &usize| {
            steps[*event].after.iter().any(|cause| steps[*cause].came == Came::Open)
        };
        let early = &mut self.people.of_mut(who).early;
        early.retain(is_early);
        let early = early.clone();
        self.steps[step].may_answer.extend(early);
    }

    /// All steps in the order of the file.
    pub(super) fn order(&self) -> Vec<usize> {
        let (mut places, circle) = self.places(&BTreeSet::new());
        if !circle.is_empty() {
            // Of what leads around in a circle the guesses are wrong: what may be an answer is none.
            places = self.places(&circle).0;
        }
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        order.sort_by_key(|index| (places[*index], *index));
        order
    }

    /// Where each step stands, and those that found no place. What `settled` ones may answer does not
    /// count.
    fn places(&self, settled: &BTreeSet<usize>) -> (Vec<u64>, BTreeSet<usize>) {
        let moment = |(moment, minor): super::At| u64::from(moment) * BETWEEN + u64::from(minor);
        let mut places: Vec<u64> = self.steps.iter().map(|step| moment(step.at)).collect();
        let mut moved = BTreeSet::new();
        for _ in 0..PASSES_MAX {
            moved.clear();
            for (index, step) in self.steps.iter().enumerate() {
                let guesses = step.may_answer.iter().filter(|_| !settled.contains(&index));
                let before = step.after.iter().chain(guesses).filter(|before| **before != index);
                if let Some(last) = before.map(|before| places[*before]).max()
                    && places[index] <= last
                {
                    places[index] = last + 1;
                    moved.insert(index);
                }
            }
            if moved.is_empty() {
                break;
            }
        }
        (places, moved)
    }
}

/// The room that a step names as its own, as the file has it.
fn room_of(step: &super::Step) -> Option<Value> {
    let room = step.fields.iter().find_map(|(name, value)| match *name {
        "send" | "with" => Some(&value["chat"]),
        "data" => Some(&value["chatId"]),
        "join" | "leave" | "history" => Some(value),
        _ => None,
    });
    room.filter(|room| room.is_string()).cloned()
}

/// The room that an event tells of, and what the file calls it where that is known: nothing that
/// was done in another room is its cause.
fn room_told(event: &super::Step, data: &Value) -> Option<Option<Value>> {
    let pattern =
        event.fields.iter().find(|(name, _)| *name == "where").map(|(_, pattern)| pattern);
    [&["chatId"][..], &["notification", "chatId"], &["chat", "id"]].into_iter().find_map(|path| {
        let at = |value: &Value| {
            path.iter().try_fold(value.clone(), |value, name| value.get(name).cloned())
        };
        at(data).map(|_| pattern.and_then(at))
    })
}
