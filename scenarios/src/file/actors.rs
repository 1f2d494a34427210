//! Who takes part: actors, several of one kind, and other devices of one of them.

use std::time::Duration;

use trialogue_protocol::Role;

use super::fields::{Fields, bool_of, count_of, entries_of, text_of};
use super::steps::is_name;
use super::{Actor, ActorId, Reconnect};
use crate::source::{Diagnostics, hint};
use crate::yaml::{Key, Node, Value};

/// Most actors of one scenario: each is a connection of its own.
const ACTORS_MAX: usize = 200;
/// Most retries that an actor may be given: more is without an end.
const ATTEMPTS_MAX: u32 = 1_000;
/// Roles as files have them; the long names of the wire are taken too.
const ROLES: [&str; 3] = ["customer", "provider", "lsm"];
/// Names that lanes and `${self.…}`, `${env.…}` already have.
const TAKEN_NAMES: &[&str] = &["self", "env", "server", "database", "run", "seed"];

pub(super) const ACTOR_FIELDS: &[&str] =
    &["role", "user", "password", "reconnect", "outbox", "count", "device_of"];
pub(super) const RECONNECT_FIELDS: &[&str] = &["delay", "min", "max", "jitter", "attempts"];

/// Everybody who takes part, by name.
#[derive(Debug, Default)]
pub(super) struct Cast {
    pub(super) actors: Vec<Actor>,
    /// `crowd` with `count: 3` stands for `crowd_1` to `crowd_3`.
    groups: Vec<(String, Vec<ActorId>)>,
}

impl Cast {
    /// Whom a name stands for.
    pub(super) fn find(&self, name: &str) -> Option<Vec<ActorId>> {
        let one = self.actors.iter().position(|actor| actor.name.name == name);
        let group = || self.groups.iter().find(|(group, _)| group == name);
        one.map(|at| vec![ActorId(at)]).or_else(|| group().map(|(_, all)| all.clone()))
    }

    /// Every name of an actor or a group.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter().map(|(name, _)| name.as_str());
        groups.chain(self.actors.iter().map(|actor| actor.name.name.as_str()))
    }

    pub(super) fn name(&self, id: ActorId) -> &str {
        &self.actors[id.0].name.name
    }

    fn add(&mut self, actor: Actor, count: Option<u64>) {
        let Some(count) = count else { return self.actors.push(actor) };
        let mut all = Vec::new();
        for n in 1..=count {
            all.push(ActorId(self.actors.len()));
            let name = Key { name: format!("{}_{n}", actor.name.name), ..actor.name.clone() };
            self.actors.push(Actor { name, ..actor.clone() });
        }
        self.groups.push((actor.name.name, all));
    }
}

pub(super) fn read_actors(node: &Node, diag: &mut Diagnostics) -> Cast {
    let entries = entries_of(node, "actors", diag);
    if entries.is_empty() {
        diag.error(node.span, "a scenario needs at least one actor");
    }
    let mut cast = Cast::default();
    for (name, node) in entries {
        if cast.find(&name.name).is_some() {
            diag.error(name.span, format!("actor `{}` stands here twice", name.name));
        } else if !is_name(&name.name) {
            diag.error(name.span, "an actor's name is a-z, 0-9 and _, and begins with a letter");
        } else if TAKEN_NAMES.contains(&name.name.as_str()) {
            diag.error(name.span, format!("`{}` has a meaning of its own here", name.name));
        }
        read_actor(name, &node, &mut cast, diag);
    }
    if cast.actors.len() > ACTORS_MAX {
        diag.error(node.span, format!("more than {ACTORS_MAX} actors"));
    }
    cast
}

