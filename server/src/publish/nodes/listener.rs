//! Hears the hints of other nodes and has somebody look. Never looks itself: whoever listens must
//! go on listening, or the queue of the whole cluster fills.

use std::time::Duration;

use tokio::time::sleep;
use trialogue_protocol::Typing;

use super::super::{Context, Op, Publisher, shard_of};
use super::{DUE_PEOPLE_MAX, Hint};
use crate::supervise::Task;

/// Between two attempts to listen.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The task.
pub(super) struct Listener {
    pub(super) publisher: Publisher,
    pub(super) context: Context,
}

impl Task for Listener {
    const NAME: &'static str = "listener";

    async fn run(&mut self) {
        run(&self.publisher, &self.context).await;
    }
}

/// Listens for ever.
async fn run(publisher: &Publisher, context: &Context) {
    loop {
        if let Ok(mut listening) = context.store.listen().await {
            // Whatever was told before this moment was not heard.
            look_at_everything(context);
            loop {
                match listening.next().await {
                    Ok(Some(text)) => hear(&text, publisher, context),
                    Ok(None) => look_at_everything(context),
                    Err(error) => {
                        tracing::debug!(%error, "the listener has lost its connection");
                        break;
                    }
                }
            }
        }
        sleep(RETRY_PAUSE).await;
    }
}

fn look_at_everything(context: &Context) {
    context.nodes.make_due(|due| due.everything = true);
    context.nodes.want(|wanted| wanted.beat = true);
}

fn hear(text: &str, publisher: &Publisher, context: &Context) {
    let nodes = &context.nodes;
    let Some((from, hint)) = Hint::read(text) else {
        return tracing::debug!("a hint that this version does not know");
    };
    if from == nodes.inside.id {
        return;
    }
    match hint {
        Hint::Hello => nodes.want(|wanted| wanted.beat = true),
        Hint::People => nodes.want(|wanted| wanted.read = true),
        Hint::Chats => nodes.make_due(|due| due.chats = true),
        Hint::Ended => nodes.make_due(|due| due.endings = true),
        Hint::Notice(user) => {
            if context.presence.sockets_of(user) > 0 {
                nodes.make_due(|due| {
                    due.people.insert(user);
                    due.everything |= due.people.len() > DUE_PEOPLE_MAX;
                });
            }
        }
        Hint::Stored(chat, seq) => publisher.try_hand(shard_of(chat), Op::Heard(chat, seq)),
        Hint::Read(chat, user, seq) => {
            publisher.try_hand(shard_of(chat), Op::Marks(chat, vec![(user, seq)], false));
        }
        Hint::Typing(chat_id, user, is_typing) => {
            let typing = Typing { chat_id, is_typing };
            publisher.try_hand(shard_of(chat_id), Op::Typed(typing, user));
        }
    }
}
