//! What was asked of the session and not taken: the screen must not look as if it were done.

use crate::effect::Effect;
use crate::model::Model;
use crate::model::log::{Fault, Joined, Older, State};
use crate::msg::Now;

/// Why it was not taken.
const WHY: &str = "too many commands wait: try again in a moment";

/// Puts back what the update took for granted when it asked.
pub(super) fn undone(model: &mut Model, effect: Effect, now: Now, out: &mut Vec<Effect>) {
    match effect {
        // The next letter says it again.
        Effect::Typing(..) => return,
        // So does the next receipt.
        Effect::MarkRead(chat, _) => {
            model.log(chat).read_to = None;
            return;
        }
        Effect::Again(id) => {
            let state = State::Failed { why: WHY.to_owned(), how: Fault::Refused };
            if let Some(pending) = model.logs.values_mut().find_map(|log| log.pending_mut(&id)) {
                pending.state = state;
            }
        }
        // The outbox still has it.
        Effect::Discard(_) => out.push(Effect::LoadKept),
        Effect::Join(chat) | Effect::Accept(chat) => {
            model.chats.rooms.retain(|room| *room != chat);
            model.log(chat).joined = Joined::Refused(WHY.to_owned());
        }
        Effect::Older(chat) => model.log(chat).older = Older::Failed,
        _ => {}
    }
    model.notice.complain(WHY, now.at);
}