fn read_actor(name: Key, node: &Node, cast: &mut Cast, diag: &mut Diagnostics) {
    let Some(mut fields) = Fields::open(node, "an actor", diag) else { return };
    let is_device = fields.has("device_of");
    let device_of = fields.entry("device_of").and_then(|(key, node)| {
        let other = text_of(&node, "device_of", diag)?;
        match cast.find(&other).as_deref() {
            Some([id]) => Some((key, *id)),
            Some(_) => {
                diag.error(node.span, format!("`{other}` is several actors"));
                None
            }
            None => {
                let hint = hint(&other, cast.names());
                diag.error(node.span, format!("no actor before this is called `{other}`{hint}"));
                None
            }
        }
    });
    let role = match (&device_of, fields.has("role")) {
        // The account says what it is.
        (Some((_, id)), false) => Some(cast.actors[id.0].role),
        // Which actor's is a mistake that was told.
        (None, false) if is_device => None,
        _ => fields.required("role", diag).and_then(|node| {
            let text = text_of(&node, "role", diag)?;
            let role = text.parse::<Role>().ok();
            if role.is_none() {
                let hint = hint(&text, ROLES);
                let list = ROLES.join(", ");
                diag.error(node.span, format!("`role` is none of {list}{hint}"));
            }
            role
        }),
    };
    let (user, password) = (fields.node("user"), fields.node("password"));
    if user.is_some() != password.is_some() {
        diag.error(name.span, "`user` and `password` go together, or neither is there");
    }
    if let (Some((key, _)), true) = (&device_of, user.is_some()) {
        diag.error(key.span, "another device has the account of its actor: no `user` here");
    }
    let reconnect = read_reconnect(fields.node("reconnect"), diag);
    let outbox = fields.node("outbox").and_then(|node| bool_of(&node, "outbox", diag));
    let count = fields.node("count").and_then(|node| {
        let count = count_of(&node, "count", diag)?;
        let fits = (1..=ACTORS_MAX as u64).contains(&count);
        if !fits {
            diag.error(node.span, format!("`count` is 1 to {ACTORS_MAX}"));
        }
        fits.then_some(count)
    });
    fields.finish(ACTOR_FIELDS, diag);
    // A wrong role was reported; reading on with any role finds the rest of the mistakes.
    let role = role.unwrap_or(Role::Customer);
    let outbox = outbox.unwrap_or(false);
    let device_of = device_of.map(|(_, id)| id);
    cast.add(Actor { name, role, user, password, reconnect, outbox, device_of }, count);
}

pub(super) fn read_reconnect(node: Option<Node>, diag: &mut Diagnostics) -> Reconnect {
    let span = node.as_ref().map(|node| node.span);
    let Some(mut fields) = node.and_then(|node| Fields::open(&node, "`reconnect`", diag)) else {
        return Reconnect::default();
    };
    let mut delay = |name: &str| -> Option<Duration> { fields.duration(name, diag) };
    let (first, min, max) = (delay("delay"), delay("min"), delay("max"));
    let jitter_percent = fields.node("jitter").and_then(|node| {
        let share = match node.value {
            Value::Int(share @ 0..=1) => Some(share as f64),
            Value::Float(share) if (0.0..=1.0).contains(&share) => Some(share),
            _ => None,
        };
        if share.is_none() {
            diag.error(node.span, "`jitter` is a share of each delay, 0 to 1");
        }
        share.map(|share| (share * 100.0).round() as u8)
    });
    let attempts = fields.node("attempts").and_then(|node| {
        let count = count_of(&node, "attempts", diag)?;
        let fits = u32::try_from(count).ok().filter(|count| (1..=ATTEMPTS_MAX).contains(count));
        if fits.is_none() {
            diag.error(node.span, format!("`attempts` is 1 to {ATTEMPTS_MAX}"));
        }
        fits
    });
    if let (Some(min), Some(max), Some(node)) = (min, max, span.filter(|_| min > max)) {
        diag.error(node, format!("`min` {min:?} is over `max` {max:?}"));
    }
    let reconnect = Reconnect { delay: first, max, min, jitter_percent, attempts };
    fields.finish(RECONNECT_FIELDS, diag);
    reconnect
}
