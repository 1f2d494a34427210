//! What the user leaves behind: drafts and muted chats, kept a moment after the last change so that
//! neither a restart nor a crash loses them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use trialogue_client::profile::Desk;

use crate::effect::Effect;
use crate::model::Model;
use crate::msg::Now;

/// How long a change waits for more (1 s): a write per letter would wear the disk.
const KEPT_AFTER: Duration = Duration::from_secs(1);

/// Something was done by hand that may have changed it.
pub(super) fn touched(model: &mut Model, now: Now) {
    model.compose.unkept.get_or_insert(now.at);
}

/// When it is to be kept at the latest.
pub(super) fn next_wake(model: &Model) -> Option<Duration> {
    model.compose.unkept.map(|at| at + KEPT_AFTER)
}

/// Has it kept, once nothing more came for a moment or when the user goes.
pub(super) fn pass(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let ends = |effect: &Effect| {
        matches!(effect, Effect::Quit | Effect::Demo | Effect::Profile(_) | Effect::Suspend)
    };
    let goes = out.iter().any(ends);
    let is_due = next_wake(model).is_some_and(|at| now.at >= at);
    if (goes || is_due)
        && let Some(desk) = left(model)
    {
        // Before whatever ends the client.
        out.insert(0, Effect::KeepDesk(desk));
    }
}

/// What is to be kept; nothing where that is kept already, or nobody is signed in.
pub fn left(model: &mut Model) -> Option<Desk> {
    model.compose.unkept = None;
    model.who.user.as_ref()?;
    let drafts = model.compose.drafts(model.chats.open);
    let desk = Desk { drafts, muted: model.chats.muted.clone() };
    let mark = mark_of(&desk);
    let known = model.compose.kept.unwrap_or_else(|| mark_of(&Desk::default()));
    model.compose.kept = Some(mark);
    (mark != known).then_some(desk)
}

/// What was left the last time is here; what was typed or muted since then counts more.
pub(super) fn found(model: &mut Model, desk: Desk, now: Now) {
    model.compose.kept = Some(mark_of(&desk));
    model.compose.unkept = Some(now.at);
    model.chats.muted.extend(desk.muted);
    model.compose.restore(model.chats.open, desk.drafts);
}

fn mark_of(desk: &Desk) -> u64 {
    let mut hasher = DefaultHasher::new();
    desk.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::DateTime;
    use trialogue_client::Dialect;
    use trialogue_protocol::ChatId;

    use super::*;
    use crate::model::{Settings, Who};
    use crate::msg::{Msg, Reply};
    use crate::update::update;

    const KITCHEN: ChatId = ChatId(uuid::Uuid::from_u128(1));
    const GARDEN: ChatId = ChatId(uuid::Uuid::from_u128(2));

    fn model() -> Model {
        let user = serde_json::json!({"id": 1, "email": "a@example.org", "firstName": "Amna",
            "lastName": "Khan", "role": "customer"});
        let who = Who {
            user: serde_json::from_value(user).unwrap(),
            server: "https://chat.example".to_owned(),
            profile: "default".to_owned(),
            can: Dialect::Trialogue.capabilities(),
        };
        let mut model = Model::new(who, Settings::new(true, false, |at| at.naive_utc()), 7);
        model.chats.open = Some(KITCHEN);
        model
    }

    /// What is kept when this happens at that many milliseconds.
    fn kept(model: &mut Model, msg: Msg, at: u64) -> Vec<Desk> {
        let now = Now { at: Duration::from_millis(at), wall: DateTime::UNIX_EPOCH };
        let effects = update(model, msg, now).into_iter();
        effects.filter_map(|e| if let Effect::KeepDesk(d) = e { Some(d) } else { None }).collect()
    }

    fn desk(chat: ChatId, text: &str, muted: &[ChatId]) -> Desk {
        let drafts = BTreeMap::from([(chat, text.to_owned())]);
        Desk { drafts, muted: muted.iter().copied().collect() }
    }

    #[test]
    fn a_draft_is_kept_a_moment_after_the_last_change_and_once() {
        let mut model = model();
        assert_eq!(kept(&mut model, Msg::Paste("half a".into()), 0), []);
        assert_eq!(kept(&mut model, Msg::Paste(" word".into()), 900), []);
        assert_eq!(kept(&mut model, Msg::Tick, 1_000), [desk(KITCHEN, "half a word", &[])]);
        assert_eq!(kept(&mut model, Msg::Paste(String::new()), 2_000), []);
        assert_eq!(kept(&mut model, Msg::Tick, 4_000), [], "it is kept already");
        assert_eq!(next_wake(&model), None);
    }

    #[test]
    fn whoever_goes_leaves_it_at_once_and_finds_it_again() {
        let mut model = model();
        kept(&mut model, Msg::Paste("/mute".into()), 0);
        kept(&mut model, Msg::Key(crossterm::event::KeyCode::Enter.into()), 10);
        kept(&mut model, Msg::Paste("half".into()), 20);
        let expect = desk(KITCHEN, "half", &[KITCHEN]);
        assert_eq!(left(&mut model), Some(expect.clone()));

        let mut again = super::tests::model();
        again.chats.open = Some(GARDEN);
        assert_eq!(kept(&mut again, Msg::Reply(Reply::Desk(expect)), 0), []);
        assert_eq!(again.chats.muted, BTreeSet::from([KITCHEN]));
        again.compose.switch(Some(GARDEN), Some(KITCHEN));
        again.chats.open = Some(KITCHEN);
        assert_eq!(again.compose.editor.text(), "half");
        assert_eq!(left(&mut again), None, "nothing has changed");
    }

    #[test]
    fn nothing_is_kept_of_nobody() {
        let mut model = model();
        model.who.user = None;
        kept(&mut model, Msg::Paste("half".into()), 0);
        assert_eq!(left(&mut model), None);
    }
}
