//! Packets that a connected client should not send.

use crate::conform::frames::Frame;
use crate::conform::socket::closes_after;
use crate::conform::{Cx, Outcome, failed, non_strict, table, unimplemented};
use crate::ws::Opcode;

table! { PACKETS, Ext,
    "ext.packet.attachments", "a billion attachments are not waited for" => billion_attachments,
    "ext.packet.attachment-count",
        "a number of attachments that is none closes" => attachment_count,
    "ext.packet.placeholder", "a placeholder for nothing closes" => placeholder,
    "ext.packet.interrupted", "an event instead of an attachment closes" => interrupted,
    "ext.packet.binary", "a binary message that was not announced closes" => unannounced,
    "ext.packet.reserved", "an event called like a part of the connection closes" => reserved,
    "ext.packet.empty", "an event without a name closes" => empty,
    "ext.packet.stranger", "an event before CONNECT closes" => stranger,
    "ext.packet.unasked-ack", "an acknowledgement that nobody asked for is ignored" => unasked_ack,
    "ext.connect.twice", "a second CONNECT does not begin a second life" => twice,
    "ext.connect.again", "a namespace can be left and connected again" => again,
    "ext.connect.many", "a thousand unknown namespaces are refused one by one, or cut off" => many,
    "ext.connect.error", "a refusal is an object with a message" => error_shape,
}

// The last one: a server that dies of it fails nothing else.
table! { FATAL, Ext,
    "ext.packet.nested", "ten thousand nested arrays hurt nobody" => nested,
}

async fn billion_attachments(cx: &Cx) -> Outcome {
    closes_after(cx, &format!("451000000000-{}[\"message\"]", cx.prefix())).await
}

async fn attachment_count(cx: &Cx) -> Outcome {
    for count in ["-1-", "1e3-", "-", ""] {
        closes_after(cx, &format!("45{count}{}[\"message\"]", cx.prefix())).await?;
    }
    Ok(())
}

async fn placeholder(cx: &Cx) -> Outcome {
    for num in ["99", "-1", "\"constructor\""] {
        let mut ws = cx.inside().await?;
        let place = format!("{{\"_placeholder\":true,\"num\":{num}}}");
        ws.send(&format!("451-{}[\"message\",{place}]", cx.prefix())).await?;
        ws.send_frame(Opcode::Binary, &[1]).await?;
        match ws.closes().await {
            Ok(_) => {}
            Err(_) => return failed(format!("the placeholder {place} was taken")),
        }
    }
    Ok(())
}

async fn interrupted(cx: &Cx) -> Outcome {
    let mut ws = cx.inside().await?;
    let place = r#"{"_placeholder":true,"num":0}"#;
    ws.send(&format!("451-{}[\"message\",{place}]", cx.prefix())).await?;
    ws.send(&format!("42{}[\"message\"]", cx.prefix())).await?;
    ws.closes().await.map(|_| ())
}

async fn unannounced(cx: &Cx) -> Outcome {
    let mut ws = cx.inside().await?;
    ws.send_frame(Opcode::Binary, &[1, 2, 3]).await?;
    ws.closes().await.map(|_| ())
}

async fn reserved(cx: &Cx) -> Outcome {
    for name in ["connect", "disconnect", "disconnecting", "connect_error"] {
        let mut ws = cx.inside().await?;
        ws.send(&format!("42{}[\"{name}\"]", cx.prefix())).await?;
        if ws.closes().await.is_err() {
            return non_strict(format!("the event {name} is taken"));
        }
    }
    Ok(())
}

async fn empty(cx: &Cx) -> Outcome {
    closes_after(cx, &format!("42{}[]", cx.prefix())).await
}

async fn nested(cx: &Cx) -> Outcome {
    const DEPTH: usize = 10_000;
    let mut ws = cx.inside().await?;
    let value = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    ws.send(&format!("42{}[\"message\",{value}]", cx.prefix())).await?;
    // Taken or closed: both are fine. What counts is that the server lives.
    let _either = ws.next().await;
    match cx.open().await {
        Ok(_) => Ok(()),
        Err(stop) => failed(format!("nobody is there any more: {stop:?}")),
    }
}

async fn stranger(cx: &Cx) -> Outcome {
    if cx.subject.offers().websocket.is_none() {
        return unimplemented("no websocket");
    }
    let (mut ws, _) = cx.open().await?;
    ws.send(&format!("42{}[\"message\"]", cx.prefix())).await?;
    ws.closes().await.map(|_| ())
}

async fn unasked_ack(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("4312345[1]").await?;
    ws.send("430[1]").await?;
    ws.send("42[\"message\",1]").await?;
    ws.expect("42[\"message-back\",1]").await
}

async fn twice(cx: &Cx) -> Outcome {
    let mut ws = cx.inside().await?;
    let auth = cx.subject.target().auth.as_deref().unwrap_or_default();
    ws.send(&format!("40{}{auth}", cx.prefix())).await?;
    ws.send("40/nowhere,").await?;
    loop {
        match ws.next().await? {
            Frame::Text(text) if text.starts_with("44/nowhere,") => return Ok(()),
            Frame::Text(text) if text.starts_with(&format!("40{}{{", cx.prefix())) => {
                return failed(format!("a second CONNECT was granted: {text}"));
            }
            Frame::Closed(_) => return Ok(()),
            Frame::Text(text) if text == "2" => ws.send("3").await?,
            Frame::Text(_) | Frame::Binary(_) => {}
        }
    }
}

async fn again(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("41").await?;
    // Some servers act on a DISCONNECT a turn later: an unknown namespace gives them that turn.
    ws.send("40/nowhere,").await?;
    ws.packet().await?;
    ws.send("40{\"again\":true}").await?;
    let granted = ws.packet().await?;
    if !granted.starts_with("40{\"sid\":\"") {
        return failed(format!("connecting again was answered by {granted:?}"));
    }
    ws.expect("42[\"auth\",{\"again\":true}]").await?;
    ws.send("42[\"message\",1]").await?;
    ws.expect("42[\"message-back\",1]").await
}

async fn many(cx: &Cx) -> Outcome {
    const NAMESPACES: usize = 1_000;
    if cx.subject.offers().websocket.is_none() {
        return unimplemented("no websocket");
    }
    let (mut ws, _) = cx.open().await?;
    for number in 0..NAMESPACES {
        ws.send(&format!("40/nowhere-{number},")).await?;
    }
    let mut refused = 0;
    while refused < NAMESPACES {
        match ws.next().await? {
            Frame::Text(text) if text == "2" => ws.send("3").await?,
            Frame::Text(text) if text.starts_with(&format!("44/nowhere-{refused},")) => {
                refused += 1
            }
            Frame::Closed(_) => return Ok(()),
            frame => return failed(format!("namespace {refused} was answered by {frame:?}")),
        }
    }
    Ok(())
}

async fn error_shape(cx: &Cx) -> Outcome {
    if cx.subject.offers().websocket.is_none() {
        return unimplemented("no websocket");
    }
    let (mut ws, _) = cx.open().await?;
    ws.send("40/nowhere,{\"token\":\"x\"}").await?;
    let answer = ws.packet().await?;
    let json = answer.strip_prefix("44/nowhere,").unwrap_or_default();
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(error) if error["message"].is_string() => Ok(()),
        _ => failed(format!("{answer:?} is no refusal with a message")),
    }
}
