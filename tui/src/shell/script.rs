//! The script's side of the shell: accounts that somebody else brings, steps that wait for a word.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};

use super::{News, Shell};
use crate::script::Told;

/// Steps that wait at once (64): branches that run beside each other; more wait for their turn.
const WAITING_MAX: usize = 64;

/// What the shell has of a script.
#[derive(Default)]
pub(super) struct Wings {
    /// What comes; nothing once nobody tells any more, or where there is no script.
    pub(super) news: Option<mpsc::Receiver<News>>,
    /// What begins the steps that wait, in their order.
    goes: VecDeque<oneshot::Sender<()>>,
}

impl Wings {
    /// The next news; never, where there is no script.
    pub(super) async fn next(&mut self) -> Option<News> {
        match &mut self.news {
            Some(news) if self.goes.len() < WAITING_MAX => news.recv().await,
            _ => std::future::pending().await,
        }
    }

    /// Begins the first step that waits.
    pub(super) fn go(&mut self) {
        if let Some(go) = self.goes.pop_front() {
            // A scenario that has ended waits for nothing.
            let _ = go.send(());
        }
    }
}

impl Shell {
    /// Hears of the script.
    pub(super) fn news(&mut self, news: Option<News>) {
        let Some(news) = news else {
            self.wings.news = None;
            return;
        };
        let told = match news {
            News::Enters(entrance) => {
                if let Some(chair) = self.chairs.get_mut(entrance.seat) {
                    chair.line = Some(entrance.line);
                    let (rest, user) = (entrance.rest, entrance.user);
                    chair.hands.adopt(rest, user, entrance.session, entrance.updates);
                }
                return;
            }
            News::Waits { place, words, is_heading, go } => {
                self.wings.goes.push_back(go);
                Told::Waits { place, words, is_heading }
            }
            News::Odd(words) => Told::Odd(words),
            News::Over { words, passed } => {
                self.wings.goes.clear();
                Told::Over { words, passed }
            }
        };
        let now = self.now();
        let effects = self.table.told(told, now);
        self.obey_all(effects);
    }
}
