//! The queue as both transports use it.

use super::*;

const LIMITS: QueueLimits = QueueLimits { frames_max: 3, bytes_max: 10 };

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn answer(queue: &mut Queue) -> Option<Polled> {
    queue.answer_poll(Waker::noop())
}

#[test]
fn only_the_first_frame_wakes_the_writer() {
    let mut queue = Queue::new(Encoding::Websocket);
    let mut writing = VecDeque::new();
    assert_eq!(queue.push(bytes("a"), LIMITS), Pushed::First);
    assert_eq!(queue.push(bytes("b"), LIMITS), Pushed::Behind);
    queue.take_into(&mut writing);
    assert_eq!(writing, [bytes("a"), bytes("b")]);
    assert!(!queue.is_drained());
    assert_eq!(queue.push(bytes("c"), LIMITS), Pushed::First);
    writing.clear();
    queue.take_into(&mut writing);
    writing.clear();
    queue.take_into(&mut writing);
    assert!(queue.is_drained());
}

#[test]
fn frames_are_counted_only_while_the_transport_refuses_them() {
    let mut queue = Queue::new(Encoding::Websocket);
    for _ in 0..5 {
        assert_ne!(queue.push(bytes("a"), LIMITS), Pushed::Overflow);
    }
    queue.set_blocked(0, 0);
    assert_eq!(queue.push(bytes("a"), LIMITS), Pushed::Overflow);
    assert_eq!(queue.closed(), Some(DisconnectReason::Slow));
    assert!(queue.frames.is_empty());
}

#[test]
fn a_burst_that_the_transport_takes_in_parts_cuts_nobody_who_reads() {
    let mut queue = Queue::new(Encoding::Websocket);
    let mut writing = VecDeque::new();
    for _ in 0..8 {
        queue.push(bytes("a"), LIMITS);
    }
    queue.take_into(&mut writing);
    queue.set_blocked(7, 1);
    for _ in 0..3 {
        assert_ne!(queue.push(bytes("a"), LIMITS), Pushed::Overflow);
    }
    assert_eq!(queue.push(bytes("a"), LIMITS), Pushed::Overflow, "what comes after it counts");
}

#[test]
fn what_the_writer_holds_counts_until_it_is_written() {
    let mut queue = Queue::new(Encoding::Websocket);
    let mut writing = VecDeque::new();
    queue.push(bytes("12345678"), LIMITS);
    queue.take_into(&mut writing);
    assert_eq!(queue.push(bytes("123"), LIMITS), Pushed::Overflow);

    let mut queue = Queue::new(Encoding::Websocket);
    writing.clear();
    queue.push(bytes("12345678"), LIMITS);
    queue.take_into(&mut writing);
    queue.set_blocked(1, 1);
    assert_eq!(queue.push(bytes("123"), LIMITS), Pushed::First);
}

#[test]
fn a_poll_takes_everything_in_order() {
    let mut queue = Queue::new(Encoding::Polling);
    assert!(queue.begin_poll());
    assert!(!queue.begin_poll());
    assert_eq!(answer(&mut queue), None);
    queue.push(bytes("4a"), LIMITS);
    queue.push(bytes("4b"), LIMITS);
    assert!(queue.poll_waker().is_some());
    assert_eq!(answer(&mut queue), Some(Polled::Packets(bytes("4a\x1e4b"))));
    assert!(queue.is_drained() && !queue.is_polled());
}

#[test]
fn a_released_poll_leaves_the_packets_to_the_next_one() {
    let mut queue = Queue::new(Encoding::Polling);
    assert!(queue.release(Release::Noop).is_none());
    queue.begin_poll();
    assert_eq!(answer(&mut queue), None);
    queue.release(Release::Noop);
    queue.push(bytes("4a"), LIMITS);
    assert_eq!(answer(&mut queue), Some(Polled::Released(Release::Noop)));
    queue.begin_poll();
    assert_eq!(answer(&mut queue), Some(Polled::Packets(bytes("4a"))));
}

#[test]
fn a_goodbye_releases_the_pending_poll_or_the_next_one_but_not_both() {
    let mut queue = Queue::new(Encoding::Polling);
    queue.begin_poll();
    queue.part();
    assert!(!queue.is_parting());
    assert_eq!(answer(&mut queue), Some(Polled::Released(Release::Noop)));

    let mut queue = Queue::new(Encoding::Polling);
    queue.part();
    queue.close(DisconnectReason::TransportClose);
    assert!(queue.is_parting());
    queue.begin_poll();
    assert_eq!(answer(&mut queue), Some(Polled::Released(Release::Noop)));
    assert!(!queue.is_parting());
}

#[test]
fn what_waited_moves_to_the_websocket_and_a_late_poll_is_turned_away() {
    let mut queue = Queue::new(Encoding::Polling);
    queue.push(bytes("4a"), LIMITS);
    queue.begin_poll();
    queue.move_to_websocket();
    assert_eq!(answer(&mut queue), Some(Polled::Released(Release::Moved)));
    let mut writing = VecDeque::new();
    queue.take_into(&mut writing);
    assert_eq!(writing, [Bytes::from_static(b"\x81\x024a")]);
    queue.begin_poll();
    assert_eq!(answer(&mut queue), Some(Polled::Released(Release::Moved)));
}

#[test]
fn a_farewell_is_flushed_and_a_cut_is_not() {
    for (reason, left) in [(DisconnectReason::Closed, 2), (DisconnectReason::PingTimeout, 1)] {
        let mut queue = Queue::new(Encoding::Polling);
        queue.push(bytes("4a"), LIMITS);
        queue.close(reason);
        queue.close(DisconnectReason::Protocol);
        assert_eq!(queue.closed(), Some(reason));
        queue.push_goodbye(bytes("1"));
        assert_eq!(queue.frames.len(), left);
    }
}
