//! Packets that a connected client should not send.

use crate::conform::socket::closes_after;
use crate::conform::{Cx, Outcome, failed, non_strict, table};
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
        Err(stop) => failed(format!("nobody is there any more: {}", stop.why())),
    }
}

async fn stranger(cx: &Cx) -> Outcome {
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
