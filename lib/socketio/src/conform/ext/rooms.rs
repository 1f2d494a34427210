//! Who gets what: rooms, a whole namespace, volatile events.

use serde_json::Value;

use crate::conform::frames::Ws;
use crate::conform::socket::check_granted;
use crate::conform::{Cx, Outcome, failed, table, unimplemented};

table! { ROOMS, Ext,
    "ext.rooms.emit", "an event to a room reaches its members" => emit,
    "ext.rooms.except", "an event to the others does not reach its sender" => except,
    "ext.rooms.leave", "who has left a room is not reached" => leave,
    "ext.rooms.gone", "who has left the namespace is in none of its rooms" => gone,
    "ext.rooms.everybody", "an event to a namespace reaches all of it and no other" => everybody,
    "ext.volatile.ready", "a volatile event reaches a client that reads" => volatile,
}

/// What the server does not know, it does not answer: this long is waited for it.
async fn known(ws: &mut Ws, event: &str) -> Outcome<String> {
    match ws.packet().await {
        Ok(packet) => Ok(packet),
        Err(_) => unimplemented(format!("the server does not know the event {event}")),
    }
}

/// A socket that is in the room, if the server has rooms to try.
async fn member(cx: &Cx, room: &str) -> Outcome<Ws> {
    let mut ws = cx.inside_profile().await?;
    ws.send(&format!("427[\"join\",\"{room}\"]")).await?;
    match known(&mut ws, "join").await? {
        text if text == "437[true]" => Ok(ws),
        text => failed(format!("joining a room was acknowledged by {text:?}")),
    }
}

/// A name that no other run uses at the same time.
fn room() -> String {
    format!("room-{:016x}", rand::random::<u64>())
}

/// Nothing has come before this answer, since one socket's events keep their order.
async fn got_nothing(ws: &mut Ws) -> Outcome {
    ws.send("42[\"message\",\"and now?\"]").await?;
    ws.expect("42[\"message-back\",\"and now?\"]").await
}

async fn emit(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    let mut outsider = cx.inside_profile().await?;
    for number in 0..20 {
        first.send(&format!("42[\"to-room\",\"{room}\",{number}]")).await?;
    }
    for number in 0..20 {
        first.expect(&format!("42[\"room\",{number}]")).await?;
        second.expect(&format!("42[\"room\",{number}]")).await?;
    }
    got_nothing(&mut outsider).await
}

async fn except(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    first.send(&format!("42[\"to-room-except\",\"{room}\",1]")).await?;
    second.expect("42[\"room\",1]").await?;
    got_nothing(&mut first).await
}

async fn leave(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    second.send(&format!("428[\"leave\",\"{room}\"]")).await?;
    second.expect("438[true]").await?;
    first.send(&format!("42[\"to-room\",\"{room}\",1]")).await?;
    first.expect("42[\"room\",1]").await?;
    got_nothing(&mut second).await
}

async fn gone(cx: &Cx) -> Outcome {
    let room = room();
    let (mut first, mut second) = (member(cx, &room).await?, member(cx, &room).await?);
    second.send("41").await?;
    // Some servers act on a DISCONNECT a turn later: an unknown namespace gives them that turn.
    second.send("40/nowhere,").await?;
    second.packet().await?;
    second.send("40").await?;
    check_granted(&second.packet().await?, "")?;
    second.expect("42[\"auth\",{}]").await?;
    first.send(&format!("42[\"to-room\",\"{room}\",1]")).await?;
    first.expect("42[\"room\",1]").await?;
    got_nothing(&mut second).await
}

async fn everybody(cx: &Cx) -> Outcome {
    let mut outsider = cx.inside_profile().await?;
    let (mut first, mut second) = (cx.open().await?.0, cx.open().await?.0);
    for ws in [&mut first, &mut second] {
        ws.send("40/lobby,").await?;
        match ws.packet().await? {
            refused if refused.starts_with("44") => {
                return unimplemented("there is no namespace /lobby");
            }
            answer => check_granted(&answer, "/lobby,")?,
        }
    }
    // Somebody else may be trying the same: only this value is ours.
    let value = Value::from(room());
    first.send(&format!("42/lobby,[\"to-all\",{value}]")).await?;
    let expected = format!("42/lobby,[\"all\",{value}]");
    for ws in [&mut first, &mut second] {
        while known(ws, "to-all").await? != expected {}
    }
    got_nothing(&mut outsider).await
}

async fn volatile(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("42[\"volatile\",1]").await?;
    match known(&mut ws, "volatile").await? {
        text if text == "42[\"volatile-back\",1]" => got_nothing(&mut ws).await,
        text => failed(format!("a volatile event was answered by {text:?}")),
    }
}
