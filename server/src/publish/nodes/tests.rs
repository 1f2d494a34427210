//! What a node keeps for the others, and what an arrival waits for.

use std::task::{self, Wake, Waker};

use super::*;

#[test]
fn a_hint_never_waits_and_never_piles_up() {
    let nodes = Nodes::new(true);
    for n in 0..10 * HINTS_MAX {
        nodes.whisper(Hint::Notice(UserId(n as i64)));
        nodes.whisper(Hint::Ended);
    }
    assert_eq!(lock(&nodes.inside.hints).len(), HINTS_MAX);
    let deaf = Nodes::new(false);
    deaf.whisper(Hint::Ended);
    assert!(lock(&deaf.inside.hints).is_empty());
}

#[test]
fn a_node_that_is_alone_keeps_nothing() {
    let nodes = Nodes::new(true);
    let (user, chat) = (UserId(1), ChatId(Uuid::nil()));
    nodes.entered(user, chat);
    assert!(!nodes.left(user, chat) && !nodes.online(user));
    nodes.tell(&Broadcast::SessionsEnded { user_id: user, family: None, except: None });
    assert!(lock(&nodes.inside.hints).is_empty() && !nodes.ours().has_news());
}

fn sharing() -> Nodes {
    let nodes = Nodes::new(true);
    nodes.inside.has_others.store(true, Ordering::Release);
    nodes.ours().share();
    nodes
}

/// Says all there is to say.
fn say_all(nodes: &Nodes) {
    while nodes.ours().has_news() {
        let saying = nodes.ours().take(|_| true);
        nodes.settle(&saying, true);
    }
}

/// A keeper that says all there is to say in the moment in which it is woken.
struct Quick(Nodes);

impl Wake for Quick {
    fn wake(self: Arc<Self>) {
        say_all(&self.0);
    }
}

#[test]
fn the_round_that_an_arrival_waits_for_comes_however_quick_the_keeper_is() {
    let nodes = sharing();
    say_all(&nodes);
    let waker = Waker::from(Arc::new(Quick(nodes.clone())));
    let mut woken = std::pin::pin!(nodes.inside.keeper.notified());
    let mut keeper = task::Context::from_waker(&waker);
    assert!(woken.as_mut().poll(&mut keeper).is_pending());
    let round = nodes.mark_online(UserId(1)).unwrap();
    say_all(&nodes);
    let over = *nodes.inside.rounds.borrow();
    assert!(over >= round, "{over} of {round} rounds, and there is nothing left to say");
}

#[test]
fn an_arrival_does_not_wait_for_others_that_are_gone() {
    let nodes = sharing();
    say_all(&nodes);
    let (user, chat) = (UserId(1), ChatId(Uuid::nil()));
    let round = nodes.ours().coming(user, chat).unwrap();
    let online = nodes.mark_online(user).unwrap();
    nodes.hush(|_| true);
    let over = *nodes.inside.rounds.borrow();
    assert!(over >= round && over >= online, "{over} of {round} and {online}");
}
