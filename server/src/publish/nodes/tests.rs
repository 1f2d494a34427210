//! What a node keeps for the others, and what an arrival waits for.

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

/// The round that an arrival waits for is over once there is nothing left to say, whenever the
/// keeper says it: otherwise the arrival waits until its time is out.
#[test]
fn the_round_that_an_arrival_waits_for_comes() {
    let nodes = sharing();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                say_all(&nodes);
            }
        });
        let mut late = None;
        for n in 0..2_000 {
            let round = nodes.mark_online(UserId(n)).unwrap();
            // Nothing is marked and nothing is being said.
            while nodes.ours().is_busy() {
                std::thread::yield_now();
            }
            let over = *nodes.inside.rounds.borrow();
            if over < round {
                late = Some((n, over, round));
                break;
            }
        }
        is_over.store(true, Ordering::Release);
        keeper.join().unwrap();
        assert_eq!(late, None, "the keeper took the mark before its round was looked up");
    });
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
