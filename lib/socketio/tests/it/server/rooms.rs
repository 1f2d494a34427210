//! Rooms and the fan-out.

use bytes::Bytes;
use trialogue_socketio::Outgoing;

use super::{Bench, numbered};
use crate::peer::soon;

#[tokio::test]
async fn an_event_reaches_everybody_in_the_room_and_nobody_else() {
    let mut bench = Bench::new().await;
    let (mut a, a_side) = bench.connect().await;
    let (mut b, b_side) = bench.connect().await;
    let (mut c, c_side) = bench.connect().await;
    let namespace = bench.served.server.namespace("/chat").unwrap();
    a_side.socket.join("one");
    a_side.socket.join("one");
    b_side.socket.join("one");
    c_side.socket.join("two");
    assert_eq!(namespace.room_len("one"), 2);
    assert!(b_side.socket.is_in("one") && !b_side.socket.is_in("two"));

    assert_eq!(namespace.emit("one", &numbered(1)), 2);
    assert_eq!(namespace.emit_except("one", a_side.socket.id(), &numbered(2)), 1);
    a_side.socket.set_tag(7);
    assert_eq!(namespace.emit_split("one", 7, &numbered(3), &numbered(4)), 2);
    b_side.socket.leave("one");
    assert_eq!(namespace.emit("one", &numbered(5)), 1);
    assert_eq!(namespace.emit("two", &numbered(6)), 1);
    assert_eq!(namespace.emit("nowhere", &numbered(7)), 0);

    for (wire, numbers) in [(&mut a, &[1, 3, 5][..]), (&mut b, &[1, 2, 4]), (&mut c, &[6])] {
        for number in numbers {
            wire.expect(&format!("42[\"n\",{number}]")).await;
        }
    }
    drop((a, b, c));
    bench.served.until_empty().await;
    assert_eq!((namespace.room_len("one"), namespace.room_len("two")), (0, 0));
}

#[tokio::test]
async fn attachments_travel_both_ways() {
    let mut bench = Bench::new().await;
    let (mut wire, mut side) = bench.connect().await;
    let text = "451-[\"file\",{\"_placeholder\":true,\"num\":0}]";
    wire.text(text).await;
    let mut frame = bytes::BytesMut::new();
    let opcode = trialogue_socketio::ws::Opcode::Binary;
    trialogue_socketio::ws::put_frame(&mut frame, opcode, &[&[1, 2, 3]], Some(super::wire::MASK));
    wire.bytes(&frame).await;
    let event = soon(side.events.recv()).await.unwrap();
    assert_eq!(event.args().attachments(), [Bytes::from_static(&[1, 2, 3])]);
    let back = Outgoing::raw("file", event.args().json()).unwrap();
    side.socket.emit(&back.attachments(event.args().attachments().to_vec())).unwrap();
    wire.expect(text).await;
    wire.expect_binary(&[1, 2, 3]).await;
}

#[tokio::test]
async fn joins_and_leaves_during_a_fan_out_lose_nothing_for_those_who_stay() {
    let mut bench = Bench::new().await;
    let (mut stays, stays_side) = bench.connect().await;
    let (_moves, moves_side) = bench.connect().await;
    stays_side.socket.join("room");
    let namespace = bench.served.server.namespace("/").unwrap();
    let mover = tokio::spawn(async move {
        for _ in 0..2_000 {
            moves_side.socket.join("room");
            tokio::task::yield_now().await;
            moves_side.socket.leave("room");
        }
        moves_side
    });
    for number in 0..500 {
        assert!(namespace.emit("room", &numbered(number)) >= 1);
        tokio::task::yield_now().await;
    }
    for number in 0..500 {
        stays.expect(&format!("42[\"n\",{number}]")).await;
    }
    drop(soon(mover).await.unwrap());
}
