//! Coming to a namespace and leaving it.

use serde_json::Value;

use crate::conform::frames::Frame;
use crate::conform::socket::check_granted;
use crate::conform::{Cx, Outcome, failed, table, unimplemented};

table! { CONNECTS, Ext,
    "ext.connect.twice", "a second CONNECT does not begin a second life" => twice,
    "ext.connect.again", "a namespace can be left and connected again" => again,
    "ext.connect.many", "a thousand unknown namespaces are refused one by one, or cut off" => many,
    "ext.connect.error", "a refusal is an object with a message" => error_shape,
    "ext.connect.error-data", "a refusal may carry data" => error_data,
    "ext.connect.recovery", "a session that nobody knows cannot be recovered" => recovery,
    "ext.disconnect.server", "the server disconnects a socket, and the connection stays" => kicked,
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
    check_granted(&ws.packet().await?, "")?;
    ws.expect("42[\"auth\",{\"again\":true}]").await?;
    ws.send("42[\"message\",1]").await?;
    ws.expect("42[\"message-back\",1]").await
}

async fn many(cx: &Cx) -> Outcome {
    const NAMESPACES: usize = 1_000;
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
    let (mut ws, _) = cx.open().await?;
    ws.send("40/nowhere,{\"token\":\"x\"}").await?;
    let answer = ws.packet().await?;
    let json = answer.strip_prefix("44/nowhere,").unwrap_or_default();
    match serde_json::from_str::<Value>(json) {
        Ok(error) if error["message"].is_string() => Ok(()),
        _ => failed(format!("{answer:?} is no refusal with a message")),
    }
}

async fn error_data(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("40/guarded,").await?;
    let answer = ws.packet().await?;
    if answer == "44/guarded,{\"message\":\"Invalid namespace\"}" {
        return unimplemented("there is no namespace /guarded");
    }
    let json = answer.strip_prefix("44/guarded,").unwrap_or_default();
    let expected = serde_json::json!({"message": "not you", "data": {"code": "guarded"}});
    match serde_json::from_str::<Value>(json) {
        Ok(refusal) if refusal == expected => Ok(()),
        _ => failed(format!("/guarded was answered by {answer:?}")),
    }
}

/// A client that comes back shows the `pid` of its old session and the offset of the last event
/// that it saw; a server that does not know them begins anew.
async fn recovery(cx: &Cx) -> Outcome {
    const UNKNOWN: &str = r#"{"pid":"0123456789abcdefghij","offset":"nowhere"}"#;
    let (mut ws, _) = cx.open().await?;
    let auth = match cx.subject.target().auth.as_deref().and_then(|auth| auth.strip_suffix('}')) {
        Some("{") | None => UNKNOWN.to_owned(),
        Some(auth) => format!("{auth},{}", &UNKNOWN[1..]),
    };
    ws.send(&format!("40{}{auth}", cx.prefix())).await?;
    let answer = ws.packet().await?;
    if answer.starts_with("44") && cx.subject.offers().refused.is_some() {
        return unimplemented(format!("the namespace refuses us: {answer}"));
    }
    check_granted(&answer, &cx.prefix())
}

async fn kicked(cx: &Cx) -> Outcome {
    let mut ws = cx.inside_profile().await?;
    ws.send("42[\"kick\"]").await?;
    match ws.packet().await {
        Ok(text) if text == "41" => {}
        Ok(text) => return failed(format!("{text:?} came instead of a DISCONNECT")),
        Err(_) => return unimplemented("the server does not know the event kick"),
    }
    ws.send("40").await?;
    check_granted(&ws.packet().await?, "")
}
